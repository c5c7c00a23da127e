//! Code-signing configurations: who may sign code, and what happens to code that nobody did.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{AccountId, FunctionId, Region, Timestamp, arn::is_partition};

/// What the name of every configuration begins with.
const PREFIX: &str = "csc-";
/// The characters behind it.
const LENGTH: usize = 17;
const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A configuration's name: `csc-` and 17 of `[a-z0-9]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodeSigningName([u8; LENGTH]);

/// A configuration's identity in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodeSigningId {
    /// Its owner.
    pub account: AccountId,
    /// The region it was created in.
    pub region: Region,
    /// Its name, which the cluster gave it.
    pub name: CodeSigningName,
}

/// A text that is no name or no ARN of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a code-signing configuration such as csc-0123456789abcdefg, or its ARN, got {0:?}"
)]
pub struct InvalidCodeSigning(pub String);

/// What happens to code without a valid signature. No signature is valid in a cluster without a signing service, so this
/// is about all code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum UntrustedArtifact {
    /// It is deployed.
    #[default]
    Warn,
    /// It is refused.
    Enforce,
}

/// A configuration as the catalog holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeSigningConfig {
    /// Which one.
    pub id: CodeSigningId,
    /// What its owner chose.
    pub settings: CodeSigningSettings,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was last modified.
    pub last_modified: Timestamp,
}

/// What the owner of a configuration chooses.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CodeSigningSettings {
    /// Free text, at most 256 characters.
    pub description: String,
    /// The ARNs of the signing profiles whose signatures are accepted; at least one.
    pub publishers: Vec<String>,
    /// What happens to other code.
    pub untrusted: UntrustedArtifact,
}

/// A change to configurations, or to which of them holds for a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeSigningChange {
    /// A new one; its name comes from the leader's stamp.
    Create {
        /// Its owner.
        account: AccountId,
        /// Its region.
        region: Region,
        /// What its owner chose.
        settings: CodeSigningSettings,
        /// Its tags.
        tags: BTreeMap<String, String>,
    },
    /// Other settings; `None` leaves one as it is.
    Update {
        /// Which one.
        id: CodeSigningId,
        /// See [`CodeSigningSettings::description`].
        description: Option<String>,
        /// See [`CodeSigningSettings::publishers`].
        publishers: Option<Vec<String>>,
        /// See [`CodeSigningSettings::untrusted`].
        untrusted: Option<UntrustedArtifact>,
    },
    /// It goes. One that a function uses stays.
    Delete {
        /// Which one.
        id: CodeSigningId,
    },
    /// The configuration that holds for a function from now on.
    Link {
        /// The function.
        function: FunctionId,
        /// The configuration; `None` takes it away.
        config: Option<CodeSigningId>,
    },
    /// Tags are set and taken away.
    Tag {
        /// Which one.
        id: CodeSigningId,
        /// Tags to set.
        set: BTreeMap<String, String>,
        /// Names of tags to take away.
        unset: Vec<String>,
        /// Most tags that it may have afterwards.
        at_most: u32,
    },
}

impl CodeSigningName {
    /// A name out of random bits.
    #[must_use]
    pub fn from_random(bits: u128) -> Self {
        let mut rest = bits;
        let digits = [(); LENGTH].map(|()| {
            let digit = usize::try_from(rest % 36).unwrap_or(0);
            rest /= 36;
            ALPHABET.get(digit).copied().unwrap_or(b'0')
        });
        Self(digits)
    }
}

impl fmt::Display for CodeSigningName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0
            .iter()
            .try_for_each(|b| write!(f, "{}", char::from(*b)))
    }
}

impl fmt::Debug for CodeSigningName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CodeSigningName {
    type Err = InvalidCodeSigning;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let rest: [u8; LENGTH] = s.strip_prefix(PREFIX)?.as_bytes().try_into().ok()?;
            rest.iter()
                .all(|b| ALPHABET.contains(b))
                .then_some(Self(rest))
        };
        parse().ok_or_else(|| invalid(s))
    }
}

impl fmt::Display for CodeSigningId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            account,
            region,
            name,
        } = self;
        let partition = region.partition();
        write!(
            f,
            "arn:{partition}:lambda:{region}:{account}:code-signing-config:{name}"
        )
    }
}

impl FromStr for CodeSigningId {
    type Err = InvalidCodeSigning;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = s.split(':').collect();
        let parse = || match parts.as_slice() {
            [
                "arn",
                partition,
                "lambda",
                region,
                account,
                "code-signing-config",
                name,
            ] if is_partition(partition) => Some(Self {
                account: account.parse().ok()?,
                region: region.parse().ok()?,
                name: name.parse().ok()?,
            }),
            _ => None,
        };
        parse().ok_or_else(|| invalid(s))
    }
}

fn invalid(s: &str) -> InvalidCodeSigning {
    InvalidCodeSigning(s.chars().take(300).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_random_bits_and_read_as_they_print() {
        for bits in [0, 1, 35, 36, u128::MAX] {
            let name = CodeSigningName::from_random(bits);
            let text = name.to_string();
            assert_eq!((text.len(), text.parse()), (21, Ok(name)));
        }
        assert_ne!(
            CodeSigningName::from_random(1),
            CodeSigningName::from_random(2)
        );
        let arn = "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdefg";
        assert_eq!(arn.parse::<CodeSigningId>().unwrap().to_string(), arn);
        for bad in ["", "csc-", "csc-0123456789ABCDEFG", "csc-0123456789abcdef"] {
            assert!(bad.parse::<CodeSigningName>().is_err(), "{bad}");
        }
        for bad in [arn.replace("csc", "cs"), arn.replace("aws", "awsome")] {
            assert!(bad.parse::<CodeSigningId>().is_err(), "{bad}");
        }
    }
}
