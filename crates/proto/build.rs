//! Compiles `/proto` without a protoc binary.

use std::{error::Error, path::PathBuf};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from("../../proto");
    let files = [
        "dunlin/v1/functions.proto",
        "dunlin/v1/identity.proto",
        "dunlin/internal/v1/raft.proto",
        "dunlin/internal/v1/catalog.proto",
        "dunlin/internal/v1/blobs.proto",
        "dunlin/internal/v1/worker.proto",
        "dunlin/internal/v1/session.proto",
        "dunlin/internal/v1/gateway.proto",
        "dunlin/internal/v1/logs.proto",
    ];
    println!("cargo::rerun-if-changed={}", root.display());
    let descriptors = protox::compile(files, [&root])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .btree_map(".")
        .bytes(".")
        // Their fields are secrets: see src/quiet.rs.
        .skip_debug([
            ".dunlin.v1.EnvironmentVariables",
            ".dunlin.v1.NewAccessKey",
            ".dunlin.internal.v1.EnvironmentVariables",
            ".dunlin.internal.v1.InvokeHead",
            ".dunlin.internal.v1.RoleKey",
        ])
        .compile_fds(descriptors)?;
    Ok(())
}
