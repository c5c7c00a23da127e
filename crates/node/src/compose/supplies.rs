//! What a worker needs from its node: versions out of the local copy, code from here or from the controllers.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use catalog::{Controllers, LocalCopy};
use host::{Blobs, blobs::BlobError};
use model::{
    Digest, Failure, FunctionId, NETWORK_TAG, Revision, VersionId, function::FunctionVersion,
};
use worker::{CodeSource, FetchError, Versions};

/// How long the controllers may take to hand out a package.
const FETCH_MAX: Duration = Duration::from_secs(10);

/// See the module.
pub(super) struct Supplies {
    pub(super) copy: LocalCopy,
    pub(super) controllers: Controllers,
    /// Holds every package if this node is a controller, and none otherwise.
    pub(super) blobs: Arc<dyn Blobs>,
}

#[async_trait]
impl Versions for Supplies {
    fn current(&self, id: &VersionId) -> Option<(Arc<FunctionVersion>, Revision)> {
        // Read before the record: the record is at least as new as this.
        let position = self.copy.revision();
        let version = self.copy.read(|catalog| catalog.version(id).cloned())?;
        Some((version, position))
    }

    fn network_tag(&self, function: &FunctionId) -> Option<String> {
        self.copy.read(|catalog| {
            let function = catalog.function(function)?;
            function.tags.get(NETWORK_TAG).cloned()
        })
    }

    async fn wait_for(&self, position: Revision, limit: Duration) {
        // The caller looks again by itself.
        let _reached = self.copy.wait_for(position, limit).await;
    }
}

#[async_trait]
impl CodeSource for Supplies {
    async fn fetch(&self, digest: Digest) -> Result<Bytes, FetchError> {
        match self.blobs.get(digest).await {
            Ok(bytes) => return Ok(bytes),
            Err(BlobError::NotFound(_)) => {}
            Err(error @ (BlobError::Mismatch { .. } | BlobError::Disk { .. })) => {
                tracing::warn!(%digest, %error, "a package cannot be read here; asking the controllers");
            }
        }
        self.controllers
            .get_blob(digest, FETCH_MAX)
            .await
            .map_err(|error| FetchError {
                digest,
                kind: error.kind(),
                reason: error.to_string(),
            })
    }
}
