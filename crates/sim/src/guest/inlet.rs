//! The network inside a sandbox: one listener, which the worker holds.

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use sandbox::{Accept, Connection};
use tokio::io::{DuplexStream, duplex};

/// What either end of a connection may have sent that the other one has not read.
const BUFFER: usize = 64 << 10;
/// Connections that may wait to be accepted.
const BACKLOG: usize = 128;

/// The inside end.
#[derive(Clone, Default)]
pub(super) struct Inlet(Arc<Mutex<Waiting>>);

/// The worker's end. Dropped, it closes what waits.
pub(super) struct Listener(Inlet);

#[derive(Default)]
struct Waiting {
    connections: VecDeque<DuplexStream>,
    acceptor: Option<Waker>,
    closed: bool,
}

impl Inlet {
    pub(super) fn listener(&self) -> Listener {
        Listener(self.clone())
    }

    pub(super) fn connect(&self) -> io::Result<DuplexStream> {
        let mut waiting = self.0.lock();
        if waiting.closed || waiting.connections.len() >= BACKLOG {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (inside, outside) = duplex(BUFFER);
        waiting.connections.push_back(outside);
        if let Some(acceptor) = waiting.acceptor.take() {
            acceptor.wake();
        }
        Ok(inside)
    }

    pub(super) fn close(&self) {
        let mut waiting = self.0.lock();
        waiting.closed = true;
        waiting.connections.clear();
    }
}

impl Accept for Listener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Connection>>> {
        let mut waiting = self.0.0.lock();
        if let Some(connection) = waiting.connections.pop_front() {
            return Poll::Ready(Ok(Box::new(connection)));
        }
        waiting.acceptor = Some(cx.waker().clone());
        Poll::Pending
    }

    fn discard_waiting(&self) {
        self.0.0.lock().connections.clear();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.close();
    }
}
