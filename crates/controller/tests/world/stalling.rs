//! Blobs on a disk that can stall.

use async_trait::async_trait;
use bytes::Bytes;
use host::{
    Blobs,
    blobs::{BlobError, DirectoryBlobs},
};
use model::Digest;
use tokio::sync::watch;

pub(crate) struct Stalling {
    blobs: DirectoryBlobs,
    stalled: watch::Sender<bool>,
}

impl Stalling {
    pub(crate) fn new(blobs: DirectoryBlobs) -> Self {
        let stalled = watch::Sender::new(false);
        Self { blobs, stalled }
    }

    pub(crate) fn stall(&self, stalled: bool) {
        self.stalled.send_replace(stalled);
    }

    async fn on(&self) -> &DirectoryBlobs {
        let mut stalled = self.stalled.subscribe();
        stalled.wait_for(|stalled| !stalled).await.unwrap();
        &self.blobs
    }
}

#[async_trait]
impl Blobs for Stalling {
    async fn put(&self, digest: Digest, bytes: Bytes) -> Result<(), BlobError> {
        self.on().await.put(digest, bytes).await
    }

    async fn get(&self, digest: Digest) -> Result<Bytes, BlobError> {
        self.on().await.get(digest).await
    }

    async fn stat(&self, digest: Digest) -> Result<Option<u64>, BlobError> {
        self.on().await.stat(digest).await
    }

    async fn delete(&self, digest: Digest) -> Result<(), BlobError> {
        self.on().await.delete(digest).await
    }

    async fn list(&self) -> Result<Vec<Digest>, BlobError> {
        self.on().await.list().await
    }
}
