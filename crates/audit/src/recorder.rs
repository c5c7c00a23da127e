//! The log as those see it who call for records.
//!
//! Whoever is about to do something asks for a [`Place`] first: without one it must not be done. A place is room for one
//! record in memory, from the beginning of a call until its record is on disk; so what waits for a slow disk has a bound, and
//! what cannot be recorded is refused before it is done rather than after.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use host::{Clock, Segments, Tasks, segments::SegmentError, task::Kind};
use model::{ByteCount, Timestamp};
use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::Instant,
};

use crate::{
    line::{self, Head},
    page::{Cursor, Filter, Page, page},
    record::Event,
    writer,
};

/// How long a caller waits for the disk. Its record stays in the queue.
const PATIENCE: Duration = Duration::from_secs(3);
/// Questions to the writer that may wait beside the records.
const FLUSHES: usize = 16;
/// Calls of callers who proved nothing that are recorded one by one at any time.
const STRANGERS_BURST: u32 = 1000;
/// How long it takes until one more is.
const STRANGERS_PAUSE: Duration = Duration::from_millis(500);

/// How a log is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose it is.
    pub writer: line::Writer,
    /// The version of the program, for the record of its start.
    pub version: &'static str,
    /// A segment is full when it has this many bytes.
    pub segment_bytes: ByteCount,
    /// The oldest segments are removed while all together have more bytes than this.
    pub keep_bytes: ByteCount,
    /// The oldest segments are removed while there are more than this; at least 1.
    pub keep_segments: usize,
    /// Records that may wait for the disk.
    pub waiting_max: usize,
    /// How long a record may wait for others to be synced with, if nobody waits for it.
    pub sync_delay: Duration,
}

impl Options {
    /// The defaults.
    #[must_use]
    pub fn new(writer: line::Writer, version: &'static str) -> Self {
        Self {
            writer,
            version,
            segment_bytes: ByteCount::mib(16),
            keep_bytes: ByteCount::mib(1024),
            keep_segments: 1000,
            waiting_max: 8192,
            sync_delay: Duration::from_millis(250),
        }
    }
}

/// Why a call is not recorded, and must not be made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unrecorded {
    /// The disk failed.
    #[error("the audit log cannot be written; control calls are refused until it can be")]
    Disk(#[source] Arc<SegmentError>),
    /// Too many wait.
    #[error("{limit} calls wait to be recorded in the audit log, as many as may")]
    Full {
        /// The bound.
        limit: usize,
    },
    /// The disk takes too long.
    #[error("the audit log did not take a record within {0:?}")]
    Slow(Duration),
    /// The record has no end.
    #[error("the record is longer than {} bytes", line::LINE_MAX)]
    TooLong,
    /// The node stops.
    #[error("this node stops")]
    Stopping,
}

/// What a recorder has counted. All but `writable` and `head` only grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The last record on disk.
    pub head: Head,
    /// Whether records can be written.
    pub writable: bool,
    /// Records written by this process.
    pub records: u64,
    /// Calls refused because they could not be recorded.
    pub refused: u64,
    /// Calls of callers who proved nothing that were counted and not recorded one by one.
    pub unlisted: u64,
    /// Breaks that were found in the chain when this process began.
    pub breaks: u64,
}

/// A handle on a log that is being written. Clones are of the same one.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Message>,
    waiting_max: usize,
}

/// Room for one record.
pub struct Place {
    permit: OwnedSemaphorePermit,
    recorder: Recorder,
    began: Timestamp,
}

/// What the handles and the writer share.
pub(crate) struct Shared {
    pub(crate) segments: Arc<dyn Segments>,
    pub(crate) clock: Arc<dyn Clock>,
    places: Arc<Semaphore>,
    state: Mutex<State>,
    records: AtomicU64,
    refused: AtomicU64,
    unlisted: AtomicU64,
    breaks: AtomicU64,
}

struct State {
    head: Head,
    failure: Option<Arc<SegmentError>>,
    strangers: Strangers,
    /// Not told by a record yet.
    unlisted: u64,
}

/// How many strangers may be recorded: what they send must not push everybody else's records out of the log.
struct Strangers {
    left: u32,
    since: Instant,
}

pub(crate) enum Message {
    Record(Waiting),
    Flush(oneshot::Sender<()>),
}

