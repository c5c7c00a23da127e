//! What functions may reach over the network: the names of policies, and the tag by which a function chooses one.

use std::{fmt, str::FromStr, sync::Arc};

/// The tag of a function that names its network policy.
pub const NETWORK_TAG: &str = "dunlin:network";

const LENGTH_MAX: usize = 32;

/// The name of a network policy: 1 to 32 of `[a-z0-9-]`, a letter first. Operators define them; `none` and `open` are built in.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetworkPolicyName(Arc<str>);

/// A text that names no network policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected the name of a network policy, 1 to 32 characters out of a-z, 0-9 and -, a letter first, got {0:?}"
)]
pub struct InvalidNetworkPolicyName(pub String);

impl NetworkPolicyName {
    /// Nothing is reached.
    #[must_use]
    pub fn none() -> Self {
        Self("none".into())
    }

    /// Everything is reached, but for what is never.
    #[must_use]
    pub fn open() -> Self {
        Self("open".into())
    }

    /// Whether it is [`NetworkPolicyName::none`].
    #[must_use]
    pub fn is_none(&self) -> bool {
        &*self.0 == "none"
    }

    /// Whether it is [`NetworkPolicyName::open`].
    #[must_use]
    pub fn is_open(&self) -> bool {
        &*self.0 == "open"
    }

    /// The name as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NetworkPolicyName {
    type Err = InvalidNetworkPolicyName;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let begins = s.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if begins && s.len() <= LENGTH_MAX && s.bytes().all(fits) {
            Ok(Self(s.into()))
        } else {
            Err(InvalidNetworkPolicyName(s.chars().take(300).collect()))
        }
    }
}

impl fmt::Display for NetworkPolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for NetworkPolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_the_rest_is_refused() {
        let longest = "a".repeat(LENGTH_MAX);
        for good in ["none", "open", "a", "payments-2", &longest] {
            let name: NetworkPolicyName = good.parse().unwrap();
            assert_eq!(name.to_string(), good);
        }
        let too_long = "a".repeat(LENGTH_MAX + 1);
        for bad in ["", "A", "2", "-a", "a b", "a_b", "ä", &too_long] {
            assert!(bad.parse::<NetworkPolicyName>().is_err(), "{bad}");
        }
    }
}
