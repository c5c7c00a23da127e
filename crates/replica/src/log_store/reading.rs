//! Reading entries: the end of the log from memory, the rest from the engine.

use std::{
    io,
    ops::{Bound, RangeBounds},
};

use super::{LogStore, next};
use crate::{
    types::{Entry, Payload},
    wire,
};

/// How often a read is repeated that raced with a truncation. The log is truncated once a term at most.
const ATTEMPTS: usize = 8;

impl LogStore {
    /// All entries in `from..to` that the log has.
    pub(super) async fn read(&self, from: u64, to: u64) -> io::Result<Vec<Entry>> {
        for _ in 0..ATTEMPTS {
            let (from, to, tail_first, tail) = {
                let positions = self.shared.positions.read();
                let from = from.max(positions.first);
                let to = to.min(next(positions.last));
                let tail: Vec<Entry> = positions.tail.range(from, to).cloned().collect();
                (from, to, positions.tail.first().min(to), tail)
            };
            let mut entries = self.read_engine(from, tail_first).await?;
            entries.extend(tail);
            if entries
                .iter()
                .map(|entry| entry.log_id.index)
                .eq(from..to.max(from))
            {
                return Ok(entries);
            }
            // The log was truncated or purged between the two reads: look again.
            tokio::task::yield_now().await;
        }
        Err(self
            .shared
            .damaged(format!("the log has a hole between {from} and {to}")))
    }

    async fn read_engine(&self, from: u64, to: u64) -> io::Result<Vec<Entry>> {
        if from >= to {
            return Ok(Vec::new());
        }
        let shared = &self.shared;
        let read = shared.engine.entries(shared.group, from, to).await;
        let read = read.map_err(|e| shared.fail(e))?;
        read.into_iter()
            .map(|(index, bytes)| {
                wire::decode_entry(&bytes)
                    .map_err(|e| shared.damaged(format!("entry {index}: {e}")))
            })
            .collect()
    }
}

/// A range as a half-open interval.
pub(super) fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let from = match range.start_bound() {
        Bound::Included(from) => *from,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let to = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(to) => *to,
        Bound::Unbounded => u64::MAX,
    };
    (from, to)
}

/// How many of the entries fit into a message of so many bytes; at least one.
pub(super) fn fitting(entries: &[Entry], bytes_max: usize) -> usize {
    let mut bytes = 0_usize;
    let fits = |entry: &&Entry| {
        bytes = bytes.saturating_add(match &entry.payload {
            Payload::Normal(command) => command.0.len(),
            Payload::Blank | Payload::Membership(_) => 0,
        });
        bytes <= bytes_max
    };
    entries.iter().take_while(fits).count().max(1)
}
