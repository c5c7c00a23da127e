//! Which runtimes this machine can start, and how.
//!
//! `provided` runtimes bring their own program and are always there. Python, Node.js and Ruby run on interpreters of this
//! machine with our bootstraps: each interpreter that is found is asked once, at the start, what it is and where its library
//! is. A Python compiles the bootstrap for itself then, so that no cold start has to. Everything else, and whatever an
//! operator wants otherwise, is a pack.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use model::{Digest, MemoryMib, Runtime, runtime::Family};

use crate::packs::{Pack, Shelf, Template};

mod node;
mod probe;
mod python;
mod ruby;

pub(crate) use probe::{Place, beside_usr};

/// Where a runtime directory is mounted.
pub(crate) const RUNTIME_DIR: &str = "/var/runtime";

/// The runtimes of this machine.
#[derive(Debug)]
pub(crate) struct Runtimes {
    /// By minor version.
    python: BTreeMap<u8, python::Interpreter>,
    /// By major version.
    node: BTreeMap<u8, node::Interpreter>,
    /// By [`ruby::number`].
    ruby: BTreeMap<u8, ruby::Interpreter>,
    /// With the directories that each needs.
    packs: Vec<(Pack, Vec<PathBuf>)>,
    provided_dir: PathBuf,
    nearest: bool,
}

/// How to start a runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    pub(crate) program: Program,
    /// The same as a program that forks, if it can: see [`sandbox::Zygote`].
    pub(crate) zygote: Option<Vec<String>>,
    /// Becomes `/var/runtime`.
    pub(crate) runtime_dir: PathBuf,
    /// Further directories that the program needs.
    pub(crate) binds: Vec<PathBuf>,
    /// Variables that the function has unless it sets them itself.
    pub(crate) environment: BTreeMap<String, String>,
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
    /// What a pack says.
    Pack(Template),
    /// The package's own `bootstrap`.
    Bootstrap,
}

impl Program {
    /// Program and arguments for a function with this memory and these variables; `None` if its package brings them.
    pub(crate) fn argv(&self, memory: MemoryMib, env: &[(String, String)]) -> Option<Vec<String>> {
        let of = |name: &str| env.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        match self {
            Self::Fixed(argv) => Some(argv.clone()),
            Self::Node(executable) => Some(node::command(executable, memory, of("NODE_OPTIONS"))),
            Self::Pack(template) => Some(template.fill(memory, of("_HANDLER").unwrap_or_default())),
            Self::Bootstrap => None,
        }
    }
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
    /// With the variables of this process.
    pub(crate) fn of_process(dirs: Vec<PathBuf>, nearest: bool) -> Self {
        Self {
            dirs,
            path: std::env::var_os("PATH"),
            home: std::env::var_os("HOME").map(PathBuf::from),
            nearest,
        }
    }

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
    pub(crate) fn detect(search: &Search, shelf: &Shelf, dir: &Path) -> io::Result<Self> {
        let provided = Self::without_interpreters(dir)?;
        let (python, node, ruby) = std::thread::scope(|scope| {
            let node = scope.spawn(|| node::detect(search, dir));
            let ruby = scope.spawn(|| ruby::detect(search, dir));
            (
                python::detect(search, dir),
                node.join().unwrap_or_default(),
                ruby.join().unwrap_or_default(),
            )
        });
        let found = Self {
            python,
            node,
            ruby,
            packs: usable(shelf),
            nearest: search.nearest,
            ..provided
        };
        found.tell();
        Ok(found)
    }

    /// Says what was found, and what a worker without it refuses.
    fn tell(&self) {
        for interpreter in self.python.values() {
            tracing::info!(version = %interpreter.version(), path = %interpreter.path().display(), "found python");
        }
        if self.python.is_empty() {
            tracing::warn!(
                "no python interpreter was found: this worker refuses python functions; install python3 or name its directory"
            );
        }
        for interpreter in self.node.values() {
            tracing::info!(version = %interpreter.version(), path = %interpreter.path().display(), "found node");
        }
        if self.node.is_empty() {
            tracing::info!(
                "no node interpreter was found: this worker refuses nodejs functions; install Node.js or name its directory"
            );
        }
        for interpreter in self.ruby.values() {
            tracing::info!(version = %interpreter.version(), path = %interpreter.path().display(), "found ruby");
        }
        for (pack, _) in &self.packs {
            tracing::info!(pack = %pack.name, version = %pack.manifest.version, runtimes = ?pack.manifest.runtimes, "found a pack");
        }
    }

