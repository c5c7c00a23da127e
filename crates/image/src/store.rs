//! Unpacked layers by digest, and what images are made of them, on this machine's disk.
//!
//! An image is pulled once, however many ask for it at the same time, by a task that goes on when they stop waiting. A layer
//! is unpacked once, however many images share it, into a directory that gets its final name when it is complete; whatever else
//! lies around is left over from a crash and is removed at the start. Layers stay after their last use until room is needed:
//! then those unused for longest go. What an image is made of is written down too, so that a worker that starts again needs no
//! registry for what it has.

mod disk;
mod pull;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use host::{Tasks, task::Kind};
use model::{Architecture, ByteCount, Digest};
use parking_lot::Mutex;
use tokio::{
    sync::{OnceCell, Semaphore, watch},
    time::Instant,
};

use crate::{
    Client, ImageError, Reference, Settings,
    unpack::{Limits, UnpackError},
};
use disk::{Record, remove};
use pull::Progress;

/// Images that may be pulled or waited for.
const PULLS_MAX: usize = 256;
/// Those of them that are pulled at a time.
const AT_A_TIME: usize = 4;
/// Layers that are downloaded and unpacked at a time, of all images.
const LAYERS_AT_A_TIME: usize = 6;
/// How long one image may take.
const PULL_MAX: Duration = Duration::from_secs(1800);
/// How long it is known that a pull failed, before another one is begun.
const FAILURE_KEPT: Duration = Duration::from_secs(15);
/// How often the log says how far a pull is.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Files, directories and links of one layer.
const ENTRIES_MAX: u64 = 500_000;

/// How a store is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// A directory, which it owns.
    pub dir: PathBuf,
    /// Bytes of unpacked layers that are kept; what is in use may be more.
    pub capacity: ByteCount,
}

/// The store. Clones share it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    dir: PathBuf,
    capacity: u64,
    client: Client,
    tasks: Tasks,
    layers: Mutex<HashMap<Digest, Slot>>,
    pulls: Mutex<HashMap<Digest, Pull>>,
    images: Semaphore,
    downloads: Semaphore,
    temporary: AtomicU64,
}

struct Slot {
    layer: Arc<OnceCell<Arc<Layer>>>,
    used: Instant,
}

/// An unpacked layer. While a clone of this lives, the directory stays.
#[derive(Debug)]
struct Layer {
    dir: PathBuf,
    size: u64,
}

/// An image whose layers are here. While a clone of this lives, they stay.
#[derive(Debug)]
pub struct Image {
    /// The digest of its manifest.
    pub digest: Digest,
    /// What it wants to be started with.
    pub settings: Settings,
    layers: Vec<Arc<Layer>>,
}

impl Image {
    /// Its layers, the lowest first, with whiteouts as overlayfs has them when it is mounted with `userxattr`.
    #[must_use]
    pub fn layers(&self) -> Vec<PathBuf> {
        self.layers.iter().map(|l| l.dir.clone()).collect()
    }
}

#[derive(Clone)]
struct Pull {
    outcome: watch::Receiver<Outcome>,
    progress: Arc<Progress>,
}

#[derive(Clone)]
enum Outcome {
    Working,
    Done(Arc<Image>),
    Failed(Arc<ImageError>, Instant),
}

