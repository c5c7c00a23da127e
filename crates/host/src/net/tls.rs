//! Mutual TLS between nodes, TLS or plain for callers.
//!
//! Between nodes only TLS 1.3 is spoken, with ring, both ways verified against the bundle of the cluster and for the name
//! of the cluster; host names are not looked at. Sessions are never resumed: every handshake proves identity anew, with the
//! certificates that are on disk at that time.

mod credentials;
mod verify;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::FutureExt;
use model::Timestamp;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub use credentials::{Credentials, PublicFiles};
use credentials::{Internal, Kept, Public};

use super::{
    Connection, Listener, Network, PeerIdentity,
    accept::Accepting,
    plain,
    socket::{self, Peer},
};
use crate::{
    Clock,
    certificate::{self, CertificateError, InvalidIdentity},
};

/// How long the other end may take for its part of a handshake when we connect.
const HANDSHAKE: Duration = Duration::from_secs(2);

/// What a [`TlsNetwork`] is made of.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// The name of the cluster.
    pub cluster: String,
    /// Who we are to other nodes.
    pub credentials: Credentials,
    /// What we show to callers; plain TCP without.
    pub public: Option<PublicFiles>,
}

/// The network of a node.
///
/// Files of certificates are looked at again at most once a second, before a handshake; if new ones cannot be used the old
/// ones stay in use and a warning says so.
pub struct TlsNetwork {
    cluster: Arc<str>,
    internal: Arc<Kept<Internal>>,
    public: Option<Arc<Kept<Public>>>,
}

impl TlsNetwork {
    /// Reads the certificates.
    ///
    /// # Errors
    /// [`CertificateError`] if they cannot be read or used.
    pub fn new(options: TlsOptions, clock: Arc<dyn Clock>) -> Result<Self, CertificateError> {
        let cluster: Arc<str> = options.cluster.into();
        let internal = Internal::source(cluster.clone(), options.credentials, clock.clone());
        let public = match options.public {
            Some(files) => Some(Arc::new(Kept::new(Public::source(files, clock))?)),
            None => None,
        };
        Ok(Self {
            cluster,
            internal: Arc::new(Kept::new(internal)?),
            public,
        })
    }

    /// Who we are.
    pub async fn identity(&self) -> PeerIdentity {
        self.internal.current().await.identity.clone()
    }

    /// When the certificate ends that we show to other nodes.
    pub async fn expires_at(&self) -> Timestamp {
        self.internal.current().await.expires_at
    }
}

#[async_trait]
impl Network for TlsNetwork {
    async fn bind_internal(&self, address: SocketAddr) -> io::Result<Arc<dyn Listener>> {
        let (internal, cluster) = (self.internal.clone(), self.cluster.clone());
        let handshake = move |stream, remote| {
            accept_node(internal.clone(), cluster.clone(), stream, remote).boxed()
        };
        Accepting::bind(address, Peer::Node, Arc::new(handshake)).await
    }

    async fn bind_public(&self, address: SocketAddr) -> io::Result<Arc<dyn Listener>> {
        let Some(public) = self.public.clone() else {
            return Accepting::bind(address, Peer::Caller, Arc::new(plain::anonymous)).await;
        };
        let handshake = move |stream, remote| accept_caller(public.clone(), stream, remote).boxed();
        Accepting::bind(address, Peer::Caller, Arc::new(handshake)).await
    }

    async fn connect(&self, address: &str) -> io::Result<Connection> {
        let config = self.internal.current().await.client.clone();
        let (stream, remote) = socket::connect(address).await?;
        // Nobody looks at this name; rustls wants one.
        let name = ServerName::IpAddress(remote.ip().into());
        let handshake = TlsConnector::from(config).connect(name, stream);
        let stream = tokio::time::timeout(HANDSHAKE, handshake)
            .await
            .map_err(|_| {
                let text = format!("no handshake with {address} within {HANDSHAKE:?}");
                io::Error::new(io::ErrorKind::TimedOut, text)
            })??;
        let peer = peer_of(stream.get_ref().1.peer_certificates(), &self.cluster)?;
        Ok(Connection {
            io: Box::new(stream),
            peer: Some(peer),
            remote,
        })
    }
}

async fn accept_node(
    internal: Arc<Kept<Internal>>,
    cluster: Arc<str>,
    stream: TcpStream,
    remote: SocketAddr,
) -> io::Result<Connection> {
    let config = internal.current().await.server.clone();
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let peer = peer_of(stream.get_ref().1.peer_certificates(), &cluster)?;
    Ok(Connection {
        io: Box::new(stream),
        peer: Some(peer),
        remote,
    })
}

async fn accept_caller(
    public: Arc<Kept<Public>>,
    stream: TcpStream,
    remote: SocketAddr,
) -> io::Result<Connection> {
    let config = public.current().await.server.clone();
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    Ok(Connection {
        io: Box::new(stream),
        peer: None,
        remote,
    })
}

/// The node whose verified certificate came with a handshake.
fn peer_of(
    chain: Option<&[rustls_pki_types::CertificateDer<'_>]>,
    cluster: &str,
) -> io::Result<PeerIdentity> {
    let leaf = chain.and_then(<[_]>::first);
    leaf.ok_or(InvalidIdentity::Count(0))
        .and_then(|leaf| certificate::identity_of(leaf, cluster))
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

#[cfg(test)]
mod tests;
