//! Blocks of addresses.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use serde::{Deserialize, Serialize};

/// A block of IPv4 addresses, such as `10.1.0.0/16`. A text without a length is one address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cidr {
    first: u32,
    length: u8,
}

/// A text that is no block of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an IPv4 block such as \"10.1.0.0/16\", without bits behind its length, got {0:?}"
)]
pub struct InvalidCidr(pub String);

impl Cidr {
    /// The block of this length that holds the address; a length above 32 is 32.
    pub(crate) const fn of(octets: [u8; 4], length: u8) -> Self {
        let length = if length > 32 { 32 } else { length };
        Self {
            first: u32::from_be_bytes(octets) & mask(length),
            length,
        }
    }

    /// Its first address.
    #[must_use]
    pub const fn first(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first)
    }

    /// How many leading bits all its addresses share.
    #[must_use]
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Whether it holds the address.
    #[must_use]
    pub const fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.length) == self.first
    }
}

const fn mask(length: u8) -> u32 {
    match u32::MAX.checked_shl(32 - length as u32) {
        Some(mask) => mask,
        None => 0,
    }
}

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidCidr(s.chars().take(300).collect());
        let (address, length) = s.split_once('/').unwrap_or((s, "32"));
        let address: Ipv4Addr = address.parse().map_err(|_| invalid())?;
        let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
        let length = length.parse::<u8>().ok().filter(|n| digits && *n <= 32);
        let block = Self::of(address.octets(), length.ok_or_else(invalid)?);
        if block.first() == address {
            Ok(block)
        } else {
            Err(invalid())
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length == 32 {
            write!(f, "{}", self.first())
        } else {
            write!(f, "{}/{}", self.first(), self.length)
        }
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_round_trip_and_hold_what_they_say() {
        for text in ["10.1.0.0/16", "10.0.0.1", "0.0.0.0/0", "198.18.0.0/15"] {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), text);
        }
        let bad = [
            "",
            "10.1.0.0/33",
            "10.1.0.1/16",
            "10.1/16",
            "10.1.0.0/",
            "10.1.0.0/+8",
            "::/0",
            "a",
        ];
        for text in bad {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
        let block: Cidr = "10.1.0.0/16".parse().unwrap();
        assert!(block.contains(Ipv4Addr::new(10, 1, 255, 255)));
        assert!(!block.contains(Ipv4Addr::new(10, 2, 0, 0)));
        let all: Cidr = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains(Ipv4Addr::BROADCAST));
    }
}
