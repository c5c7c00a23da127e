//! What a pack says of itself.

use std::{collections::BTreeMap, path::PathBuf, str::FromStr};

use model::{Architecture, Runtime, runtime::Family};
use serde::Deserialize;

use super::{Template, TemplateError};

/// The longest manifest in bytes.
pub(super) const LENGTH_MAX: usize = 64 << 10;
/// The most entries of a list in it.
const ENTRIES_MAX: usize = 64;
/// The longest text in it that is no argument.
const TEXT_MAX: usize = 4096;
/// The longest version, which is a part of a line of every log.
const VERSION_MAX: usize = 64;

/// The content of a `pack.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The identifiers that it is for, all of one language.
    pub runtimes: Vec<Runtime>,
    /// The machines that it is for; every one if `None`.
    pub architecture: Option<Architecture>,
    /// The language's version, as logs print it.
    pub version: String,
    /// What is started.
    pub command: Template,
    /// Variables that functions have unless they set them themselves.
    pub environment: BTreeMap<String, String>,
    /// Directories of the machine that it needs, beside `/usr` and that of its program.
    pub binds: Vec<PathBuf>,
}

/// Why a text is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is no TOML of this shape.
    #[error("expected a manifest as docs/runtimes.md describes it")]
    Shape(#[from] toml::de::Error),
    /// It is too long.
    #[error(
        "expected at most {LENGTH_MAX} bytes and {ENTRIES_MAX} entries a list, got more in {0}"
    )]
    Length(&'static str),
    /// It is for nothing, or for what nobody knows or cannot be packed.
    #[error("runtimes: expected identifiers of one language such as java21, got {0:?}")]
    Runtimes(Vec<String>),
    /// Its machines are unknown.
    #[error("architecture: expected x86_64 or arm64, got {0:?}")]
    Architecture(String),
    /// Its version cannot be printed.
    #[error("version: expected 1 to {VERSION_MAX} letters, digits, dots and hyphens, got {0:?}")]
    Version(String),
    /// It starts nothing.
    #[error("command")]
    Command(#[from] TemplateError),
    /// A variable that processes cannot have, or that belongs to the platform.
    #[error(
        "environment: expected a name of letters, digits and underscores that is not the platform's, got {0:?}"
    )]
    Variable(String),
    /// A directory that is none.
    #[error("binds: expected an absolute path, got {0:?}")]
    Bind(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    runtimes: Vec<String>,
    architecture: Option<String>,
    version: String,
    command: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    binds: Vec<String>,
}

impl FromStr for Manifest {
    type Err = ManifestError;

    fn from_str(text: &str) -> Result<Self, ManifestError> {
        if text.len() > LENGTH_MAX {
            return Err(ManifestError::Length("all"));
        }
        let shape: Shape = toml::from_str(text)?;
        let architecture = shape
            .architecture
            .map(|text| text.parse().map_err(|_| ManifestError::Architecture(text)));
        Ok(Self {
            runtimes: runtimes(shape.runtimes)?,
            architecture: architecture.transpose()?,
            version: version(shape.version)?,
            command: Template::new(&shape.command)?,
            environment: environment(shape.environment)?,
            binds: binds(shape.binds)?,
        })
    }
}

/// Functions of the `provided` runtimes bring their own program, and those of images everything.
fn runtimes(names: Vec<String>) -> Result<Vec<Runtime>, ManifestError> {
    if names.len() > ENTRIES_MAX {
        return Err(ManifestError::Length("runtimes"));
    }
    let parsed: Option<Vec<Runtime>> = names.iter().map(|name| name.parse().ok()).collect();
    let packable = |family| !matches!(family, Family::Provided | Family::Custom | Family::Image);
    parsed
        .filter(|all| {
            let family = all.first().map(|runtime| runtime.family());
            family.is_some_and(packable) && all.iter().all(|r| Some(r.family()) == family)
        })
        .ok_or(ManifestError::Runtimes(names))
}

