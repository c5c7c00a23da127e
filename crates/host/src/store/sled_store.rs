//! Tables in one sled database.
//!
//! One thread writes, in the order of the calls; reads go to the pool for blocking work. Nobody waits for a batch to be
//! written: the thread gathers what comes within a moment and writes it as one, each record once. Reads and flushes wait
//! until what was applied before them is written. sled syncs only when it is told to, and what it does then is not a barrier
//! against power loss; so a flush also syncs the file and its directory. The first error of the engine is the last thing
//! this store does: every later call is told of it.
//!
//! About one loss of power of four in the middle of a write leaves files that sled does not open. Nothing but copies is in
//! here, so [`SledStore::open_or_begin_anew`] sets such a store aside. One that opens and turns out to be damaged later is
//! noted as such, and set aside by the next process.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io, mem,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::Instant,
};

use super::{Store, StoreError, VALUE_MAX, Write};
use crate::disk;

/// In the directory of a store that opened and was found to be damaged after that.
const DAMAGED: &str = "damaged";

/// Bytes of batches that may wait for the writer, in units of [`ROOM_UNIT`]; more callers wait for room.
const ROOM: u32 = (32 << 20) / ROOM_UNIT;
/// Bytes.
const ROOM_UNIT: u32 = 1 << 10;
/// How long the writer waits for more batches once it has one.
const GATHER: Duration = Duration::from_millis(50);
/// Bytes of batches that are written as one, give or take the last of them.
const GATHER_BYTES: usize = 4 << 20;
/// Memory for pages.
const CACHE_BYTES: u64 = 8 << 20;
/// Records taken away under one batch when a table is cleared.
const CLEAR_STEP: usize = 1024;
/// In what sled says of a lock that somebody else holds.
const LOCKED: &str = "could not acquire lock";

/// The tables of a node, in one directory.
///
/// A write whose caller goes away while it waits is done all the same.
pub struct SledStore {
    engine: Arc<Engine>,
    /// What it holds is bounded by the room for batches, and by the callers who wait for all else.
    queue: mpsc::Sender<Work>,
    /// One permit for each [`ROOM_UNIT`] of batches that may wait.
    room: Arc<Semaphore>,
}

/// A damaged store that a new one took the place of.
#[derive(Debug)]
pub struct SetAside {
    /// Where it lies now; the next one takes its place.
    pub to: PathBuf,
    /// What is wrong with it.
    pub why: StoreError,
}

enum Work {
    /// Nobody waits for it.
    Apply(Batch),
    /// Somebody waits for it, and for all that came before it.
    Awaited(Step, oneshot::Sender<Result<(), StoreError>>),
}

struct Batch {
    table: String,
    writes: Vec<Write>,
    bytes: usize,
    _room: OwnedSemaphorePermit,
}

enum Step {
    Clear {
        table: String,
    },
    Flush,
    /// Nothing but what came before it.
    Catch,
}

struct Engine {
    directory: PathBuf,
    database: sled::Db,
    trees: Mutex<HashMap<String, sled::Tree>>,
    /// Held for reading over a range, so that it never sees half a batch.
    batch: RwLock<()>,
    poison: Mutex<Option<(io::ErrorKind, String)>>,
}

impl SledStore {
    /// Opens the tables in a directory, which is created if need be. Waits some seconds for the lock of a process that has
    /// just died.
    ///
    /// # Errors
    /// [`StoreError::Engine`] if the database cannot be created or opened, [`StoreError::Damaged`] if it cannot be recovered.
    pub async fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.to_owned();
        let failed = |source| error(directory, source);
        let database = disk::blocking(move || open_database(&path))
            .await
            .map_err(failed)?;
        let engine = Arc::new(Engine {
            directory: directory.to_owned(),
            database,
            trees: Mutex::new(HashMap::new()),
            batch: RwLock::new(()),
            poison: Mutex::new(None),
        });
        let (queue, requests) = mpsc::channel();
        let writer = engine.clone();
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || write_until_closed(&writer, &requests))
            .map_err(failed)?;
        let room = Arc::new(Semaphore::new(ROOM as usize));
        Ok(Self {
            engine,
            queue,
            room,
        })
    }

    /// Like [`SledStore::open`], but begins with an empty store where there is a damaged one, which is renamed to
    /// `DIRECTORY.damaged`.
    ///
    /// # Errors
    /// [`StoreError::Engine`], also if the damaged one cannot be renamed.
    pub async fn open_or_begin_anew(
        directory: &Path,
    ) -> Result<(Self, Option<SetAside>), StoreError> {
        let why = match Self::open(directory).await {
            Err(why @ StoreError::Damaged { .. }) => why,
            opened => return Ok((opened?, None)),
        };
        let from = directory.to_owned();
        let to = directory.with_added_extension(DAMAGED);
        let renamed = disk::blocking({
            let to = to.clone();
            move || set_aside(&from, &to)
        });
        renamed.await.map_err(|source| error(directory, source))?;
        Ok((Self::open(directory).await?, Some(SetAside { to, why })))
    }

    /// The bytes that the database has on disk.
    ///
    /// # Errors
    /// [`StoreError::Engine`] if the file system cannot tell.
    pub async fn bytes_on_disk(&self) -> Result<u64, StoreError> {
        self.read(|engine| engine.database.size_on_disk().map_err(as_io))
            .await
    }

    fn enqueue(&self, work: Work) -> Result<(), StoreError> {
        self.queue.send(work).map_err(|_| self.gone())
    }

    async fn write(&self, step: Step) -> Result<(), StoreError> {
        self.engine.check()?;
        let (done, answer) = oneshot::channel();
        self.enqueue(Work::Awaited(step, done))?;
        answer.await.map_err(|_| self.gone())?
    }

    fn gone(&self) -> StoreError {
        self.engine
            .fail(&io::Error::other("the writer thread ended"))
    }

    async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Engine) -> io::Result<T> + Send + 'static,
    {
        self.write(Step::Catch).await?;
        let engine = self.engine.clone();
        disk::blocking(move || disk::guarded(|| read(&engine)))
            .await
            .map_err(|source| self.engine.fail(&source))
    }
}

