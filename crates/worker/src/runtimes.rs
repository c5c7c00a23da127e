//! Which runtimes this machine can start, and how.
//!
//! `provided` runtimes bring their own program and are always there. Python and Node.js run on interpreters of this machine
//! with our bootstraps: each interpreter that is found is asked once, at the start, what it is and where its library is. A
//! Python compiles the bootstrap for itself then, so that no cold start has to.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use model::{Digest, Runtime, runtime::Family};

pub(crate) mod node;
mod probe;
mod python;

/// Where a runtime directory is mounted.
const RUNTIME_DIR: &str = "/var/runtime";

/// The runtimes of this machine.
#[derive(Debug)]
pub(crate) struct Runtimes {
    /// By minor version.
    python: BTreeMap<u8, python::Interpreter>,
    /// By major version.
    node: BTreeMap<u8, node::Interpreter>,
    provided_dir: PathBuf,
    nearest: bool,
}

/// How to start a runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    pub(crate) program: Program,
    /// Becomes `/var/runtime`.
    pub(crate) runtime_dir: PathBuf,
    /// Further directories that the program needs.
    pub(crate) binds: Vec<PathBuf>,
    /// The version as the log prints it, such as `python:3.11.v2`.
    pub(crate) label: String,
    /// Changes with the interpreter and the bootstrap.
    pub(crate) fingerprint: Digest,
    /// What the owner of the function should know: another version runs it than the one it asks for.
    pub(crate) remark: Option<String>,
}

/// What is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// Program and arguments.
    Fixed(Vec<String>),
    /// The path of a Node.js, whose arguments depend on the function.
    Node(String),
    /// The package's own `bootstrap`.
    Bootstrap,
}

/// What to look for, and where.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// Directories with interpreters, beside the usual ones.
    pub(crate) dirs: Vec<PathBuf>,
    /// The owner's `PATH` and home, for the usual ones.
    pub(crate) path: Option<std::ffi::OsString>,
    pub(crate) home: Option<PathBuf>,
    /// Run another version of the same language if the one asked for is missing.
    pub(crate) nearest: bool,
}

impl Search {
    /// Where interpreters of every language are looked for, the first choice first.
    fn usual_dirs(&self) -> Vec<PathBuf> {
        let mut dirs = self.dirs.clone();
        dirs.extend(["/usr/bin".into(), "/usr/local/bin".into()]);
        if let Some(path) = &self.path {
            // Shims choose by the directory they are called in: what they stand for is looked up where it is installed.
            dirs.extend(std::env::split_paths(path).filter(|d| !d.ends_with("shims")));
        }
        dirs
    }
}

impl Runtimes {
    /// Looks around and prepares a directory with our bootstraps, which it owns. Blocks the thread: it runs each
    /// interpreter once.
    pub(crate) fn detect(search: &Search, dir: &Path) -> io::Result<Self> {
        let provided = Self::without_interpreters(dir)?;
        let (python, node) = std::thread::scope(|scope| {
            let node = scope.spawn(|| node::detect(search, dir));
            (python::detect(search, dir), node.join().unwrap_or_default())
        });
        for interpreter in python.values() {
            tracing::info!(version = %interpreter.version(), path = %interpreter.path().display(), "found python");
        }
        if python.is_empty() {
            tracing::warn!(
                "no python interpreter was found: this worker refuses python functions; install python3 or name its directory"
            );
        }
        for interpreter in node.values() {
            tracing::info!(version = %interpreter.version(), path = %interpreter.path().display(), "found node");
        }
        if node.is_empty() {
            tracing::info!(
                "no node interpreter was found: this worker refuses nodejs functions; install Node.js or name its directory"
            );
        }
        Ok(Self {
            python,
            node,
            nearest: search.nearest,
            ..provided
        })
    }

    /// Only those that a package brings along.
    pub(crate) fn without_interpreters(dir: &Path) -> io::Result<Self> {
        let provided_dir = dir.join("provided");
        std::fs::create_dir_all(&provided_dir)?;
        Ok(Self {
            python: BTreeMap::new(),
            node: BTreeMap::new(),
            provided_dir,
            nearest: false,
        })
    }

    /// How to start this runtime; `None` if this machine cannot.
    pub(crate) fn launch(&self, runtime: Runtime) -> Option<Launch> {
        match runtime.family() {
            Family::Provided => Some(Launch {
                program: Program::Bootstrap,
                runtime_dir: self.provided_dir.clone(),
                binds: Vec::new(),
                label: format!("{}.v1", runtime.as_str().replacen('.', ":", 1)),
                fingerprint: Digest::of(runtime.as_str().as_bytes()),
                remark: None,
            }),
            Family::Python => {
                let interpreter = self.python(runtime)?;
                let is_another = Some(interpreter.minor()) != minor_of(runtime);
                let remark = is_another.then(|| instead(runtime, "python", &interpreter.version()));
                Some(interpreter.launch(remark))
            }
            Family::Node => {
                let interpreter = self.node(runtime)?;
                let is_another = Some(interpreter.major()) != major_of(runtime);
                let remark = is_another.then(|| instead(runtime, "node", &interpreter.version()));
                Some(interpreter.launch(remark))
            }
            Family::Java | Family::Dotnet | Family::Ruby | Family::Custom | Family::Image => None,
        }
    }

