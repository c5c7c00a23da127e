//! The Raft log of a simulated disk.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    sync::Arc,
};

use async_trait::async_trait;
use host::{
    Entropy, LogEngine, Tasks,
    log::{LogError, LogOp},
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

/// Batches that may wait for the writer, and batches under one barrier at most.
const QUEUE: usize = 1024;

/// What lies on the disk.
#[derive(Default)]
pub(super) struct LogArea {
    groups: BTreeMap<u64, Group>,
    /// Batches under way, or of unknown fate since an operation failed.
    journal: Journal<Batch>,
}

#[derive(Default)]
struct Group {
    entries: BTreeMap<u64, Sealed>,
    meta: BTreeMap<&'static str, Sealed>,
}

#[derive(Debug)]
struct Batch {
    group: u64,
    ops: Vec<LogOp>,
}

impl LogArea {
    pub(super) fn crash(&mut self, loss: Loss, fate: &dyn Entropy) -> Lost {
        let (read, lost) = self.journal.crash(loss, fate);
        for batch in read {
            self.apply(batch);
        }
        lost
    }

    pub(super) fn flip(&mut self, fate: &dyn Entropy) {
        let records = self
            .groups
            .values_mut()
            .flat_map(|g| g.entries.values_mut().chain(g.meta.values_mut()));
        let mut records: Vec<&mut Sealed> = records.collect();
        if let Some(record) = pick(&mut records, fate) {
            record.flip(fate);
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let groups = self.groups.values();
        groups
            .flat_map(|g| g.entries.values().chain(g.meta.values()))
            .map(Sealed::len)
            .sum()
    }

    /// The barrier is behind it: what was under way is on the disk.
    fn synced(&mut self) {
        for batch in self.journal.take(usize::MAX) {
            self.apply(batch);
        }
    }

    fn apply(&mut self, Batch { group, ops }: Batch) {
        let to = self.groups.entry(group).or_default();
        for op in ops {
            match op {
                LogOp::Append { index, bytes } => {
                    let sealed = Sealed::new((group, index), bytes);
                    to.entries.insert(index, sealed);
                }
                LogOp::TruncateFrom(index) => drop(to.entries.split_off(&index)),
                LogOp::PurgeTo(index) => {
                    to.entries = match index.checked_add(1) {
                        Some(first) => to.entries.split_off(&first),
                        None => BTreeMap::new(),
                    };
                }
                LogOp::SetMeta { key, bytes } => {
                    to.meta.insert(key, Sealed::new((group, key), bytes));
                }
            }
        }
    }

    /// The entries of a range up to the first hole; the name of the record if one of them is damaged.
    fn entries(&self, group: u64, from: u64, to: u64) -> Result<Vec<(u64, Vec<u8>)>, String> {
        let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
        let Some(log) = self.groups.get(&group).filter(|_| from < to) else {
            return Ok(found);
        };
        for (index, sealed) in log.entries.range(from..to) {
            if found.last().is_some_and(|(last, _)| last + 1 != *index) {
                break;
            }
            let bytes = sealed
                .open((group, *index))
                .ok_or_else(|| format!("entry {index} of group {group}"))?;
            found.push((*index, bytes));
        }
        Ok(found)
    }

    fn bounds(&self, group: u64) -> Option<(u64, u64)> {
        let entries = &self.groups.get(&group)?.entries;
        Some((*entries.first_key_value()?.0, *entries.last_key_value()?.0))
    }

    fn meta(&self, group: u64, key: &'static str) -> Result<Option<Vec<u8>>, String> {
        let Some(sealed) = self.groups.get(&group).and_then(|g| g.meta.get(key)) else {
            return Ok(None);
        };
        let bytes = sealed.open((group, key));
        bytes
            .map(Some)
            .ok_or_else(|| format!("record {key} of group {group}"))
    }
}

impl Record for Batch {
    fn checksum(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.group, self.ops.len()).hash(&mut hasher);
        for op in &self.ops {
            match op {
                LogOp::Append { index, bytes } => (0, index, bytes).hash(&mut hasher),
                LogOp::TruncateFrom(index) => (1, index).hash(&mut hasher),
                LogOp::PurgeTo(index) => (2, index).hash(&mut hasher),
                LogOp::SetMeta { key, bytes } => (3, key, bytes).hash(&mut hasher),
            }
        }
        hasher.finish()
    }

    fn tear(&mut self, fate: &dyn Entropy) {
        match self.ops.last_mut() {
            Some(LogOp::Append { bytes, .. } | LogOp::SetMeta { bytes, .. })
                if !bytes.is_empty() && fate.below(2) == 0 =>
            {
                bytes.pop();
            }
            Some(_) | None => drop(self.ops.pop()),
        }
    }
}

/// One of them, each as likely as the others.
pub(super) fn pick<'a, T>(all: &'a mut [T], fate: &dyn Entropy) -> Option<&'a mut T> {
    let count = u64::try_from(all.len()).unwrap_or(u64::MAX);
    all.get_mut(usize::try_from(fate.below(count)).ok()?)
}

