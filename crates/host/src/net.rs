//! Listeners and connections between nodes, with the peer's proven identity.
//!
//! [`TlsNetwork`] is the real one: mutual TLS 1.3 between nodes, identities out of certificates, which may change under a
//! running node. [`PlainNetwork`] is for tests in one process: it believes what the other end says. On top of any of them,
//! [`channel()`] makes a gRPC client and [`serve`] a gRPC server whose services know who calls.

mod accept;
pub mod channel;
pub mod contract;
mod plain;
pub mod serve;
mod socket;
mod tls;

pub use channel::{Channels, channel, channel_to};
pub use plain::PlainNetwork;
pub use serve::{PeerInfo, require_role};
pub use tls::{Credentials, PublicFiles, TlsNetwork, TlsOptions};

use std::{io, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use model::{NodeName, Roles};
use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// Who is at the other end, proven by its certificate (or assumed by a test network).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// The node's name.
    pub node: NodeName,
    /// What its certificate lets it act as.
    pub roles: Roles,
}

/// One established connection.
pub struct Connection {
    /// The bytes.
    pub io: Box<dyn Io>,
    /// The peer, on connections between nodes; `None` on a public listener.
    pub peer: Option<PeerIdentity>,
    /// The peer's socket address.
    pub remote: SocketAddr,
}

/// A bound socket.
#[async_trait]
pub trait Listener: Send + Sync + 'static {
    /// Waits for the next connection, handshake done. A failed handshake is logged and skipped, never returned; an error
    /// means that the listener is dead.
    ///
    /// # Cancel safety
    /// Safe: no established connection is lost.
    async fn accept(&self) -> io::Result<Connection>;

    /// The bound address, with the real port where port 0 was asked for.
    fn local_addr(&self) -> SocketAddr;
}

/// The network as a node sees it.
#[async_trait]
pub trait Network: Send + Sync + 'static {
    /// Binds a listener that only nodes of this cluster can use: mutual TLS, the peer's identity on every connection.
    async fn bind_internal(&self, address: SocketAddr) -> io::Result<Arc<dyn Listener>>;

    /// Binds a listener for callers: plain, or TLS if the node has a public certificate.
    async fn bind_public(&self, address: SocketAddr) -> io::Result<Arc<dyn Listener>>;

    /// Connects to another node's internal listener within 1 s, proves who we are and learns who answers, both within 3 s.
    /// That the other end accepts us shows in the first bytes that it sends.
    async fn connect(&self, address: &str) -> io::Result<Connection>;
}
