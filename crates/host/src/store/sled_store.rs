//! Tables in one sled database.
//!
//! One thread writes, in the order of the calls; reads go to the pool for blocking work. sled syncs only when it is told
//! to, and what it does then is not a barrier against power loss; so a flush also syncs the file and its directory. The
//! first error of the engine is the last thing this store does.

use std::{
    collections::HashMap,
    fs::File,
    io, mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, oneshot};

use super::{Store, StoreError, VALUE_MAX, Write};
use crate::disk;

/// Writes that may wait for the writer; more callers wait for room.
const QUEUE: usize = 1024;
/// Memory for pages.
const CACHE_BYTES: u64 = 64 << 20;
/// Records taken away under one batch when a table is cleared.
const CLEAR_STEP: usize = 1024;

/// The tables of a node, in one directory.
///
/// A write whose caller goes away while it waits is done all the same.
pub struct SledStore {
    engine: Arc<Engine>,
    queue: mpsc::Sender<Request>,
}

struct Request {
    work: Work,
    done: oneshot::Sender<Result<(), StoreError>>,
}

enum Work {
    Apply { table: String, batch: Vec<Write> },
    Clear { table: String },
    Flush,
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
    /// [`StoreError::Engine`] if the database cannot be created, opened or recovered.
    pub async fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.to_owned();
        let failed = |source| StoreError::Engine {
            path: directory.display().to_string(),
            source,
        };
        let database = disk::blocking(move || disk::guarded(|| open_database(&path)))
            .await
            .map_err(failed)?;
        let engine = Arc::new(Engine {
            directory: directory.to_owned(),
            database,
            trees: Mutex::new(HashMap::new()),
            batch: RwLock::new(()),
            poison: Mutex::new(None),
        });
        let (queue, requests) = mpsc::channel(QUEUE);
        let writer = engine.clone();
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || write_until_closed(&writer, requests))
            .map_err(failed)?;
        Ok(Self { engine, queue })
    }

    /// The bytes that the database has on disk.
    ///
    /// # Errors
    /// [`StoreError::Engine`] if the file system cannot tell.
    pub async fn bytes_on_disk(&self) -> Result<u64, StoreError> {
        self.read(|engine| engine.database.size_on_disk().map_err(as_io))
            .await
    }

    async fn write(&self, work: Work) -> Result<(), StoreError> {
        self.engine.check()?;
        let (done, answer) = oneshot::channel();
        let gone = || {
            self.engine
                .fail(&io::Error::other("the writer thread ended"))
        };
        // Unconstrained: a call keeps its place in the order even where its task has used up its turn.
        tokio::task::unconstrained(self.queue.send(Request { work, done }))
            .await
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Engine) -> io::Result<T> + Send + 'static,
    {
        self.engine.check()?;
        let engine = self.engine.clone();
        disk::blocking(move || disk::guarded(|| read(&engine)))
            .await
            .map_err(|source| self.engine.fail(&source))
    }
}

#[async_trait]
impl Store for SledStore {
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
        self.write(Work::Apply { table, batch }).await
    }

    async fn clear(&self, table: &str) -> Result<(), StoreError> {
        let table = table.to_owned();
        self.write(Work::Clear { table }).await
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
        self.write(Work::Flush).await
    }
}

fn write_until_closed(engine: &Engine, mut requests: mpsc::Receiver<Request>) {
    while let Some(Request { work, done }) = requests.blocking_recv() {
        let outcome = engine.check().and_then(|()| {
            disk::guarded(|| engine.run(work)).map_err(|source| engine.fail(&source))
        });
        // A caller that went away needs no answer.
        let _ = done.send(outcome);
    }
}

impl Engine {
    fn run(&self, work: Work) -> io::Result<()> {
        match work {
            Work::Apply { table, batch } => {
                let tree = self.tree(&table)?;
                let mut writes = sled::Batch::default();
                for write in batch {
                    match write {
                        Write::Put { key, value } => writes.insert(key, value),
                        Write::Delete { key } => writes.remove(key),
                    }
                }
                let _whole = self.batch.write();
                tree.apply_batch(writes).map_err(as_io)
            }
            Work::Clear { table } => clear(&self.tree(&table)?),
            Work::Flush => self.flush(),
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
        let (kind, text) = slot.get_or_insert_with(|| (source.kind(), source.to_string()));
        self.error(io::Error::new(*kind, text.clone()))
    }

    fn error(&self, source: io::Error) -> StoreError {
        StoreError::Engine {
            path: self.directory.display().to_string(),
            source,
        }
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

fn open_database(directory: &Path) -> io::Result<sled::Db> {
    disk::create_directory(directory)?;
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
    matches!(error, sled::Error::Io(io) if io.to_string().contains("could not acquire lock"))
}

fn as_io(error: sled::Error) -> io::Error {
    match error {
        sled::Error::Io(io) => io,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests;
