//! The layers of one image, several at a time, and how far they are.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::{StreamExt as _, TryStreamExt as _};
use model::Digest;
use tokio::{sync::OnceCell, time::Instant};

use super::{
    LIMITS, Layer, Slot, Store,
    disk::{LayerRecord, Record, layer_dir, remove},
};
use crate::{
    ImageError, Reference,
    manifest::{Blob, IMAGE_MAX},
    unpack::{self, Limits, UnpackError},
};

/// Layers of one image that are worked on at a time.
const TOGETHER: usize = 3;

/// How far a pull is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    bytes: AtomicU64,
    bytes_all: AtomicU64,
    /// Bytes of layers once they are decompressed.
    unpacked: AtomicU64,
    layers: AtomicU64,
    layers_all: AtomicU64,
}

impl Progress {
    pub(super) fn expect(&self, record: &Record) {
        let bytes = record.layers.iter().map(|l| l.size).sum();
        self.bytes_all.store(bytes, Ordering::Relaxed);
        let layers = u64::try_from(record.layers.len()).unwrap_or(u64::MAX);
        self.layers_all.store(layers, Ordering::Relaxed);
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |n: &AtomicU64| n.load(Ordering::Relaxed);
        if of(&self.layers_all) == 0 {
            return f.write_str("waiting for its manifest");
        }
        write!(
            f,
            "{} of {} MiB downloaded, {} of {} layers unpacked",
            of(&self.bytes) >> 20,
            of(&self.bytes_all) >> 20,
            of(&self.layers),
            of(&self.layers_all)
        )
    }
}

/// Removes what was not finished, also if whoever made it stops waiting.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

impl Store {
    /// All layers of an image, in order.
    pub(super) async fn layers(
        &self,
        reference: &Reference,
        record: &Record,
        progress: &Arc<Progress>,
    ) -> Result<Vec<Arc<Layer>>, ImageError> {
        // A list of futures first: a stream of closures over borrows is more than the compiler follows.
        let each = record.layers.iter();
        let each: Vec<_> = each
            .map(|layer| self.layer(reference, layer, progress))
            .collect();
        futures::stream::iter(each)
            .buffered(TOGETHER)
            .try_collect()
            .await
    }

    async fn layer(
        &self,
        reference: &Reference,
        record: &LayerRecord,
        progress: &Arc<Progress>,
    ) -> Result<Arc<Layer>, ImageError> {
        let (Some(digest), Some(content)) = (record.digest(), record.content()) else {
            return Err(ImageError::Invalid(
                "expected layers with digests".to_owned(),
            ));
        };
        let cell: Arc<OnceCell<Arc<Layer>>> = {
            let mut layers = self.shared.layers.lock();
            let slot = layers.entry(digest).or_insert_with(|| Slot {
                layer: Arc::default(),
                used: Instant::now(),
            });
            slot.used = Instant::now();
            slot.layer.clone()
        };
        let blob = Blob {
            digest,
            size: record.size,
        };
        let mut arrived = false;
        let layer = cell
            .get_or_try_init(|| {
                arrived = true;
                self.fetch(reference, blob, content, progress)
            })
            .await
            .cloned()?;
        if !arrived {
            progress.bytes.fetch_add(blob.size, Ordering::Relaxed);
        }
        progress.layers.fetch_add(1, Ordering::Relaxed);
        let before = progress.unpacked.fetch_add(layer.size, Ordering::Relaxed);
        if before.saturating_add(layer.size) > IMAGE_MAX {
            return Err(ImageError::Invalid(format!(
                "expected an image of at most {IMAGE_MAX} bytes once it is unpacked, got more; make it smaller"
            )));
        }
        Ok(layer)
    }

    async fn fetch(
        &self,
        reference: &Reference,
        blob: Blob,
        content: Digest,
        progress: &Arc<Progress>,
    ) -> Result<Arc<Layer>, ImageError> {
        let shared = self.shared.clone();
        let _place = shared.downloads.acquire().await;
        let archive = Unfinished(shared.temporary("download"));
        let session = shared.client.session(reference)?;
        let counted = progress.clone();
        let arrived = move |more| {
            counted.bytes.fetch_add(more, Ordering::Relaxed);
        };
        session.download(blob, &archive.0, &arrived).await?;

        let unpacking = shared.temporary("unpacking");
        let owner = shared.clone();
        // What the layers before took is not left for this one.
        let taken = progress.unpacked.load(Ordering::Relaxed);
        let limits = Limits {
            bytes: LIMITS.bytes.saturating_sub(taken),
            ..LIMITS
        };
        let unpacked = shared.tasks.blocking(move || {
            let place = Unfinished(unpacking);
            let archive = archive;
            let disk = |source| UnpackError::Disk {
                path: place.0.display().to_string(),
                source,
            };
            std::fs::create_dir(&place.0).map_err(disk)?;
            let file = std::fs::File::open(&archive.0).map_err(disk)?;
            let size = unpack::unpack(file, &place.0, content, limits)?.bytes;
            // Everybody may go in: code inside a sandbox is nobody's neighbour here.
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&place.0, open).map_err(disk)?;
            let dir = layer_dir(&owner.dir, blob.digest, size);
            match std::fs::rename(&place.0, &dir) {
                Ok(()) => {}
                // An earlier attempt got this far before its caller went away.
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::AlreadyExists
                    ) => {}
                Err(error) => return Err(disk(error)),
            }
            Ok(Layer { dir, size })
        });
        match unpacked.await {
            Ok(Ok(layer)) => Ok(Arc::new(layer)),
            Ok(Err(error)) => Err(shared.unpack_failed(error)),
            Err(panicked) => Err(shared.failed(std::io::Error::other(panicked))),
        }
    }
}
