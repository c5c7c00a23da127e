//! The blobs of a simulated disk.

use std::{collections::BTreeMap, io};

use async_trait::async_trait;
use bytes::Bytes;
use host::{Blobs, Entropy, blobs::BlobError};
use model::Digest;

use super::{Loss, faults::Op, journal::Lost, life::Life, log::pick, sealed::flipped};

/// What lies on the disk.
#[derive(Default)]
pub(super) struct BlobArea {
    blobs: BTreeMap<Digest, Bytes>,
    /// Being written, or of unknown fate since that failed or nobody waited for it: a crash decides.
    unfinished: BTreeMap<u64, (Digest, Bytes)>,
    puts: u64,
    /// Deleted, and not yet known to the disk itself.
    removed: Vec<(Digest, Bytes)>,
    /// Found to be rotten and set aside until they are put again.
    rotten: BTreeMap<Digest, Bytes>,
}

impl BlobArea {
    pub(super) fn crash(&mut self, loss: Loss, fate: &dyn Entropy) -> Lost {
        let mut lost = Lost::default();
        for (_, (digest, bytes)) in std::mem::take(&mut self.unfinished) {
            if fate.below(2) == 0 {
                self.place(digest, bytes);
            } else {
                lost.records += 1;
            }
        }
        let removed = std::mem::take(&mut self.removed);
        if loss == Loss::Power {
            for (digest, bytes) in removed {
                if fate.below(2) == 0 {
                    self.blobs.entry(digest).or_insert(bytes);
                }
            }
        }
        lost
    }

    pub(super) fn flip(&mut self, fate: &dyn Entropy) {
        let mut blobs: Vec<&mut Bytes> = self.blobs.values_mut().collect();
        if let Some(blob) = pick(&mut blobs, fate)
            && let Some(rotten) = flipped(blob, fate)
        {
            **blob = rotten;
        }
    }

    pub(super) fn holds(&self, digest: Digest) -> bool {
        self.blobs.contains_key(&digest)
    }

    pub(super) fn bytes(&self) -> u64 {
        let blobs = self.blobs.values().chain(self.rotten.values());
        blobs.map(|blob| size(blob)).sum()
    }

    fn place(&mut self, digest: Digest, bytes: Bytes) {
        self.blobs.insert(digest, bytes);
        self.rotten.remove(&digest);
    }

    fn begin(&mut self, digest: Digest, bytes: Bytes) -> u64 {
        self.puts += 1;
        self.unfinished.insert(self.puts, (digest, bytes));
        self.puts
    }

    fn finish(&mut self, put: u64) {
        if let Some((digest, bytes)) = self.unfinished.remove(&put) {
            self.place(digest, bytes);
        }
        // One journal for all directories: what was removed before is durable with what was placed now.
        self.removed.clear();
    }

    /// The blob if there is one; if it is not what its name says, it is set aside and its true digest is told.
    fn read(&mut self, digest: Digest) -> Result<Option<Bytes>, Digest> {
        let Some(bytes) = self.blobs.get(&digest) else {
            return Ok(None);
        };
        let actual = Digest::of(bytes);
        if actual == digest {
            return Ok(Some(bytes.clone()));
        }
        if let Some(bytes) = self.blobs.remove(&digest) {
            self.rotten.insert(digest, bytes);
        }
        Err(actual)
    }

    fn remove(&mut self, digest: Digest) {
        if let Some(bytes) = self.blobs.remove(&digest) {
            self.removed.push((digest, bytes));
        }
    }
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// The port, for one life.
pub(super) struct SimBlobs {
    life: Life,
}

impl SimBlobs {
    pub(super) fn new(life: Life) -> Self {
        Self { life }
    }

    async fn operate(&self, op: Op, bytes: u64) -> Result<(), BlobError> {
        self.life
            .operate(op, bytes)
            .await
            .map_err(|source: io::Error| BlobError::Disk {
                path: self.life.path("blobs").into(),
                source,
            })
    }
}

#[async_trait]
impl Blobs for SimBlobs {
    async fn put(&self, digest: Digest, bytes: Bytes) -> Result<(), BlobError> {
        let actual = Digest::of(&bytes);
        if actual != digest {
            return Err(BlobError::Mismatch {
                expected: digest,
                actual,
            });
        }
        if self.stat(digest).await? == Some(size(&bytes)) {
            return Ok(());
        }
        let length = size(&bytes);
        let put = self.life.with(|s| s.blobs.begin(digest, bytes)).await;
        self.operate(Op::Sync, length).await?;
        self.life.with(|state| state.blobs.finish(put)).await;
        Ok(())
    }

    async fn get(&self, digest: Digest) -> Result<Bytes, BlobError> {
        let length = self.stat(digest).await?.unwrap_or(0);
        self.operate(Op::Read, length).await?;
        match self.life.with(|state| state.blobs.read(digest)).await {
            Ok(found) => found.ok_or(BlobError::NotFound(digest)),
            Err(actual) => {
                self.life.found_flip();
                Err(BlobError::Mismatch {
                    expected: digest,
                    actual,
                })
            }
        }
    }

    async fn stat(&self, digest: Digest) -> Result<Option<u64>, BlobError> {
        self.operate(Op::Read, 0).await?;
        let found = self
            .life
            .with(|s| s.blobs.blobs.get(&digest).map(|b| size(b)));
        Ok(found.await)
    }

    async fn delete(&self, digest: Digest) -> Result<(), BlobError> {
        self.operate(Op::Remove, 0).await?;
        self.life.with(|state| state.blobs.remove(digest)).await;
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Digest>, BlobError> {
        self.operate(Op::Read, 0).await?;
        let all = self.life.with(|s| s.blobs.blobs.keys().copied().collect());
        Ok(all.await)
    }
}
