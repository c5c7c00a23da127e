//! The Raft log of one group over a [`LogEngine`].
//!
//! Everything that changes the log (appends, votes, truncations, purges) goes through one queue to one writer, which turns
//! whatever waits into one batch with one disk barrier and then answers in order. Entries are readable from memory as soon
//! as they are queued. Memory holds at least what is not durable yet and at most [`TAIL_ENTRIES`] or [`TAIL_BYTES`] of what
//! is; older entries are read from the engine. The first error of the engine is fatal.

mod reading;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

use std::{fmt::Debug, io, ops::RangeBounds, sync::Arc};

use host::{
    LogEngine, Store, Tasks,
    log::{LogError, LogOp},
    task::Kind,
};
use openraft::{
    LogState, OptionalSend, RaftLogReader,
    storage::{IOFlushed, RaftLogStorage},
};
use parking_lot::{Mutex, RwLock};
use prost::Message as _;
use tokio::sync::{mpsc, oneshot, watch};

use self::{
    tail::Tail,
    writer::{Done, Job},
};
use crate::{
    error::{Fatal, StartError},
    failure::Failed,
    types::{Entry, LogId, Types, Vote},
    wire,
};

/// How many durable entries stay in memory, at most.
const TAIL_ENTRIES: usize = 4_096;
/// How many bytes of durable entries stay in memory, at most.
const TAIL_BYTES: usize = 16 << 20;
/// How many writes may wait for the disk.
const QUEUE: usize = 1_024;
/// How many bytes of entries go into one message to another member; a single entry may be larger.
const MESSAGE_BYTES: usize = 1 << 20;

const VOTE: &str = "vote";
const PURGED: &str = "purged";
const COMMITTED: &str = "committed";

/// A handle on the log. Clones read the same log.
#[derive(Clone)]
pub(crate) struct LogStore {
    shared: Arc<Shared>,
}

struct Shared {
    group: u64,
    engine: Arc<dyn LogEngine>,
    store: Arc<dyn Store>,
    positions: RwLock<Positions>,
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    ended: watch::Receiver<bool>,
    failed: Failed,
}

/// What is known of the log without reading it.
struct Positions {
    vote: Option<Vote>,
    /// The index of the first entry that there is, or of the next one to come.
    first: u64,
    purged: Option<LogId>,
    last: Option<LogId>,
    committed: Option<LogId>,
    /// Whether `committed` is newer than what is on disk; it rides along with the next batch.
    committed_is_dirty: bool,
    tail: Tail,
}

impl LogStore {
    /// Reads where the log stands and starts its writer.
    pub(crate) async fn open(
        group: u64,
        engine: Arc<dyn LogEngine>,
        store: Arc<dyn Store>,
        tasks: &Tasks,
        failed: Failed,
    ) -> Result<Self, StartError> {
        let damaged = |what: String| StartError::Damaged { group, what };
        let record = async |key: &'static str| engine.meta(group, key).await;
        let vote = record(VOTE)
            .await?
            .map(|b| wire::decode_vote(&b))
            .transpose();
        let vote = vote.map_err(|e| damaged(format!("vote: {e}")))?;
        let purged = record(PURGED)
            .await?
            .map(|b| wire::decode_log_id(&b))
            .transpose();
        let purged = purged.map_err(|e| damaged(format!("purged: {e}")))?;
        let committed = record(COMMITTED)
            .await?
            .map(|b| wire::decode_log_id(&b))
            .transpose();
        let committed = committed.map_err(|e| damaged(format!("committed: {e}")))?;
        let last = match engine.bounds(group).await? {
            None => purged,
            Some((first, last)) => {
                if first != next(purged) {
                    let expected = next(purged);
                    return Err(damaged(format!(
                        "the log begins at {first} instead of {expected}"
                    )));
                }
                let entries = engine.entries(group, last, last.saturating_add(1)).await?;
                let (_, bytes) = entries
                    .into_iter()
                    .next()
                    .ok_or_else(|| damaged(format!("entry {last} is missing")))?;
                let entry = wire::decode_entry(&bytes)
                    .map_err(|e| damaged(format!("entry {last}: {e}")))?;
                Some(entry.log_id)
            }
        };

        let (queue, jobs) = mpsc::channel(QUEUE);
        let (ended_tx, ended) = watch::channel(false);
        let shared = Arc::new(Shared {
            group,
            engine,
            store,
            positions: RwLock::new(Positions {
                vote,
                first: next(purged),
                purged,
                last,
                // An index beyond the log can only be left over from a crash before the entries were durable.
                committed: committed.min(last),
                committed_is_dirty: false,
                tail: Tail::new(next(last)),
            }),
            queue: Mutex::new(Some(queue)),
            ended,
            failed,
        });
        tasks.spawn(
            Kind::Lasting,
            "raft-log-writer",
            writer::run(shared.clone(), jobs, ended_tx),
        );
        Ok(Self { shared })
    }

