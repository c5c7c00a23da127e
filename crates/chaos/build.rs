//! Lists the scenarios that the program carries: every file of `scenarios/`, so that to add one is to add a file.

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("scenarios");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension() == Some("toml".as_ref()) {
            files.push(path);
        }
    }
    files.sort();
    let mut list = "&[".to_owned();
    for path in files {
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .ok_or("expected a scenario's file name to be text")?;
        write!(list, "({name:?}, include_str!({path:?})),")?;
    }
    list.push(']');
    let out = Path::new(&env::var("OUT_DIR")?).join("scenarios.rs");
    fs::write(out, list)?;
    Ok(())
}