    /// The identifiers of the runtimes that can be started.
    pub(crate) fn identifiers(&self) -> Vec<String> {
        Runtime::all()
            .filter(|r| match r.family() {
                Family::Python => self.python(*r).is_some(),
                Family::Node => self.node(*r).is_some(),
                Family::Provided => true,
                Family::Java | Family::Dotnet | Family::Ruby | Family::Custom | Family::Image => {
                    false
                }
            })
            .map(|r| r.as_str().to_owned())
            .collect()
    }

    fn python(&self, runtime: Runtime) -> Option<&python::Interpreter> {
        of_version(&self.python, minor_of(runtime)?, self.nearest)
    }

    /// Nothing stands in for a version that no new function can ask for: members tell each other what they can start, and
    /// have little room for it.
    fn node(&self, runtime: Runtime) -> Option<&node::Interpreter> {
        let nearest = self.nearest && runtime.is_supported();
        of_version(&self.node, major_of(runtime)?, nearest)
    }
}

/// The interpreter of this version; or if allowed, the nearest one, the newer of two.
fn of_version<I>(installed: &BTreeMap<u8, I>, version: u8, nearest: bool) -> Option<&I> {
    let exact = installed.get(&version);
    if exact.is_some() || !nearest {
        return exact;
    }
    let by_distance = |(v, _): &(&u8, &I)| (v.abs_diff(version), u8::MAX - **v);
    installed
        .iter()
        .min_by_key(by_distance)
        .map(|(_, interpreter)| interpreter)
}

/// What the owner of a function reads when another version than the one asked for runs it.
fn instead(runtime: Runtime, language: &str, version: &str) -> String {
    format!("{runtime} is not installed here: {language} {version} runs this function")
}

fn minor_of(runtime: Runtime) -> Option<u8> {
    runtime.language_version()?.strip_prefix("3.")?.parse().ok()
}

/// The identifiers with a minor version, such as `nodejs6.10`, are older than anything that the bootstrap understands.
fn major_of(runtime: Runtime) -> Option<u8> {
    runtime.language_version()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtimes(minors: &[u8], majors: &[u8], nearest: bool) -> Runtimes {
        Runtimes {
            python: minors
                .iter()
                .map(|m| (*m, python::Interpreter::fake(*m)))
                .collect(),
            node: majors
                .iter()
                .map(|m| (*m, node::Interpreter::fake(*m)))
                .collect(),
            provided_dir: "/nowhere".into(),
            nearest,
        }
    }

    #[test]
    fn the_exact_version_or_by_permission_the_nearest() {
        let check = |minors: &[u8], nearest: bool, asked: &str, expected: Option<(&str, bool)>| {
            let got = runtimes(minors, &[18, 22], nearest).launch(asked.parse().unwrap());
            let got = got.as_ref().map(|l| (l.label.as_str(), l.remark.is_some()));
            assert_eq!(got, expected, "{asked} of {minors:?}");
        };
        check(
            &[11, 13],
            false,
            "python3.13",
            Some(("python:3.13.v0", false)),
        );
        check(&[11, 13], false, "python3.12", None);
        check(
            &[11, 13],
            true,
            "python3.12",
            Some(("python:3.13.v0", true)),
        );
        check(&[9, 11], true, "python3.14", Some(("python:3.11.v0", true)));
        check(&[], true, "python3.14", None);
        check(&[], false, "nodejs22.x", Some(("nodejs:22.v0", false)));
        check(&[], false, "nodejs20.x", None);
        check(&[], true, "nodejs20.x", Some(("nodejs:22.v0", true)));
        check(&[], true, "nodejs24.x", Some(("nodejs:22.v0", true)));
        check(&[], true, "nodejs18.x", Some(("nodejs:18.v0", false)));
        check(&[], true, "nodejs16.x", None);
        check(&[11], true, "ruby3.4", None);
        check(
            &[],
            false,
            "provided.al2023",
            Some(("provided:al2023.v1", false)),
        );
    }

    #[test]
    fn what_is_announced_is_what_can_be_started() {
        let announces = |all: &Runtimes, expected: &[&str], not: &[&str]| {
            let identifiers = all.identifiers();
            let has = |name: &&str| identifiers.iter().any(|i| i == name);
            assert!(expected.iter().all(has), "{identifiers:?}");
            assert!(!not.iter().any(has), "{identifiers:?}");
        };
        announces(
            &runtimes(&[12], &[20], false),
            &["python3.12", "nodejs20.x", "provided.al2023"],
            &["python3.11", "python2.7", "nodejs18.x", "nodejs22.x"],
        );
        announces(
            &runtimes(&[12], &[20], true),
            &["python3.9", "nodejs22.x", "nodejs24.x"],
            &["python2.7", "nodejs", "nodejs6.10", "nodejs18.x", "java21"],
        );
        announces(
            &runtimes(&[], &[], true),
            &["provided.al2023"],
            &["python3.12", "nodejs22.x"],
        );
    }
}
