//! A network without proof, for tests in one process.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::FutureExt;
use model::{Role, Roles};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    Connection, Listener, Network, PeerIdentity,
    accept::Accepting,
    socket::{self, Peer},
};

const PATIENCE: Duration = Duration::from_secs(2);

/// Plain TCP on which each end says who it is and is believed. Never for a network that others can reach.
#[derive(Clone, Debug)]
pub struct PlainNetwork {
    own: PeerIdentity,
}

impl PlainNetwork {
    /// The network as a node of this identity sees it.
    #[must_use]
    pub fn new(own: PeerIdentity) -> Self {
        Self { own }
    }
}

#[async_trait]
impl Network for PlainNetwork {
    async fn bind_internal(&self, address: SocketAddr) -> io::Result<Arc<dyn Listener>> {
        let own = self.own.clone();
        let handshake = move |stream, remote| introduce(own.clone(), stream, remote).boxed();
        Accepting::bind(address, Peer::Node, Arc::new(handshake)).await
    }

    async fn bind_public(&self, address: SocketAddr) -> io::Result<Arc<dyn Listener>> {
        Accepting::bind(address, Peer::Caller, Arc::new(anonymous)).await
    }

    async fn connect(&self, address: &str) -> io::Result<Connection> {
        let (stream, remote) = socket::connect(address).await?;
        let introduced = introduce(self.own.clone(), stream, remote);
        tokio::time::timeout(PATIENCE, introduced)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

/// A connection of a caller who proves nothing at this level.
pub(super) fn anonymous(
    stream: TcpStream,
    remote: SocketAddr,
) -> futures::future::BoxFuture<'static, io::Result<Connection>> {
    let connection = Connection {
        io: Box::new(stream),
        peer: None,
        remote,
    };
    std::future::ready(Ok(connection)).boxed()
}

/// Says who we are and hears who they are: a length byte, then `<name> <roles>`.
async fn introduce(
    own: PeerIdentity,
    mut stream: TcpStream,
    remote: SocketAddr,
) -> io::Result<Connection> {
    let text = format!("{} {}", own.node, own.roles);
    let length = u8::try_from(text.len()).map_err(io::Error::other)?;
    stream.write_all(&[length]).await?;
    stream.write_all(text.as_bytes()).await?;
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
mod tests {
    use super::*;
    use crate::net::contract;

    #[tokio::test]
    async fn keeps_the_contract() {
        let identity = |name: &str, roles| PeerIdentity {
            node: name.parse().unwrap(),
            roles,
        };
        let server = identity("c1", Roles::default().with(Role::Controller));
        let client = identity("w1", Roles::default().with(Role::Worker));
        let pair = contract::Pair {
            server: Arc::new(PlainNetwork::new(server.clone())),
            server_identity: server,
            client: Arc::new(PlainNetwork::new(client.clone())),
            client_identity: client,
            any: ([127, 0, 0, 1], 0).into(),
            caller: contract::plain_caller,
        };
        contract::all(&pair).await;
    }
}
