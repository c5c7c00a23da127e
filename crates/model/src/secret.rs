//! Secrets as the catalog holds them: sealed, with the names of the keys that open them. The keys themselves and what they
//! do are the room of `seal`; here is only what travels.

use std::{fmt, str::FromStr};

use crate::{AccountId, Timestamp};

/// The name of a master key: 1 to 64 letters, digits, `.`, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MasterKeyId(String);

/// A text that is no name of a master key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 64 letters, digits, '.', '_' or '-' as the id of a master key, got {0:?}")]
pub struct InvalidMasterKeyId(String);

impl FromStr for MasterKeyId {
    type Err = InvalidMasterKeyId;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if (1..=64).contains(&s.len()) && s.bytes().all(allowed) {
            Ok(Self(s.to_owned()))
        } else {
            Err(InvalidMasterKeyId(s.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl MasterKeyId {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which of an account's data keys: 1, 2 and so on. New secrets are sealed under the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(u32);

/// No generation: they begin at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a generation of at least 1, got 0")]
pub struct InvalidGeneration;

impl Generation {
    /// The first one.
    pub const FIRST: Self = Self(1);
    /// The last one there can be.
    pub const LAST: Self = Self(u32::MAX);

    /// The generation of this number.
    ///
    /// # Errors
    /// [`InvalidGeneration`] for 0.
    pub const fn new(number: u32) -> Result<Self, InvalidGeneration> {
        match number {
            0 => Err(InvalidGeneration),
            n => Ok(Self(n)),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The one after it. The last one there can be comes after itself.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A data key of an account, wrapped: of no use without the master key that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataKey {
    /// Whose it is.
    pub account: AccountId,
    /// Which of them.
    pub generation: Generation,
    /// The key itself, wrapped.
    pub wrapped: WrappedKey,
    /// When it was made.
    pub created: Timestamp,
}

/// A key that another key encrypts.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The master key that opens it.
    pub master: MasterKeyId,
    /// The encrypted key, in the format of `seal`.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key under {}", self.master)
    }
}

/// A secret sealed under a data key of an account, in the format of `seal`.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Takes bytes for a sealed text; whether they are one is found out when it is opened.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sealed bytes", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_master_keys_print_as_they_were() {
        let long = "k".repeat(64);
        for id in ["2026-01", "a", "KMS_root.v2", &long] {
            assert_eq!(id.parse::<MasterKeyId>().unwrap().to_string(), id);
        }
        for bad in ["", "a/b", "a b", "ä", &"k".repeat(65)] {
            assert!(bad.parse::<MasterKeyId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn generations_begin_at_one_and_never_come_again() {
        assert_eq!(Generation::new(0), Err(InvalidGeneration));
        assert_eq!(Generation::FIRST.next().get(), 2);
        assert_eq!(Generation::new(u32::MAX).unwrap().next().get(), u32::MAX);
    }

    #[test]
    fn what_is_sealed_prints_no_bytes() {
        let wrapped = WrappedKey {
            master: "m".parse().unwrap(),
            bytes: vec![0xab; 3],
        };
        assert_eq!(format!("{wrapped:?}"), "a key under m");
        assert_eq!(
            format!("{:?}", Sealed::from_bytes(vec![171; 3])),
            "3 sealed bytes"
        );
    }
}
