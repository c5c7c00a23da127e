//! The log of one environment: what its processes print, and the platform's own lines between.
//!
//! Standard output and error of every process arrive in one pipe. A task reads it, at a bounded pace: a function that
//! prints faster waits, as it would at any slow terminal. Before the platform writes the end of an invocation it empties
//! the pipe, so that everything printed before the answer is in front of that line. Everything goes to the function's
//! files, and the end of what belongs to the present invocation is kept for the caller.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use host::{Clock, Tasks, task::Kind};
use model::function::LogFormat;
use parking_lot::Mutex;
use sandbox::Output;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, ReadBuf};

pub(crate) mod files;
pub(crate) mod level;
mod place;
pub(crate) mod platform;
mod scan;
pub(crate) mod service;
pub(crate) mod shelf;
pub(crate) mod tail;
#[cfg(test)]
mod tests;

use crate::telemetry::Telemetry;
use files::Appender;
use tail::Tail;

/// How much is read at a time.
const CHUNK: usize = 64 << 10;
/// How much the reader may take in one `PACE_WINDOW`.
const PACE_BYTES: usize = 1 << 20;
const PACE_WINDOW: Duration = Duration::from_millis(100);
/// The longest line of an extension that is one; a longer one is several.
const LINE_MAX: u64 = 64 << 10;
/// How much the end of an invocation waits for at most: more than any pipe holds by default.
const DRAIN_MAX: usize = 1 << 20;

/// The log of one environment. Clones share it.
#[derive(Clone)]
pub(crate) struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Mutex<Inner>,
    clock: Arc<dyn Clock>,
}

struct Inner {
    output: Option<Box<dyn Output>>,
    files: Appender,
    tail: Tail,
    at_line_start: bool,
    buffer: Vec<u8>,
    telemetry: Telemetry,
    format: LogFormat,
}

impl Log {
    /// A log that keeps the last `tail_max` bytes of each invocation, and lets extensions read along.
    pub(crate) fn new(
        files: Appender,
        tail_max: usize,
        clock: Arc<dyn Clock>,
        (telemetry, format): (Telemetry, LogFormat),
    ) -> Self {
        let inner = Inner {
            output: None,
            files,
            tail: Tail::new(tail_max),
            at_line_start: true,
            buffer: vec![0; CHUNK],
            telemetry,
            format,
        };
        Self {
            shared: Arc::new(Shared {
                inner: Mutex::new(inner),
                clock,
            }),
        }
    }

    /// Reads this until it ends.
    pub(crate) fn follow(&self, output: Box<dyn Output>, tasks: &Tasks) {
        self.shared.inner.lock().output = Some(output);
        let log = self.clone();
        tasks.spawn(Kind::Environment, "log", async move {
            log.read_to_end().await;
            log.shared.inner.lock().output = None;
        });
    }

    /// Reads what an extension prints until it ends, line by line.
    pub(crate) fn follow_extension(&self, output: Box<dyn Output>, tasks: &Tasks) {
        let log = self.clone();
        tasks.spawn(Kind::Environment, "extension-log", async move {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            let mut taken = 0;
            loop {
                line.clear();
                let mut bounded = (&mut output).take(LINE_MAX);
                match bounded.read_until(b'\n', &mut line).await {
                    Ok(0) | Err(_) => return,
                    Ok(n) => taken += n,
                }
                let text = line.strip_suffix(b"\n").unwrap_or(&line);
                log.extension_line(&String::from_utf8_lossy(text));
                if taken >= PACE_BYTES {
                    taken = 0;
                    tokio::time::sleep(PACE_WINDOW).await;
                }
            }
        });
    }

    fn extension_line(&self, line: &str) {
        self.shared.lock_and(|inner, clock| {
            inner.line(line, clock);
            inner.telemetry.extension_line(line);
        });
    }

    /// Adds a line of the platform's.
    pub(crate) fn line(&self, line: &str) {
        self.shared.lock_and(|inner, clock| inner.line(line, clock));
    }

    /// Takes in everything that was printed so far.
    pub(crate) fn drain(&self) {
        self.shared.lock_and(|inner, clock| {
            let mut taken = 0;
            while taken < DRAIN_MAX {
                match inner.read(clock, |output, buffer| output.read_now(buffer)) {
                    Ok(n) if n > 0 => taken += n,
                    Ok(_) | Err(_) => break,
                }
            }
        });
    }

    /// The end of everything since the last call of this.
    pub(crate) fn take_tail(&self) -> Vec<u8> {
        self.shared.inner.lock().tail.take()
    }

    async fn read_to_end(&self) {
        let mut taken = 0;
        loop {
            let read = poll_fn(|cx| {
                self.shared
                    .lock_and(|inner, clock| inner.poll_read(clock, cx))
            });
            match read.await {
                Ok(0) => return,
                Ok(n) => taken += n,
                Err(error) => {
                    tracing::warn!(%error, "the log of an environment cannot be read any more");
                    return;
                }
            }
            if taken >= PACE_BYTES {
                taken = 0;
                tokio::time::sleep(PACE_WINDOW).await;
            }
        }
    }
}

impl Shared {
    fn lock_and<T>(&self, act: impl FnOnce(&mut Inner, &dyn Clock) -> T) -> T {
        act(&mut self.inner.lock(), &*self.clock)
    }
}

impl Inner {
    /// One read; `Ok(0)` at the end.
    fn poll_read(&mut self, clock: &dyn Clock, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let read = self.read(clock, |output, buffer| {
            let mut buffer = ReadBuf::new(buffer);
            match Pin::new(output).poll_read(cx, &mut buffer) {
                Poll::Ready(done) => done.map(|()| buffer.filled().len()),
                Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            done => Poll::Ready(done),
        }
    }

    /// One read; `Ok(0)` at the end.
    fn read(
        &mut self,
        clock: &dyn Clock,
        read: impl FnOnce(&mut dyn Output, &mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let Some(output) = self.output.as_mut() else {
            return Ok(0);
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let n = read(&mut **output, &mut buffer);
        if let Ok(n) = n
            && let Some(bytes) = buffer.get(..n)
        {
            self.append(bytes, clock);
            self.telemetry.function_output(bytes, self.format);
        }
        self.buffer = buffer;
        n
    }

    fn line(&mut self, line: &str, clock: &dyn Clock) {
        let mut text = String::with_capacity(line.len() + 2);
        if !self.at_line_start {
            text.push('\n');
            self.telemetry.end_line(self.format);
        }
        text.push_str(line);
        text.push('\n');
        self.append(text.as_bytes(), clock);
    }

    fn append(&mut self, bytes: &[u8], clock: &dyn Clock) {
        if let Some(last) = bytes.last() {
            self.at_line_start = *last == b'\n';
            self.tail.push(bytes);
            self.files.append(clock.wall(), bytes);
        }
    }
}
