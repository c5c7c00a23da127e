//! gRPC clients over a [`Network`].
//!
//! A channel connects when it is first used and again whenever its connection is lost; pings every two seconds, with or
//! without calls, find a dead peer within four. That says nothing about how long a call may take: every call sets its own
//! deadline.
//!
//! A node that calls itself needs no connection: [`Channels::serve_here`] has its own services answer.

mod here;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper_util::rt::TokioIo;
use model::Role;
use parking_lot::Mutex;
use tonic::{
    service::Routes,
    transport::{Channel, Endpoint},
};

pub use here::{NodeChannel, Serving};

use super::{Io, Network, PeerIdentity};
use here::Here;

/// How often a connection is pinged, and how long an answer may take.
const PING: Duration = Duration::from_secs(2);
/// More than a network needs, so that an adapter that hangs does not hang a channel.
const CONNECT: Duration = Duration::from_secs(4);
/// The largest block of headers that an answer may have.
const HEADERS_MAX: u32 = 32 << 10;
/// Channels that a cache keeps.
const CHANNELS_MAX: usize = 2048;

/// A client of the node at an address, whoever of the cluster answers there. Connects when it is first used.
#[must_use]
pub fn channel(network: Arc<dyn Network>, address: String) -> Channel {
    connect_lazily(network, address, None)
}

/// A client of the node at an address; refuses to talk to a node whose certificate lacks the role. Connects when it is
/// first used.
#[must_use]
pub fn channel_to(network: Arc<dyn Network>, address: String, role: Role) -> Channel {
    connect_lazily(network, address, Some(role))
}

fn connect_lazily(network: Arc<dyn Network>, address: String, role: Option<Role>) -> Channel {
    let connector = tower::service_fn(move |_: http::Uri| {
        let (network, address) = (network.clone(), address.clone());
        async move { connect(&*network, &address, role).await.map(TokioIo::new) }
    });
    // The connector knows the address; the name in the URI only fills the authority of requests.
    Endpoint::from_static("http://node")
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .keep_alive_while_idle(true)
        .http2_max_header_list_size(HEADERS_MAX)
        .connect_with_connector_lazy(connector)
}

async fn connect(
    network: &dyn Network,
    address: &str,
    role: Option<Role>,
) -> io::Result<Box<dyn Io>> {
    let connection = network.connect(address).await?;
    match (role, connection.peer) {
        (None, _) => Ok(connection.io),
        (Some(role), Some(peer)) if peer.roles.has(role) => Ok(connection.io),
        (Some(role), peer) => {
            let found = peer.map_or_else(
                || "nobody we know".to_owned(),
                |p| format!("{} [{}]", p.node, p.roles),
            );
            Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("expected a {role} at {address}, got {found}"),
            ))
        }
    }
}

/// Channels by address, so that a node has one connection to each other node and role it talks to. Bounded: the one that
/// was not asked for the longest goes first. Clones of a channel that went go on working.
pub struct Channels {
    network: Arc<dyn Network>,
    clock: AtomicU64,
    open: Mutex<HashMap<(String, Option<Role>), Slot>>,
    /// This node's address, and the way to itself.
    here: OnceLock<(String, Here)>,
}

struct Slot {
    channel: Channel,
    used: u64,
}

impl Channels {
    /// An empty cache.
    #[must_use]
    pub fn new(network: Arc<dyn Network>) -> Self {
        Self {
            network,
            clock: AtomicU64::new(0),
            open: Mutex::new(HashMap::new()),
            here: OnceLock::new(),
        }
    }

    /// Has the services of this node, which others reach at `address`, answer the calls that it makes to itself, for as long
    /// as the result is kept. Only the first call counts.
    pub fn serve_here(
        &self,
        address: String,
        own: PeerIdentity,
        bound: SocketAddr,
        services: Routes,
    ) -> Serving {
        let services = Arc::new(services.prepare());
        let serving = Serving { services };
        let here = Here::new(&serving, own, bound);
        // A second one has no effect.
        let _first = self.here.set((address, here));
        serving
    }

    /// The channel to an address; see [`channel()`].
    #[must_use]
    pub fn get(&self, address: &str) -> NodeChannel {
        self.find(address, None)
    }

    /// The channel to a node of a role at an address; see [`channel_to`].
    #[must_use]
    pub fn get_to(&self, address: &str, role: Role) -> NodeChannel {
        self.find(address, Some(role))
    }

    /// Drops the channels to an address, so that the next one connects anew.
    pub fn forget(&self, address: &str) {
        self.open.lock().retain(|(known, _), _| known != address);
    }

    fn find(&self, address: &str, role: Option<Role>) -> NodeChannel {
        let here = self.here.get().filter(|(own, _)| own == address);
        if let Some(channel) = here.and_then(|(_, here)| here.channel(role)) {
            return channel;
        }
        self.connected(address, role).into()
    }

    fn connected(&self, address: &str, role: Option<Role>) -> Channel {
        let used = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.lock();
        let key = (address.to_owned(), role);
        if let Some(slot) = open.get_mut(&key) {
            slot.used = used;
            return slot.channel.clone();
        }
        if open.len() >= CHANNELS_MAX {
            let oldest = open.iter().min_by_key(|(_, slot)| slot.used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                open.remove(&oldest);
            }
        }
        let channel = connect_lazily(self.network.clone(), address.to_owned(), role);
        let slot = Slot {
            channel: channel.clone(),
            used,
        };
        open.insert(key, slot);
        channel
    }
}

#[cfg(test)]
mod tests {
    use model::Roles;

    use super::*;
    use crate::net::{PeerIdentity, PlainNetwork};

    #[tokio::test]
    async fn a_cache_is_bounded_and_keeps_what_is_used() {
        let own = PeerIdentity {
            node: "a".parse().unwrap(),
            roles: Roles::ALL,
        };
        let channels = Channels::new(Arc::new(PlainNetwork::new(own)));
        for n in 0..CHANNELS_MAX + 10 {
            let _ = channels.get("always:1");
            let _ = channels.get_to(&format!("host-{n}:1"), Role::Worker);
        }
        let open = channels.open.lock();
        assert_eq!(open.len(), CHANNELS_MAX);
        assert!(open.contains_key(&("always:1".to_owned(), None)));
        assert!(!open.contains_key(&("host-0:1".to_owned(), Some(Role::Worker))));
        drop(open);
        channels.forget("always:1");
        assert_eq!(channels.open.lock().len(), CHANNELS_MAX - 1);
    }
}
