//! Append-only files in a row: what an audit log is kept in.
//!
//! [`DirectorySegments`] keeps each segment in a file of its own under a local directory.

pub mod contract;
mod directory;

pub use directory::DirectorySegments;

use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;

/// One segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its number; segments stand in the order of their numbers.
    pub number: u64,
    /// How long it is.
    pub bytes: u64,
}

/// Why a segment could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The disk failed.
    #[error("{path} cannot be used; check the disk and its free space")]
    Disk {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A segment is not as it was left.
    #[error(
        "expected {path} with {expected} bytes, got {actual}: something else than this node changes it"
    )]
    Changed {
        /// Which.
        path: PathBuf,
        /// How long it was left.
        expected: u64,
        /// How long it is.
        actual: u64,
    },
}

/// Segments. One process appends to them, one call at a time; any may read.
///
/// Contract: when [`Segments::append`] returns, its bytes are on disk, and so is everything that was appended before. An
/// append that failed or was cut short by a crash may have left the beginning of its bytes; the next append at the same
/// place replaces them. No segment that is there changes otherwise.
#[async_trait]
pub trait Segments: Send + Sync + 'static {
    /// Every segment, in order.
    async fn list(&self) -> Result<Vec<Segment>, SegmentError>;

    /// At most `max` bytes of a segment from this place on; fewer only at its end.
    async fn read(&self, number: u64, from: u64, max: usize) -> Result<Bytes, SegmentError>;

    /// Puts bytes at the end of a segment, which is `at`: 0 makes a new one. Durable on return.
    ///
    /// # Errors
    /// [`SegmentError::Changed`] if the segment does not reach `at`, or was changed since the last append that returned.
    async fn append(&self, number: u64, at: u64, bytes: Bytes) -> Result<(), SegmentError>;

    /// Takes a segment away; nothing happens if there is none. After a crash it may be there again.
    async fn remove(&self, number: u64) -> Result<(), SegmentError>;
}
