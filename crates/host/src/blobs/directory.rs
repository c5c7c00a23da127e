//! Blobs as files, by digest.
//!
//! ```text
//! <root>/ab/abcd…       a blob, complete: it was renamed to here after it was synced
//! <root>/unfinished/    being written; emptied at every start
//! <root>/rotten/abcd…   no longer what its name says; kept for a look until the blob is put again
//! ```

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use model::Digest;
use parking_lot::Mutex;

use super::{BlobError, Blobs};
use crate::disk;

/// Blobs that are remembered as settled. When there are more, all are forgotten, and settled once more when they are put.
const SETTLED_MAX: usize = 65_536;

/// A directory of blobs. One process at a time may have it open.
#[derive(Debug)]
pub struct DirectoryBlobs {
    layout: Arc<Layout>,
}

#[derive(Debug)]
struct Layout {
    root: PathBuf,
    unfinished: PathBuf,
    rotten: PathBuf,
    counter: AtomicU64,
    /// Names that this process has made survive a power loss. One of a blob that went away since says nothing: only what is
    /// there is looked up, and what comes under it again is settled anew.
    settled: Mutex<HashSet<Digest>>,
}

impl DirectoryBlobs {
    /// Opens a directory, which is created if need be, and takes away what a crash left unfinished.
    ///
    /// # Errors
    /// [`BlobError::Disk`] if the directory cannot be made or read.
    pub async fn open(root: &Path) -> Result<Self, BlobError> {
        let layout = Arc::new(Layout {
            root: root.to_owned(),
            unfinished: root.join("unfinished"),
            rotten: root.join("rotten"),
            counter: AtomicU64::new(0),
            settled: Mutex::default(),
        });
        let blobs = Self { layout };
        blobs.run(Layout::prepare).await?;
        Ok(blobs)
    }

    /// The bytes of all blobs together.
    ///
    /// # Errors
    /// [`BlobError::Disk`] if the directory cannot be read.
    pub async fn total_bytes(&self) -> Result<u64, BlobError> {
        self.run(|layout| {
            let sizes = layout.list()?.into_iter().map(|digest| layout.size(digest));
            sizes.map(|size| size.map(Option::unwrap_or_default)).sum()
        })
        .await
    }

    async fn run<T, F>(&self, work: F) -> Result<T, BlobError>
    where
        T: Send + 'static,
        F: FnOnce(&Layout) -> io::Result<T> + Send + 'static,
    {
        let layout = self.layout.clone();
        disk::blocking(move || work(&layout))
            .await
            .map_err(|source| BlobError::Disk {
                path: self.layout.root.clone(),
                source,
            })
    }
}

#[async_trait]
impl Blobs for DirectoryBlobs {
    async fn put(&self, digest: Digest, bytes: Bytes) -> Result<(), BlobError> {
        let written = self
            .run(move |layout| {
                let actual = Digest::of(&bytes);
                if actual != digest {
                    return Ok(Err(actual));
                }
                layout.write(digest, &bytes).map(Ok)
            })
            .await?;
        written.map_err(|actual| BlobError::Mismatch {
            expected: digest,
            actual,
        })
    }

    async fn get(&self, digest: Digest) -> Result<Bytes, BlobError> {
        let read = self
            .run(move |layout| {
                let Some(bytes) = found(fs::read(layout.path(digest)))? else {
                    return Ok(None);
                };
                let actual = Digest::of(&bytes);
                if actual != digest {
                    layout.set_aside(digest)?;
                }
                Ok(Some((actual, bytes)))
            })
            .await?;
        match read {
            None => Err(BlobError::NotFound(digest)),
            Some((actual, bytes)) if actual == digest => Ok(Bytes::from(bytes)),
            Some((actual, _)) => {
                tracing::error!(%digest, root = %self.layout.root.display(), "a blob rotted on disk and was set aside; check the disk");
                Err(BlobError::Mismatch {
                    expected: digest,
                    actual,
                })
            }
        }
    }

    async fn stat(&self, digest: Digest) -> Result<Option<u64>, BlobError> {
        self.run(move |layout| layout.size(digest)).await
    }

    async fn delete(&self, digest: Digest) -> Result<(), BlobError> {
        self.run(move |layout| found(fs::remove_file(layout.path(digest))).map(drop))
            .await
    }

    async fn list(&self) -> Result<Vec<Digest>, BlobError> {
        self.run(Layout::list).await
    }
}

impl Layout {
    fn prepare(&self) -> io::Result<()> {
        found(fs::remove_dir_all(&self.unfinished))?;
        for directory in [&self.root, &self.unfinished, &self.rotten] {
            disk::create_directory(directory)?;
        }
        Ok(())
    }

    fn shelf(&self, digest: Digest) -> PathBuf {
        let [first, ..] = digest.as_bytes();
        self.root.join(format!("{first:02x}"))
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.shelf(digest).join(digest.to_string())
    }

    fn size(&self, digest: Digest) -> io::Result<Option<u64>> {
        Ok(found(fs::metadata(self.path(digest)))?.map(|m| m.len()))
    }

    fn write(&self, digest: Digest, bytes: &[u8]) -> io::Result<()> {
        if self.size(digest)? == u64::try_from(bytes.len()).ok() {
            if self.settled.lock().contains(&digest) {
                return Ok(());
            }
            // Whoever put it there may not have come to this, or be at it now.
            return self.settle(digest);
        }
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.unfinished.join(format!("{digest}.{number}"));
        let placed =
            write_synced(&unfinished, bytes).and_then(|()| self.place(&unfinished, digest));
        if placed.is_err() {
            // The disk may be full: what is not a blob must not stay on it. The first error says more than this one.
            let _ = fs::remove_file(&unfinished);
        }
        placed?;
        found(fs::remove_file(self.rotten.join(digest.to_string()))).map(drop)
    }

    fn place(&self, unfinished: &Path, digest: Digest) -> io::Result<()> {
        // The name that is made now was never settled, whatever was there under it before.
        self.settled.lock().remove(&digest);
        let shelf = self.shelf(digest);
        if !shelf.try_exists()? {
            disk::create_directory(&shelf)?;
        }
        fs::rename(unfinished, self.path(digest))?;
        self.settle(digest)
    }

    /// Makes the name of a blob survive a power loss, and that of its shelf, which another put may have made just now.
    fn settle(&self, digest: Digest) -> io::Result<()> {
        disk::sync_directory(&self.shelf(digest))?;
        disk::sync_directory(&self.root)?;
        let mut settled = self.settled.lock();
        if settled.len() >= SETTLED_MAX {
            settled.clear();
        }
        settled.insert(digest);
        Ok(())
    }

    fn set_aside(&self, digest: Digest) -> io::Result<()> {
        let aside = self.rotten.join(digest.to_string());
        found(fs::rename(self.path(digest), aside))?;
        disk::sync_directory(&self.shelf(digest))
    }

    fn list(&self) -> io::Result<Vec<Digest>> {
        let mut digests = Vec::new();
        for shelf in fs::read_dir(&self.root)? {
            let shelf = shelf?;
            if !shelf.file_type()?.is_dir() || shelf.file_name().len() != 2 {
                continue;
            }
            for blob in fs::read_dir(shelf.path())? {
                // A file that nobody here made is none of our business.
                if let Some(digest) = blob?.file_name().to_str().and_then(|n| n.parse().ok()) {
                    digests.push(digest);
                }
            }
        }
        digests.sort_unstable();
        Ok(digests)
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests;
