//! The log of a sandbox: a pipe of bounded size.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use sandbox::Output;
use tokio::io::{AsyncRead, ReadBuf};

/// What fits in: as much as in a pipe of Linux.
const CAPACITY: usize = 64 << 10;

/// The inside end. The last one dropped does not end the log; [`Printer::close`] does.
#[derive(Clone, Default)]
pub(super) struct Printer(Arc<Mutex<Pipe>>);

/// The worker's end.
pub(super) struct Paper(Printer);

#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    closed: bool,
    torn: bool,
}

impl Printer {
    pub(super) fn paper(&self) -> Paper {
        Paper(self.clone())
    }

    /// Writes a line, waiting while the pipe is full. Nobody hears what is written after either end is gone.
    pub(super) async fn line(&self, text: &str) {
        let mut rest = text.bytes().chain([b'\n']).peekable();
        poll_fn(|cx| {
            let mut pipe = self.0.lock();
            while rest.peek().is_some() && !pipe.closed && !pipe.torn {
                if pipe.bytes.len() >= CAPACITY {
                    pipe.writer = Some(cx.waker().clone());
                    pipe.wake_reader();
                    return Poll::Pending;
                }
                pipe.bytes.extend(rest.next());
            }
            pipe.wake_reader();
            Poll::Ready(())
        })
        .await;
    }

    /// Ends the log: what is in it can still be read.
    pub(super) fn close(&self) {
        let mut pipe = self.0.lock();
        pipe.closed = true;
        pipe.wake_reader();
        pipe.wake_writer();
    }
}

impl Pipe {
    /// `None`: there is nothing, and it has not ended.
    fn read(&mut self, most: usize) -> Option<Vec<u8>> {
        if self.bytes.is_empty() && !self.closed {
            return None;
        }
        let most = most.min(self.bytes.len());
        let bytes = self.bytes.drain(..most).collect();
        self.wake_writer();
        Some(bytes)
    }

    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

impl AsyncRead for Paper {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut pipe = self.0.0.lock();
        match pipe.read(buffer.remaining()) {
            Some(bytes) => {
                buffer.put_slice(&bytes);
                Poll::Ready(Ok(()))
            }
            None => {
                pipe.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Output for Paper {
    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.0.lock().read(buffer.len());
        let bytes = bytes.ok_or(io::ErrorKind::WouldBlock)?;
        for (place, byte) in buffer.iter_mut().zip(&bytes) {
            *place = *byte;
        }
        Ok(bytes.len())
    }
}

impl Drop for Paper {
    fn drop(&mut self) {
        let mut pipe = self.0.0.lock();
        pipe.torn = true;
        pipe.wake_writer();
    }
}
