//! A network for real processes on one Linux machine: every host has a network namespace of its own, and all of them
//! meet in a link that this process runs.
//!
//! The default device of a namespace is a TUN whose other end is held here. A [`relay`] thread reads what a host sends,
//! asks the pure [`link`] rules what becomes of it, and writes it to the host it is for, so delay, loss, damage and cuts
//! need neither `tc` nor a packet filter, and can be different in each direction of each pair. [`Links`] changes the rules
//! while traffic flows.
//!
//! What is lost stays lost only as far as IP goes: processes see an ordinary, sometimes bad network. Nothing reaches the
//! world outside: an address that no host has is dropped and counted.
//!
//! Dropping a [`Fabric`] kills what still runs in its namespaces and takes everything away. A run that was killed leaves
//! namespaces (its devices go with it); the next one of the same prefix sweeps them.

mod error;
mod link;
mod links;
mod namespace;
mod packet;
mod relay;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    path::Path,
    process::Command,
};

use host::{Entropy, SeededEntropy, SystemEntropy};

pub use error::FabricError;
pub use link::Rule;
pub use links::{Layer, Links, PairCounts, Select, UnknownHost};
use namespace::Namespace;
use relay::Relay;

/// The longest prefix.
const PREFIX_MAX: usize = 8;
/// The most hosts of one fabric: the pairs among them are kept in a table.
const HOSTS_MAX: usize = 64;

/// One host to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSpec {
    /// Its name, unique in the fabric: 1–63 of `[a-z0-9.-]`.
    pub name: String,
    /// Its failure domain.
    pub zone: String,
    /// Its only address, unique in the fabric.
    pub address: Ipv4Addr,
    /// Where its processes live.
    pub place: Place,
}

/// Where the processes of a host live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// In a network namespace of its own.
    #[default]
    Namespace,
    /// In the machine's own namespace, so that a program that is already there (a client, a browser) reaches the others.
    /// The machine gets one more device and a route for each other host; both go with the fabric.
    Machine,
}

/// How a fabric is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FabricOptions {
    /// The largest IP packet in bytes, 576 to 65,000. 1,500 unless told: a larger one moves bulk faster, and makes what is
    /// lost at once larger.
    pub mtu: u16,
    /// What chance draws from; from the machine's entropy unless given. Chance repeats, the order of packets does not.
    pub seed: Option<u64>,
}

impl Default for FabricOptions {
    fn default() -> Self {
        Self {
            mtu: 1500,
            seed: None,
        }
    }
}

/// A running network. Everything goes when it is dropped.
#[derive(Debug)]
pub struct Fabric {
    hosts: BTreeMap<String, Host>,
    links: Links,
    relay: Option<Relay>,
    /// Says that this prefix is in use, as long as this process lives; the kernel takes it back.
    _claim: UnixListener,
}

#[derive(Debug)]
struct Host {
    address: Ipv4Addr,
    namespace: Option<Namespace>,
}

impl HostSpec {
    /// A host in a namespace of its own.
    pub fn new(name: impl Into<String>, zone: impl Into<String>, address: Ipv4Addr) -> Self {
        Self {
            name: name.into(),
            zone: zone.into(),
            address,
            place: Place::Namespace,
        }
    }

    /// The same host in the machine's own namespace.
    #[must_use]
    pub fn on_the_machine(mut self) -> Self {
        self.place = Place::Machine;
        self
    }
}

impl Fabric {
    /// Builds the network with [`FabricOptions::default`]. `prefix` (1–8 of `[a-z0-9]`) begins the names of everything that
    /// is made; what an earlier, killed run of the same prefix left is swept first, with the processes in it.
    ///
    /// # Errors
    /// [`FabricError`], which says what is missing and what to do. Nothing is left behind.
    pub fn build(prefix: &str, hosts: &[HostSpec]) -> Result<Self, FabricError> {
        Self::build_with(prefix, hosts, &FabricOptions::default())
    }

