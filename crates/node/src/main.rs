//! The program `dunlin`.

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The hidden command under which a worker starts its own program to make sandboxes.
const SPAWNER: &str = "__spawner";

fn main() -> ExitCode {
    // Before anything else: the spawner must have a single thread, and reads no command line.
    if std::env::args_os().nth(1).is_some_and(|a| a == SPAWNER) {
        return sandbox::spawner::main();
    }
    // Fails only if a provider is installed already, and then there is one.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    node::cli::run(node::cli::Cli::parse())
}
