//! Node.js interpreters of this machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use model::{Digest, MemoryMib};
use serde::Deserialize;

use super::{
    Launch, Program, RUNTIME_DIR, Search, installed,
    probe::{self, ProbeError},
};

/// Our bootstrap, and what it loads on demand.
const FILES: [(&str, &str); 2] = [
    (
        "bootstrap.cjs",
        include_str!("../../runtimes/node/bootstrap.cjs"),
    ),
    (
        "response-stream.cjs",
        include_str!("../../runtimes/node/response-stream.cjs"),
    ),
];
/// The oldest version that understands the bootstrap.
const OLDEST: u8 = 16;
/// What an interpreter is called where several are installed side by side: `node`, `node-22` (Fedora), `node22` (Alpine).
const NUMBERED: std::ops::RangeInclusive<u8> = OLDEST..=30;
/// Where installers for one user keep versions, one directory each, and the interpreter in them.
const OF_HOME: [(&str, &str); 6] = [
    (".nvm/versions/node", "bin"),
    (".local/share/fnm/node-versions", "installation/bin"),
    (".local/share/mise/installs/node", "bin"),
    (".asdf/installs/nodejs", "bin"),
    (".nodenv/versions", "bin"),
    (".volta/tools/image/node", "bin"),
];
/// The same, for the whole machine: the archives of nodejs.org, and `n`.
const OF_MACHINE: [(&str, &str); 2] = [
    ("/usr/local/lib/nodejs", "bin"),
    ("/usr/local/n/versions/node", "bin"),
];

/// Asks an interpreter what it is. The libraries are those that it was linked to.
const PROBE: &str = r"
const { realpathSync } = require('fs');
const { dirname } = require('path');
const libraries = process.report.getReport().sharedObjects.filter((file) => file.startsWith('/'));
console.log(JSON.stringify({
    version: process.versions.node.split('.').map(Number),
    executable: realpathSync(process.execPath),
    dirs: libraries.map((file) => dirname(realpathSync(file))),
}));
";

/// One interpreter.
#[derive(Clone, Debug)]
pub(crate) struct Interpreter {
    version: (u8, u16, u16),
    executable: PathBuf,
    /// Directories outside `/usr` that it needs.
    binds: Vec<PathBuf>,
    runtime_dir: PathBuf,
    fingerprint: Digest,
}

#[derive(Deserialize)]
struct Answer {
    version: (u8, u16, u16),
    executable: PathBuf,
    dirs: Vec<PathBuf>,
}

impl Interpreter {
    pub(crate) fn major(&self) -> u8 {
        self.version.0
    }

    pub(crate) fn version(&self) -> String {
        let (major, minor, patch) = self.version;
        format!("{major}.{minor}.{patch}")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.executable
    }

    pub(crate) fn launch(&self, remark: Option<String>) -> Launch {
        let (major, minor, _) = self.version;
        Launch {
            zygote: None,
            program: Program::Node(self.executable.to_string_lossy().into_owned()),
            runtime_dir: self.runtime_dir.clone(),
            binds: self.binds.clone(),
            environment: BTreeMap::new(),
            label: format!("nodejs:{major}.v{minor}"),
            fingerprint: self.fingerprint,
            remark,
        }
    }

    #[cfg(test)]
    pub(crate) fn fake(major: u8) -> Self {
        Self {
            version: (major, 0, 0),
            executable: "/usr/bin/node".into(),
            binds: Vec::new(),
            runtime_dir: "/nowhere".into(),
            fingerprint: Digest::of(b""),
        }
    }
}

/// Program and arguments for a function with this much memory.
///
/// V8 sizes its heap by the machine's memory, which it believes to have, and would collect its garbage only when the function
/// has long been ended for it. So a tenth of the function's memory goes to new objects, of whose three spaces each gets its
/// share, and four fifths to old ones; the rest is for what lies outside the heap. Owners who choose sizes by `NODE_OPTIONS`
/// get theirs.
/// <https://nodejs.org/docs/latest/api/cli.html#--max-old-space-sizesize-in-mib>
pub(crate) fn command(
    executable: &str,
    memory: MemoryMib,
    node_options: Option<&str>,
) -> Vec<String> {
    let mut argv = vec![executable.to_owned()];
    // Both spellings are known to V8.
    let chosen = node_options.unwrap_or_default().replace('_', "-");
    if !["--max-old-space-size", "--max-semi-space-size"]
        .iter()
        .any(|name| chosen.contains(name))
    {
        let all = memory.get();
        argv.push(format!("--max-old-space-size={}", all * 4 / 5));
        argv.push(format!("--max-semi-space-size={}", (all / 30).clamp(1, 64)));
    }
    argv.push(format!("{RUNTIME_DIR}/bootstrap.cjs"));
    argv
}

/// Every interpreter that answers, the first one found of each major version. They are asked side by side.
pub(super) fn detect(search: &Search, dir: &Path) -> BTreeMap<u8, Interpreter> {
    probe::first_of_each(
        &candidates(search),
        ask,
        |answer: &Answer| answer.version.0,
        |answer| interpreter(answer, dir),
    )
}

