//! Unpacked deployment packages and layers, by digest, on the worker's disk.
//!
//! A package is fetched, verified and unpacked once, however many environments ask for it at the same time, and shared
//! read-only by all of them. It stays after its last environment, until room is needed: then those unused for longest go.
//! A directory that has its final name is complete; whatever else lies around is left over from a crash and is removed at
//! the start.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use host::Tasks;
use model::{ByteCount, Digest, ErrorKind, Failure, Limits};
use package::{PackageLimits, WalkError};
use parking_lot::Mutex;
use tokio::{sync::OnceCell, time::Instant};

use crate::ports::{CodeSource, FetchError};

#[cfg(test)]
mod tests;
pub(crate) mod unzip;

use unzip::UnzipError;

/// How long a package may take to arrive.
const FETCH_MAX: Duration = Duration::from_secs(30);

/// The cache.
pub(crate) struct CodeCache {
    dir: PathBuf,
    capacity: ByteCount,
    limits: PackageLimits,
    source: Arc<dyn CodeSource>,
    tasks: Tasks,
    slots: Mutex<HashMap<Digest, Slot>>,
    temporary: std::sync::atomic::AtomicU64,
}

struct Slot {
    package: Arc<OnceCell<Arc<Package>>>,
    used: Instant,
}

/// An unpacked package. While a clone of this lives, the directory stays.
#[derive(Debug)]
pub(crate) struct Package {
    dir: PathBuf,
    size: ByteCount,
}

impl Package {
    /// The directory that becomes `/var/task`, or a part of `/opt`.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Why a package is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodeError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("expected a package with digest {expected}, got {actual}")]
    Mismatch { expected: Digest, actual: Digest },
    #[error("package {digest} cannot be unpacked")]
    Unzip {
        digest: Digest,
        #[source]
        source: UnzipError,
    },
    #[error("code cache at {path} failed; check the disk and its free space")]
    Disk {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Failure for CodeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Fetch(error) => error.kind(),
            Self::Mismatch { .. } => ErrorKind::Unavailable,
            Self::Unzip {
                source: WalkError::Visitor(_),
                ..
            } => ErrorKind::Unavailable,
            Self::Unzip { .. } => ErrorKind::Invalid,
            Self::Disk { .. } => ErrorKind::Unavailable,
        }
    }
}

impl CodeCache {
    /// Opens the cache in a directory, which it owns.
    pub(crate) fn open(
        dir: PathBuf,
        capacity: ByteCount,
        limits: &Limits,
        source: Arc<dyn CodeSource>,
        tasks: Tasks,
    ) -> Result<Self, CodeError> {
        let disk = |source| CodeError::Disk {
            path: dir.clone(),
            source,
        };
        std::fs::create_dir_all(&dir).map_err(disk)?;
        let mut slots = HashMap::new();
        for entry in std::fs::read_dir(&dir).map_err(disk)? {
            let entry = entry.map_err(disk)?;
            let name = entry.file_name();
            if let Some((digest, size)) = name.to_str().and_then(parse_name) {
                let package = Package {
                    dir: entry.path(),
                    size,
                };
                let slot = Slot {
                    package: Arc::new(OnceCell::new_with(Some(Arc::new(package)))),
                    used: Instant::now(),
                };
                slots.insert(digest, slot);
            } else {
                remove(&entry.path());
            }
        }
        Ok(Self {
            dir,
            capacity,
            limits: PackageLimits::from(limits),
            source,
            tasks,
            slots: Mutex::new(slots),
            temporary: std::sync::atomic::AtomicU64::new(0),
        })
    }

    /// The unpacked package, fetched first if need be.
    pub(crate) async fn get(&self, digest: Digest) -> Result<Arc<Package>, CodeError> {
        let cell = {
            let mut slots = self.slots.lock();
            let slot = slots.entry(digest).or_insert_with(|| Slot {
                package: Arc::default(),
                used: Instant::now(),
            });
            slot.used = Instant::now();
            slot.package.clone()
        };
        let mut fetched = false;
        let package = cell
            .get_or_try_init(|| {
                fetched = true;
                self.fetch(digest)
            })
            .await
            .cloned();
        // Waiters hold the cell, and what they share of it, over the eviction.
        if fetched {
            self.make_room().await;
        }
        package
    }

