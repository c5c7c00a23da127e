//! The Raft log in one redb file.
//!
//! One thread writes. It takes whatever is queued, applies it as one transaction, and answers all callers after its one
//! `fdatasync`; so the barrier is paid once however many groups and callers there are. Every record carries a CRC-32 of its
//! key and bytes above the engine's own checks. The first error of the engine is the last thing this log does: what a disk
//! holds after a failed sync is unknown, and asking again could be answered with a lie.

use std::{io, ops::ControlFlow, path::Path, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;
use redb::{Database, DatabaseError, ReadableDatabase, TableDefinition};
use tokio::sync::{mpsc, oneshot};

use super::{LogEngine, LogError, LogOp};
use crate::disk;

/// Batches that may wait for the writer; more callers wait for room.
const QUEUE: usize = 1024;
/// Batches under one barrier at most.
const BARRIER_BATCHES_MAX: usize = 1024;
/// Bytes under one barrier at most, give or take the last batch.
const BARRIER_BYTES_MAX: usize = 8 << 20;
/// Memory for pages; the recent tail of every group stays in it.
const CACHE_BYTES: usize = 16 << 20;

/// Key: group and index, big endian.
const ENTRIES: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("entries");
/// Key: group, big endian, and name.
const META: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");

/// The log of all groups of a node, in one file.
///
/// A batch whose caller goes away while it waits is applied all the same.
pub struct RedbLog {
    engine: Arc<Engine>,
    queue: mpsc::Sender<Request>,
}

struct Request {
    group: u64,
    ops: Vec<LogOp>,
    done: oneshot::Sender<Result<(), LogError>>,
}

struct Engine {
    path: String,
    database: Database,
    poison: Mutex<Option<Poison>>,
}

/// Why the log is dead, in a form that every later caller can be given.
#[derive(Clone)]
enum Poison {
    Engine(io::ErrorKind, String),
    Damaged(String),
}

impl RedbLog {
    /// Opens the log in a directory, which is created if need be. Waits some seconds for the lock of a process that has
    /// just died.
    ///
    /// # Errors
    /// [`LogError::Engine`] if the file cannot be created, opened or repaired.
    pub async fn open(directory: &Path) -> Result<Self, LogError> {
        let path = directory.join("raft.redb");
        let text = path.display().to_string();
        let database = disk::blocking(move || disk::guarded(|| open_file(&path)))
            .await
            .map_err(|source| LogError::Engine {
                path: text.clone(),
                source,
            })?;
        Self::start(database, text)
    }

    fn start(database: Database, path: String) -> Result<Self, LogError> {
        let engine = Arc::new(Engine {
            path,
            database,
            poison: Mutex::new(None),
        });
        let (queue, requests) = mpsc::channel(QUEUE);
        let writer = engine.clone();
        std::thread::Builder::new()
            .name("raft-log".to_owned())
            .spawn(move || write_until_closed(&writer, requests))
            .map_err(|source| engine.fail(&source))?;
        Ok(Self { engine, queue })
    }

    /// Runs a read where it may block.
    async fn read<T, F>(&self, read: F) -> Result<T, LogError>
    where
        T: Send + 'static,
        F: FnOnce(&Engine) -> Result<T, ReadError> + Send + 'static,
    {
        self.engine.check()?;
        let engine = self.engine.clone();
        let outcome = disk::blocking(move || {
            disk::guarded(|| match read(&engine) {
                Ok(value) => Ok(Ok(value)),
                Err(ReadError::Damaged(what)) => Ok(Err(what)),
                Err(ReadError::Engine(source)) => Err(source),
            })
        })
        .await;
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(what)) => Err(self.engine.poison(&Poison::Damaged(what))),
            Err(source) => Err(self.engine.fail(&source)),
        }
    }
}

#[async_trait]
impl LogEngine for RedbLog {
    async fn apply(&self, group: u64, ops: Vec<LogOp>) -> Result<(), LogError> {
        self.engine.check()?;
        let (done, answer) = oneshot::channel();
        let request = Request { group, ops, done };
        let gone = || {
            self.engine
                .fail(&io::Error::other("the writer thread ended"))
        };
        // Unconstrained: a call keeps its place in the order even where its task has used up its turn.
        tokio::task::unconstrained(self.queue.send(request))
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
        self.read(move |engine| engine.entries(group, from, to))
            .await
    }

    async fn bounds(&self, group: u64) -> Result<Option<(u64, u64)>, LogError> {
        self.read(move |engine| engine.bounds(group)).await
    }