/// The port, for one life.
pub(super) struct SimLog {
    engine: Arc<Engine>,
    queue: mpsc::Sender<Request>,
}

struct Engine {
    life: Life,
    poison: Poison,
}

struct Request {
    batch: Batch,
    done: oneshot::Sender<Result<(), LogError>>,
}

impl SimLog {
    pub(super) fn start(life: Life) -> Self {
        let poison = Poison::default();
        let engine = Arc::new(Engine { life, poison });
        let (queue, requests) = mpsc::channel(QUEUE);
        let writer = write_until_closed(engine.clone(), requests);
        Tasks::in_place().spawn(Kind::Lasting, "simulated log", writer);
        Self { engine, queue }
    }

    async fn read<T>(
        &self,
        read: impl FnOnce(&LogArea) -> Result<T, String>,
    ) -> Result<T, LogError> {
        let engine = &self.engine;
        engine.poison.check().map_err(|r| engine.error(r))?;
        if let Err(error) = engine.life.operate(Op::Read, 0).await {
            return Err(engine.fail(Reason::failed(&error)));
        }
        let outcome = engine.life.with(|state| read(&state.log)).await;
        outcome.map_err(|what| {
            engine.life.found_flip();
            engine.fail(Reason::Damaged(what))
        })
    }
}

#[async_trait]
impl LogEngine for SimLog {
    async fn apply(&self, group: u64, ops: Vec<LogOp>) -> Result<(), LogError> {
        let engine = &self.engine;
        engine.poison.check().map_err(|r| engine.error(r))?;
        let (done, answer) = oneshot::channel();
        let batch = Batch { group, ops };
        let gone = || {
            let error = io::Error::other("the writer ended");
            engine.fail(Reason::failed(&error))
        };
        // Unconstrained: a call keeps its place in the order even where its task has used up its turn.
        tokio::task::unconstrained(self.queue.send(Request { batch, done }))
            .await
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn entries(
        &self,
        group: u64,
        from: u64,
        to: u64,
    ) -> Result<Vec<(u64, Vec<u8>)>, LogError> {
        self.read(|log| log.entries(group, from, to)).await
    }

    async fn bounds(&self, group: u64) -> Result<Option<(u64, u64)>, LogError> {
        self.read(|log| Ok(log.bounds(group))).await
    }

    async fn meta(&self, group: u64, key: &'static str) -> Result<Option<Vec<u8>>, LogError> {
        self.read(|log| log.meta(group, key)).await
    }
}

/// Takes what waits, writes it under one barrier and answers all. What is queued when the last handle goes is still written.
async fn write_until_closed(engine: Arc<Engine>, mut requests: mpsc::Receiver<Request>) {
    let mut waiting = Vec::new();
    while requests.recv_many(&mut waiting, QUEUE).await > 0 {
        let (batches, callers): (Vec<_>, Vec<_>) =
            waiting.drain(..).map(|r| (r.batch, r.done)).unzip();
        let outcome = match engine.poison.check() {
            Ok(()) => engine.commit(batches).await,
            Err(reason) => Err(reason),
        };
        for caller in callers {
            let answer = outcome.clone().map_err(|reason| engine.error(reason));
            // A caller that went away needs no answer.
            let _ = caller.send(answer);
        }
    }
}

impl Engine {
    async fn commit(&self, batches: Vec<Batch>) -> Result<(), Reason> {
        if batches.iter().all(|batch| batch.ops.is_empty()) {
            return Ok(());
        }
        let bytes = batches.iter().map(Batch::bytes).sum();
        self.life
            .with(|state| batches.into_iter().for_each(|b| state.log.journal.push(b)))
            .await;
        match self.life.operate(Op::Sync, bytes).await {
            Ok(()) => {
                self.life.with(|state| state.log.synced()).await;
                Ok(())
            }
            Err(error) => Err(self.poison.set(Reason::failed(&error))),
        }
    }

    fn fail(&self, reason: Reason) -> LogError {
        self.error(self.poison.set(reason))
    }

    fn error(&self, reason: Reason) -> LogError {
        let path = self.life.path("log/raft");
        match reason {
            Reason::Failed(kind, text) => LogError::Engine {
                path,
                source: io::Error::new(kind, text),
            },
            Reason::Damaged(what) => LogError::Damaged { path, what },
        }
    }
}

impl Batch {
    fn bytes(&self) -> u64 {
        let sizes = self.ops.iter().map(|op| match op {
            LogOp::Append { bytes, .. } | LogOp::SetMeta { bytes, .. } => bytes.len(),
            LogOp::TruncateFrom(_) | LogOp::PurgeTo(_) => 0,
        });
        sizes.map(|s| u64::try_from(s).unwrap_or(u64::MAX)).sum()
    }
}
