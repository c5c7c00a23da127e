//! Ruby interpreters of this machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use model::Digest;
use serde::Deserialize;

use super::{
    Launch, Program, RUNTIME_DIR, Search, installed,
    probe::{self, ProbeError},
};

/// Our bootstrap.
const BOOTSTRAP: &str = include_str!("../../runtimes/ruby/bootstrap.rb");
/// The oldest version that understands it.
const OLDEST: (u8, u8) = (2, 7);
/// The versions that are looked for by name where several are installed side by side: `ruby3.1` (Debian), `ruby33` (openSUSE).
const NUMBERED: [(u8, u8); 8] = [
    (4, 0),
    (3, 5),
    (3, 4),
    (3, 3),
    (3, 2),
    (3, 1),
    (3, 0),
    (2, 7),
];
/// Where installers for one user keep versions, one directory each, and the interpreter in them.
const OF_HOME: [(&str, &str); 6] = [
    (".rbenv/versions", "bin"),
    (".rubies", "bin"),
    (".rvm/rubies", "bin"),
    (".local/share/mise/installs/ruby", "bin"),
    (".asdf/installs/ruby", "bin"),
    (".local/share/rv/rubies", "bin"),
];

/// Asks an interpreter what it is.
const PROBE: &str = r#"
require "json"
require "rbconfig"
c = RbConfig::CONFIG
dirs = c.values_at("rubylibdir", "rubyarchdir", "sitelibdir", "vendordir")
dirs << c["libdir"] if c["ENABLE_SHARED"] == "yes"
puts JSON.generate(
  version: RUBY_VERSION.split(".").map(&:to_i),
  executable: File.realpath(RbConfig.ruby),
  dirs: dirs.compact.select { |d| File.directory?(d) }.map { |d| File.realpath(d) }
)
"#;

/// One interpreter.
#[derive(Clone, Debug)]
pub(crate) struct Interpreter {
    version: (u8, u8, u16),
    executable: PathBuf,
    /// Directories outside `/usr` that it needs.
    binds: Vec<PathBuf>,
    runtime_dir: PathBuf,
    fingerprint: Digest,
}

#[derive(Deserialize)]
struct Answer {
    version: (u8, u8, u16),
    executable: PathBuf,
    dirs: Vec<PathBuf>,
}

impl Interpreter {
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
            zygote: None,
            // The bootstrap loads RubyGems when it is needed. What only makes messages longer is left out.
            program: Program::Fixed(vec![
                self.executable.to_string_lossy().into_owned(),
                "--disable=gems,did_you_mean,error_highlight,syntax_suggest".to_owned(),
                format!("{RUNTIME_DIR}/bootstrap.rb"),
            ]),
            runtime_dir: self.runtime_dir.clone(),
            binds: self.binds.clone(),
            environment: BTreeMap::new(),
            label: format!("ruby:{major}.{minor}.v{patch}"),
            fingerprint: self.fingerprint,
            remark,
        }
    }

    /// Versions in their order: `3.4` is number 34.
    pub(crate) fn number(&self) -> u8 {
        number(self.version.0, self.version.1)
    }

    #[cfg(test)]
    pub(crate) fn fake(major: u8, minor: u8) -> Self {
        Self {
            version: (major, minor, 0),
            executable: "/usr/bin/ruby".into(),
            binds: Vec::new(),
            runtime_dir: "/nowhere".into(),
            fingerprint: Digest::of(b""),
        }
    }
}

/// No version has had a second digit after the dot.
pub(crate) fn number(major: u8, minor: u8) -> u8 {
    major.saturating_mul(10).saturating_add(minor)
}

/// Every interpreter that answers, the first one found of each version. They are asked side by side.
pub(super) fn detect(search: &Search, dir: &Path) -> BTreeMap<u8, Interpreter> {
    probe::first_of_each(
        &candidates(search),
        ask,
        |answer: &Answer| number(answer.version.0, answer.version.1),
        |answer| interpreter(answer, dir),
    )
}

/// Files that may be interpreters, each once, the first choice first.
fn candidates(search: &Search) -> Vec<PathBuf> {
    let mut dirs = search.usual_dirs();
    if let Some(home) = &search.home {
        for (versions, inside) in OF_HOME {
            dirs.extend(installed(&home.join(versions)).map(|version| version.join(inside)));
        }
    }
    let names: Vec<String> = std::iter::once("ruby".to_owned())
        .chain(NUMBERED.iter().flat_map(|(major, minor)| {
            [
                format!("ruby{major}.{minor}"),
                format!("ruby{major}{minor}"),
            ]
        }))
        .collect();
    let mut seen = BTreeSet::new();
    dirs.iter()
        .flat_map(|dir| names.iter().map(|name| dir.join(name)))
        .filter(|path| fs::canonicalize(path).is_ok_and(|real| seen.insert(real)))
        .collect()
}

fn ask(path: &Path) -> Result<Answer, ProbeError> {
    let answer = probe::ask(Command::new(path).args(["--disable=gems", "-e", PROBE]))?;
    let answer: Answer = serde_json::from_slice(&answer)?;
    if (answer.version.0, answer.version.1) < OLDEST {
        return Err(ProbeError::Version {
            expected: "2.7 or newer",
            got: format!("{}.{}", answer.version.0, answer.version.1),
        });
    }
    Ok(answer)
}

fn interpreter(answer: Answer, dir: &Path) -> Result<Interpreter, ProbeError> {
    let runtime_dir = dir.join(format!("ruby{}.{}", answer.version.0, answer.version.1));
    fs::create_dir_all(&runtime_dir)?;
    let file = runtime_dir.join("bootstrap.rb");
    fs::write(&file, BOOTSTRAP)?;
    probe::publish(&runtime_dir, &[file])?;
    let identity = format!(
        "{} {:?} {BOOTSTRAP}",
        answer.executable.display(),
        answer.version
    );
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

    #[test]
    fn the_interpreters_of_this_machine_say_what_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let search = Search {
            dirs: vec![],
            path: None,
            home: None,
            nearest: false,
        };
        for (number, interpreter) in detect(&search, dir.path()) {
            assert_eq!(interpreter.number(), number);
            assert!(interpreter.runtime_dir.join("bootstrap.rb").is_file());
            assert!(interpreter.path().is_absolute());
        }
    }
}