    /// Only those that a package brings along.
    pub(crate) fn without_interpreters(dir: &Path) -> io::Result<Self> {
        let provided_dir = dir.join("provided");
        std::fs::create_dir_all(&provided_dir)?;
        Ok(Self {
            python: BTreeMap::new(),
            node: BTreeMap::new(),
            ruby: BTreeMap::new(),
            packs: Vec::new(),
            provided_dir,
            nearest: false,
        })
    }

    /// How to start this runtime; `None` if this machine cannot. A pack that is for it comes before what the machine has.
    pub(crate) fn launch(&self, runtime: Runtime) -> Option<Launch> {
        let pack = |runtime| self.packs.iter().find(|(pack, _)| pack.serves(runtime));
        if let Some((pack, binds)) = pack(runtime) {
            return Some(of_pack(pack, binds, None));
        }
        self.of_machine(runtime).or_else(|| {
            let (pack, binds) = pack(self.nearest_packed(runtime)?)?;
            let language = language(runtime.family())?;
            let remark = instead(runtime, language, &pack.manifest.version);
            Some(of_pack(pack, binds, Some(remark)))
        })
    }

    /// How to start what a container image with this digest says.
    pub(crate) fn launch_image(&self, digest: Digest) -> Launch {
        let short: String = digest.to_string().chars().take(12).collect();
        Launch {
            zygote: None,
            program: Program::Bootstrap,
            runtime_dir: self.provided_dir.clone(),
            binds: Vec::new(),
            environment: BTreeMap::new(),
            label: format!("image:{short}"),
            fingerprint: digest,
            remark: None,
        }
    }

    /// How to start it without a pack.
    fn of_machine(&self, runtime: Runtime) -> Option<Launch> {
        match runtime.family() {
            Family::Provided => Some(Launch {
                program: Program::Bootstrap,
                zygote: None,
                runtime_dir: self.provided_dir.clone(),
                binds: Vec::new(),
                environment: BTreeMap::new(),
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
            Family::Ruby => {
                let wanted = ruby_number_of(runtime)?;
                let nearest = self.nearest && runtime.is_supported();
                let interpreter = of_version(&self.ruby, wanted, nearest)?;
                let is_another = interpreter.number() != wanted;
                let remark = is_another.then(|| instead(runtime, "ruby", &interpreter.version()));
                Some(interpreter.launch(remark))
            }
            Family::Java | Family::Dotnet | Family::Custom | Family::Image => None,
        }
    }

    /// The identifiers of the runtimes that can be started.
    pub(crate) fn identifiers(&self) -> Vec<String> {
        self.startable()
            .map(|(runtime, _)| runtime.as_str().to_owned())
            .collect()
    }

    /// Every runtime that can be started, and how.
    pub(crate) fn startable(&self) -> impl Iterator<Item = (Runtime, Launch)> {
        Runtime::all().filter_map(|runtime| Some((runtime, self.launch(runtime)?)))
    }

    /// The name of the pack that runs this, if one does.
    pub(crate) fn pack_of(&self, launch: &Launch) -> Option<String> {
        let dir = &launch.runtime_dir;
        let found = self.packs.iter().find(|(pack, _)| pack.dir() == dir);
        found.map(|(pack, _)| pack.name.to_string())
    }

    /// The runtime of the same language nearest to this one that a pack is for, if one may stand in for another: the newer of
    /// two.
    fn nearest_packed(&self, runtime: Runtime) -> Option<Runtime> {
        if !self.nearest || !runtime.is_supported() {
            return None;
        }
        let wanted = version_of(runtime)?;
        let packed = self
            .packs
            .iter()
            .flat_map(|(pack, _)| &pack.manifest.runtimes);
        let distance = |other: Runtime| {
            let version = version_of(other)?;
            Some((version.abs_diff(wanted), Reverse(version)))
        };
        packed
            .filter(|other| other.family() == runtime.family())
            .filter_map(|other| Some((distance(*other)?, *other)))
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, other)| other)
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

/// The packs of this directory that can be used here. What is wrong with the others is told.
fn usable(shelf: &Shelf) -> Vec<(Pack, Vec<PathBuf>)> {
    let packs = shelf.all().unwrap_or_else(|error| {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "no packs can be read"
        );
        Vec::new()
    });
    let mut usable = Vec::new();
    for pack in packs {
        match pack {
            Ok(pack) => match pack.fit() {
                Ok(binds) => usable.push((pack, binds)),
                Err(error) => {
                    tracing::warn!(pack = %pack.name, %error, "a pack cannot be used here")
                }
            },
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a pack cannot be read"
            ),
        }
    }
    usable
}

