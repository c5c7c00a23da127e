//! One run of a function, as everyone on its way names it.

use std::{fmt, str::FromStr};

use crate::uuid::{InvalidUuid, as_uuid_v4, parse_uuid, write_uuid};

/// An invocation's id: a lower-case UUID of version 4, the same in the response header, the runtime's `/next`, and the log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(u128);

impl RequestId {
    /// From 128 random bits; the bits that mark version and variant are set here.
    #[must_use]
    pub const fn from_random(bits: u128) -> Self {
        Self(as_uuid_v4(bits))
    }
}

impl FromStr for RequestId {
    type Err = InvalidUuid;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        parse_uuid(s).map(Self)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_uuid(self.0, f)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How the caller waits (`X-Amz-Invocation-Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum InvocationType {
    /// Wait for the result.
    #[default]
    RequestResponse,
    /// Queue and return at once.
    Event,
    /// Check everything, run nothing.
    DryRun,
}

/// Whether the caller wants the end of the log with the result (`X-Amz-Log-Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum LogType {
    /// No log.
    #[default]
    None,
    /// The last 4 KiB of this invocation's log.
    Tail,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_are_version_4_uuids_and_round_trip(bits in any::<u128>()) {
            let id = RequestId::from_random(bits);
            let text = id.to_string();
            prop_assert_eq!(text.len(), 36);
            prop_assert_eq!(text.as_bytes()[14], b'4');
            prop_assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
            prop_assert_eq!(text.parse::<RequestId>().unwrap(), id);
        }
    }
}
