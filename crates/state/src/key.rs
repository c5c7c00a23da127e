//! How records are named.
//!
//! | kind | key | mutability |
//! |---|---|---|
//! | function | `f/ACCOUNT/REGION/NAME` | changes with every publish and tag |
//! | version | `v/ACCOUNT/REGION/NAME/$LATEST` or `…/` and the number in 20 digits | `$LATEST` changes; numbers settle once |
//! | alias | `a/ACCOUNT/REGION/NAME/ALIAS` | changes |
//! | setting (format 2) | `s/ACCOUNT/REGION/NAME/KIND/` and a version in 20 digits, an alias, or `.` for the function itself | changes |
//! | data key | `k/ACCOUNT/` and the generation in 10 digits | wrapped again when the master key changes, never deleted |
//! | event source mapping | `m/ACCOUNT/REGION/UUID`, since format 2 | changes |
//! | layer | `l/ACCOUNT/REGION/NAME` | changes with every version; stays when they are gone. Format 2 |
//! | layer version | `w/ACCOUNT/REGION/NAME/` and the number in 20 digits | only its policy changes. Format 2 |
//! | code-signing configuration | `g/ACCOUNT/REGION/ID` | changes. Format 2 |
//! | capacity provider | `p/ACCOUNT/REGION/NAME` | changes. Format 2 |
//! | account, user, role, policy | `u/ACCOUNT/KIND/NAME`, of an account `u/ACCOUNT/account/-` | changes. Format 2 |
//! | access key | `u/-/key/ID` | only whether it may be used changes. Format 2 |
//! | answer | `i/` and the idempotency key in 32 hexadecimal digits | written once, forgotten later |
//! | format | `c/format` | grows |
//!
//! No part can hold a `/`, so a prefix of whole parts selects exactly what is below it. Keys are frozen: they are on disk.

use std::{fmt, str::FromStr};

use model::{
    AccountId, AliasName, CapacityProviderId, CodeSigningId, FunctionId, Generation, LayerId,
    LayerVersionId, Qualifier, SettingKind, Version, VersionId, iam::EntityId, mapping::MappingId,
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
    /// One setting of a function, at the function itself or at a version or alias.
    Setting(FunctionId, SettingKind, Option<Qualifier>),
    /// A data key of an account.
    DataKey(AccountId, Generation),
    /// One event source mapping.
    Mapping(MappingId),
    /// What all versions of a layer share.
    Layer(LayerId),
    /// One version of a layer.
    LayerVersion(LayerVersionId),
    /// One code-signing configuration.
    CodeSigning(CodeSigningId),
    /// One capacity provider.
    Capacity(CapacityProviderId),
    /// An account, a user, a role, a policy or an access key.
    Iam(EntityId),
    /// The answer to a command.
    Answer(IdempotencyKey),
    /// The format that the cluster writes.
    Format,
}

/// Stands for the function itself: a dot is in no version and in no alias.
const FUNCTION_ITSELF: &str = ".";