fn of_pack(pack: &Pack, binds: &[PathBuf], remark: Option<String>) -> Launch {
    let manifest = &pack.manifest;
    let family = manifest.runtimes.first().map(|runtime| runtime.family());
    let language = family.and_then(language).unwrap_or("pack");
    Launch {
        zygote: None,
        program: Program::Pack(manifest.command.clone()),
        runtime_dir: pack.dir().to_owned(),
        binds: binds.to_vec(),
        environment: manifest.environment.clone(),
        label: format!("{language}:{}", manifest.version),
        fingerprint: pack.fingerprint(),
        remark,
    }
}

/// What a language is called in a log; `None` where a runtime is of none.
fn language(family: Family) -> Option<&'static str> {
    match family {
        Family::Python => Some("python"),
        Family::Node => Some("nodejs"),
        Family::Java => Some("java"),
        Family::Dotnet => Some("dotnet"),
        Family::Ruby => Some("ruby"),
        Family::Provided | Family::Custom | Family::Image => None,
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

fn ruby_number_of(runtime: Runtime) -> Option<u8> {
    let (major, minor) = runtime.language_version()?.split_once('.')?;
    Some(ruby::number(major.parse().ok()?, minor.parse().ok()?))
}

/// A language's version as a number, for runtimes of one family: 1700 of `java17.al2023`, 304 of `ruby3.4`.
fn version_of(runtime: Runtime) -> Option<u32> {
    let mut parts = runtime.language_version()?.split('.');
    let major: u32 = parts.next()?.parse().ok()?;
    // What is no number is the name of an operating system.
    let minor: u32 = parts
        .next()
        .and_then(|minor| minor.parse().ok())
        .unwrap_or(0);
    Some(major * 100 + minor)
}

/// The directories of versions in a directory, the newest first.
fn installed(versions: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(versions).into_iter().flatten().flatten();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    all.sort_by_cached_key(|path| {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
        Reverse(numbers(&name.unwrap_or_default()))
    });
    all.into_iter()
}

/// The numbers in a name: `v18.20.4` is older than `v20.1.0`, and `v9.0.0` than both.
fn numbers(name: &str) -> Vec<u32> {
    name.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
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
            ruby: BTreeMap::from([(34, ruby::Interpreter::fake(3, 4))]),
            packs: Vec::new(),
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
        check(&[], false, "ruby3.4", Some(("ruby:3.4.v0", false)));
        check(&[], false, "ruby3.3", None);
        check(&[], true, "ruby4.0", Some(("ruby:3.4.v0", true)));
        check(&[], true, "ruby2.7", None);
        check(&[11], true, "java21", None);
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
    #[test]
    fn a_pack_comes_before_the_machine_and_stands_in_where_it_may() {
        let place = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(place.path().join("packs"));
        let add = |name: &str, runtimes: &str, version: &str| {
            let from = tempfile::tempdir().unwrap();
            let manifest = format!(
                "runtimes = {runtimes}\nversion = \"{version}\"\ncommand = [\"/bin/sh\", \"{{handler}}\"]\n"
            );
            std::fs::write(from.path().join("pack.toml"), manifest).unwrap();
            shelf.add(name.parse().unwrap(), from.path()).unwrap();
        };
        add("java", r#"["java17", "java17.al2023"]"#, "17.0.15");
        add("newer", r#"["java21"]"#, "21.0.2");
        add("ruby", r#"["ruby3.4"]"#, "3.4.9");
        add("elsewhere", r#"["dotnet8"]"#, "8.0.1");
        let missing = place.path().join("packs/elsewhere/pack.toml");
        let text = std::fs::read_to_string(&missing).unwrap();
        std::fs::write(&missing, text.replace("/bin/sh", "/nowhere/dotnet")).unwrap();

        let check = |nearest: bool, asked: &str, expected: Option<(&str, bool)>| {
            let all = Runtimes {
                packs: usable(&shelf),
                ..runtimes(&[], &[], nearest)
            };
            let got = all.launch(asked.parse().unwrap());
            let got = got.as_ref().map(|l| (l.label.as_str(), l.remark.is_some()));
            assert_eq!(got, expected, "{asked}");
            let announced = all.identifiers().iter().any(|i| i == asked);
            assert_eq!(announced, expected.is_some(), "{asked}");
        };
        check(false, "java17.al2023", Some(("java:17.0.15", false)));
        check(false, "java11", None);
        check(true, "java11", Some(("java:17.0.15", true)));
        check(true, "java25", Some(("java:21.0.2", true)));
        check(true, "java8", None);
        check(false, "ruby3.4", Some(("ruby:3.4.9", false)));
        check(false, "dotnet8", None);
        check(false, "python3.12", None);
    }
}
