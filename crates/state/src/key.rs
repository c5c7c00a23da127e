//! How records are named.
//!
//! | kind | key | mutability |
//! |---|---|---|
//! | function | `f/ACCOUNT/REGION/NAME` | changes with every publish and tag |
//! | version | `v/ACCOUNT/REGION/NAME/$LATEST` or `…/` and the number in 20 digits | `$LATEST` changes; numbers settle once |
//! | alias | `a/ACCOUNT/REGION/NAME/ALIAS` | changes |
//! | layer | `l/ACCOUNT/REGION/NAME` | changes with every version; stays when they are gone. Format 2 |
//! | layer version | `w/ACCOUNT/REGION/NAME/` and the number in 20 digits | only its policy changes. Format 2 |
//! | code-signing configuration | `g/ACCOUNT/REGION/ID` | changes. Format 2 |
//! | capacity provider | `p/ACCOUNT/REGION/NAME` | changes. Format 2 |
//! | answer | `i/` and the idempotency key in 32 hexadecimal digits | written once, forgotten later |
//!
//! No part can hold a `/`, so a prefix of whole parts selects exactly what is below it. Keys are frozen: they are on disk.

use std::{fmt, str::FromStr};

use model::{
    AliasName, CapacityProviderId, CodeSigningId, FunctionId, LayerId, LayerVersionId, Version,
    VersionId,
};

use crate::IdempotencyKey;

/// The name of one record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// What all versions of a function share.
    Function(FunctionId),
    /// One version.
    Version(VersionId),
    /// One alias.
    Alias(FunctionId, AliasName),
    /// What all versions of a layer share.
    Layer(LayerId),
    /// One version of a layer.
    LayerVersion(LayerVersionId),
    /// One code-signing configuration.
    CodeSigning(CodeSigningId),
    /// One capacity provider.
    Capacity(CapacityProviderId),
    /// The answer to a command.
    Answer(IdempotencyKey),
}

/// A text that names no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the key of a catalog record, got {0:?}")]
pub struct InvalidKey(pub String);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(id) => write!(f, "f/{}/{}/{}", id.account, id.region, id.name),
            Self::Version(VersionId {
                function: id,
                version,
            }) => {
                write!(f, "v/{}/{}/{}/", id.account, id.region, id.name)?;
                match version {
                    Version::Latest => f.write_str("$LATEST"),
                    Version::Number(n) => write!(f, "{n:020}"),
                }
            }
            Self::Alias(id, name) => write!(f, "a/{}/{}/{}/{name}", id.account, id.region, id.name),
            Self::Layer(id) => write!(f, "l/{}/{}/{}", id.account, id.region, id.name),
            Self::LayerVersion(LayerVersionId { layer: id, version }) => write!(
                f,
                "w/{}/{}/{}/{version:020}",
                id.account, id.region, id.name
            ),
            Self::CodeSigning(id) => write!(f, "g/{}/{}/{}", id.account, id.region, id.name),
            Self::Capacity(id) => write!(f, "p/{}/{}/{}", id.account, id.region, id.name),
            Self::Answer(key) => write!(f, "i/{:032x}", key.0),
        }
    }
}

impl FromStr for Key {
    type Err = InvalidKey;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        parse(s).ok_or_else(|| InvalidKey(s.chars().take(300).collect()))
    }
}

fn parse(s: &str) -> Option<Key> {
    let parts: Vec<&str> = s.split('/').collect();
    let function = |account: &str, region: &str, name: &str| {
        Some(FunctionId {
            account: account.parse().ok()?,
            region: region.parse().ok()?,
            name: name.parse().ok()?,
        })
    };
    let layer = |account: &str, region: &str, name: &str| {
        Some(LayerId {
            account: account.parse().ok()?,
            region: region.parse().ok()?,
            name: name.parse().ok()?,
        })
    };
    match parts.as_slice() {
        ["f", account, region, name] => Some(Key::Function(function(account, region, name)?)),
        ["v", account, region, name, version] => {
            let version = match *version {
                "$LATEST" => Version::Latest,
                digits if digits.len() == 20 => Version::number(digits.parse().ok()?)?,
                _ => return None,
            };
            Some(Key::Version(VersionId {
                function: function(account, region, name)?,
                version,
            }))
        }
        ["a", account, region, name, alias] => Some(Key::Alias(
            function(account, region, name)?,
            alias.parse().ok()?,
        )),
        ["l", account, region, name] => Some(Key::Layer(layer(account, region, name)?)),
        ["w", account, region, name, digits] if digits.len() == 20 => {
            Some(Key::LayerVersion(LayerVersionId {
                layer: layer(account, region, name)?,
                version: digits.parse().ok()?,
            }))
        }
        ["g", account, region, name] => Some(Key::CodeSigning(CodeSigningId {
            account: account.parse().ok()?,
            region: region.parse().ok()?,
            name: name.parse().ok()?,
        })),
        ["p", account, region, name] => Some(Key::Capacity(CapacityProviderId {
            account: account.parse().ok()?,
            region: region.parse().ok()?,
            name: name.parse().ok()?,
        })),
        ["i", hex] if hex.len() == 32 => Some(Key::Answer(IdempotencyKey(
            u128::from_str_radix(hex, 16).ok()?,
        ))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_prints_as_it_was() {
        for key in [
            "f/000000000000/us-east-1/hello",
            "v/000000000000/us-east-1/hello/$LATEST",
            "v/000000000000/us-east-1/hello/00000000000000000007",
            "a/000000000000/us-east-1/hello/live",
            "l/000000000000/us-east-1/tools",
            "w/000000000000/us-east-1/tools/00000000000000000007",
            "g/000000000000/us-east-1/csc-0123456789abcdefg",
            "p/000000000000/us-east-1/big_ones",
            "i/000000000000000000000000000000ff",
        ] {
            assert_eq!(key.parse::<Key>().unwrap().to_string(), key);
        }
        for bad in [
            "",
            "f/0/us-east-1/hello",
            "v/000000000000/us-east-1/hello/7",
            "x/1",
            "i/ff",
            "a/000000000000/us-east-1/hello/7",
            "w/000000000000/us-east-1/tools/7",
            "g/000000000000/us-east-1/csc-1",
            "p/000000000000/us-east-1/",
            "w/000000000000/us-east-1/tools/00000000000000000000",
        ] {
            assert!(bad.parse::<Key>().is_err(), "{bad}");
        }
    }

    #[test]
    fn versions_sort_by_number() {
        let key = |n| {
            Key::Version(VersionId {
                function: FunctionId {
                    account: model::AccountId::DEFAULT,
                    region: model::Region::default(),
                    name: "f".parse().unwrap(),
                },
                version: Version::number(n).unwrap(),
            })
            .to_string()
        };
        assert!(key(9) < key(10));
    }
}
