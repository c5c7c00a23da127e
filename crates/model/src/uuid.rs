//! UUIDs of version 4 (RFC 9562) in lower case, as AWS writes its ids.

use std::fmt;

/// A text that is no UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a UUID such as 0f8fad5b-d9cb-469f-a165-70867728950e, got {0:?}")]
pub struct InvalidUuid(pub String);

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
