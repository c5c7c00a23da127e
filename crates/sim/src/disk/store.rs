//! The tables of a simulated disk.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    sync::Arc,
};

use async_trait::async_trait;
use host::{
    Entropy, Store, Tasks,
    store::{StoreError, VALUE_MAX, Write},
    task::Kind,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    Loss,
    faults::Op,
    journal::{Journal, Lost, Record},
    life::{Life, Poison, Reason},
    sealed::Sealed,
};

/// Writes that may wait for the writer.
const QUEUE: usize = 1024;
/// Records taken away under one batch when a table is cleared.
const CLEAR_STEP: usize = 256;
/// Unsynced batches of a table, above which the older half is written out unasked.
const UNSYNCED_MAX: usize = 1024;

type Rows = BTreeMap<Vec<u8>, Sealed>;
type Records = Vec<(Vec<u8>, Vec<u8>)>;

/// Of so many losses of power in the middle of a write, one leaves what the engine does not open.
const DAMAGED_ONE_IN: u64 = 4;

/// What lies on the disk, and what its process sees of it.
#[derive(Default)]
pub(super) struct StoreArea {
    tables: BTreeMap<String, Table>,
    /// Whether the next process sets it aside.
    is_damaged: bool,
}

#[derive(Default)]
struct Table {
    durable: Rows,
    /// `durable` and everything unsynced.
    visible: Rows,
    unsynced: Journal<Batch>,
}

#[derive(Clone, Debug)]
struct Batch(Vec<Write>);

impl StoreArea {
    pub(super) fn crash(&mut self, loss: Loss, fate: &dyn Entropy) -> Lost {
        let mut lost = Lost::default();
        let is_written = self.tables.values().any(|table| table.unsynced.len() > 0);
        if loss == Loss::Power && is_written && fate.below(DAMAGED_ONE_IN) == 0 {
            self.is_damaged = true;
        }
        for table in self.tables.values_mut() {
            let (read, of_table) = table.unsynced.crash(loss, fate);
            for batch in read {
                batch.apply(&mut table.durable);
            }
            table.visible = table.durable.clone();
            lost += of_table;
        }
        lost
    }

    /// A read met something that it could not believe.
    pub(super) const fn found_damage(&mut self) {
        self.is_damaged = true;
    }

    /// Empties it if it is damaged, and tells whether it was.
    pub(super) fn begin_anew(&mut self) -> bool {
        let was_damaged = self.is_damaged;
        if was_damaged {
            *self = Self::default();
        }
        was_damaged
    }

    pub(super) fn flip(&mut self, fate: &dyn Entropy) {
        let counts = self.tables.values().map(|t| count(&t.visible));
        let mut left = fate.below(counts.sum());
        for table in self.tables.values_mut() {
            let here = count(&table.visible);
            if left >= here {
                left -= here;
                continue;
            }
            let at = usize::try_from(left).unwrap_or(usize::MAX);
            if let Some((key, row)) = table.visible.iter_mut().nth(at) {
                row.flip(fate);
                if let Some(durable) = table.durable.get_mut(key) {
                    *durable = row.clone();
                }
            }
            return;
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let rows = self.tables.values().flat_map(|t| &t.durable);
        rows.map(|(key, row)| size(key) + row.len()).sum()
    }

    fn apply(&mut self, table: String, batch: Batch) {
        let table = self.tables.entry(table).or_default();
        batch.clone().apply(&mut table.visible);
        table.unsynced.push(batch);
        if table.unsynced.len() > UNSYNCED_MAX {
            table.sync(UNSYNCED_MAX / 2);
        }
    }

    /// Many batches of removals, as a crash in the middle shows.
    fn clear(&mut self, table: &str) {
        let rows = self.tables.get(table).map(|t| &t.visible);
        let keys: Vec<Vec<u8>> = rows.into_iter().flatten().map(|(k, _)| k.clone()).collect();
        for step in keys.chunks(CLEAR_STEP) {
            let removals = step.iter().map(|key| Write::Delete { key: key.clone() });
            self.apply(table.to_owned(), Batch(removals.collect()));
        }
    }

    fn sync(&mut self) {
        for table in self.tables.values_mut() {
            table.sync(usize::MAX);
        }
    }

    fn unsynced_bytes(&self) -> u64 {
        let batches = self.tables.values().flat_map(|t| t.unsynced.records());
        batches.map(Batch::bytes).sum()
    }

    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let Some(row) = self.tables.get(table).and_then(|t| t.visible.get(key)) else {
            return Ok(None);
        };
        opened(table, key, row).map(Some)
    }

    fn range(&self, table: &str, from: &[u8], limit: usize) -> Result<Records, String> {
        let rows = self.tables.get(table).map(|t| &t.visible);
        rows.into_iter()
            .flat_map(|rows| rows.range(from.to_vec()..))
            .take(limit)
            .map(|(key, row)| Ok((key.clone(), opened(table, key, row)?)))
            .collect()
    }
}

impl Table {
    /// The oldest batches reach the disk.
    fn sync(&mut self, count: usize) {
        for batch in self.unsynced.take(count) {
            batch.apply(&mut self.durable);
        }
    }
}

fn opened(table: &str, key: &[u8], row: &Sealed) -> Result<Vec<u8>, String> {
    row.open(key).ok_or_else(|| {
        let key = String::from_utf8_lossy(key);
        format!("a record does not match its checksum: {key:?} of table {table}")
    })
}

