//! Managed runtimes, by Lambda's identifiers.

use std::{fmt, str::FromStr};

/// What kind of process a runtime starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// CPython with our bootstrap.
    Python,
    /// Node.js with our bootstrap.
    Node,
    /// A JVM with the official runtime client.
    Java,
    /// .NET.
    Dotnet,
    /// Ruby.
    Ruby,
    /// The package's own executable `bootstrap`.
    Provided,
    /// A runtime that its owner made and manages, named beside the identifier.
    Custom,
    /// Whatever a container image holds.
    Image,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Entry {
    name: &'static str,
    family: Family,
    supported: bool,
}

const fn now(name: &'static str, family: Family) -> Entry {
    Entry {
        name,
        family,
        supported: true,
    }
}

const fn retired(name: &'static str, family: Family) -> Entry {
    Entry {
        name,
        family,
        supported: false,
    }
}

/// The identifiers of the API model 2015-03-31, current ones first.
static KNOWN: &[Entry] = &[
    now("nodejs20.x", Family::Node),
    now("nodejs22.x", Family::Node),
    now("nodejs24.x", Family::Node),
    now("nodejs26.x", Family::Node),
    now("python3.9", Family::Python),
    now("python3.10", Family::Python),
    now("python3.11", Family::Python),
    now("python3.12", Family::Python),
    now("python3.13", Family::Python),
    now("python3.14", Family::Python),
    now("python3.15", Family::Python),
    now("java8.al2", Family::Java),
    now("java11", Family::Java),
    now("java17", Family::Java),
    now("java21", Family::Java),
    now("java25", Family::Java),
    now("java8.al2023", Family::Java),
    now("java11.al2023", Family::Java),
    now("java17.al2023", Family::Java),
    now("dotnet8", Family::Dotnet),
    now("dotnet10", Family::Dotnet),
    now("ruby3.2", Family::Ruby),
    now("ruby3.3", Family::Ruby),
    now("ruby3.4", Family::Ruby),
    now("ruby4.0", Family::Ruby),
    now("provided.al2", Family::Provided),
    now("provided.al2023", Family::Provided),
    now("custom", Family::Custom),
    retired("nodejs", Family::Node),
    retired("nodejs4.3", Family::Node),
    retired("nodejs4.3-edge", Family::Node),
    retired("nodejs6.10", Family::Node),
    retired("nodejs8.10", Family::Node),
    retired("nodejs10.x", Family::Node),
    retired("nodejs12.x", Family::Node),
    retired("nodejs14.x", Family::Node),
    retired("nodejs16.x", Family::Node),
    retired("nodejs18.x", Family::Node),
    retired("python2.7", Family::Python),
    retired("python3.6", Family::Python),
    retired("python3.7", Family::Python),
    retired("python3.8", Family::Python),
    retired("java8", Family::Java),
    retired("dotnetcore1.0", Family::Dotnet),
    retired("dotnetcore2.0", Family::Dotnet),
    retired("dotnetcore2.1", Family::Dotnet),
    retired("dotnetcore3.1", Family::Dotnet),
    retired("dotnet6", Family::Dotnet),
    retired("ruby2.5", Family::Ruby),
    retired("ruby2.7", Family::Ruby),
    retired("go1.x", Family::Provided),
    retired("provided", Family::Provided),
];

/// What stands for the runtime of a function that is made of an image. It is no identifier: nothing parses to it.
static IMAGE: Entry = Entry {
    name: "",
    family: Family::Image,
    supported: true,
};

/// A runtime identifier such as `python3.13`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Runtime(&'static Entry);

/// A text that names no runtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a runtime identifier such as python3.13 or provided.al2023, got {0:?}")]
pub struct UnknownRuntime(pub String);

impl Runtime {
    /// What stands for a runtime in a function that is made of an image. It prints as nothing.
    pub const IMAGE: Self = Self(&IMAGE);

    /// Every identifier, current ones first.
    pub fn all() -> impl Iterator<Item = Self> {
        KNOWN.iter().map(Self)
    }

    /// The identifier.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0.name
    }

    /// What a worker that can start it announces.
    #[must_use]
    pub const fn offered_as(self) -> &'static str {
        match self.0.family {
            Family::Image => "image",
            _ => self.0.name,
        }
    }

    /// What it starts.
    #[must_use]
    pub const fn family(self) -> Family {
        self.0.family
    }

    /// Whether functions may still be created or updated with it.
    #[must_use]
    pub const fn is_supported(self) -> bool {
        self.0.supported
    }

    /// Whether it is the identifier that stands for runtimes which customers manage.
    #[must_use]
    pub const fn is_custom(self) -> bool {
        matches!(self.0.family, Family::Custom)
    }

    /// The language version in the identifier: `3.13` of `python3.13`. `None` where it is not a version of a language.
    #[must_use]
    pub fn language_version(self) -> Option<&'static str> {
        let rest = self
            .0
            .name
            .trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let rest = rest.strip_suffix(".x").unwrap_or(rest);
        (self.0.family != Family::Provided && !rest.is_empty()).then_some(rest)
    }
}

impl FromStr for Runtime {
    type Err = UnknownRuntime;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::all()
            .find(|r| r.as_str() == s)
            .ok_or_else(|| UnknownRuntime(s.chars().take(100).collect()))
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
