//! How our TCP sockets behave: no delay, and a dead peer is noticed within seconds.

use std::{io, net::SocketAddr, time::Duration};

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};

/// How long a connection to a node may take to be there.
pub(super) const CONNECT: Duration = Duration::from_secs(1);
/// How long the peer of a node may leave bytes unacknowledged.
const NODE_UNACKNOWLEDGED: Duration = Duration::from_secs(5);
/// How long a caller may; callers sit behind worse networks.
const CALLER_UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Node,
    Caller,
}

pub(super) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Connects to `host:port` within [`CONNECT`], the look-up of the name included.
pub(super) async fn connect(address: &str) -> io::Result<(TcpStream, SocketAddr)> {
    let stream = tokio::time::timeout(CONNECT, TcpStream::connect(address))
        .await
        .map_err(|_| {
            let text = format!("no connection to {address} within {CONNECT:?}");
            io::Error::new(io::ErrorKind::TimedOut, text)
        })??;
    tune(&stream, Peer::Node)?;
    let remote = stream.peer_addr()?;
    Ok((stream, remote))
}

/// Sets what a connection needs to be quick and to die soon after its peer.
pub(super) fn tune(stream: &TcpStream, peer: Peer) -> io::Result<()> {
    let (probe, patience) = match peer {
        Peer::Node => (Duration::from_secs(2), NODE_UNACKNOWLEDGED),
        Peer::Caller => (Duration::from_secs(15), CALLER_UNACKNOWLEDGED),
    };
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, probe)?;
    sockopt::set_tcp_keepintvl(stream, probe)?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    let millis = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(stream, millis)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_ends_notice_a_dead_peer() {
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stream, remote) = connect(&address).await.unwrap();
        assert_eq!(remote, listener.local_addr().unwrap());
        assert!(stream.nodelay().unwrap());
        assert_eq!(sockopt::tcp_user_timeout(&stream).unwrap(), 5000);
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        let (accepted, _) = listener.accept().await.unwrap();
        tune(&accepted, Peer::Caller).unwrap();
        assert_eq!(sockopt::tcp_user_timeout(&accepted).unwrap(), 30_000);
    }
}
