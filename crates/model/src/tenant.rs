//! Tenants: whom a function serves, if it keeps them apart.

use std::{fmt, str::FromStr, sync::Arc};

/// Longest id of a tenant, in characters.
const LENGTH_MAX: usize = 256;

/// A tenant of a function with tenant isolation, as the caller names it: 1–256 of `[a-zA-Z0-9._:/=+\-@ ]`. Environments are
/// never shared between two of them.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Arc<str>);

/// A text that is no tenant's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a tenant id of 1 to 256 characters out of a-z, A-Z, 0-9, spaces and ._:/=+-@, got {0:?}"
)]
pub struct InvalidTenantId(pub String);

impl TenantId {
    /// The id as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = InvalidTenantId;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._:/=+-@ ".contains(&b);
        if (1..=LENGTH_MAX).contains(&s.len()) && s.bytes().all(fits) {
            Ok(Self(s.into()))
        } else {
            Err(InvalidTenantId(s.chars().take(300).collect()))
        }
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_to_their_alphabet_and_length() {
        for good in ["blue", "a b", "x:/=+-@._9", &"a".repeat(256)] {
            assert_eq!(good.parse::<TenantId>().unwrap().to_string(), good);
        }
        for bad in ["", "a%b", "ä", "a\nb", &"a".repeat(257)] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad}");
        }
    }
}
