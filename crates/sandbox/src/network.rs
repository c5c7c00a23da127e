//! What sandboxes may reach over the network, as an operator says it, and what the kernel is told about it.
//!
//! Everything here is pure. A sandbox with a policy has one more device, whose other end is in the *router*: a network
//! namespace of the spawner in which no code of a sandbox ever is. The router decides by the address that a packet comes
//! from: each policy has a block of addresses of its own ([`Plan`]), so that its rules are made once, before the first
//! sandbox, and never change ([`rules`]). Only addresses that names stood for come later, each for one sandbox and for a
//! time ([`resolver`]).

mod address;
mod egress;
mod message;
pub(crate) mod plan;
pub(crate) mod resolver;
pub(crate) mod rules;

use std::{collections::BTreeMap, net::SocketAddr};

use model::NetworkPolicyName;

pub use self::{
    address::{Cidr, InvalidCidr},
    egress::{Destination, Egress, InvalidEgress, NamePattern, Ports, Rule},
    plan::{POLICIES_MAX, RANGE_PREFIXES},
    resolver::Resolver,
};

/// The networks of a driver: which policies there are, and what they are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks {
    /// Every policy that sandboxes can have, besides having none.
    pub policies: BTreeMap<NetworkPolicyName, Egress>,
    /// Addresses that belong to the driver: nobody reaches any in this range by them.
    pub range: Cidr,
    /// What is never reached, besides what never is anyhow.
    pub forbidden: Vec<Cidr>,
    /// Who answers about names; those of `/etc/resolv.conf` if empty.
    pub name_servers: Vec<SocketAddr>,
}

impl Default for Networks {
    /// No policies, and addresses that are set aside for tests of network devices, so that nothing real has them.
    fn default() -> Self {
        Self {
            policies: BTreeMap::new(),
            range: Cidr::of([198, 18, 0, 0], 15),
            forbidden: Vec::new(),
            name_servers: Vec::new(),
        }
    }
}

impl Networks {
    /// The number of a policy; its block of addresses has the same.
    pub(crate) fn number(&self, name: &NetworkPolicyName) -> Option<(u8, &Egress)> {
        let found = self
            .policies
            .iter()
            .enumerate()
            .find(|(_, (n, _))| *n == name);
        found.and_then(|(at, (_, egress))| Some((u8::try_from(at + 1).ok()?, egress)))
    }
}
