//! Which runtimes this machine can start, and how.
//!
//! `provided` runtimes bring their own program and are always there. Python runs on interpreters of this machine with our
//! bootstrap: each interpreter that is found is asked once, at the start, what it is and where its library is, and
//! compiles the bootstrap for itself, so that no cold start has to.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use model::{Digest, Runtime, runtime::Family};

pub(crate) mod python;

use python::Interpreter;

/// Where a runtime directory is mounted.
const RUNTIME_DIR: &str = "/var/runtime";

/// The runtimes of this machine.
#[derive(Debug)]
pub(crate) struct Runtimes {
    python: BTreeMap<u8, Interpreter>,
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

impl Runtimes {
    /// Looks around and prepares a directory with our bootstraps, which it owns. Blocks the thread: it runs each
    /// interpreter once.
    pub(crate) fn detect(search: &Search, dir: &Path) -> io::Result<Self> {
        let provided = Self::without_interpreters(dir)?;
        let python = python::detect(search, dir);
        for interpreter in python.values() {
            tracing::info!(version = %interpreter.version(), path = %interpreter.path().display(), "found python");
        }
        if python.is_empty() {
            tracing::warn!(
                "no python interpreter was found: this worker refuses python functions; install python3 or name its directory"
            );
        }
        Ok(Self {
            python,
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
                let asked = minor_of(runtime)?;
                let interpreter = self.interpreter(asked)?;
                let remark = (interpreter.minor() != asked).then(|| {
                    format!(
                        "{runtime} is not installed here: python {} runs this function",
                        interpreter.version()
                    )
                });
                Some(interpreter.launch(remark))
            }
            Family::Node
            | Family::Java
            | Family::Dotnet
            | Family::Ruby
            | Family::Custom
            | Family::Image => None,
        }
    }

    /// The identifiers of the runtimes that can be started.
    pub(crate) fn identifiers(&self) -> Vec<String> {
        Runtime::all()
            .filter(|r| match r.family() {
                Family::Python => minor_of(*r).is_some_and(|m| self.interpreter(m).is_some()),
                Family::Provided => true,
                Family::Node
                | Family::Java
                | Family::Dotnet
                | Family::Ruby
                | Family::Custom
                | Family::Image => false,
            })
            .map(|r| r.as_str().to_owned())
            .collect()
    }

    /// The interpreter of this minor version; or if allowed, the nearest one, the newer of two.
    fn interpreter(&self, minor: u8) -> Option<&Interpreter> {
        let nearest = || {
            let by_distance = |i: &&Interpreter| (i.minor().abs_diff(minor), u8::MAX - i.minor());
            self.python.values().min_by_key(by_distance)
        };
        self.python
            .get(&minor)
            .or_else(|| if self.nearest { nearest() } else { None })
    }
}

fn minor_of(runtime: Runtime) -> Option<u8> {
    runtime.language_version()?.strip_prefix("3.")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtimes(minors: &[u8], nearest: bool) -> Runtimes {
        Runtimes {
            python: minors.iter().map(|m| (*m, Interpreter::fake(*m))).collect(),
            provided_dir: "/nowhere".into(),
            nearest,
        }
    }

    #[test]
    fn the_exact_version_or_by_permission_the_nearest() {
        let check = |minors: &[u8], nearest: bool, asked: &str, expected: Option<(&str, bool)>| {
            let got = runtimes(minors, nearest).launch(asked.parse().unwrap());
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
        check(&[11], true, "nodejs22.x", None);
        check(
            &[],
            false,
            "provided.al2023",
            Some(("provided:al2023.v1", false)),
        );
    }

    #[test]
    fn what_is_announced_is_what_can_be_started() {
        let strict = runtimes(&[12], false).identifiers();
        assert!(
            strict.iter().any(|r| r == "python3.12")
                && strict.iter().any(|r| r == "provided.al2023")
        );
        assert!(
            !strict
                .iter()
                .any(|r| r == "python3.11" || r.starts_with("node") || r == "python2.7")
        );
        assert!(
            runtimes(&[12], true)
                .identifiers()
                .iter()
                .any(|r| r == "python3.9")
        );
    }
}
