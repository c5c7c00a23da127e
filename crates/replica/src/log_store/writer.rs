//! The one task that writes a group's log.

use std::{io, sync::Arc, time::Duration};

use host::log::LogOp;
use openraft::storage::IOFlushed;
use tokio::sync::{mpsc, oneshot, watch};

use super::{COMMITTED, QUEUE, Shared, set_log_id};
use crate::{failure::Failed, types::Types};

/// A batch of so many changes shows that many callers write at once.
const CROWD: usize = 6;
/// How long a batch then waits for more of them: a barrier costs the disk and the processor the same for many as for few.
const LINGER: Duration = Duration::from_millis(1);

/// One change of the log.
pub(super) struct Job {
    pub(super) ops: Vec<LogOp>,
    /// Once this is written, entries below this index are durable and those from it on are gone or new.
    pub(super) durable_below: Option<u64>,
    pub(super) done: Done,
}

/// Who is told when it is durable.
pub(super) enum Done {
    Callback(IOFlushed<Types>),
    Waiter(oneshot::Sender<io::Result<()>>),
}

impl Done {
    fn tell(self, result: io::Result<()>) {
        match self {
            Self::Callback(callback) => callback.io_completed(result),
            // Nobody waits any more: the caller was cancelled.
            Self::Waiter(waiter) => drop(waiter.send(result)),
        }
    }
}

/// Writes jobs in order, all that wait as one batch, until the queue is closed. After an error every job fails.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut jobs: mpsc::Receiver<Job>,
    ended: watch::Sender<bool>,
) {
    let mut batch: Vec<Job> = Vec::new();
    let mut is_crowded = false;
    while jobs.recv_many(&mut batch, QUEUE).await > 0 {
        // Votes and truncations have somebody who waits; they come when there is nothing to gather for.
        if is_crowded
            && batch
                .iter()
                .all(|job| matches!(job.done, Done::Callback(_)))
        {
            tokio::time::sleep(LINGER).await;
            while batch.len() < QUEUE
                && let Ok(job) = jobs.try_recv()
            {
                batch.push(job);
            }
        }
        let mut ops: Vec<LogOp> = Vec::new();
        for job in &mut batch {
            ops.append(&mut job.ops);
        }
        is_crowded = ops.len() >= CROWD;
        ops.extend(committed(&shared));
        let result = match shared.failed.get() {
            Some(fatal) => Err(io::Error::other(fatal)),
            None if ops.is_empty() => Ok(()),
            None => {
                let written = shared.engine.apply(shared.group, ops).await;
                written.map_err(|e| shared.fail(e))
            }
        };
        if result.is_ok() {
            let mut positions = shared.positions.write();
            for durable_below in batch.iter().filter_map(|job| job.durable_below) {
                positions.tail.set_durable_below(durable_below);
            }
        }
        for job in batch.drain(..) {
            job.done.tell(match &result {
                Ok(()) => Ok(()),
                Err(_) => Err(repeat(&shared.failed)),
            });
        }
    }
    // Whoever waits for it may be gone.
    ended.send_replace(true);
}

/// The commit index, if it has changed since it was last written.
fn committed(shared: &Shared) -> Option<LogOp> {
    let mut positions = shared.positions.write();
    if !std::mem::take(&mut positions.committed_is_dirty) {
        return None;
    }
    positions.committed.map(|id| set_log_id(COMMITTED, id))
}

fn repeat(failed: &Failed) -> io::Error {
    failed.get().map_or_else(super::closed, io::Error::other)
}
