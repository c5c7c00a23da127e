use std::fmt;

use model::{RevisionId, Version};

/// What a client asks of the control API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Something of one function.
    On {
        /// The function's name.
        function: String,
        /// What.
        act: Act,
    },
    /// `ListFunctions`. Of its answer each function's part is checked for itself.
    ListFunctions,
}

/// An operation on one function. A `marker` is the description that a change writes; no two changes of a history may write
/// the same one. A `code` stands for deployment packages by what answers show of them, `CodeSha256`. With `expected` the
/// change is made only if the resource still has that revision. Changes that also publish, canaries and conditions on code
/// are not covered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the members are named as in the API; those that are not are described above"
)]
pub enum Act {
    /// `CreateFunction`.
    Create { marker: String, code: String },
    /// `UpdateFunctionConfiguration` of the description.
    UpdateConfiguration {
        marker: String,
        expected: Option<RevisionId>,
    },
    /// `UpdateFunctionCode`.
    UpdateCode {
        code: String,
        expected: Option<RevisionId>,
    },
    /// `DeleteFunction` of everything.
    Delete,
    /// `DeleteFunction` of one published version.
    DeleteVersion { version: u64 },
    /// `PublishVersion`, with a description of its own if there is a marker.
    Publish {
        marker: Option<String>,
        expected: Option<RevisionId>,
    },
    /// `GetFunction` or `GetFunctionConfiguration`, of `$LATEST` or of a number.
    Get { version: Version },
    /// `ListVersionsByFunction`, all pages in one.
    ListVersions,
    /// `CreateAlias`.
    CreateAlias {
        alias: String,
        version: Version,
        marker: String,
    },
    /// `UpdateAlias`.
    UpdateAlias {
        alias: String,
        version: Option<Version>,
        marker: Option<String>,
        expected: Option<RevisionId>,
    },
    /// `DeleteAlias`.
    DeleteAlias { alias: String },
    /// `GetAlias`.
    GetAlias { alias: String },
    /// `ListAliases`, all pages in one.
    ListAliases,
}

/// What a call was answered. Errors are answers: the catalog must have been so that they are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// One version of a function.
    Version(SeenVersion),
    /// `$LATEST` and all published versions.
    Versions(Vec<SeenVersion>),
    /// One alias.
    Alias(SeenAlias),
    /// All aliases.
    Aliases(Vec<SeenAlias>),
    /// Functions.
    Functions(Listed),
    /// Success without anything to see.
    Nothing,
    /// 404.
    NotFound,
    /// 409.
    Conflict,
    /// 412.
    PreconditionFailed,
}

/// A version, as an answer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenVersion {
    /// Which one.
    pub version: Version,
    /// Its description.
    pub marker: String,
    /// `CodeSha256`.
    pub code: String,
    /// Its revision.
    pub revision: RevisionId,
    /// Whether its creation or update has ended, well or not; lists do not tell.
    pub settled: Option<bool>,
}

/// An alias, as an answer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenAlias {
    /// Its name.
    pub alias: String,
    /// Where it points.
    pub version: Version,
    /// Its description.
    pub marker: String,
    /// Its revision.
    pub revision: RevisionId,
}

/// A page of functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Names and `$LATEST`.
    pub functions: Vec<(String, SeenVersion)>,
    /// Whether these are all: then a function that is not among them did not exist.
    pub complete: bool,
}

impl Op {
    /// Something of one function.
    #[must_use]
    pub fn on(function: &str, act: Act) -> Self {
        Self::On {
            function: function.to_owned(),
            act,
        }
    }
}

impl Act {
    /// Whether it only looks.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        matches!(
            self,
            Self::Get { .. } | Self::ListVersions | Self::GetAlias { .. } | Self::ListAliases
        )
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { marker, .. } => write!(f, "create {marker:?}"),
            Self::UpdateConfiguration { marker, expected } => {
                write!(f, "describe as {marker:?}{}", If(*expected))
            }
            Self::UpdateCode { code, expected } => {
                write!(f, "update code to {code:?}{}", If(*expected))
            }
            Self::Delete => f.write_str("delete"),
            Self::DeleteVersion { version } => write!(f, "delete version {version}"),
            Self::Publish { marker, expected } => {
                f.write_str("publish")?;
                if let Some(marker) = marker {
                    write!(f, " as {marker:?}")?;
                }
                write!(f, "{}", If(*expected))
            }
            Self::Get { version } => write!(f, "get {version}"),
            Self::ListVersions => f.write_str("list versions"),
            Self::CreateAlias {
                alias,
                version,
                marker,
            } => write!(f, "create alias {alias} -> {version} {marker:?}"),
            Self::UpdateAlias {
                alias,
                version,
                marker,
                expected,
            } => {
                write!(f, "update alias {alias}")?;
                if let Some(version) = version {
                    write!(f, " -> {version}")?;
                }
                if let Some(marker) = marker {
                    write!(f, " {marker:?}")?;
                }
                write!(f, "{}", If(*expected))
            }
            Self::DeleteAlias { alias } => write!(f, "delete alias {alias}"),
            Self::GetAlias { alias } => write!(f, "get alias {alias}"),
            Self::ListAliases => f.write_str("list aliases"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(seen) => seen.fmt(f),
            Self::Versions(seen) => many(f, seen),
            Self::Alias(seen) => seen.fmt(f),
            Self::Aliases(seen) => many(f, seen),
            Self::Functions(listed) => {
                let names: Vec<_> = listed.functions.iter().map(|(name, _)| name).collect();
                write!(f, "{names:?}")
            }
            Self::Nothing => f.write_str("ok"),
            Self::NotFound => f.write_str("404 not found"),
            Self::Conflict => f.write_str("409 conflict"),
            Self::PreconditionFailed => f.write_str("412 precondition failed"),
        }
    }
}

impl fmt::Display for SeenVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = match self.settled {
            Some(false) => ", in progress",
            Some(true) | None => "",
        };
        let revision = Short(self.revision);
        write!(
            f,
            "{} {:?}, revision {revision}{open}",
            self.version, self.marker
        )
    }
}

impl fmt::Display for SeenAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (alias, version, revision) = (&self.alias, self.version, Short(self.revision));
        write!(
            f,
            "{alias} -> {version} {:?}, revision {revision}",
            self.marker
        )
    }
}

/// A revision by its first characters, which tell it from the others of a history.
pub(super) struct Short(pub(super) RevisionId);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0.as_u128() >> 96)
    }
}

struct If(Option<RevisionId>);

impl fmt::Display for If {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(revision) => write!(f, " if {}", Short(revision)),
            None => Ok(()),
        }
    }
}

fn many(f: &mut fmt::Formatter<'_>, all: &[impl fmt::Display]) -> fmt::Result {
    for (n, one) in all.iter().enumerate() {
        let comma = if n == 0 { "" } else { "; " };
        write!(f, "{comma}{one}")?;
    }
    if all.is_empty() {
        f.write_str("none")
    } else {
        Ok(())
    }
}