    /// As [`Fabric::build`], with options.
    ///
    /// # Errors
    /// As [`Fabric::build`].
    pub fn build_with(
        prefix: &str,
        hosts: &[HostSpec],
        options: &FabricOptions,
    ) -> Result<Self, FabricError> {
        check(prefix, hosts, options)?;
        Self::possible()?;
        let claim = claim(prefix)?;
        namespace::sweep(prefix)?;

        let links = Links::new(hosts);
        let mut devices = Vec::with_capacity(hosts.len());
        let mut built = BTreeMap::new();
        for spec in hosts {
            let (namespace, device) = match spec.place {
                Place::Namespace => {
                    let (namespace, device) = Namespace::make(prefix, spec, options.mtu)?;
                    (Some(namespace), device)
                }
                Place::Machine => (
                    None,
                    namespace::on_the_machine(prefix, spec, hosts, options.mtu)?,
                ),
            };
            devices.push((spec.address, device));
            let address = spec.address;
            built.insert(spec.name.clone(), Host { address, namespace });
        }
        let seed = options
            .seed
            .unwrap_or_else(|| SystemEntropy::new().next_u64());
        let relay = Relay::start(
            devices,
            links.clone(),
            SeededEntropy::new(seed),
            options.mtu,
        )?;
        Ok(Self {
            hosts: built,
            links,
            relay: Some(relay),
            _claim: claim,
        })
    }

    /// Whether a fabric can be built here at all.
    ///
    /// # Errors
    /// [`FabricError`] with what is missing.
    pub fn possible() -> Result<(), FabricError> {
        namespace::possible()
    }

    /// A command that runs `program` on a host. The process that is spawned is the program itself: its id is the one to
    /// signal. Only the network is another one; files, users and process ids are the machine's.
    ///
    /// # Errors
    /// [`FabricError::UnknownHost`].
    pub fn command(&self, host: &str, program: &Path) -> Result<Command, FabricError> {
        Ok(match &self.host(host)?.namespace {
            Some(namespace) => namespace.command(program),
            None => Command::new(program),
        })
    }

    /// Runs `work` on a thread of its own whose network is the host's. Sockets that it opens stay on that host, wherever
    /// they are used afterwards.
    ///
    /// # Errors
    /// [`FabricError::UnknownHost`], or that the namespace could not be entered.
    ///
    /// # Panics
    /// If `work` does.
    pub fn enter<T: Send>(
        &self,
        host: &str,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, FabricError> {
        match &self.host(host)?.namespace {
            Some(namespace) => namespace.enter(work),
            None => Ok(work()),
        }
    }

    /// A host's address.
    ///
    /// # Errors
    /// [`FabricError::UnknownHost`].
    pub fn address(&self, host: &str) -> Result<Ipv4Addr, FabricError> {
        Ok(self.host(host)?.address)
    }

    /// The rules of the links and what passed over them.
    #[must_use]
    pub fn links(&self) -> Links {
        self.links.clone()
    }

    fn host(&self, name: &str) -> Result<&Host, FabricError> {
        self.hosts
            .get(name)
            .ok_or_else(|| UnknownHost(name.to_owned()).into())
    }
}

impl Drop for Fabric {
    fn drop(&mut self) {
        for host in self.hosts.values_mut() {
            if let Some(namespace) = &host.namespace {
                namespace.kill_all();
            }
        }
        // The devices go with the relay, so no packet finds half a network.
        drop(self.relay.take());
        self.hosts.clear();
    }
}

fn check(prefix: &str, hosts: &[HostSpec], options: &FabricOptions) -> Result<(), FabricError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if prefix.is_empty() || prefix.len() > PREFIX_MAX || !prefix.chars().all(plain) {
        return Err(FabricError::Prefix(prefix.to_owned()));
    }
    if !(576..=65_000).contains(&options.mtu) {
        return Err(FabricError::Mtu(options.mtu));
    }
    if hosts.len() > HOSTS_MAX {
        return Err(FabricError::TooManyHosts {
            got: hosts.len(),
            most: HOSTS_MAX,
        });
    }
    let mut names = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for host in hosts {
        let named = !host.name.is_empty()
            && host.name.len() <= 63
            && host.name.chars().all(|c| plain(c) || c == '-' || c == '.')
            && host.name.chars().any(plain);
        if !named {
            return Err(FabricError::HostName(host.name.clone()));
        }
        if !names.insert(&host.name) || !addresses.insert(host.address) {
            return Err(FabricError::Twice(host.name.clone(), host.address));
        }
    }
    Ok(())
}

fn claim(prefix: &str) -> Result<UnixListener, FabricError> {
    SocketAddr::from_abstract_name(format!("dunlin-fabric-{prefix}"))
        .and_then(|name| UnixListener::bind_addr(&name))
        .map_err(|source| match source.kind() {
            std::io::ErrorKind::AddrInUse => FabricError::InUse(prefix.to_owned()),
            _ => FabricError::System {
                doing: "claim the prefix",
                source,
            },
        })
}