/// Files that may be interpreters, each once, the first choice first.
fn candidates(search: &Search) -> Vec<PathBuf> {
    let mut dirs = search.usual_dirs();
    let of_home = search
        .home
        .iter()
        .flat_map(|home| OF_HOME.map(|(versions, inside)| (home.join(versions), inside)));
    let of_machine = OF_MACHINE.map(|(versions, inside)| (PathBuf::from(versions), inside));
    for (versions, inside) in of_home.chain(of_machine) {
        dirs.extend(installed(&versions).map(|version| version.join(inside)));
    }
    let names: Vec<String> = ["node".to_owned(), "nodejs".to_owned()]
        .into_iter()
        .chain(
            NUMBERED
                .rev()
                .flat_map(|n| [format!("node-{n}"), format!("node{n}")]),
        )
        .collect();
    let mut seen = BTreeSet::new();
    dirs.iter()
        .flat_map(|dir| names.iter().map(|name| dir.join(name)))
        // Wrapper scripts resolve to themselves; the answer tells what is behind them.
        .filter(|path| fs::canonicalize(path).is_ok_and(|real| seen.insert(real)))
        .collect()
}

fn ask(path: &Path) -> Result<Answer, ProbeError> {
    let answer = probe::ask(Command::new(path).args(["-e", PROBE]))?;
    let answer: Answer = serde_json::from_slice(&answer)?;
    if answer.version.0 < OLDEST {
        return Err(ProbeError::Version {
            expected: "16 or newer",
            got: answer.version.0.to_string(),
        });
    }
    Ok(answer)
}

fn interpreter(answer: Answer, dir: &Path) -> Result<Interpreter, ProbeError> {
    let runtime_dir = dir.join(format!("node{}", answer.version.0));
    fs::create_dir_all(&runtime_dir)?;
    let mut identity = format!("{} {:?}", answer.executable.display(), answer.version);
    let mut files = Vec::new();
    for (name, content) in FILES {
        let file = runtime_dir.join(name);
        fs::write(&file, content)?;
        files.push(file);
        identity.push_str(content);
    }
    probe::publish(&runtime_dir, &files)?;
    Ok(Interpreter {
        version: answer.version,
        binds: probe::binds(&answer.executable, &answer.dirs)?,
        executable: answer.executable,
        runtime_dir,
        fingerprint: Digest::of(identity.as_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(home: Option<PathBuf>) -> Search {
        Search {
            dirs: vec![],
            path: None,
            home,
            nearest: false,
        }
    }

    #[test]
    fn the_heap_fits_into_the_memory_of_the_function() {
        let check = |memory: u64, options: Option<&str>, expected: &[&str]| {
            let memory = MemoryMib::new(memory).unwrap();
            let argv = command("/usr/bin/node", memory, options);
            assert_eq!(argv.first().unwrap(), "/usr/bin/node");
            assert_eq!(argv.last().unwrap(), "/var/runtime/bootstrap.cjs");
            assert_eq!(argv[1..argv.len() - 1], *expected, "{options:?}");
        };
        let small = ["--max-old-space-size=102", "--max-semi-space-size=4"];
        check(128, None, &small);
        check(128, Some("--enable-source-maps"), &small);
        check(128, Some("--max_old_space_size=64"), &[]);
        check(128, Some("--trace-gc --max-semi-space-size=8"), &[]);
        let large = ["--max-old-space-size=8192", "--max-semi-space-size=64"];
        check(10240, None, &large);
    }

    #[test]
    fn versions_of_an_installer_are_tried_from_the_newest_on() {
        let home = tempfile::tempdir().unwrap();
        for version in ["v9.11.2", "v18.20.4", "v20.1.0", "v18.3.0"] {
            let bin = home
                .path()
                .join(".nvm/versions/node")
                .join(version)
                .join("bin");
            fs::create_dir_all(&bin).unwrap();
            fs::write(bin.join("node"), version).unwrap();
        }
        let tried: Vec<String> = candidates(&search(Some(home.path().to_owned())))
            .iter()
            .filter_map(|path| path.strip_prefix(home.path()).ok())
            .map(|path| path.iter().nth(3).unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(tried, ["v20.1.0", "v18.20.4", "v18.3.0", "v9.11.2"]);
    }

    #[test]
    fn the_interpreters_of_this_machine_say_what_they_are() {
        let dir = tempfile::tempdir().unwrap();
        for (major, interpreter) in detect(&search(None), dir.path()) {
            assert_eq!(interpreter.major(), major);
            assert!(interpreter.runtime_dir.join("bootstrap.cjs").is_file());
            assert!(interpreter.path().is_absolute());
        }
    }

    #[test]
    fn what_is_no_interpreter_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let executable = |name: &str, script: &str| {
            let place = dir.path().join(name);
            fs::create_dir_all(&place).unwrap();
            let path = place.join("node");
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .unwrap();
            ask(&path)
        };
        let old = executable(
            "old",
            "#!/bin/sh\necho '{\"version\":[14,1,0],\"executable\":\"/usr/bin/node\",\"dirs\":[]}'\n",
        );
        assert!(matches!(old, Err(ProbeError::Version { .. })));
        let mute = executable("mute", "#!/bin/sh\n");
        assert!(matches!(mute, Err(ProbeError::Answer(_))));
        let broken = executable("broken", "#!/bin/sh\nexit 1\n");
        assert!(matches!(broken, Err(ProbeError::Failed { .. })));
    }
}
