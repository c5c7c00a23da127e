//! Finds faults, workloads and invariants: every file of their folders is one, and nothing else names it.

use std::{env, fs, io, path::Path};

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    for (folder, kind) in [
        ("faults", "Fault"),
        ("workloads", "Workload"),
        ("invariants", "Invariant"),
    ] {
        let place = Path::new(&root).join("src").join(folder);
        println!("cargo::rerun-if-changed={}", place.display());
        let mut files: Vec<_> = fs::read_dir(&place)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|e| e == "rs"))
            .collect();
        files.sort();
        let mut text = String::new();
        let mut list = String::new();
        for file in files {
            let Some(name) = file.file_stem().and_then(|s| s.to_str()) else {
                continue;
            };
            text.push_str(&format!("#[path = {file:?}]\nmod {name};\n"));
            list.push_str(&format!("        {name}::ENTRY,\n"));
        }
        text.push_str(&format!(
            "/// Every one there is, by name.\npub(crate) fn all() -> Vec<{kind}Entry> {{\n    vec![\n{list}    ]\n}}\n"
        ));
        fs::write(Path::new(&out).join(format!("{folder}.rs")), text)?;
    }
    Ok(())
}
