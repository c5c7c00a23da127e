//! The entries at the end of the log that are in memory.

use std::collections::VecDeque;

use super::{TAIL_BYTES, TAIL_ENTRIES};
use crate::types::Entry;

/// Consecutive entries up to the last one of the log.
pub(super) struct Tail {
    /// The index of the first entry here, or of the next one to come.
    first: u64,
    entries: VecDeque<(Entry, usize)>,
    bytes: usize,
    /// Entries with smaller indices are durable.
    durable_below: u64,
}

impl Tail {
    /// An empty tail; the next entry will be `next`, and all before it are durable.
    pub(super) const fn new(next: u64) -> Self {
        Self {
            first: next,
            entries: VecDeque::new(),
            bytes: 0,
            durable_below: next,
        }
    }

    /// The first index that is in memory.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// Entries in `from..to`, as far as they are here.
    pub(super) fn range(&self, from: u64, to: u64) -> impl Iterator<Item = &Entry> {
        let skip = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let entries = self.entries.iter().skip(skip).map(|(entry, _)| entry);
        entries.take_while(move |entry| entry.log_id.index < to)
    }

    pub(super) fn push(&mut self, entry: Entry, bytes: usize) {
        if self.entries.is_empty() {
            self.first = entry.log_id.index;
        }
        self.entries.push_back((entry, bytes));
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Notes that all below an index is durable, and nothing from it on: what was there is gone or new.
    pub(super) const fn set_durable_below(&mut self, index: u64) {
        self.durable_below = index;
    }

    /// Drops durable entries from the front while there are too many.
    pub(super) fn evict(&mut self) {
        while (self.entries.len() > TAIL_ENTRIES || self.bytes > TAIL_BYTES)
            && self.first < self.durable_below
        {
            self.drop_first();
        }
    }

    /// Drops entries with this index or a greater one.
    pub(super) fn truncate(&mut self, from: u64) {
        while self
            .entries
            .back()
            .is_some_and(|(entry, _)| entry.log_id.index >= from)
        {
            if let Some((_, bytes)) = self.entries.pop_back() {
                self.bytes = self.bytes.saturating_sub(bytes);
            }
        }
        self.first = self.first.min(from);
    }

    /// Drops entries with smaller indices than `first`.
    pub(super) fn purge(&mut self, first: u64) {
        while self.first < first && !self.entries.is_empty() {
            self.drop_first();
        }
        self.first = self.first.max(first);
    }

    fn drop_first(&mut self) {
        if let Some((_, bytes)) = self.entries.pop_front() {
            self.bytes = self.bytes.saturating_sub(bytes);
            self.first = self.first.saturating_add(1);
        }
    }
}
