//! Which of a function's versions a request means.

use std::{fmt, num::NonZeroU64, str::FromStr};

use crate::AliasName;

/// A version of a function: the mutable `$LATEST`, the copy of it that was published without a number, or an immutable
/// number from 1 up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// `$LATEST`.
    Latest,
    /// `$LATEST.PUBLISHED`: a function on a capacity provider may have one. Publishing it again replaces it. Format 2.
    LatestPublished,
    /// A published version. Numbers are never used again, even after a deletion.
    Number(NonZeroU64),
}

/// What may follow a function's name: a version or an alias.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Qualifier {
    /// `$LATEST`, `$LATEST.PUBLISHED` or a number.
    Version(Version),
    /// An alias.
    Alias(AliasName),
}

/// A text that is neither a version nor an alias name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected $LATEST, a version number or an alias name, got {0:?}")]
pub struct InvalidQualifier(pub String);

impl Version {
    /// The published version of this number; `None` for zero.
    #[must_use]
    pub fn number(n: u64) -> Option<Self> {
        NonZeroU64::new(n).map(Self::Number)
    }

    /// The number of a published version.
    #[must_use]
    pub fn as_number(self) -> Option<u64> {
        match self {
            Self::Latest | Self::LatestPublished => None,
            Self::Number(n) => Some(n.get()),
        }
    }

    /// The smallest format of the catalog that can name it.
    #[must_use]
    pub const fn format(self) -> u32 {
        match self {
            Self::Latest | Self::Number(_) => 1,
            Self::LatestPublished => 2,
        }
    }
}

impl FromStr for Version {
    type Err = InvalidQualifier;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "$LATEST" => return Ok(Self::Latest),
            "$LATEST.PUBLISHED" => return Ok(Self::LatestPublished),
            _ => {}
        }
        let canonical = s.bytes().all(|b| b.is_ascii_digit()) && !s.starts_with('0');
        s.parse()
            .ok()
            .filter(|_| canonical)
            .and_then(Self::number)
            .ok_or_else(|| InvalidQualifier(s.chars().take(300).collect()))
    }
}

impl FromStr for Qualifier {
    type Err = InvalidQualifier;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        if let Ok(version) = s.parse() {
            return Ok(Self::Version(version));
        }
        s.parse()
            .map(Self::Alias)
            .map_err(|_| InvalidQualifier(s.chars().take(300).collect()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("$LATEST"),
            Self::LatestPublished => f.write_str("$LATEST.PUBLISHED"),
            Self::Number(n) => write!(f, "{n}"),
        }
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(v) => v.fmt(f),
            Self::Alias(a) => a.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_qualifier_that_parses_prints_as_it_was(s in "(\\$LATEST(\\.PUBLISHED)?|[0-9]{1,19}|[a-zA-Z0-9_-]{1,20})") {
            if let Ok(q) = s.parse::<Qualifier>() {
                prop_assert_eq!(q.to_string(), s);
            }
        }
    }

    #[test]
    fn zero_and_padded_numbers_are_nothing() {
        for bad in [
            "0",
            "01",
            "",
            "99999999999999999999999",
            "a.b",
            "$latest",
            "$LATEST.published",
        ] {
            assert!(bad.parse::<Qualifier>().is_err(), "{bad}");
        }
    }
}
