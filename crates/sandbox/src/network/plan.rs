//! Who has which address of the range that belongs to a driver.
//!
//! The range is cut into blocks of equal size. In block 0 the nodes of one machine have two addresses each, for the link
//! between host and router; the other blocks are those of the policies. What is in a block of a policy is known in the
//! router alone, so that every node of a machine uses the same.

use std::{net::Ipv4Addr, ops::RangeInclusive};

use serde::{Deserialize, Serialize};

use super::address::Cidr;

/// Into how many blocks the range is cut.
const BLOCKS: u32 = 32;

/// The most policies of one driver; some addresses stay free.
pub const POLICIES_MAX: usize = 24;

/// How long the prefix of the range may be: shorter is not needed, longer leaves too few addresses.
pub const RANGE_PREFIXES: RangeInclusive<u8> = 8..=18;

/// The most nodes of one machine.
const NODES_MAX: u32 = 256;

/// The addresses of one range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    range: Cidr,
}

/// The link between the host and the router of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uplink {
    pub(crate) number: u32,
    /// The host's end.
    pub(crate) host: Ipv4Addr,
    /// The router's end.
    pub(crate) router: Ipv4Addr,
}

impl Uplink {
    /// The name of the device at the host's end. Only one node of a machine can have it: that is how a number is claimed.
    pub(crate) fn device(self) -> String {
        format!("dunlin{}", self.number)
    }

    /// The name of the table of rules of the host.
    pub(crate) fn table(self) -> String {
        format!("dunlin_{}", self.number)
    }
}

impl Plan {
    pub(crate) fn new(range: Cidr) -> Self {
        Self { range }
    }

    pub(crate) fn range(self) -> Cidr {
        self.range
    }

    /// How many addresses a block has.
    pub(crate) fn block_size(self) -> u32 {
        1_u32
            .checked_shl(32 - u32::from(self.range.length()))
            .map_or(0, |all| all / BLOCKS)
    }

    fn at(self, block: u32, offset: u32) -> Ipv4Addr {
        let first = self.range.first().to_bits();
        Ipv4Addr::from_bits(first + block * self.block_size() + offset)
    }

    /// The links that nodes may claim, in the order in which they try.
    pub(crate) fn uplinks(self) -> impl Iterator<Item = Uplink> {
        let most = (self.block_size() / 2).saturating_sub(1).min(NODES_MAX);
        // The first pair is the gateway's.
        (0..most).map(move |number| Uplink {
            number,
            host: self.at(0, 2 * number + 2),
            router: self.at(0, 2 * number + 3),
        })
    }

    /// What every sandbox sends its packets to.
    pub(crate) fn gateway(self) -> Ipv4Addr {
        self.at(0, 1)
    }

    /// The block of a policy, numbered from 1.
    pub(crate) fn block(self, policy: u8) -> Cidr {
        let added = BLOCKS.trailing_zeros();
        let length = self
            .range
            .length()
            .saturating_add(u8::try_from(added).unwrap_or(0));
        Cidr::of(self.at(u32::from(policy), 0).octets(), length)
    }

    /// An address of the block of a policy.
    pub(crate) fn address(self, policy: u8, offset: u32) -> Ipv4Addr {
        self.at(u32::from(policy), offset % self.block_size().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_links_do_not_meet() {
        for range in ["198.18.0.0/15", "10.0.0.0/8", "100.64.0.0/18"] {
            let plan = Plan::new(range.parse().unwrap());
            let uplinks: Vec<Uplink> = plan.uplinks().collect();
            assert!(!uplinks.is_empty());
            let mut seen = std::collections::BTreeSet::from([plan.gateway()]);
            for uplink in uplinks {
                assert!(seen.insert(uplink.host) && seen.insert(uplink.router));
                assert!(uplink.device().len() < 16);
            }
            for policy in 1..=u8::try_from(POLICIES_MAX).unwrap() {
                let block = plan.block(policy);
                assert!(plan.range().contains(block.first()), "{range} {policy}");
                assert!(seen.iter().all(|a| !block.contains(*a)));
                assert!(block.contains(plan.address(policy, plan.block_size() - 1)));
                assert_eq!(plan.address(policy, plan.block_size()), block.first());
                assert!(
                    !plan
                        .block(policy + 1)
                        .contains(plan.address(policy, u32::MAX))
                );
            }
        }
        let plan = Plan::new("198.18.0.0/15".parse().unwrap());
        assert_eq!(plan.block_size(), 4096);
        assert_eq!(plan.block(1).to_string(), "198.18.16.0/20");
        assert_eq!(plan.block(24).to_string(), "198.19.128.0/20");
    }
}
