//! A bounded number of connections.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{Stream, StreamExt};
use host::net::{
    Listener, PeerInfo,
    serve::{self, Incoming},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tonic::transport::server::Connected;

/// The connections of a listener, as long as there is room; beyond that callers wait in the kernel's queue.
pub(super) fn incoming(
    listener: Arc<dyn Listener>,
    room: Arc<Semaphore>,
) -> impl Stream<Item = io::Result<Placed>> + Send {
    let connections = Box::pin(serve::incoming(listener));
    futures::stream::unfold((connections, room), async |(mut connections, room)| {
        let place = room.clone().acquire_owned().await.ok()?;
        let connection = connections.next().await?;
        let placed = connection.map(|io| Placed { io, _place: place });
        Some((placed, (connections, room)))
    })
}

/// A connection in its place.
pub(super) struct Placed {
    io: Incoming,
    _place: OwnedSemaphorePermit,
}

impl Connected for Placed {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> PeerInfo {
        self.io.connect_info()
    }
}

impl AsyncRead for Placed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Placed {
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
