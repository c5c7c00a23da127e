//! One run of a function, as everyone on its way names it.

use std::{fmt, str::FromStr};

use crate::revision::InvalidUuid;

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

pub(crate) const fn as_uuid_v4(bits: u128) -> u128 {
    (bits & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62)
}

pub(crate) fn parse_uuid(s: &str) -> Result<u128, InvalidUuid> {
    let bad = || InvalidUuid(s.chars().take(100).collect());
    let dashes = s.len() == 36
        && s.bytes()
            .enumerate()
            .all(|(i, b)| (b == b'-') == matches!(i, 8 | 13 | 18 | 23));
    let lower = s
        .bytes()
        .all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !dashes || !lower {
        return Err(bad());
    }
    u128::from_str_radix(&s.replace('-', ""), 16).map_err(|_| bad())
}

pub(crate) fn write_uuid(bits: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        bits >> 96,
        (bits >> 80) & 0xffff,
        (bits >> 64) & 0xffff,
        (bits >> 48) & 0xffff,
        bits & 0xffff_ffff_ffff
    )
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