/// A record that waits to be written.
pub(crate) struct Waiting {
    pub(crate) time: Timestamp,
    pub(crate) event: Event,
    pub(crate) done: Option<oneshot::Sender<Result<(), Unrecorded>>>,
    /// Given back once it is on disk.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

impl Recorder {
    /// Begins to write a log, as a task of the node. What is there already is looked at first; a disk that fails then is
    /// tried again like one that fails later.
    #[must_use]
    pub fn start(
        options: Options,
        segments: Arc<dyn Segments>,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> Self {
        let waiting_max = options.waiting_max.min(Semaphore::MAX_PERMITS);
        let (queue, messages) = mpsc::channel(waiting_max.saturating_add(FLUSHES));
        let shared = Arc::new(Shared {
            segments,
            clock,
            places: Arc::new(Semaphore::new(waiting_max)),
            state: Mutex::new(State {
                head: Head::NONE,
                failure: None,
                strangers: Strangers {
                    left: STRANGERS_BURST,
                    since: Instant::now(),
                },
                unlisted: 0,
            }),
            records: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            unlisted: AtomicU64::new(0),
            breaks: AtomicU64::new(0),
        });
        // It ends with the node and not with the drain: requests under way are still to be recorded.
        let writing = writer::run(options, shared.clone(), messages);
        tasks.spawn(Kind::Lasting, "audit log", writing);
        Self {
            shared,
            queue,
            waiting_max,
        }
    }

    /// Room for the record of a call that begins now.
    ///
    /// # Errors
    /// [`Unrecorded`] if it could not be recorded: the call must be refused.
    pub fn admit(&self) -> Result<Place, Unrecorded> {
        let admitted = match self.shared.failure() {
            Some(failure) => Err(Unrecorded::Disk(failure)),
            None => self
                .shared
                .places
                .clone()
                .try_acquire_owned()
                .map_err(|_| Unrecorded::Full {
                    limit: self.waiting_max,
                }),
        };
        match admitted {
            Ok(permit) => Ok(Place {
                permit,
                began: self.shared.clock.wall(),
                recorder: self.clone(),
            }),
            Err(unrecorded) => {
                self.shared.refused.fetch_add(1, Ordering::Relaxed);
                Err(unrecorded)
            }
        }
    }

    /// Returns when every record that was handed over before is on disk, or cannot be brought there.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.queue.send(Message::Flush(done)).await.is_ok() {
            let _failed = flushed.await;
        }
    }

    /// What it has counted.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let shared = &self.shared;
        let state = shared.state.lock();
        Figures {
            head: state.head,
            writable: state.failure.is_none(),
            records: shared.records.load(Ordering::Relaxed),
            refused: shared.refused.load(Ordering::Relaxed),
            unlisted: shared.unlisted.load(Ordering::Relaxed),
            breaks: shared.breaks.load(Ordering::Relaxed),
        }
    }

    /// Reads the log; see [`page`].
    ///
    /// # Errors
    /// [`SegmentError`] if a segment cannot be read.
    pub async fn page(
        &self,
        filter: &Filter,
        from: Cursor,
        limit: usize,
    ) -> Result<Page, SegmentError> {
        page(&*self.shared.segments, filter, from, limit).await
    }

    fn put(&self, waiting: Waiting) -> Result<(), Unrecorded> {
        // Every record has a place, and the queue has room for all places: it is full only when it is closed.
        self.queue
            .try_send(Message::Record(waiting))
            .map_err(|_| Unrecorded::Stopping)
    }
}

impl Place {
    /// Records an event, and returns when it is on disk.
    ///
    /// # Errors
    /// [`Unrecorded`]; the record may come to disk later all the same.
    ///
    /// # Cancel safety
    /// Once polled, the record is written whether or not anybody waits.
    pub async fn write(self, event: Event) -> Result<(), Unrecorded> {
        let (done, written) = oneshot::channel();
        let recorder = self.recorder.clone();
        recorder.put(self.waiting(event, Some(done)))?;
        match tokio::time::timeout(PATIENCE, written).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Unrecorded::Stopping),
            Err(_) => Err(Unrecorded::Slow(PATIENCE)),
        }
    }

    /// Records an event within the delay of [`Options::sync_delay`].
    ///
    /// # Errors
    /// [`Unrecorded::Stopping`]
    pub fn leave(self, event: Event) -> Result<(), Unrecorded> {
        let recorder = self.recorder.clone();
        recorder.put(self.waiting(event, None))
    }

    /// Like [`Place::leave`], for an event that anybody can cause: beyond some of them they are only counted.
    ///
    /// # Errors
    /// [`Unrecorded::Stopping`]
    pub fn leave_for_stranger(self, event: Event) -> Result<(), Unrecorded> {
        let shared = &self.recorder.shared;
        let allowed = {
            let mut state = shared.state.lock();
            let allowed = state.strangers.take();
            state.unlisted += u64::from(!allowed);
            allowed
        };
        if allowed {
            return self.leave(event);
        }
        shared.unlisted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn waiting(
        self,
        event: Event,
        done: Option<oneshot::Sender<Result<(), Unrecorded>>>,
    ) -> Waiting {
        Waiting {
            time: self.began,
            event,
            done,
            permit: Some(self.permit),
        }
    }
}

impl Strangers {
    fn take(&mut self) -> bool {
        let pauses = self.since.elapsed().as_millis() / STRANGERS_PAUSE.as_millis().max(1);
        let more = u32::try_from(pauses).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(more).min(STRANGERS_BURST);
        self.since += STRANGERS_PAUSE.saturating_mul(more);
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}

impl Shared {
    pub(crate) fn failure(&self) -> Option<Arc<SegmentError>> {
        self.state.lock().failure.clone()
    }

    /// Nothing can be written from here on.
    pub(crate) fn failed(&self, error: SegmentError) -> Arc<SegmentError> {
        let error = Arc::new(error);
        self.state.lock().failure = Some(error.clone());
        error
    }

    /// So many records more are on disk, and this is the last.
    pub(crate) fn written(&self, records: u64, head: Head) {
        self.records.fetch_add(records, Ordering::Relaxed);
        let mut state = self.state.lock();
        state.head = head;
        state.failure = None;
    }

    pub(crate) fn found_breaks(&self, breaks: u64) {
        self.breaks.fetch_add(breaks, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// The calls that no record tells of yet; the caller will write one.
    pub(crate) fn take_unlisted(&self) -> u64 {
        std::mem::take(&mut self.state.lock().unlisted)
    }
}

#[cfg(test)]
mod tests;
