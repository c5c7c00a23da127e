//! Python interpreters of this machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use model::Digest;
use serde::Deserialize;

use super::{
    Launch, Program, RUNTIME_DIR, Search,
    probe::{self, ProbeError},
};

/// Our bootstrap.
const BOOTSTRAP: &str = include_str!("../../runtimes/python/bootstrap.py");
/// What makes it a zygote.
const ZYGOTE: &str = include_str!("../../runtimes/python/zygote.py");
/// The versions that are looked for.
const MINORS: std::ops::RangeInclusive<u8> = 9..=15;

/// Asks an interpreter what it is, and has it compile what it will run.
const PROBE: &str = r#"
import json, os, py_compile, sys, sysconfig
for source in sys.argv[1:]:
    py_compile.compile(source, cfile=source + "c", dfile="/var/runtime/" + os.path.basename(source), doraise=True,
                       invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "executable": os.path.realpath(sys.executable),
    "dirs": [os.path.realpath(p) for p in (sys.base_prefix, sys.base_exec_prefix,
             sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))]
            + ([os.path.realpath(sysconfig.get_config_var("LIBDIR"))]
               if sysconfig.get_config_var("Py_ENABLE_SHARED") else []),
}))
"#;

/// One interpreter.
#[derive(Clone, Debug)]
pub(crate) struct Interpreter {
    version: (u8, u8, u8),
    executable: PathBuf,
    /// Directories outside `/usr` that it needs.
    binds: Vec<PathBuf>,
    runtime_dir: PathBuf,
    fingerprint: Digest,
}

#[derive(Deserialize)]
struct Answer {
    version: (u8, u8, u8),
    executable: PathBuf,
    dirs: Vec<PathBuf>,
}

impl Interpreter {
    pub(crate) fn minor(&self) -> u8 {
        self.version.1
    }

    pub(crate) fn version(&self) -> String {
        let (major, minor, patch) = self.version;
        format!("{major}.{minor}.{patch}")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.executable
    }

    pub(crate) fn launch(&self, remark: Option<String>) -> Launch {
        let (major, minor, patch) = self.version;
        // `-S`: nothing of the host's site-packages; the bootstrap sets the search path itself.
        let argv = vec![
            self.executable.to_string_lossy().into_owned(),
            "-S".to_owned(),
            format!("{RUNTIME_DIR}/bootstrap.pyc"),
        ];
        let zygote = argv.iter().cloned().chain(["--zygote".to_owned()]);
        Launch {
            zygote: Some(zygote.collect()),
            program: Program::Fixed(argv),
            runtime_dir: self.runtime_dir.clone(),
            binds: self.binds.clone(),
            environment: BTreeMap::new(),
            label: format!("python:{major}.{minor}.v{patch}"),
            fingerprint: self.fingerprint,
            remark,
        }
    }

    #[cfg(test)]
    pub(crate) fn fake(minor: u8) -> Self {
        Self {
            version: (3, minor, 0),
            executable: "/usr/bin/python3".into(),
            binds: Vec::new(),
            runtime_dir: "/nowhere".into(),
            fingerprint: Digest::of(b""),
        }
    }
}

/// Every interpreter that answers, the first one found of each minor version. The versions are tried side by side.
pub(super) fn detect(search: &Search, dir: &Path) -> BTreeMap<u8, Interpreter> {
    std::thread::scope(|scope| {
        let each: Vec<_> = MINORS
            .map(|minor| (minor, scope.spawn(move || find(search, minor, dir))))
            .collect();
        each.into_iter()
            .filter_map(|(minor, found)| Some((minor, found.join().ok()??)))
            .collect()
    })
}

fn find(search: &Search, minor: u8, dir: &Path) -> Option<Interpreter> {
    let mut seen = BTreeSet::new();
    for candidate in candidates(search, minor) {
        // Wrapper scripts resolve to themselves; the probe tells what is behind them.
        let Ok(real) = fs::canonicalize(&candidate) else {
            continue;
        };
        if !seen.insert(real) {
            continue;
        }
        match interpreter(&candidate, minor, dir) {
            Ok(interpreter) => return Some(interpreter),
            Err(error) => {
                tracing::debug!(path = %candidate.display(), %error, "not an interpreter that can be used");
            }
        }
    }
    None
}

fn candidates(search: &Search, minor: u8) -> Vec<PathBuf> {
    let name = format!("python3.{minor}");
    let mut dirs = search.usual_dirs();
    if let Some(versions) = search.home.as_ref().map(|h| h.join(".pyenv/versions"))
        && let Ok(entries) = fs::read_dir(versions)
    {
        let mut installed: Vec<PathBuf> = entries.flatten().map(|e| e.path().join("bin")).collect();
        installed.sort();
        installed.reverse();
        dirs.extend(installed);
    }
    dirs.iter()
        .map(|d| d.join(&name))
        .filter(|p| p.try_exists().unwrap_or(false))
        .collect()
}

fn interpreter(path: &Path, minor: u8, dir: &Path) -> Result<Interpreter, ProbeError> {
    let runtime_dir = dir.join(format!("python3.{minor}"));
    fs::create_dir_all(&runtime_dir)?;
    let [source, target] = ["bootstrap.py", "bootstrap.pyc"].map(|name| runtime_dir.join(name));
    let [zygote, its_target] = ["zygote.py", "zygote.pyc"].map(|name| runtime_dir.join(name));
    fs::write(&source, BOOTSTRAP)?;
    fs::write(&zygote, ZYGOTE)?;
    let mut command = Command::new(path);
    command.args(["-I", "-S", "-B", "-c", PROBE]);
    let output = probe::ask(command.args([&source, &zygote]))?;
    let answer: Answer = serde_json::from_slice(&output)?;
    if answer.version.1 != minor {
        return Err(ProbeError::Version {
            expected: "the name that it has",
            got: format!("3.{}", answer.version.1),
        });
    }
    // Beside its source the compiled form would not be looked at.
    fs::remove_file(zygote)?;
    probe::publish(&runtime_dir, &[source, target.clone(), its_target])?;
    let compiled = fs::read(&target)?;
    let identity = [answer.executable.to_string_lossy().as_bytes(), &compiled].concat();
    Ok(Interpreter {
        version: answer.version,
        binds: probe::binds(&answer.executable, &answer.dirs)?,
        executable: answer.executable,
        runtime_dir,
        fingerprint: Digest::of(&identity),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreters_of_this_machine_say_what_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let search = Search {
            dirs: vec![],
            path: None,
            home: None,
            nearest: false,
        };
        for (minor, interpreter) in detect(&search, dir.path()) {
            assert_eq!(interpreter.minor(), minor);
            assert!(interpreter.runtime_dir.join("bootstrap.pyc").is_file());
            assert!(interpreter.path().is_absolute());
        }
    }
}
