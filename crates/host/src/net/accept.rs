//! A listener that shakes hands with many at once, so that a slow peer keeps nobody waiting.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

use super::{
    Connection, Listener,
    socket::{self, Peer},
};

/// Handshakes in flight on one listener; more wait in the kernel's queue.
const HANDSHAKES: usize = 256;
/// How long a peer may take for its handshake.
const PATIENCE: Duration = Duration::from_secs(5);
/// A pause after the process ran out of something, so that it can recover.
const OUT_OF_RESOURCES: Duration = Duration::from_millis(50);

/// Makes a connection out of an accepted stream.
pub(super) type Handshake =
    Arc<dyn Fn(TcpStream, SocketAddr) -> BoxFuture<'static, io::Result<Connection>> + Send + Sync>;

/// Accepts TCP connections and runs a handshake on each.
pub(super) struct Accepting {
    tcp: TcpListener,
    address: SocketAddr,
    peer: Peer,
    handshake: Handshake,
    /// Whoever holds it is the one who accepts, and drives the handshakes meanwhile. It is held over the wait for that
    /// reason: a second caller waits for its turn. A caller that goes away leaves the handshakes to the next one.
    turn: Mutex<FuturesUnordered<BoxFuture<'static, Option<Connection>>>>,
}

impl Accepting {
    pub(super) async fn bind(
        address: SocketAddr,
        peer: Peer,
        handshake: Handshake,
    ) -> io::Result<Arc<dyn Listener>> {
        let tcp = socket::bind(address).await?;
        Ok(Arc::new(Self {
            address: tcp.local_addr()?,
            tcp,
            peer,
            handshake,
            turn: Mutex::new(FuturesUnordered::new()),
        }))
    }

    fn begin(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
    ) -> BoxFuture<'static, Option<Connection>> {
        let tuned = socket::tune(&stream, self.peer);
        let handshake = (self.handshake)(stream, remote);
        Box::pin(async move {
            let outcome = match tuned {
                Ok(()) => tokio::time::timeout(PATIENCE, handshake)
                    .await
                    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
                Err(error) => Err(error),
            };
            outcome
                .inspect_err(|error| tracing::warn!(%remote, %error, "a handshake failed"))
                .ok()
        })
    }
}

#[async_trait]
impl Listener for Accepting {
    async fn accept(&self) -> io::Result<Connection> {
        let mut handshakes = self.turn.lock().await;
        loop {
            let room = handshakes.len() < HANDSHAKES;
            tokio::select! {
                biased;
                Some(done) = handshakes.next(), if !handshakes.is_empty() => {
                    if let Some(connection) = done {
                        return Ok(connection);
                    }
                }
                accepted = self.tcp.accept(), if room => match accepted {
                    Ok((stream, remote)) => handshakes.push(self.begin(stream, remote)),
                    Err(error) if is_passing(&error) => {
                        tracing::warn!(address = %self.address, %error, "a connection was lost before it was accepted");
                        tokio::time::sleep(OUT_OF_RESOURCES).await;
                    }
                    Err(error) => return Err(error),
                },
            }
        }
    }

    fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

/// Errors of one connection, or of a process that is short of something for a while; the listener lives on.
fn is_passing(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let passing = [
        Errno::CONNABORTED,
        Errno::CONNRESET,
        Errno::INTR,
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::PERM,
        Errno::PROTO,
        Errno::TIMEDOUT,
        Errno::HOSTUNREACH,
        Errno::NETDOWN,
        Errno::NETUNREACH,
    ];
    Errno::from_io_error(error).is_some_and(|errno| passing.contains(&errno))
}