fn count(rows: &Rows) -> u64 {
    u64::try_from(rows.len()).unwrap_or(u64::MAX)
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

impl Batch {
    fn apply(self, rows: &mut Rows) {
        for write in self.0 {
            match write {
                Write::Put { key, value } => {
                    let sealed = Sealed::new(key.as_slice(), value);
                    rows.insert(key, sealed);
                }
                Write::Delete { key } => drop(rows.remove(&key)),
            }
        }
    }

    fn bytes(&self) -> u64 {
        let sizes = self.0.iter().map(|write| match write {
            Write::Put { key, value } => size(key) + size(value),
            Write::Delete { key } => size(key),
        });
        sizes.sum()
    }
}

impl Record for Batch {
    fn checksum(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.len().hash(&mut hasher);
        for write in &self.0 {
            match write {
                Write::Put { key, value } => (0, key, value).hash(&mut hasher),
                Write::Delete { key } => (1, key).hash(&mut hasher),
            }
        }
        hasher.finish()
    }

    fn tear(&mut self, fate: &dyn Entropy) {
        match self.0.last_mut() {
            Some(Write::Put { value, .. }) if !value.is_empty() && fate.below(2) == 0 => {
                value.pop();
            }
            Some(_) | None => drop(self.0.pop()),
        }
    }
}

/// The port, for one life.
pub(super) struct SimStore {
    engine: Arc<Engine>,
    queue: mpsc::Sender<Request>,
}

struct Engine {
    life: Life,
    poison: Poison,
}

struct Request {
    work: Work,
    done: oneshot::Sender<Result<(), StoreError>>,
}

enum Work {
    Apply { table: String, batch: Batch },
    Clear { table: String },
    Flush,
}

impl SimStore {
    pub(super) fn start(life: Life) -> Self {
        let poison = Poison::default();
        let engine = Arc::new(Engine { life, poison });
        let (queue, requests) = mpsc::channel(QUEUE);
        let writer = write_until_closed(engine.clone(), requests);
        Tasks::in_place().spawn(Kind::Lasting, "simulated store", writer);
        Self { engine, queue }
    }

    async fn write(&self, work: Work) -> Result<(), StoreError> {
        let engine = &self.engine;
        engine.poison.check().map_err(|r| engine.error(r))?;
        let (done, answer) = oneshot::channel();
        let gone = || {
            let error = io::Error::other("the writer ended");
            engine.fail(Reason::failed(&error))
        };
        // Unconstrained: a call keeps its place in the order even where its task has used up its turn.
        tokio::task::unconstrained(self.queue.send(Request { work, done }))
            .await
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn read<T>(
        &self,
        read: impl FnOnce(&StoreArea) -> Result<T, String>,
    ) -> Result<T, StoreError> {
        let engine = &self.engine;
        engine.poison.check().map_err(|r| engine.error(r))?;
        if let Err(error) = engine.life.operate(Op::Read, 0).await {
            return Err(engine.fail(Reason::failed(&error)));
        }
        let outcome = engine.life.with(|state| read(&state.store)).await;
        outcome.map_err(|what| {
            engine.life.found_flip();
            engine.life.found_damaged_store();
            engine.fail(Reason::Damaged(what))
        })
    }
}

#[async_trait]
impl Store for SimStore {
    async fn apply(&self, table: &str, batch: Vec<Write>) -> Result<(), StoreError> {
        for write in &batch {
            match write {
                Write::Put { value, .. } if value.len() > VALUE_MAX => {
                    return Err(StoreError::ValueTooLarge(value.len()));
                }
                Write::Put { .. } | Write::Delete { .. } => {}
            }
        }
        let table = table.to_owned();
        let batch = Batch(batch);
        self.write(Work::Apply { table, batch }).await
    }

    async fn clear(&self, table: &str) -> Result<(), StoreError> {
        let table = table.to_owned();
        self.write(Work::Clear { table }).await
    }

    async fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|store| store.get(table, key)).await
    }

    async fn range(
        &self,
        table: &str,
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.read(|store| store.range(table, from, limit)).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.write(Work::Flush).await
    }
}

/// Writes one after the other. What is queued when the last handle goes is still written.
async fn write_until_closed(engine: Arc<Engine>, mut requests: mpsc::Receiver<Request>) {
    while let Some(Request { work, done }) = requests.recv().await {
        let outcome = match engine.poison.check() {
            Ok(()) => engine.run(work).await,
            Err(reason) => Err(reason),
        };
        // A caller that went away needs no answer.
        let _ = done.send(outcome.map_err(|reason| engine.error(reason)));
    }
}

impl Engine {
    async fn run(&self, work: Work) -> Result<(), Reason> {
        let (op, bytes) = match &work {
            Work::Apply { batch, .. } => (Op::Write, batch.bytes()),
            Work::Clear { .. } => (Op::Write, 0),
            Work::Flush => {
                let unsynced = self.life.with(|state| state.store.unsynced_bytes());
                (Op::Sync, unsynced.await)
            }
        };
        if let Err(error) = self.life.operate(op, bytes).await {
            return Err(self.poison.set(Reason::failed(&error)));
        }
        let done = self.life.with(|state| match work {
            Work::Apply { table, batch } => state.store.apply(table, batch),
            Work::Clear { table } => state.store.clear(&table),
            Work::Flush => state.store.sync(),
        });
        done.await;
        Ok(())
    }

    fn fail(&self, reason: Reason) -> StoreError {
        self.error(self.poison.set(reason))
    }

    fn error(&self, reason: Reason) -> StoreError {
        let path = self.life.path("store");
        match reason {
            Reason::Failed(kind, text) => StoreError::Engine {
                path,
                source: io::Error::new(kind, text),
            },
            Reason::Damaged(what) => StoreError::Damaged {
                path,
                source: io::Error::other(what),
            },
        }
    }
}
