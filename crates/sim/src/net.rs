//! The network of a simulated node: turmoil's TCP, on which each end says who it is and is believed.
//!
//! There is no TLS here: what it proves is proven elsewhere, and its bytes would only hide what the nodes say.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{
    StreamExt,
    future::{BoxFuture, FutureExt},
    stream::FuturesUnordered,
};
use host::{
    Network,
    net::{Connection, Listener, PeerIdentity},
};
use model::{Role, Roles};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Mutex,
    time::timeout,
};
use turmoil::net::{TcpListener, TcpStream};

/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(1);
/// How long the two ends may take to say who they are.
const INTRODUCTION: Duration = Duration::from_secs(3);
/// Introductions in flight on one listener.
const INTRODUCTIONS_MAX: usize = 256;

/// The network as one node sees it.
pub(crate) struct SimNetwork {
    own: PeerIdentity,
}

impl SimNetwork {
    pub(crate) fn new(own: PeerIdentity) -> Self {
        Self { own }
    }
}

#[async_trait]
impl Network for SimNetwork {
    async fn bind_internal(&self, address: SocketAddr) -> io::Result<Arc<dyn Listener>> {
        SimListener::bind(address, Some(self.own.clone())).await
    }

    async fn bind_public(&self, address: SocketAddr) -> io::Result<Arc<dyn Listener>> {
        SimListener::bind(address, None).await
    }

    async fn connect(&self, address: &str) -> io::Result<Connection> {
        let stream = connect(address).await?;
        let remote = stream.peer_addr()?;
        timeout(INTRODUCTION, introduce(self.own.clone(), stream, remote)).await?
    }
}

/// The network as a client has it: it connects, and says nothing of itself.
pub(crate) struct ClientNetwork;

#[async_trait]
impl Network for ClientNetwork {
    async fn bind_internal(&self, _: SocketAddr) -> io::Result<Arc<dyn Listener>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn bind_public(&self, _: SocketAddr) -> io::Result<Arc<dyn Listener>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn connect(&self, address: &str) -> io::Result<Connection> {
        let stream = connect(address).await?;
        Ok(Connection {
            remote: stream.peer_addr()?,
            io: Box::new(stream),
            peer: None,
        })
    }
}

/// A connection to `host:port`, within the time that a real one may take.
pub(crate) async fn connect(address: &str) -> io::Result<TcpStream> {
    if address.split_once(':').is_none() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("expected host:port, got {address}"),
        ));
    }
    timeout(CONNECT, TcpStream::connect(address)).await?
}

struct SimListener {
    tcp: TcpListener,
    address: SocketAddr,
    /// Between nodes; `None` for callers.
    own: Option<PeerIdentity>,
    /// Whoever holds it accepts, and drives the introductions meanwhile.
    turn: Mutex<FuturesUnordered<BoxFuture<'static, Option<Connection>>>>,
}

impl SimListener {
    async fn bind(address: SocketAddr, own: Option<PeerIdentity>) -> io::Result<Arc<dyn Listener>> {
        let tcp = TcpListener::bind(address).await?;
        Ok(Arc::new(Self {
            address: tcp.local_addr()?,
            tcp,
            own,
            turn: Mutex::new(FuturesUnordered::new()),
        }))
    }

    fn begin(&self, io: TcpStream, remote: SocketAddr) -> BoxFuture<'static, Option<Connection>> {
        let Some(own) = self.own.clone() else {
            let connection = Connection {
                io: Box::new(io),
                peer: None,
                remote,
            };
            return std::future::ready(Some(connection)).boxed();
        };
        async move {
            let introduced = timeout(INTRODUCTION, introduce(own, io, remote)).await;
            introduced.ok()?.ok()
        }
        .boxed()
    }
}

#[async_trait]
impl Listener for SimListener {
    async fn accept(&self) -> io::Result<Connection> {
        let mut introductions = self.turn.lock().await;
        loop {
            let room = introductions.len() < INTRODUCTIONS_MAX;
            tokio::select! {
                biased;
                Some(done) = introductions.next(), if !introductions.is_empty() => {
                    if let Some(connection) = done {
                        return Ok(connection);
                    }
                }
                accepted = self.tcp.accept(), if room => {
                    let (stream, remote) = accepted?;
                    introductions.push(self.begin(stream, remote));
                }
            }
        }
    }

    fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

/// Says who we are and hears who they are: a length byte, then `<name> <roles>`.
async fn introduce(
    own: PeerIdentity,
    mut stream: TcpStream,
    remote: SocketAddr,
) -> io::Result<Connection> {
    let text = format!("{} {}", own.node, own.roles);
    let length = u8::try_from(text.len()).map_err(io::Error::other)?;
    let mut said = vec![length];
    said.extend(text.as_bytes());
    stream.write_all(&said).await?;
    let mut theirs = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut theirs).await?;
    let peer = parse(&theirs).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Connection {
        io: Box::new(stream),
        peer: Some(peer),
        remote,
    })
}

fn parse(text: &[u8]) -> Option<PeerIdentity> {
    let (name, roles) = std::str::from_utf8(text).ok()?.split_once(' ')?;
    let named = roles.split(',').filter(|role| !role.is_empty());
    Some(PeerIdentity {
        node: name.parse().ok()?,
        roles: named
            .map(|r| r.parse::<Role>())
            .collect::<Result<Roles, _>>()
            .ok()?,
    })
}

#[cfg(test)]
mod tests;
