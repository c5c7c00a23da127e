//! Immutable bytes by digest: deployment packages.
//!
//! [`DirectoryBlobs`] keeps each blob in a file of its own under a local directory.

pub mod contract;
mod directory;

pub use directory::DirectoryBlobs;

use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use model::Digest;

/// Why a blob could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The bytes do not have the digest they were announced under.
    #[error("expected a blob with digest {expected}, got {actual}")]
    Mismatch {
        /// As announced.
        expected: Digest,
        /// As computed.
        actual: Digest,
    },
    /// Nothing is kept under this digest.
    #[error("no blob {0} here")]
    NotFound(Digest),
    /// The disk failed.
    #[error("blob store at {path} failed; check the disk and its free space")]
    Disk {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A content-addressed store.
///
/// Contract: a blob that was put is there after a crash (file and directory synced before `put` returns); a reader never
/// sees a blob in part; a blob that rotted on disk reads as [`BlobError::Mismatch`] when it is opened through
/// [`Blobs::get`], which verifies.
#[async_trait]
pub trait Blobs: Send + Sync + 'static {
    /// Keeps these bytes under their digest. Putting the same blob again succeeds and costs nothing.
    async fn put(&self, digest: Digest, bytes: Bytes) -> Result<(), BlobError>;

    /// The whole blob, verified.
    async fn get(&self, digest: Digest) -> Result<Bytes, BlobError>;

    /// The size in bytes, if the blob is here.
    async fn stat(&self, digest: Digest) -> Result<Option<u64>, BlobError>;

    /// Takes a blob away; nothing happens if there is none.
    async fn delete(&self, digest: Digest) -> Result<(), BlobError>;

    /// Every digest kept here.
    async fn list(&self) -> Result<Vec<Digest>, BlobError>;
}