    /// The last entry that was taken away from the front.
    pub(crate) fn purged(&self) -> Option<LogId> {
        self.shared.positions.read().purged
    }

    /// Writes out what waits and ends the writer; later changes fail.
    pub(crate) async fn close(&self) {
        if self.shared.positions.read().committed_is_dirty {
            // If it cannot be written it is as if it had not been known: nothing depends on it.
            let _ = self.write(Vec::new(), None).await;
        }
        drop(self.shared.queue.lock().take());
        let mut ended = self.shared.ended.clone();
        // An error means that the writer is gone, which is what we wait for.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    async fn enqueue(&self, job: Job) -> io::Result<()> {
        let queue = self.shared.queue.lock().clone();
        let queue = queue.ok_or_else(closed)?;
        queue.send(job).await.map_err(|_| closed())
    }

    /// Queues a change and waits until it is durable.
    async fn write(&self, ops: Vec<LogOp>, durable_below: Option<u64>) -> io::Result<()> {
        let (done, written) = oneshot::channel();
        self.enqueue(Job {
            ops,
            durable_below,
            done: Done::Waiter(done),
        })
        .await?;
        written.await.map_err(|_| closed())?
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the raft log is closed")
}

/// The index after a position.
const fn next(id: Option<LogId>) -> u64 {
    match id {
        Some(id) => id.index.saturating_add(1),
        None => 0,
    }
}

fn set_log_id(key: &'static str, id: LogId) -> LogOp {
    LogOp::SetMeta {
        key,
        bytes: wire::log_id(id).encode_to_vec(),
    }
}

impl Shared {
    fn fail(&self, error: LogError) -> io::Error {
        self.failed.set(Fatal::Log(Arc::new(error)))
    }

    fn damaged(&self, what: String) -> io::Error {
        let group = self.group;
        self.failed.set(Fatal::State { group, what })
    }
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        let (from, to) = reading::bounds(&range);
        self.read(from, to).await
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        let mut entries = self.read(start, end).await?;
        entries.truncate(reading::fitting(&entries, MESSAGE_BYTES));
        Ok(entries)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.shared.positions.read().vote)
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let positions = self.shared.positions.read();
        Ok(LogState {
            last_purged_log_id: positions.purged,
            last_log_id: positions.last,
        })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let set = LogOp::SetMeta {
            key: VOTE,
            bytes: wire::vote(vote).encode_to_vec(),
        };
        self.write(vec![set], None).await?;
        self.shared.positions.write().vote = Some(*vote);
        Ok(())
    }

    /// Kept in memory until the next batch: a barrier of its own for every commit would double the load of the disk, and
    /// a member that restarts never leads or serves reads before it has heard of the commits of a newer term.
    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let mut positions = self.shared.positions.write();
        positions.committed = committed;
        positions.committed_is_dirty = true;
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.shared.positions.read().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut ops = Vec::new();
        let mut durable_below = None;
        {
            let mut positions = self.shared.positions.write();
            for entry in entries {
                let index = entry.log_id.index;
                if positions.first >= next(positions.last) {
                    positions.first = index;
                }
                let bytes = wire::entry(&entry).encode_to_vec();
                positions.last = Some(entry.log_id);
                positions.tail.push(entry, bytes.len());
                ops.push(LogOp::Append { index, bytes });
                durable_below = Some(index.saturating_add(1));
            }
            positions.tail.evict();
        }
        self.enqueue(Job {
            ops,
            durable_below,
            done: Done::Callback(callback),
        })
        .await
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        let from = next(last);
        {
            let mut positions = self.shared.positions.write();
            positions.tail.truncate(from);
            positions.last = positions.last.min(last);
        }
        self.write(vec![LogOp::TruncateFrom(from)], Some(from))
            .await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        // What is purged lives on in the state and in a stored snapshot. The snapshot is durable already; flushing the
        // store as well keeps restarts short.
        if let Err(error) = self.shared.store.flush().await {
            return Err(self.shared.failed.set(Fatal::Store(Arc::new(error))));
        }
        {
            let mut positions = self.shared.positions.write();
            positions.purged = positions.purged.max(Some(upto));
            positions.last = positions.last.max(Some(upto));
            positions.first = positions.first.max(next(Some(upto)));
            let first = positions.first;
            positions.tail.purge(first);
        }
        let ops = vec![LogOp::PurgeTo(upto.index), set_log_id(PURGED, upto)];
        self.write(ops, None).await
    }
}