impl Store {
    /// Opens the store.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(options: Options, client: Client, tasks: Tasks) -> io::Result<Self> {
        let layers = disk::open(&options.dir)?
            .into_iter()
            .map(|(digest, layer)| {
                let slot = Slot {
                    layer: Arc::new(OnceCell::new_with(Some(Arc::new(layer)))),
                    used: Instant::now(),
                };
                (digest, slot)
            })
            .collect();
        Ok(Self {
            shared: Arc::new(Shared {
                dir: options.dir,
                capacity: options.capacity.0,
                client,
                tasks,
                layers: Mutex::new(layers),
                pulls: Mutex::new(HashMap::new()),
                images: Semaphore::new(AT_A_TIME),
                downloads: Semaphore::new(LAYERS_AT_A_TIME),
                temporary: AtomicU64::new(0),
            }),
        })
    }

    /// An image by the digest of its manifest, pulled first if need be.
    ///
    /// # Errors
    /// [`ImageError::OnItsWay`] if it is not there within `wait`: it goes on coming. Otherwise why it does not come.
    pub async fn get(
        &self,
        reference: &Reference,
        digest: Digest,
        architecture: Architecture,
        wait: Duration,
    ) -> Result<Arc<Image>, Arc<ImageError>> {
        let pull = self
            .pull(reference, digest, architecture)
            .map_err(Arc::new)?;
        let mut outcome = pull.outcome.clone();
        let over = outcome.wait_for(|o| !matches!(o, Outcome::Working));
        match tokio::time::timeout(wait, over).await {
            Ok(Ok(over)) => match &*over {
                Outcome::Done(image) => Ok(image.clone()),
                Outcome::Failed(error, _) => Err(error.clone()),
                Outcome::Working => Err(Arc::new(ImageError::OnItsWay(pull.progress.to_string()))),
            },
            Ok(Err(_)) => Err(Arc::new(ImageError::OnItsWay(
                "the node is about to stop".to_owned(),
            ))),
            Err(_) => Err(Arc::new(ImageError::OnItsWay(pull.progress.to_string()))),
        }
    }

    /// The pull of an image that is under way, or a new one.
    fn pull(
        &self,
        reference: &Reference,
        digest: Digest,
        architecture: Architecture,
    ) -> Result<Pull, ImageError> {
        let mut pulls = self.shared.pulls.lock();
        pulls.retain(|_, pull| match &*pull.outcome.borrow() {
            Outcome::Working => pull.outcome.has_changed().is_ok(),
            // Whoever asks again looks at the disk again: nothing is kept in use by the memory of it.
            Outcome::Done(_) => false,
            Outcome::Failed(_, at) => at.elapsed() < FAILURE_KEPT,
        });
        if let Some(pull) = pulls.get(&digest) {
            return Ok(pull.clone());
        }
        if pulls.len() >= PULLS_MAX {
            return Err(ImageError::Busy(PULLS_MAX));
        }
        let (sender, outcome) = watch::channel(Outcome::Working);
        let pull = Pull {
            outcome,
            progress: Arc::default(),
        };
        pulls.insert(digest, pull.clone());
        let (store, reference, progress) = (self.clone(), reference.clone(), pull.progress.clone());
        self.shared.tasks.spawn(Kind::Background, "pull-image", async move {
            let pulling = store.bring(&reference, digest, architecture, &progress);
                let brought = tokio::select! {
                    brought = tokio::time::timeout(PULL_MAX, pulling) => brought,
                    () = tell(&reference, digest, &progress) => return,
                };
            let outcome = match brought.unwrap_or(Err(ImageError::Deadline(PULL_MAX))) {
                Ok(image) => Outcome::Done(Arc::new(image)),
                Err(error) => {
                    tracing::warn!(image = %reference.at(digest), error = %error.text(), "an image cannot be pulled");
                    Outcome::Failed(Arc::new(error), Instant::now())
                }
            };
            sender.send_replace(outcome);
        });
        Ok(pull)
    }

    async fn bring(
        &self,
        reference: &Reference,
        digest: Digest,
        architecture: Architecture,
        progress: &Arc<Progress>,
    ) -> Result<Image, ImageError> {
        let began = Instant::now();
        let shared = &self.shared;
        let known = disk::read_record(&shared.dir, digest);
        // What is here does not wait for what comes.
        let _turn = match &known {
            Some(record) if self.has(record) => None,
            _ => Some(shared.images.acquire().await),
        };
        let (record, is_new) = match known {
            Some(record) => (record, false),
            None => (self.describe(reference, digest, architecture).await?, true),
        };
        progress.expect(&record);
        let total = record.layers.iter().map(|l| l.size).sum::<u64>();
        if total > shared.capacity {
            return Err(ImageError::Invalid(format!(
                "expected an image that fits into this worker's store of {} bytes, got {total}; raise worker.image_store",
                shared.capacity
            )));
        }
        let layers = self.layers(reference, &record, progress).await?;
        if is_new {
            disk::write_record(&shared.dir, digest, &record).map_err(|e| shared.failed(e))?;
            tracing::info!(image = %reference.at(digest), layers = layers.len(), bytes = total,
                took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX), "pulled an image");
        }
        let image = Image {
            digest,
            settings: record.settings,
            layers,
        };
        self.make_room().await;
        Ok(image)
    }

    /// Whether every layer is unpacked.
    fn has(&self, record: &Record) -> bool {
        let layers = self.shared.layers.lock();
        let is_here = |digest| {
            layers
                .get(&digest)
                .is_some_and(|s: &Slot| s.layer.initialized())
        };
        record
            .layers
            .iter()
            .all(|l| l.digest().is_some_and(is_here))
    }

    async fn describe(
        &self,
        reference: &Reference,
        digest: Digest,
        architecture: Architecture,
    ) -> Result<Record, ImageError> {
        let exact = reference.at(digest);
        tracing::info!(image = %exact, "pulling an image");
        let session = self.shared.client.session(&exact)?;
        let described = session.describe(&exact, architecture).await?;
        Ok(Record::new(described))
    }

    /// Removes layers that nobody uses, those unused for longest first, until the rest fits.
    async fn make_room(&self) {
        let mut over = Vec::new();
        {
            let mut layers = self.shared.layers.lock();
            let size = |s: &Slot| s.layer.get().map_or(0, |l| l.size);
            let mut total: u64 = layers.values().map(size).sum();
            while total > self.shared.capacity {
                // Used: by an image that somebody holds, or by somebody who waits for the cell.
                let unused = |s: &Slot| {
                    Arc::strong_count(&s.layer) == 1
                        && s.layer.get().is_some_and(|l| Arc::strong_count(l) == 1)
                };
                let oldest = layers
                    .iter()
                    .filter(|(_, s)| unused(s))
                    .min_by_key(|(d, s)| (s.used, **d))
                    .map(|(d, _)| *d);
                let Some(slot) = oldest.and_then(|d| layers.remove(&d)) else {
                    break;
                };
                total -= size(&slot);
                if let Some(layer) = slot.layer.get() {
                    // Under another name at once: the digest may be asked for again before the removal is over.
                    let gone = self.shared.temporary("evicted");
                    match std::fs::rename(&layer.dir, &gone) {
                        Ok(()) => over.push(gone),
                        Err(error) => {
                            tracing::warn!(path = %layer.dir.display(), %error, "an unused layer stays on disk")
                        }
                    }
                }
            }
        }
        if over.is_empty() {
            return;
        }
        tracing::info!(
            layers = over.len(),
            "removing layers that nobody used for longest"
        );
        let removal = self
            .shared
            .tasks
            .blocking(move || over.iter().for_each(|p| remove(p)));
        if let Err(error) = removal.await {
            tracing::warn!(%error, "unused layers stay on disk");
        }
    }
}

/// Tells now and then how far a pull is, for as long as it is waited for.
async fn tell(reference: &Reference, digest: Digest, progress: &Progress) {
    loop {
        tokio::time::sleep(TELL_EVERY).await;
        tracing::info!(image = %reference.at(digest), %progress, "an image is on its way");
    }
}

impl Shared {
    /// A name that nothing has.
    fn temporary(&self, what: &str) -> PathBuf {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        disk::temporary_dir(&self.dir).join(format!("{what}-{number}"))
    }

    fn failed(&self, source: io::Error) -> ImageError {
        ImageError::Disk {
            path: self.dir.clone(),
            source,
        }
    }

    fn unpack_failed(&self, error: UnpackError) -> ImageError {
        match error {
            UnpackError::Invalid(text) => ImageError::Invalid(text),
            UnpackError::Disk { path, source } => ImageError::Disk {
                path: Path::new(&path).to_owned(),
                source,
            },
        }
    }
}

const LIMITS: Limits = Limits {
    bytes: crate::manifest::IMAGE_MAX,
    entries: ENTRIES_MAX,
};

#[cfg(test)]
mod tests;