fn version(text: String) -> Result<String, ManifestError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-+_".contains(c);
    if (1..=VERSION_MAX).contains(&text.len()) && text.chars().all(is_plain) {
        return Ok(text);
    }
    Err(ManifestError::Version(text))
}

fn environment(all: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, ManifestError> {
    if all.len() > ENTRIES_MAX || all.values().any(|value| value.len() > TEXT_MAX) {
        return Err(ManifestError::Length("environment"));
    }
    let is_name = |name: &str| {
        let mut characters = name.chars();
        characters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.len() <= TEXT_MAX
            && !["AWS_", "LAMBDA_"]
                .iter()
                .any(|theirs| name.starts_with(theirs))
    };
    match all
        .iter()
        .find(|(name, value)| !is_name(name) || value.contains('\0'))
    {
        Some((name, _)) => Err(ManifestError::Variable(name.clone())),
        None => Ok(all),
    }
}

fn binds(all: Vec<String>) -> Result<Vec<PathBuf>, ManifestError> {
    if all.len() > ENTRIES_MAX {
        return Err(ManifestError::Length("binds"));
    }
    match all
        .iter()
        .find(|path| !path.starts_with('/') || path.len() > TEXT_MAX || path.contains('\0'))
    {
        Some(path) => Err(ManifestError::Bind(path.clone())),
        None => Ok(all.into_iter().map(PathBuf::from).collect()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const JAVA: &str = r#"
        runtimes = ["java17", "java17.al2023"]
        version = "17.0.15"
        command = ["/bin/sh", "-XX:MaxHeapSize={memory:85%}", "{handler}"]
        [environment]
        JAVA_HOME = "/usr/lib/jvm"
    "#;

    #[test]
    fn a_manifest_says_what_it_is_for_and_how_it_is_started() {
        let manifest: Manifest = JAVA.parse().unwrap();
        assert_eq!(
            manifest.runtimes,
            ["java17".parse().unwrap(), "java17.al2023".parse().unwrap()]
        );
        assert_eq!(manifest.version, "17.0.15");
        assert_eq!(manifest.command.program(), "/bin/sh");
        assert_eq!(manifest.environment["JAVA_HOME"], "/usr/lib/jvm");
        assert_eq!((manifest.architecture, manifest.binds), (None, Vec::new()));
        let more = JAVA.replace(
            "version",
            "architecture = \"arm64\"\nbinds = [\"/srv/x\"]\nversion",
        );
        let more: Manifest = more.parse().unwrap();
        assert_eq!(more.architecture, Some(Architecture::Arm64));
        assert_eq!(more.binds, [PathBuf::from("/srv/x")]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |from: &str, to: &str, expected: &str| {
            let text = JAVA.replacen(from, to, 1);
            assert_ne!(text, JAVA);
            let error = text.parse::<Manifest>().unwrap_err();
            let all = format!(
                "{error}: {}",
                std::error::Error::source(&error)
                    .map(ToString::to_string)
                    .unwrap_or_default()
            );
            assert!(all.contains(expected), "{all}");
        };
        check("\"java17\"", "\"java99\"", "java99");
        check("\"java17\"", "\"ruby3.4\"", "ruby3.4");
        check("\"java17\", \"java17.al2023\"", "", "runtimes");
        check(
            "\"java17\", \"java17.al2023\"",
            "\"provided.al2023\"",
            "provided.al2023",
        );
        check("17.0.15", "17 or so", "version");
        check("/bin/sh", "sh", "absolute path");
        check("{handler}", "{home}", "{home}");
        check("JAVA_HOME", "AWS_REGION", "AWS_REGION");
        check("JAVA_HOME", "\"A=B\"", "A=B");
        check("version", "architecture = \"mips\"\nversion", "mips");
        check("version", "binds = [\"srv\"]\nversion", "srv");
        check("version", "colour = \"red\"\nversion", "colour");
        check("version", "vision", "version");
        let long = format!("{JAVA}# {}", "x".repeat(LENGTH_MAX));
        assert!(matches!(
            long.parse::<Manifest>(),
            Err(ManifestError::Length("all"))
        ));
    }
}
