//! Who a member is, and which cluster it belongs to.

use std::{fmt, str::FromStr};

use model::{Incarnation, NodeName, Zone};

/// A member of a group: a node in one life of its storage, and where it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Derived from name and incarnation, see [`Identity::new`].
    pub id: u64,
    /// The node.
    pub name: NodeName,
    /// The life of its storage.
    pub incarnation: Incarnation,
    /// Its internal address, as `host:port`.
    pub address: String,
    /// Where it stands.
    pub zone: Zone,
}

impl Identity {
    /// A member with the id that follows from its name and incarnation.
    #[must_use]
    pub fn new(name: NodeName, incarnation: Incarnation, address: String, zone: Zone) -> Self {
        Self {
            id: member_id(&name, incarnation),
            name,
            incarnation,
            address,
            zone,
        }
    }
}

/// FNV-1a over name and incarnation, then a 64-bit finaliser: part of the persisted format, it must never change.
fn member_id(name: &NodeName, incarnation: Incarnation) -> u64 {
    let bytes = name
        .as_str()
        .bytes()
        .chain([0])
        .chain(incarnation.0.to_be_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// The id of a cluster, drawn once when it is bootstrapped. Nodes of another cluster are refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterId(u128);

impl ClusterId {
    /// From 128 random bits.
    #[must_use]
    pub const fn new(bits: u128) -> Self {
        Self(bits)
    }
}

/// A text that is no cluster id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a cluster id of 32 hexadecimal digits, got {0:?}")]
pub struct InvalidClusterId(String);

impl FromStr for ClusterId {
    type Err = InvalidClusterId;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if s.len() != 32 || !s.bytes().all(lower_hex) {
            return Err(InvalidClusterId(s.to_owned()));
        }
        u128::from_str_radix(s, 16)
            .map(Self)
            .map_err(|_| InvalidClusterId(s.to_owned()))
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_follows_from_name_and_incarnation_and_never_changes() {
        let id =
            |name: &str, incarnation| member_id(&name.parse().unwrap(), Incarnation(incarnation));
        assert_eq!(id("c-0", 1), id("c-0", 1));
        assert_ne!(id("c-0", 1), id("c-0", 2));
        assert_ne!(id("c-0", 1), id("c-1", 1));
        // Golden: a changed hash would give every member a new id.
        assert_eq!(id("c-0", 1), 0x4755_ae05_c99c_0489);
    }

    proptest! {
        #[test]
        fn a_cluster_id_round_trips(bits: u128) {
            let id = ClusterId::new(bits);
            prop_assert_eq!(id.to_string().parse::<ClusterId>(), Ok(id));
        }
    }

    #[test]
    fn a_cluster_id_has_one_spelling() {
        assert!(
            "0123456789abcdef0123456789abcdef"
                .parse::<ClusterId>()
                .is_ok()
        );
        assert!(
            "0123456789ABCDEF0123456789abcdef"
                .parse::<ClusterId>()
                .is_err()
        );
        assert!(
            "+123456789abcdef0123456789abcdef"
                .parse::<ClusterId>()
                .is_err()
        );
        assert!("".parse::<ClusterId>().is_err());
    }
}
