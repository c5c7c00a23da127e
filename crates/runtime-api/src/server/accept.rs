//! What this shell asks of the listener of an environment.

use std::{
    io,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite};

/// Takes the connections that code inside one environment makes.
pub trait Accept: Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The next connection; one task asks.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Stream>>;

    /// Closes the connections that nobody has accepted yet, without disturbing the task that waits for one.
    fn discard_waiting(&self);
}

/// The part of [`Accept`] that does not know what a connection is.
pub(super) trait Waiting: Send + Sync {
    fn discard_waiting(&self);
}

impl<A: Accept> Waiting for A {
    fn discard_waiting(&self) {
        Accept::discard_waiting(self);
    }
}
