//! Two kinds of revision: the catalog's position, and AWS's optimistic lock.

use std::{fmt, str::FromStr};

use crate::uuid::{InvalidUuid, as_uuid_v4, parse_uuid, write_uuid};

/// A position in the catalog's history: the Raft log index of the last applied command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A resource's optimistic lock, `RevisionId` on the wire: a lower-case UUID of version 4.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RevisionId(u128);

impl RevisionId {
    /// From 128 random bits; the bits that mark version and variant are set here.
    #[must_use]
    pub const fn from_random(bits: u128) -> Self {
        Self(as_uuid_v4(bits))
    }

    /// The 128 bits.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

impl FromStr for RevisionId {
    type Err = InvalidUuid;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        parse_uuid(s).map(Self)
    }
}

impl fmt::Display for RevisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_uuid(self.0, f)
    }
}

impl fmt::Debug for RevisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
