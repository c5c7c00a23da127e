//! Addresses and networks as conditions compare them.

use std::net::IpAddr;

/// "The standard CIDR format": *IAM JSON policy elements: Condition operators*. An address alone is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    base: IpAddr,
    prefix: u32,
}

impl Network {
    /// `203.0.113.0/24`, `2001:DB8::/32`, `203.0.113.7`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (base, prefix) = match text.split_once('/') {
            Some((base, prefix)) => (base, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().ok()?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
        };
        (prefix <= width).then_some(Self { base, prefix })
    }

    /// An IPv4 address that is written as an IPv6 one is in the networks of both.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address, address.to_canonical()) {
            (IpAddr::V4(base), _, IpAddr::V4(address)) => {
                let differ = base.to_bits() ^ address.to_bits();
                differ.checked_shr(32 - self.prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(base), IpAddr::V6(address), _) => {
                let differ = base.to_bits() ^ address.to_bits();
                differ.checked_shr(128 - self.prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(network: &str, inside: &[&str], outside: &[&str]) {
        let parsed = Network::parse(network).unwrap();
        for (addresses, expected) in [(inside, true), (outside, false)] {
            for address in addresses {
                let got = parsed.contains(address.parse().unwrap());
                assert_eq!(got, expected, "{address} in {network}");
            }
        }
    }

    #[test]
    fn networks_hold_their_addresses() {
        check(
            "203.0.113.0/24",
            &["203.0.113.0", "203.0.113.255", "::ffff:203.0.113.9"],
            &["203.0.114.0", "203.0.112.255", "2001:db8::1"],
        );
        check("203.0.113.7/24", &["203.0.113.255"], &["203.0.114.7"]);
        check("203.0.113.7", &["203.0.113.7"], &["203.0.113.6"]);
        check("0.0.0.0/0", &["255.255.255.255"], &["::1"]);
        check("::/0", &["::1", "ffff::"], &["10.0.0.1"]);
        check(
            "2001:DB8:1234::/48",
            &["2001:db8:1234:ffff::1"],
            &["2001:db8:1235::"],
        );
        check("2001:db8::1", &["2001:db8::1"], &["2001:db8::2"]);
    }

    #[test]
    fn other_texts_are_no_networks() {
        for bad in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "*",
        ] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
