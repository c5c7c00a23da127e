//! How mappings are named.

use std::{fmt, str::FromStr};

use crate::{
    AccountId, Region,
    uuid::{InvalidUuid, as_uuid_v4, parse_uuid, write_uuid},
};

/// A mapping's own id: a lower-case UUID of version 4.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MappingUuid(u128);

/// A mapping's identity in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MappingId {
    /// Its owner.
    pub account: AccountId,
    /// The region it was created in.
    pub region: Region,
    /// Its own id.
    pub uuid: MappingUuid,
}

impl MappingId {
    /// Its ARN: `arn:PARTITION:lambda:REGION:ACCOUNT:event-source-mapping:UUID`.
    #[must_use]
    pub fn arn(&self) -> String {
        let Self {
            account,
            region,
            uuid,
        } = self;
        let partition = region.partition();
        format!("arn:{partition}:lambda:{region}:{account}:event-source-mapping:{uuid}")
    }
}

impl MappingUuid {
    /// The lowest one.
    pub const MIN: Self = Self(0);

    /// From 128 random bits; the bits that mark version and variant are set here.
    #[must_use]
    pub const fn from_random(bits: u128) -> Self {
        Self(as_uuid_v4(bits))
    }
}

impl FromStr for MappingUuid {
    type Err = InvalidUuid;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        parse_uuid(s).map(Self)
    }
}

impl fmt::Display for MappingUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_uuid(self.0, f)
    }
}

impl fmt::Debug for MappingUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