#[async_trait]
impl Store for SledStore {
    async fn apply(&self, table: &str, batch: Vec<Write>) -> Result<(), StoreError> {
        self.engine.check()?;
        let mut bytes = 0_usize;
        for write in &batch {
            match write {
                Write::Put { value, .. } if value.len() > VALUE_MAX => {
                    return Err(StoreError::ValueTooLarge(value.len()));
                }
                Write::Put { key, value } => bytes += key.len() + value.len(),
                Write::Delete { key } => bytes += key.len(),
            }
        }
        // One that is larger than all the room waits until it has all of it.
        let units = u32::try_from(bytes).map_or(ROOM, |bytes| (bytes / ROOM_UNIT + 1).min(ROOM));
        // Unconstrained: a call keeps its place in the order even where its task has used up its turn.
        let room = tokio::task::unconstrained(self.room.clone().acquire_many_owned(units));
        self.enqueue(Work::Apply(Batch {
            table: table.to_owned(),
            writes: batch,
            bytes,
            _room: room.await.map_err(|_| self.gone())?,
        }))
    }

    async fn clear(&self, table: &str) -> Result<(), StoreError> {
        let table = table.to_owned();
        self.write(Step::Clear { table }).await
    }

    async fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let (table, key) = (table.to_owned(), key.to_owned());
        self.read(move |engine| {
            let found = engine.tree(&table)?.get(key).map_err(as_io)?;
            Ok(found.map(|value| value.to_vec()))
        })
        .await
    }

    async fn range(
        &self,
        table: &str,
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let (table, from) = (table.to_owned(), from.to_owned());
        self.read(move |engine| {
            let tree = engine.tree(&table)?;
            let _whole = engine.batch.read();
            tree.range(from..)
                .take(limit)
                .map(|record| {
                    let (key, value) = record.map_err(as_io)?;
                    Ok((key.to_vec(), value.to_vec()))
                })
                .collect()
        })
        .await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.write(Step::Flush).await
    }
}

fn write_until_closed(engine: &Engine, queue: &mpsc::Receiver<Work>) {
    let mut next = queue.recv().ok();
    while let Some(work) = next.take() {
        match work {
            Work::Apply(first) => {
                let (batches, after) = gather(first, queue);
                // Whoever calls next is told if it fails.
                let _ = engine.attempt(|| engine.apply(batches));
                next = after;
            }
            Work::Awaited(step, done) => {
                // A caller that went away needs no answer.
                let _ = done.send(engine.attempt(|| engine.run(step)));
            }
        }
        next = next.or_else(|| queue.recv().ok());
    }
}