    async fn meta(&self, group: u64, key: &'static str) -> Result<Option<Vec<u8>>, LogError> {
        self.read(move |engine| engine.meta(group, key)).await
    }
}

fn write_until_closed(engine: &Engine, mut requests: mpsc::Receiver<Request>) {
    while let Some(first) = requests.blocking_recv() {
        let mut bytes = size_of_batch(&first.ops);
        let mut batches = vec![first];
        while bytes < BARRIER_BYTES_MAX && batches.len() < BARRIER_BATCHES_MAX {
            let Ok(next) = requests.try_recv() else { break };
            bytes += size_of_batch(&next.ops);
            batches.push(next);
        }
        let outcome = match engine.check() {
            Ok(()) => disk::guarded(|| engine.commit(&batches)).map_err(|e| engine.fail(&e)),
            Err(poisoned) => Err(poisoned),
        };
        for batch in batches {
            let answer = match &outcome {
                Ok(()) => Ok(()),
                Err(_) => engine.check(),
            };
            // A caller that went away needs no answer.
            let _ = batch.done.send(answer);
        }
    }
}

fn size_of_batch(ops: &[LogOp]) -> usize {
    ops.iter()
        .map(|op| match op {
            LogOp::Append { bytes, .. } | LogOp::SetMeta { bytes, .. } => bytes.len(),
            LogOp::TruncateFrom(_) | LogOp::PurgeTo(_) => 0,
        })
        .sum()
}

enum ReadError {
    Engine(io::Error),
    Damaged(String),
}

impl<E: Into<redb::Error>> From<E> for ReadError {
    fn from(error: E) -> Self {
        Self::Engine(as_io(error))
    }
}

impl Engine {
    fn commit(&self, batches: &[Request]) -> io::Result<()> {
        if batches.iter().all(|b| b.ops.is_empty()) {
            return Ok(());
        }
        // The default durability of a transaction is a sync of the file before `commit` returns.
        let transaction = self.database.begin_write().map_err(as_io)?;
        {
            let mut entries = transaction.open_table(ENTRIES).map_err(as_io)?;
            let mut meta = transaction.open_table(META).map_err(as_io)?;
            for batch in batches {
                for op in &batch.ops {
                    write(&mut entries, &mut meta, batch.group, op).map_err(as_io)?;
                }
            }
        }
        transaction.commit().map_err(as_io)
    }

    fn entries(&self, group: u64, from: u64, to: u64) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let table = self.database.begin_read()?.open_table(ENTRIES)?;
        let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
        for record in table.range::<&[u8; 16]>(&entry_key(group, from)..&entry_key(group, to))? {
            let (key, sealed) = record?;
            let index = index_of(key.value());
            if found.last().is_some_and(|(last, _)| last + 1 != index) {
                break;
            }
            let bytes = unseal(key.value(), sealed.value())
                .ok_or_else(|| ReadError::Damaged(format!("entry {index} of group {group}")))?;
            found.push((index, bytes));
        }
        Ok(found)
    }

    fn bounds(&self, group: u64) -> Result<Option<(u64, u64)>, ReadError> {
        let table = self.database.begin_read()?.open_table(ENTRIES)?;
        let mut range =
            table.range::<&[u8; 16]>(&entry_key(group, 0)..=&entry_key(group, u64::MAX))?;
        let Some(first) = range.next() else {
            return Ok(None);
        };
        let first = index_of(first?.0.value());
        let last = match range.next_back() {
            Some(last) => index_of(last?.0.value()),
            None => first,
        };
        Ok(Some((first, last)))
    }

    fn meta(&self, group: u64, name: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let table = self.database.begin_read()?.open_table(META)?;
        let key = meta_key(group, name);
        let Some(sealed) = table.get(key.as_slice())? else {
            return Ok(None);
        };
        match unseal(&key, sealed.value()) {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(ReadError::Damaged(format!(
                "record {name} of group {group}"
            ))),
        }
    }

    /// The error of a dead log.
    fn check(&self) -> Result<(), LogError> {
        match &*self.poison.lock() {
            Some(poison) => Err(self.error(poison)),
            None => Ok(()),
        }
    }

    fn fail(&self, source: &io::Error) -> LogError {
        self.poison(&Poison::Engine(source.kind(), source.to_string()))
    }

    /// Kills the log; the first reason stays.
    fn poison(&self, reason: &Poison) -> LogError {
        let mut slot = self.poison.lock();
        let poison = slot.get_or_insert_with(|| reason.clone());
        self.error(poison)
    }

    fn error(&self, poison: &Poison) -> LogError {
        let path = self.path.clone();
        match poison {
            Poison::Engine(kind, text) => LogError::Engine {
                path,
                source: io::Error::new(*kind, text.clone()),
            },
            Poison::Damaged(what) => LogError::Damaged {
                path,
                what: what.clone(),
            },
        }
    }
}

