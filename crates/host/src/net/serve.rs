//! gRPC servers over a [`Listener`], whose services know who calls.
//!
//! ```no_run
//! # async fn serve(listener: std::sync::Arc<dyn host::net::Listener>, routes: tonic::service::Routes) {
//! let stop = std::future::pending::<()>();
//! let served = host::net::serve::server(&host::SystemEntropy::new())
//!     .add_routes(routes)
//!     .serve_with_incoming_shutdown(host::net::serve::incoming(listener), stop)
//!     .await;
//! # }
//! ```
//!
//! Every method of a service between nodes begins with [`require_role`].

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, StreamExt};
use model::Role;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tonic::{
    Status,
    transport::{Server, server::Connected},
};

use super::{Connection, Io, Listener, PeerIdentity};
use crate::Entropy;

/// Calls at the same time on one connection.
const STREAMS_MAX: u32 = 1000;
/// The largest block of headers of a request.
const HEADERS_MAX: u32 = 32 << 10;
/// Streams that a peer opened and reset before we looked at them.
const RESET_STREAMS_MAX: usize = 100;
/// How often a connection is pinged, and how long an answer may take.
const PING: Duration = Duration::from_secs(2);
/// A connection is closed, gently, between this age and a half more: certificates change.
const AGE: Duration = Duration::from_secs(20 * 60);

/// Who is at the other end of the connection that brought a request. Every request of an [`incoming`] connection carries
/// it among its extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// The node, on a listener between nodes.
    pub peer: Option<PeerIdentity>,
    /// Its socket address.
    pub remote: SocketAddr,
}

/// A server with the limits that hold between nodes. The entropy spreads the ages at which connections are closed.
#[must_use]
pub fn server(entropy: &dyn Entropy) -> Server {
    let spread = u64::try_from(AGE.as_millis() / 2).unwrap_or(0);
    Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_header_list_size(HEADERS_MAX)
        .http2_max_pending_accept_reset_streams(Some(RESET_STREAMS_MAX))
        .http2_keepalive_interval(Some(PING))
        .http2_keepalive_timeout(Some(PING))
        .max_connection_age(AGE + Duration::from_millis(entropy.below(spread)))
}

/// The connections of a listener in the form that tonic serves. Ends when the listener is dead.
pub fn incoming(listener: Arc<dyn Listener>) -> impl Stream<Item = io::Result<Incoming>> + Send {
    futures::stream::unfold(listener, async |listener| match listener.accept().await {
        Ok(connection) => Some((Ok(connection.into()), listener)),
        Err(error) => {
            let address = listener.local_addr();
            tracing::error!(%address, %error, "a listener is dead; this node takes no new connections there");
            None
        }
    })
}

/// Like [`incoming`], with a bounded number of connections at once; beyond that callers wait in the kernel's queue.
pub fn incoming_at_most(
    listener: Arc<dyn Listener>,
    room: Arc<Semaphore>,
) -> impl Stream<Item = io::Result<Incoming>> + Send {
    let connections = Box::pin(incoming(listener));
    futures::stream::unfold((connections, room), async |(mut connections, room)| {
        let place = room.clone().acquire_owned().await.ok()?;
        let placed = connections.next().await?.map(|mut connection| {
            connection.place = Some(place);
            connection
        });
        Some((placed, (connections, room)))
    })
}

/// Who calls, if it has one of these roles.
///
/// # Errors
/// `UNAUTHENTICATED` if the connection proved no identity, `PERMISSION_DENIED` if the caller has none of the roles.
#[allow(
    clippy::result_large_err,
    reason = "tonic's services return this error anyway"
)]
pub fn require_role(
    extensions: &http::Extensions,
    allowed: &[Role],
) -> Result<PeerIdentity, Status> {
    let peer = extensions
        .get::<PeerInfo>()
        .and_then(|info| info.peer.as_ref())
        .ok_or_else(|| Status::unauthenticated("expected a node of this cluster"))?;
    if allowed.iter().any(|role| peer.roles.has(*role)) {
        return Ok(peer.clone());
    }
    let names: Vec<_> = allowed.iter().map(|role| role.as_str()).collect();
    Err(Status::permission_denied(format!(
        "expected a {}, got {} [{}]; issue it a certificate with the role if it should have it",
        names.join(" or "),
        peer.node,
        peer.roles
    )))
}

/// A connection that is being served.
pub struct Incoming {
    io: Box<dyn Io>,
    info: PeerInfo,
    /// Given back when the connection ends.
    place: Option<OwnedSemaphorePermit>,
}

impl From<Connection> for Incoming {
    fn from(connection: Connection) -> Self {
        Self {
            io: connection.io,
            info: PeerInfo {
                peer: connection.peer,
                remote: connection.remote,
            },
            place: None,
        }
    }
}

impl Connected for Incoming {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> PeerInfo {
        self.info.clone()
    }
}

impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Incoming {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use model::Roles;

    use super::*;

    #[test]
    fn a_role_is_required() {
        let mut extensions = http::Extensions::new();
        let missing = require_role(&extensions, &Role::ALL).unwrap_err();
        assert_eq!(missing.code(), tonic::Code::Unauthenticated);
        let mut info = PeerInfo {
            peer: None,
            remote: ([127, 0, 0, 1], 1).into(),
        };
        extensions.insert(info.clone());
        let missing = require_role(&extensions, &Role::ALL).unwrap_err();
        assert_eq!(missing.code(), tonic::Code::Unauthenticated);

        let peer = PeerIdentity {
            node: "w1".parse().unwrap(),
            roles: Roles::default().with(Role::Worker),
        };
        info.peer = Some(peer.clone());
        extensions.insert(info);
        let both = [Role::Controller, Role::Worker];
        assert_eq!(require_role(&extensions, &both).unwrap(), peer);
        for refused in [&[Role::Controller][..], &[]] {
            let error = require_role(&extensions, refused).unwrap_err();
            assert_eq!(error.code(), tonic::Code::PermissionDenied);
        }
    }
}
