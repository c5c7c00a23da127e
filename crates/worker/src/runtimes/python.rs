//! Python interpreters of this machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use model::Digest;
use serde::Deserialize;

use super::{Launch, Program, RUNTIME_DIR, Search};

/// Our bootstrap.
const BOOTSTRAP: &str = include_str!("../../runtimes/python/bootstrap.py");
/// The versions that are looked for.
const MINORS: std::ops::RangeInclusive<u8> = 9..=15;
/// How long an interpreter may take to say what it is.
const PROBE_MAX: Duration = Duration::from_secs(20);
/// Where a sandbox has directories of its own: an interpreter below them cannot be shown to it.
const TAKEN: [&str; 5] = ["/opt", "/tmp", "/var/task", "/var/runtime", "/proc"];

/// Asks an interpreter what it is, and has it compile the bootstrap.
const PROBE: &str = r#"
import json, os, py_compile, sys, sysconfig
source, target = sys.argv[1:3]
py_compile.compile(source, cfile=target, dfile="/var/runtime/bootstrap.py", doraise=True,
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
        Launch {
            // `-S`: nothing of the host's site-packages; the bootstrap sets the search path itself.
            program: Program::Fixed(vec![
                self.executable.to_string_lossy().into_owned(),
                "-S".to_owned(),
                format!("{RUNTIME_DIR}/bootstrap.pyc"),
            ]),
            runtime_dir: self.runtime_dir.clone(),
            binds: self.binds.clone(),
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
        match probe(&candidate, minor, dir) {
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
    let mut dirs = search.dirs.clone();
    dirs.extend(["/usr/bin".into(), "/usr/local/bin".into()]);
    if let Some(path) = &search.path {
        // Shims choose by the directory they are called in: what they stand for is looked up below instead.
        dirs.extend(std::env::split_paths(path).filter(|d| !d.ends_with("shims")));
    }
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

/// Why a candidate cannot be used.
#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error("running it")]
    Run(#[from] io::Error),
    #[error("expected an answer within {PROBE_MAX:?}")]
    Deadline,
    #[error("expected an answer, got {status}: {stderr}")]
    Failed {
        status: std::process::ExitStatus,
        stderr: String,
    },
    #[error("expected an answer in JSON")]
    Answer(#[from] serde_json::Error),
    #[error("expected python 3.{expected}, got 3.{got}")]
    Version { expected: u8, got: u8 },
    #[error("{0:?} cannot be shown to a sandbox; install it below /usr or in another directory")]
    Place(PathBuf),
}

fn probe(path: &Path, minor: u8, dir: &Path) -> Result<Interpreter, ProbeError> {
    let runtime_dir = dir.join(format!("python3.{minor}"));
    fs::create_dir_all(&runtime_dir)?;
    let source = runtime_dir.join("bootstrap.py");
    let target = runtime_dir.join("bootstrap.pyc");
    fs::write(&source, BOOTSTRAP)?;
    let output = run(path, &source, &target)?;
    let answer: Answer = serde_json::from_slice(&output)?;
    if answer.version.1 != minor {
        return Err(ProbeError::Version {
            expected: minor,
            got: answer.version.1,
        });
    }
    for file in [&source, &target, &runtime_dir] {
        let mode = if file.is_dir() { 0o755 } else { 0o644 };
        fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    }
    let compiled = fs::read(&target)?;
    let identity = [answer.executable.to_string_lossy().as_bytes(), &compiled].concat();
    Ok(Interpreter {
        version: answer.version,
        binds: binds(&answer)?,
        executable: answer.executable,
        runtime_dir,
        fingerprint: Digest::of(&identity),
    })
}

fn run(path: &Path, source: &Path, target: &Path) -> Result<Vec<u8>, ProbeError> {
    let mut child = Command::new(path)
        .args(["-I", "-S", "-B", "-c", PROBE])
        .args([source, target])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // Its answer fits into a pipe, so it never waits for us.
    let step = Duration::from_millis(2);
    let mut waited = Duration::ZERO;
    while child.try_wait()?.is_none() {
        if waited >= PROBE_MAX {
            child.kill()?;
            child.wait()?;
            return Err(ProbeError::Deadline);
        }
        std::thread::sleep(step);
        waited += step;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(ProbeError::Failed {
            status: output.status,
            stderr: String::from_utf8_lossy(&output.stderr)
                .chars()
                .take(300)
                .collect(),
        });
    }
    Ok(output.stdout)
}

/// The directories that a sandbox must be shown beside `/usr`; one inside another is left out.
fn binds(answer: &Answer) -> Result<Vec<PathBuf>, ProbeError> {
    let mut all: Vec<PathBuf> = answer.dirs.clone();
    all.extend(answer.executable.parent().map(Path::to_owned));
    all.retain(|d| !d.starts_with("/usr"));
    all.sort();
    all.dedup();
    let mut kept: Vec<PathBuf> = Vec::new();
    for dir in all {
        let is_root = dir.parent().is_none();
        if is_root || TAKEN.iter().any(|t| dir.starts_with(t)) {
            return Err(ProbeError::Place(dir));
        }
        if !kept.iter().any(|k| dir.starts_with(k)) {
            kept.push(dir);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_outside_usr_is_shown_and_nothing_that_is_taken() {
        let check = |executable: &str, dirs: &[&str]| {
            let answer = Answer {
                version: (3, 11, 2),
                executable: executable.into(),
                dirs: dirs.iter().map(PathBuf::from).collect(),
            };
            binds(&answer).ok()
        };
        assert_eq!(
            check("/usr/bin/python3.11", &["/usr", "/usr/lib/python3.11"]),
            Some(vec![])
        );
        assert_eq!(
            check(
                "/home/x/v/bin/python3.11",
                &["/home/x/v", "/home/x/v/lib/python3.11", "/home/x/v/lib"]
            ),
            Some(vec!["/home/x/v".into()])
        );
        assert_eq!(check("/opt/py/bin/python3.11", &["/opt/py"]), None);
        assert_eq!(check("/bin/python3.11", &["/"]), None);
    }

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
