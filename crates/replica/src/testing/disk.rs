//! Storage in memory that outlives the node that uses it.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use host::{
    LogEngine, Store,
    log::{LogError, LogOp},
    store::{StoreError, VALUE_MAX, Write},
};
use parking_lot::Mutex;

/// A log on a disk that never lies, until it is told to fail.
#[derive(Default)]
pub(crate) struct MemLog {
    groups: Mutex<HashMap<u64, Group>>,
    broken: AtomicBool,
    /// How many more reads of entries succeed, once that was set.
    readable: Mutex<Option<usize>>,
    barriers: AtomicUsize,
}

#[derive(Default)]
struct Group {
    entries: BTreeMap<u64, Vec<u8>>,
    meta: HashMap<&'static str, Vec<u8>>,
}

impl MemLog {
    /// From now on nothing can be written.
    pub(crate) fn break_down(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }

    /// After so many more reads no entry can be read.
    pub(crate) fn lose_entries_after(&self, reads: usize) {
        *self.readable.lock() = Some(reads);
    }

    /// How many batches were written.
    pub(crate) fn barriers(&self) -> usize {
        self.barriers.load(Ordering::SeqCst)
    }

    fn error(&self) -> LogError {
        LogError::Engine {
            path: "memory".into(),
            source: io::Error::other("the disk is broken"),
        }
    }
}

#[async_trait]
impl LogEngine for MemLog {
    async fn apply(&self, group: u64, ops: Vec<LogOp>) -> Result<(), LogError> {
        // Durable writes take a while; what comes meanwhile is queued.
        tokio::time::sleep(std::time::Duration::from_micros(300)).await;
        if self.broken.load(Ordering::SeqCst) {
            return Err(self.error());
        }
        self.barriers.fetch_add(1, Ordering::SeqCst);
        let mut groups = self.groups.lock();
        let group = groups.entry(group).or_default();
        for op in ops {
            match op {
                LogOp::Append { index, bytes } => {
                    group.entries.insert(index, bytes);
                }
                LogOp::TruncateFrom(from) => {
                    group.entries.split_off(&from);
                }
                LogOp::PurgeTo(to) => {
                    group.entries = group.entries.split_off(&(to + 1));
                }
                LogOp::SetMeta { key, bytes } => {
                    group.meta.insert(key, bytes);
                }
            }
        }
        Ok(())
    }

    async fn entries(
        &self,
        group: u64,
        from: u64,
        to: u64,
    ) -> Result<Vec<(u64, Vec<u8>)>, LogError> {
        if let Some(left) = self.readable.lock().as_mut() {
            *left = left.checked_sub(1).ok_or_else(|| self.error())?;
        }
        let groups = self.groups.lock();
        let Some(group) = groups.get(&group).filter(|_| from < to) else {
            return Ok(Vec::new());
        };
        let all = group.entries.range(from..to);
        Ok(all
            .zip(from..)
            .take_while(|((index, _), expected)| *index == expected)
            .map(|((index, bytes), _)| (*index, bytes.clone()))
            .collect())
    }

    async fn bounds(&self, group: u64) -> Result<Option<(u64, u64)>, LogError> {
        let groups = self.groups.lock();
        let entries = groups.get(&group).map(|g| &g.entries);
        let first = entries.and_then(|e| e.keys().next().copied());
        let last = entries.and_then(|e| e.keys().next_back().copied());
        Ok(first.zip(last))
    }

    async fn meta(&self, group: u64, key: &'static str) -> Result<Option<Vec<u8>>, LogError> {
        let groups = self.groups.lock();
        Ok(groups.get(&group).and_then(|g| g.meta.get(key).cloned()))
    }
}

type Tables = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

/// A store that forgets what was not flushed when its node dies, and can stop in the middle of something.
#[derive(Default)]
pub(crate) struct MemStore {
    inner: Mutex<Inner>,
    /// Set from outside: how many writes a replacement of a table may do.
    armed: Mutex<Option<usize>>,
    /// How many more writes succeed; the next one hangs for ever.
    budget: Mutex<Option<usize>>,
}