    async fn fetch(&self, digest: Digest) -> Result<Arc<Package>, CodeError> {
        let fetched = tokio::time::timeout(FETCH_MAX, self.source.fetch(digest)).await;
        let bytes = fetched.map_err(|_| FetchError {
            digest,
            reason: format!("expected it within {FETCH_MAX:?}"),
            kind: ErrorKind::Deadline,
        })??;
        let number = self
            .temporary
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let temporary = self.dir.join(format!("unpacking-{number}"));
        let (dir, limits) = (self.dir.clone(), self.limits);
        let unpacked = self
            .tasks
            .blocking(move || {
                let done = unpack(digest, &bytes, &temporary, &dir, limits);
                if done.is_err() {
                    remove(&temporary);
                }
                done
            })
            .await;
        match unpacked {
            Ok(package) => package.map(Arc::new),
            Err(panicked) => Err(CodeError::Disk {
                path: self.dir.clone(),
                source: io::Error::other(panicked),
            }),
        }
    }

    /// Removes packages that nobody uses, those unused for longest first, until the rest fits.
    async fn make_room(&self) {
        let mut over = Vec::new();
        {
            let mut slots = self.slots.lock();
            let size = |s: &Slot| s.package.get().map_or(0, |p| p.size.0);
            let mut total: u64 = slots.values().map(size).sum();
            while total > self.capacity.0 {
                // Used: by an environment, or by somebody who waits for the cell.
                let unused = |s: &Slot| {
                    Arc::strong_count(&s.package) == 1
                        && s.package.get().is_some_and(|p| Arc::strong_count(p) == 1)
                };
                let oldest = slots
                    .iter()
                    .filter(|(_, s)| unused(s))
                    .min_by_key(|(d, s)| (s.used, **d))
                    .map(|(d, _)| *d);
                let Some(slot) = oldest.and_then(|d| slots.remove(&d)) else {
                    break;
                };
                total -= size(&slot);
                if let Some(package) = slot.package.get() {
                    // Under another name at once: the digest may be asked for again before the removal is over.
                    let number = self
                        .temporary
                        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let gone = self.dir.join(format!("evicted-{number}"));
                    if let Err(error) = std::fs::rename(&package.dir, &gone) {
                        tracing::warn!(path = %package.dir.display(), %error, "an unused package stays on disk");
                    } else {
                        over.push(gone);
                    }
                }
            }
        }
        if !over.is_empty() {
            let removal = self
                .tasks
                .blocking(move || over.iter().for_each(|p| remove(p)));
            if let Err(error) = removal.await {
                tracing::warn!(%error, "unused packages stay on disk");
            }
        }
    }
}

fn unpack(
    digest: Digest,
    bytes: &[u8],
    temporary: &Path,
    dir: &Path,
    limits: PackageLimits,
) -> Result<Package, CodeError> {
    let actual = Digest::of(bytes);
    if actual != digest {
        return Err(CodeError::Mismatch {
            expected: digest,
            actual,
        });
    }
    let disk = |source| CodeError::Disk {
        path: dir.to_owned(),
        source,
    };
    remove(temporary);
    std::fs::create_dir(temporary).map_err(disk)?;
    let size = unzip::unzip(bytes, temporary, &limits)
        .map_err(|source| CodeError::Unzip { digest, source })?;
    let size = ByteCount(size);
    let target = dir.join(format!("{digest}-{}", size.0));
    match std::fs::rename(temporary, &target) {
        Ok(()) => {}
        // An earlier attempt got this far before its caller went away.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
            ) =>
        {
            remove(temporary);
        }
        Err(error) => return Err(disk(error)),
    }
    Ok(Package { dir: target, size })
}

fn parse_name(name: &str) -> Option<(Digest, ByteCount)> {
    let (digest, size) = name.split_once('-')?;
    Some((digest.parse().ok()?, ByteCount(size.parse().ok()?)))
}

fn remove(path: &Path) {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(_) => return,
    };
    if let Err(error) = removed {
        tracing::warn!(path = %path.display(), %error, "a leftover stays on disk");
    }
}
