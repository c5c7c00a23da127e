//! Accounts and regions: the two halves of a resource's scope.

use std::{fmt, str::FromStr};

/// An AWS account id: exactly twelve ASCII digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId([u8; 12]);

impl AccountId {
    /// The account of a cluster that has not been told of others: `000000000000`.
    pub const DEFAULT: Self = Self([b'0'; 12]);

    /// The twelve digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("000000000000")
    }
}

/// A text that is not twelve digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an account id of 12 digits, got {0:?}")]
pub struct InvalidAccountId(pub String);

impl FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let bytes: [u8; 12] = s
            .as_bytes()
            .try_into()
            .map_err(|_| InvalidAccountId(s.chars().take(100).collect()))?;
        if bytes.iter().all(u8::is_ascii_digit) {
            Ok(Self(bytes))
        } else {
            Err(InvalidAccountId(s.to_owned()))
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A region name such as `us-east-1`: 1–64 of `[a-z0-9-]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(std::sync::Arc<str>);

impl Region {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ARN partition this region belongs to: `aws-cn` for `cn-…`, `aws-us-gov` for `us-gov-…`, else `aws`.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        if self.0.starts_with("cn-") {
            "aws-cn"
        } else if self.0.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        }
    }
}

impl Default for Region {
    fn default() -> Self {
        Self("us-east-1".into())
    }
}

/// A text that cannot be a region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a region such as us-east-1 (1 to 64 of a-z, 0-9 and -), got {0:?}")]
pub struct InvalidRegion(pub String);

impl FromStr for Region {
    type Err = InvalidRegion;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=64).contains(&s.len()) && s.bytes().all(legal) {
            Ok(Self(s.into()))
        } else {
            Err(InvalidRegion(s.chars().take(100).collect()))
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