#[derive(Default)]
struct Inner {
    now: Tables,
    flushed: Tables,
    /// What was applied since the last flush, in order.
    since: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Batch(String, Vec<Write>),
    Clear(String),
}

fn change(tables: &mut Tables, change: &Change) {
    match change {
        Change::Clear(table) => {
            tables.remove(table);
        }
        Change::Batch(table, batch) => {
            let table = tables.entry(table.clone()).or_default();
            for write in batch {
                match write {
                    Write::Put { key, value } => {
                        table.insert(key.clone(), value.clone());
                    }
                    Write::Delete { key } => {
                        table.remove(key);
                    }
                }
            }
        }
    }
}

impl MemStore {
    /// What a crash leaves: what was flushed, and the first `kept` of the later changes.
    pub(crate) fn crash(&self, kept: usize) {
        let mut inner = self.inner.lock();
        let mut tables = std::mem::take(&mut inner.flushed);
        for later in inner.since.drain(..).take(kept).collect::<Vec<_>>() {
            change(&mut tables, &later);
        }
        inner.flushed = tables.clone();
        inner.now = tables;
        *self.budget.lock() = None;
    }

    /// The next time that a table is replaced, so many writes of that succeed; the next one hangs until the node is killed.
    pub(crate) fn hang_in_replacement(&self, writes: usize) {
        *self.armed.lock() = Some(writes);
    }

    /// Whether a write hangs.
    pub(crate) fn hangs(&self) -> bool {
        *self.budget.lock() == Some(0)
    }

    /// Changes since the last flush.
    pub(crate) fn unflushed(&self) -> usize {
        self.inner.lock().since.len()
    }

    /// Takes everything away, as a wiped disk.
    pub(crate) fn wipe(&self) {
        *self.inner.lock() = Inner::default();
    }

    async fn add(&self, new: Change) {
        let begins = matches!(&new, Change::Batch(_, batch) if batch.as_slice() == [Write::Delete { key: b"h".to_vec() }]);
        if let Some(writes) = begins.then(|| self.armed.lock().take()).flatten() {
            *self.budget.lock() = Some(writes);
        }
        let exhausted = {
            let mut budget = self.budget.lock();
            match budget.as_mut() {
                Some(0) => true,
                Some(left) => {
                    *left -= 1;
                    false
                }
                None => false,
            }
        };
        if exhausted {
            std::future::pending::<()>().await;
        }
        let mut inner = self.inner.lock();
        change(&mut inner.now, &new);
        inner.since.push(new);
    }
}

#[async_trait]
impl Store for MemStore {
    async fn apply(&self, table: &str, batch: Vec<Write>) -> Result<(), StoreError> {
        for write in &batch {
            match write {
                Write::Put { value, .. } if value.len() > VALUE_MAX => {
                    return Err(StoreError::ValueTooLarge(value.len()));
                }
                Write::Put { .. } | Write::Delete { .. } => {}
            }
        }
        self.add(Change::Batch(table.to_owned(), batch)).await;
        Ok(())
    }

    async fn clear(&self, table: &str) -> Result<(), StoreError> {
        self.add(Change::Clear(table.to_owned())).await;
        Ok(())
    }

    async fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let inner = self.inner.lock();
        Ok(inner.now.get(table).and_then(|t| t.get(key).cloned()))
    }

    async fn range(
        &self,
        table: &str,
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let inner = self.inner.lock();
        let Some(table) = inner.now.get(table) else {
            return Ok(Vec::new());
        };
        let range = (Bound::Included(from), Bound::Unbounded);
        let records = table.range::<[u8], _>(range).take(limit);
        Ok(records.map(|(k, v)| (k.clone(), v.clone())).collect())
    }

    async fn flush(&self) -> Result<(), StoreError> {
        let mut inner = self.inner.lock();
        inner.flushed = inner.now.clone();
        inner.since.clear();
        Ok(())
    }
}

/// Both, as a node's data directory.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub(crate) log: Arc<MemLog>,
    pub(crate) store: Arc<MemStore>,
}
