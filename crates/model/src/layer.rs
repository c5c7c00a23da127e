//! Layers: shared archives that functions unpack into `/opt`, in numbered versions that never change.

use std::{collections::BTreeMap, fmt, num::NonZeroU64, str::FromStr};

use crate::{
    AccountId, Architecture, LayerName, ObjectAddress, Region, RevisionId, Runtime, Timestamp,
    Version, arn::is_partition, function::Code,
};

/// A layer's identity in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerId {
    /// Its owner.
    pub account: AccountId,
    /// The region it was published in.
    pub region: Region,
    /// Its name, unique in account and region.
    pub name: LayerName,
}

/// One version of one layer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerVersionId {
    /// The layer.
    pub layer: LayerId,
    /// Its number.
    pub version: NonZeroU64,
}

/// A text that is no ARN of a layer or of a layer version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the ARN of a layer or of a layer version, got {0:?}")]
pub struct InvalidLayerArn(pub String);

/// One version of a layer as the catalog holds it. Only its policy ever changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerVersion {
    /// Which one.
    pub id: LayerVersionId,
    /// Its archive: a zip, kept as a blob.
    pub content: Code,
    /// What its author says about it.
    pub draft: LayerDraft,
    /// When it was published.
    pub created: Timestamp,
    /// Who else may use it; `None` if nobody was ever allowed or the last statement is gone.
    pub policy: Option<LayerPolicy>,
}

/// What the author of a layer version says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerDraft {
    /// Free text, at most 256 characters.
    pub description: String,
    /// The runtimes that it is for; empty if it was not said.
    pub runtimes: Vec<Runtime>,
    /// The instruction sets that it is for; empty if it was not said.
    pub architectures: Vec<Architecture>,
    /// Its licence: an identifier, a URL or the text itself.
    pub license: Option<String>,
    /// The object that its archive is a reference to; see [`crate::function::Origin::object`].
    pub object: Option<ObjectAddress>,
}

/// Who may use a layer version besides its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerPolicy {
    /// The optimistic lock.
    pub revision_id: RevisionId,
    /// At least one, by their ids.
    pub statements: BTreeMap<String, LayerGrant>,
}

/// What one statement of a layer's policy allows: to get the version, and so to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerGrant {
    /// Whom.
    pub principal: LayerPrincipal,
    /// Only members of this organisation.
    pub organization: Option<String>,
}

/// Whom a statement of a layer's policy is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerPrincipal {
    /// Every account.
    Everybody,
    /// One account.
    Account(AccountId),
}

/// A change to the policy of a layer version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerPolicyChange {
    /// A further statement.
    Add {
        /// Its id.
        statement: String,
        /// What it allows.
        grant: LayerGrant,
    },
    /// A statement goes.
    Remove {
        /// Its id.
        statement: String,
    },
}

impl LayerVersion {
    /// Whether a caller who looks for this runtime and this instruction set wants to see it.
    #[must_use]
    pub fn suits(&self, runtime: Option<Runtime>, architecture: Option<Architecture>) -> bool {
        runtime.is_none_or(|r| self.draft.runtimes.contains(&r))
            && architecture.is_none_or(|a| self.draft.architectures.contains(&a))
    }
}

impl fmt::Display for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            account,
            region,
            name,
        } = self;
        let partition = region.partition();
        write!(f, "arn:{partition}:lambda:{region}:{account}:layer:{name}")
    }
}

impl fmt::Display for LayerVersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.layer, self.version)
    }
}

impl FromStr for LayerId {
    type Err = InvalidLayerArn;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        parse(s.split(':')).ok_or_else(|| invalid(s))
    }
}

impl FromStr for LayerVersionId {
    type Err = InvalidLayerArn;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let split = || {
            let (layer, version) = s.rsplit_once(':')?;
            let Ok(Version::Number(version)) = version.parse() else {
                return None;
            };
            Some(Self {
                layer: layer.parse().ok()?,
                version,
            })
        };
        split().ok_or_else(|| invalid(s))
    }
}

fn parse<'a>(parts: impl Iterator<Item = &'a str>) -> Option<LayerId> {
    let parts: Vec<&str> = parts.collect();
    match parts.as_slice() {
        ["arn", partition, "lambda", region, account, "layer", name] if is_partition(partition) => {
            Some(LayerId {
                account: account.parse().ok()?,
                region: region.parse().ok()?,
                name: name.parse().ok()?,
            })
        }
        _ => None,
    }
}

fn invalid(s: &str) -> InvalidLayerArn {
    InvalidLayerArn(s.chars().take(300).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_print_as_they_were() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:layer:tools";
        assert_eq!(arn.parse::<LayerId>().unwrap().to_string(), arn);
        let version = format!("{arn}:7");
        let parsed = version.parse::<LayerVersionId>().unwrap();
        assert_eq!(parsed.to_string(), version);
        assert_eq!(parsed.version.get(), 7);
        for bad in [
            "",
            "tools:1",
            arn,
            "arn:aws:lambda:eu-west-1:123456789012:layer:tools:0",
            "arn:aws:lambda:eu-west-1:123456789012:layer:tools:07",
            "arn:aws:lambda:eu-west-1:123456789012:layer:tools:+7",
            "arn:aws:lambda:eu-west-1:123456789012:layer:tools:$LATEST",
            "arn:awsome:lambda:eu-west-1:123456789012:layer:tools:7",
            "arn:aws:lambda:eu-west-1:123456789012:function:tools:1",
            "arn:aws:lambda:::awslayer:tools",
        ] {
            assert!(bad.parse::<LayerVersionId>().is_err(), "{bad}");
        }
        assert!(version.parse::<LayerId>().is_err());
    }
}