/// Stands where the number of a version does.
const LATEST_PUBLISHED: &str = "$LATEST.PUBLISHED";

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
                    Version::Latest | Version::LatestPublished => write!(f, "{version}"),
                    Version::Number(n) => write!(f, "{n:020}"),
                }
            }
            Self::Alias(id, name) => write!(f, "a/{}/{}/{}/{name}", id.account, id.region, id.name),
            Self::Setting(id, kind, place) => {
                let FunctionId {
                    account,
                    region,
                    name,
                } = id;
                write!(f, "s/{account}/{region}/{name}/{kind}/")?;
                match place {
                    None => f.write_str(FUNCTION_ITSELF),
                    Some(Qualifier::Version(Version::Number(n))) => write!(f, "{n:020}"),
                    Some(qualifier) => write!(f, "{qualifier}"),
                }
            }
            Self::DataKey(account, generation) => write!(f, "k/{account}/{:010}", generation.get()),
            Self::Mapping(id) => write!(f, "m/{}/{}/{}", id.account, id.region, id.uuid),
            Self::Layer(id) => write!(f, "l/{}/{}/{}", id.account, id.region, id.name),
            Self::LayerVersion(LayerVersionId { layer: id, version }) => write!(
                f,
                "w/{}/{}/{}/{version:020}",
                id.account, id.region, id.name
            ),
            Self::CodeSigning(id) => write!(f, "g/{}/{}/{}", id.account, id.region, id.name),
            Self::Capacity(id) => write!(f, "p/{}/{}/{}", id.account, id.region, id.name),
            Self::Iam(id) => write!(f, "u/{id}"),
            Self::Answer(key) => write!(f, "i/{:032x}", key.0),
            Self::Format => f.write_str("c/format"),
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
                LATEST_PUBLISHED => Version::LatestPublished,
                digits => number(digits)?,
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
        ["s", account, region, name, kind, place] => {
            let place = match *place {
                FUNCTION_ITSELF => None,
                LATEST_PUBLISHED => Some(Qualifier::Version(Version::LatestPublished)),
                text => match number(text) {
                    Some(version) => Some(Qualifier::Version(version)),
                    None => Some(Qualifier::Alias(text.parse().ok()?)),
                },
            };
            Some(Key::Setting(
                function(account, region, name)?,
                kind.parse().ok()?,
                place,
            ))
        }
        ["k", account, digits] if digits.len() == 10 => Some(Key::DataKey(
            account.parse().ok()?,
            Generation::new(digits.parse().ok()?).ok()?,
        )),
        ["m", account, region, uuid] => Some(Key::Mapping(MappingId {
            account: account.parse().ok()?,
            region: region.parse().ok()?,
            uuid: uuid.parse().ok()?,
        })),
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
        ["u", ..] => Some(Key::Iam(s.strip_prefix("u/")?.parse().ok()?)),
        ["i", hex] if hex.len() == 32 => Some(Key::Answer(IdempotencyKey(
            u128::from_str_radix(hex, 16).ok()?,
        ))),
        ["c", "format"] => Some(Key::Format),
        _ => None,
    }
}

fn number(digits: &str) -> Option<Version> {
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| Version::number(digits.parse().ok()?))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_prints_as_it_was() {
        for key in [
            "f/000000000000/us-east-1/hello",
            "v/000000000000/us-east-1/hello/$LATEST",
            "v/000000000000/us-east-1/hello/$LATEST.PUBLISHED",
            "v/000000000000/us-east-1/hello/00000000000000000007",
            "a/000000000000/us-east-1/hello/live",
            "s/000000000000/us-east-1/hello/policy/.",
            "s/000000000000/us-east-1/hello/policy/00000000000000000007",
            "s/000000000000/us-east-1/hello/scaling/$LATEST.PUBLISHED",
            "s/000000000000/us-east-1/hello/event-invoke/live",
            "s/000000000000/us-east-1/hello/url/-",
            "k/000000000000/0000000007",
            "m/000000000000/us-east-1/0f8fad5b-d9cb-469f-a165-70867728950e",
            "l/000000000000/us-east-1/tools",
            "w/000000000000/us-east-1/tools/00000000000000000007",
            "g/000000000000/us-east-1/csc-0123456789abcdefg",
            "p/000000000000/us-east-1/big_ones",
            "u/000000000000/account/-",
            "u/000000000000/user/alice",
            "u/000000000000/role/worker",
            "u/000000000000/policy/p",
            "u/-/key/AKIAIOSFODNN7EXAMPLE",
            "i/000000000000000000000000000000ff",
            "c/format",
        ] {
            assert_eq!(key.parse::<Key>().unwrap().to_string(), key);
        }
        for bad in [
            "",
            "f/0/us-east-1/hello",
            "v/000000000000/us-east-1/hello/7",
            "x/1",
            "i/ff",
            "c",
            "c/other",
            "k/000000000000/7",
            "k/000000000000/0000000000",
            "k/000000000000/9999999999",
            "a/000000000000/us-east-1/hello/7",
            "v/000000000000/us-east-1/hello/+0000000000000000007",
            "s/000000000000/us-east-1/hello/policy/",
            "s/000000000000/us-east-1/hello/policy/7",
            "s/000000000000/us-east-1/hello/policy/$LATEST",
            "s/000000000000/us-east-1/hello/colour/.",
            "m/000000000000/us-east-1/0F8FAD5B-d9cb-469f-a165-70867728950e",
            "w/000000000000/us-east-1/tools/7",
            "g/000000000000/us-east-1/csc-1",
            "p/000000000000/us-east-1/",
            "u/000000000000/group/g",
            "u/",
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