fn write(
    entries: &mut redb::Table<'_, &'static [u8; 16], &'static [u8]>,
    meta: &mut redb::Table<'_, &'static [u8], &'static [u8]>,
    group: u64,
    op: &LogOp,
) -> Result<(), redb::StorageError> {
    match op {
        LogOp::Append { index, bytes } => {
            let key = entry_key(group, *index);
            entries.insert(&key, seal(&key, bytes).as_slice())?;
        }
        LogOp::TruncateFrom(index) => {
            let (from, to) = (entry_key(group, *index), entry_key(group, u64::MAX));
            entries.retain_in::<&[u8; 16], _>(&from..=&to, |_, _| false)?;
        }
        LogOp::PurgeTo(index) => {
            let (from, to) = (entry_key(group, 0), entry_key(group, *index));
            entries.retain_in::<&[u8; 16], _>(&from..=&to, |_, _| false)?;
        }
        LogOp::SetMeta { key, bytes } => {
            let key = meta_key(group, key);
            meta.insert(key.as_slice(), seal(&key, bytes).as_slice())?;
        }
    }
    Ok(())
}

fn entry_key(group: u64, index: u64) -> [u8; 16] {
    ((u128::from(group) << 64) | u128::from(index)).to_be_bytes()
}

fn index_of(key: &[u8; 16]) -> u64 {
    key.last_chunk::<8>()
        .map_or(0, |tail| u64::from_be_bytes(*tail))
}

fn meta_key(group: u64, name: &str) -> Vec<u8> {
    [&group.to_be_bytes(), name.as_bytes()].concat()
}

/// A record as it is stored: CRC-32 of key and bytes, then the bytes. The key is in it so that a record which turns up
/// under another key is noticed too.
fn seal(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(4 + bytes.len());
    sealed.extend_from_slice(&checksum(key, bytes).to_be_bytes());
    sealed.extend_from_slice(bytes);
    sealed
}

fn unseal(key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (sum, bytes) = sealed.split_first_chunk::<4>()?;
    (u32::from_be_bytes(*sum) == checksum(key, bytes)).then(|| bytes.to_vec())
}

fn checksum(key: &[u8], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(bytes);
    hasher.finalize()
}

fn open_file(path: &Path) -> io::Result<Database> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    disk::create_directory(directory)?;
    if path.try_exists()? {
        // Whoever made it may have ended before its name was on disk.
        disk::sync_directory(directory)?;
    } else {
        create_file(path, directory)?;
    }
    for _ in 1..disk::LOCK_ATTEMPTS {
        match attempt(path)? {
            ControlFlow::Break(database) => return Ok(database),
            ControlFlow::Continue(()) => std::thread::sleep(disk::LOCK_PAUSE),
        }
    }
    match attempt(path)? {
        ControlFlow::Break(database) => Ok(database),
        ControlFlow::Continue(()) => Err(io::Error::new(
            io::ErrorKind::WouldBlock,
            "another process has it open",
        )),
    }
}

fn attempt(path: &Path) -> io::Result<ControlFlow<Database>> {
    match Database::builder().set_cache_size(CACHE_BYTES).open(path) {
        Ok(database) => Ok(ControlFlow::Break(database)),
        Err(DatabaseError::DatabaseAlreadyOpen) => Ok(ControlFlow::Continue(())),
        Err(other) => Err(as_io(other)),
    }
}

/// Makes the file under another name first: a crash in the middle must not leave a file that can never be opened.
fn create_file(path: &Path, directory: &Path) -> io::Result<()> {
    let unfinished: PathBuf = path.with_extension("new");
    match std::fs::remove_file(&unfinished) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let database = Database::create(&unfinished).map_err(as_io)?;
    create_tables(&database)?;
    database.close().map_err(as_io)?;
    std::fs::File::open(&unfinished)?.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    disk::sync_directory(directory)
}

fn create_tables(database: &Database) -> io::Result<()> {
    let transaction = database.begin_write().map_err(as_io)?;
    transaction.open_table(ENTRIES).map_err(as_io)?;
    transaction.open_table(META).map_err(as_io)?;
    transaction.commit().map_err(as_io)
}

fn as_io(error: impl Into<redb::Error>) -> io::Error {
    match error.into() {
        redb::Error::Io(io) => io,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests;
