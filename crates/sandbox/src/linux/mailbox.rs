//! A message socket shared by several waiters, without a task of its own.
//!
//! Whoever waits for something reads the socket: one at a time, each message is applied to the common state, and every
//! other waiter looks at that state again after each message. So there is nothing to spawn, nothing to stop, and no queue
//! but the kernel's.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    pin::pin,
};

use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{io::unix::AsyncFd, sync::Notify};

use crate::wire;

/// What a mailbox keeps, changed by each message.
pub(crate) trait Record: Send {
    type Message: DeserializeOwned + Send;

    /// Takes in one message.
    fn take_in(&mut self, message: Self::Message, fds: Vec<OwnedFd>);
}

/// The other end is gone, and what was looked for has not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// See the module.
pub(crate) struct Mailbox<R> {
    socket: AsyncFd<OwnedFd>,
    record: Mutex<R>,
    /// Held by who reads the socket; `true` when there is nothing more to read.
    closed: tokio::sync::Mutex<bool>,
    /// Rung after each message.
    news: Notify,
}

impl<R: Record> Mailbox<R> {
    /// Around one end of a message socket. Must be called inside a tokio runtime with IO.
    pub(crate) fn new(socket: OwnedFd, record: R) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        // SAFETY: the OwnedFd is the only owner, is never replaced, and is closed by the drop of the AsyncFd only.
        let socket = unsafe { AsyncFd::register(socket) }?;
        Ok(Self {
            socket,
            record: Mutex::new(record),
            closed: tokio::sync::Mutex::new(false),
            news: Notify::new(),
        })
    }

    /// Looks at, and may change, what is kept now.
    pub(crate) fn with<T>(&self, body: impl FnOnce(&mut R) -> T) -> T {
        body(&mut self.record.lock())
    }

    /// Waits until `look` finds something.
    ///
    /// # Cancel safety
    /// Cancel safe: a message is either still in the socket or taken in.
    pub(crate) async fn until<T>(
        &self,
        mut look: impl FnMut(&mut R) -> Option<T>,
    ) -> Result<T, Closed> {
        loop {
            let mut news = pin!(self.news.notified());
            news.as_mut().enable();
            if let Some(found) = self.with(&mut look) {
                return Ok(found);
            }
            let mut closed = tokio::select! {
                closed = self.closed.lock() => closed,
                // Whoever has the turn goes on to read, and may have read what this one waits for.
                () = news => continue,
            };
            // Somebody else may have read it while this one waited for its turn.
            if let Some(found) = self.with(&mut look) {
                return Ok(found);
            }
            if *closed {
                return Err(Closed);
            }
            *closed = !self.read_one().await;
            drop(closed);
            self.news.notify_waiters();
        }
    }

    /// Reads one message; `false` at the end.
    async fn read_one(&self) -> bool {
        loop {
            let Ok(mut guard) = self.socket.readable().await else {
                return false;
            };
            match guard.try_io(|socket| wire::receive::<R::Message>(socket.get_ref().as_fd())) {
                Ok(Ok(Some((message, fds)))) => {
                    self.with(|record| record.take_in(message, fds));
                    return true;
                }
                Ok(Ok(None) | Err(_)) => return false,
                Err(_would_block) => {}
            }
        }
    }

    /// Sends one message, waiting for room.
    ///
    /// # Cancel safety
    /// Cancel safe: the message is sent whole or not at all.
    pub(crate) async fn send(&self, message: &(impl Serialize + Sync)) -> io::Result<()> {
        self.send_with(message, &[]).await
    }

    /// Sends one message with descriptors beside it, as [`send`](Self::send) does.
    pub(crate) async fn send_with(
        &self,
        message: &(impl Serialize + Sync),
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let bytes = wire::encode(message)?;
        loop {
            let mut guard = self.socket.writable().await?;
            match guard.try_io(|socket| {
                wire::send_bytes(socket.get_ref().as_fd(), &bytes, fds).map_err(Into::into)
            }) {
                Ok(sent) => return sent,
                Err(_would_block) => {}
            }
        }
    }

    /// Ends the connection in both directions; the other end sees it at once.
    pub(crate) fn shut(&self) {
        let _ = rustix::net::shutdown(self.socket.get_ref(), rustix::net::Shutdown::Both);
    }

    /// Sends one message if there is room now.
    pub(crate) fn try_send(&self, message: &impl Serialize) -> io::Result<()> {
        wire::send(self.socket.get_ref().as_fd(), message, &[])
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;

    #[derive(Default)]
    struct Numbers(Vec<u64>);

    impl Record for Numbers {
        type Message = u64;

        fn take_in(&mut self, message: u64, _fds: Vec<OwnedFd>) {
            self.0.push(message);
        }
    }

    fn find(wanted: u64) -> impl FnMut(&mut Numbers) -> Option<u64> {
        move |numbers| numbers.0.iter().copied().find(|n| *n == wanted)
    }

    #[tokio::test]
    async fn each_waiter_gets_its_own_whoever_reads() {
        let (ours, theirs) = wire::pair().unwrap();
        let mailbox = Arc::new(Mailbox::new(ours, Numbers::default()).unwrap());
        let waits = [3, 1, 2].map(|wanted| {
            let mailbox = Arc::clone(&mailbox);
            async move { mailbox.until(find(wanted)).await }
        });
        let send = async {
            for n in [1_u64, 2, 3] {
                wire::send(theirs.as_fd(), &n, &[]).unwrap();
                tokio::task::yield_now().await;
            }
        };
        let [a, b, c] = waits;
        let (a, b, c, ()) = tokio::join!(a, b, c, send);
        assert_eq!((a, b, c), (Ok(3), Ok(1), Ok(2)));
    }

    #[tokio::test]
    async fn a_waiter_is_served_while_others_wait_for_what_never_comes() {
        let (ours, theirs) = wire::pair().unwrap();
        let mailbox = Arc::new(Mailbox::new(ours, Numbers::default()).unwrap());
        let waiting = async {
            let never = |n| mailbox.until(find(n));
            tokio::join!(never(7), never(8), never(9))
        };
        let served = async {
            for n in 1..4_u64 {
                let sent = async { wire::send(theirs.as_fd(), &n, &[]).unwrap() };
                let (found, ()) = tokio::join!(mailbox.until(find(n)), sent);
                assert_eq!(found, Ok(n));
            }
        };
        let served = async {
            tokio::select! {
                biased;
                _ = waiting => panic!("nothing of theirs came"),
                () = served => {}
            }
        };
        let served = tokio::time::timeout(Duration::from_secs(10), served).await;
        assert_eq!(served, Ok(()));
    }

    #[tokio::test]
    async fn a_dropped_reader_hands_its_turn_on() {
        let (ours, theirs) = wire::pair().unwrap();
        let mailbox = Mailbox::new(ours, Numbers::default()).unwrap();
        let cut = tokio::time::timeout(Duration::from_millis(10), mailbox.until(find(9))).await;
        assert!(cut.is_err());
        wire::send(theirs.as_fd(), &1_u64, &[]).unwrap();
        assert_eq!(mailbox.until(find(1)).await, Ok(1));
    }

    #[tokio::test]
    async fn the_end_reaches_every_waiter_but_what_came_before_counts() {
        let (ours, theirs) = wire::pair().unwrap();
        let mailbox = Mailbox::new(ours, Numbers::default()).unwrap();
        wire::send(theirs.as_fd(), &5_u64, &[]).unwrap();
        drop(theirs);
        let (a, b) = tokio::join!(mailbox.until(find(6)), mailbox.until(find(5)));
        assert_eq!((a, b), (Err(Closed), Ok(5)));
        assert_eq!(mailbox.until(find(5)).await, Ok(5));
    }
}