/// The batches that come within [`GATHER`], up to something that somebody waits for.
fn gather(first: Batch, queue: &mpsc::Receiver<Work>) -> (Vec<Batch>, Option<Work>) {
    let began = Instant::now();
    let mut bytes = first.bytes;
    let mut batches = vec![first];
    while bytes < GATHER_BYTES {
        match queue.recv_timeout(GATHER.saturating_sub(began.elapsed())) {
            Ok(Work::Apply(batch)) => {
                bytes += batch.bytes;
                batches.push(batch);
            }
            Ok(awaited @ Work::Awaited(..)) => return (batches, Some(awaited)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    (batches, None)
}

impl Engine {
    fn attempt(&self, work: impl FnOnce() -> io::Result<()>) -> Result<(), StoreError> {
        self.check()?;
        disk::guarded(work).map_err(|source| self.fail(&source))
    }

    /// Writes batches in their order, those of one table at once.
    fn apply(&self, batches: Vec<Batch>) -> io::Result<()> {
        let mut tables: BTreeMap<String, sled::Batch> = BTreeMap::new();
        for batch in batches {
            let together = tables.entry(batch.table).or_default();
            for write in batch.writes {
                match write {
                    Write::Put { key, value } => together.insert(key, value),
                    Write::Delete { key } => together.remove(key),
                }
            }
        }
        for (table, together) in tables {
            let tree = self.tree(&table)?;
            let _whole = self.batch.write();
            tree.apply_batch(together).map_err(as_io)?;
        }
        Ok(())
    }

    fn run(&self, step: Step) -> io::Result<()> {
        match step {
            Step::Clear { table } => clear(&self.tree(&table)?),
            Step::Flush => self.flush(),
            Step::Catch => Ok(()),
        }
    }

    fn flush(&self) -> io::Result<()> {
        self.database.flush().map_err(as_io)?;
        self.sync_file()?;
        disk::sync_directory(&self.directory)
    }

    fn sync_file(&self) -> io::Result<()> {
        File::open(self.directory.join("db"))?.sync_all()
    }

    fn tree(&self, table: &str) -> io::Result<sled::Tree> {
        let mut trees = self.trees.lock();
        if let Some(tree) = trees.get(table) {
            return Ok(tree.clone());
        }
        let tree = self.database.open_tree(table).map_err(as_io)?;
        trees.insert(table.to_owned(), tree.clone());
        Ok(tree)
    }

    fn check(&self) -> Result<(), StoreError> {
        match &*self.poison.lock() {
            Some((kind, text)) => Err(self.error(io::Error::new(*kind, text.clone()))),
            None => Ok(()),
        }
    }

    /// Kills the store; the first reason stays.
    fn fail(&self, source: &io::Error) -> StoreError {
        let mut slot = self.poison.lock();
        let (kind, text) = slot.get_or_insert_with(|| {
            if source.kind() == io::ErrorKind::InvalidData {
                // If this fails, the next process meets the damage as this one did.
                let _ = File::create(self.directory.join(DAMAGED));
            }
            (source.kind(), source.to_string())
        });
        self.error(io::Error::new(*kind, text.clone()))
    }

    fn error(&self, source: io::Error) -> StoreError {
        error(&self.directory, source)
    }
}

impl Drop for Engine {
    /// Closes the database. sled writes and syncs once more when it is closed; on a disk that fails it panics there, or waits
    /// for ever. After an error it is left open instead: its process is about to end, and what it had not flushed was never
    /// promised.
    fn drop(&mut self) {
        if self.poison.get_mut().is_some() || self.sync_file().is_err() {
            mem::forget(self.database.clone());
        }
    }
}

fn clear(tree: &sled::Tree) -> io::Result<()> {
    loop {
        let mut removals = sled::Batch::default();
        let mut count = 0;
        for key in tree.iter().keys().take(CLEAR_STEP) {
            removals.remove(key.map_err(as_io)?);
            count += 1;
        }
        if count == 0 {
            return Ok(());
        }
        tree.apply_batch(removals).map_err(as_io)?;
    }
}

fn error(directory: &Path, source: io::Error) -> StoreError {
    let path = directory.display().to_string();
    if source.kind() == io::ErrorKind::InvalidData {
        StoreError::Damaged { path, source }
    } else {
        StoreError::Engine { path, source }
    }
}

fn set_aside(from: &Path, to: &Path) -> io::Result<()> {
    match fs::remove_dir_all(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    fs::rename(from, to)?;
    to.parent().map_or(Ok(()), disk::sync_directory)
}

/// What the engine says and the operating system did not is the engine's judgement of what it reads.
fn judged(error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() || error.to_string().contains(LOCKED) {
        return error;
    }
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn open_database(directory: &Path) -> io::Result<sled::Db> {
    disk::create_directory(directory)?;
    if directory.join(DAMAGED).try_exists()? {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "an earlier process could not read it",
        ));
    }
    disk::guarded(|| open_engine(directory)).map_err(judged)
}

fn open_engine(directory: &Path) -> io::Result<sled::Db> {
    let config = sled::Config::new()
        .path(directory)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None);
    for _ in 1..disk::LOCK_ATTEMPTS {
        match config.open() {
            Ok(database) => return Ok(database),
            Err(error) if is_locked(&error) => std::thread::sleep(disk::LOCK_PAUSE),
            Err(error) => return Err(as_io(error)),
        }
    }
    config.open().map_err(as_io)
}

/// sled names a lock that somebody else holds only in the text of an error.
fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(io) if io.to_string().contains(LOCKED))
}

fn as_io(error: sled::Error) -> io::Error {
    match error {
        sled::Error::Io(io) => io,
        damage @ sled::Error::Corruption { .. } => {
            io::Error::new(io::ErrorKind::InvalidData, damage)
        }
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests;
