//! Small durable records, in named tables.
//!
//! [`SledStore`] is the real one. It holds what can be rebuilt from the log: a lost tail is replayed, never missed, and so is
//! all of it where a loss of power left something that the engine does not read.

pub mod contract;
mod sled_store;

pub use sled_store::{SetAside, SledStore};

use async_trait::async_trait;

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Set a record. The value must not exceed [`VALUE_MAX`].
    Put {
        /// Its key.
        key: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// Take a record away; nothing happens if there is none.
    Delete {
        /// Its key.
        key: Vec<u8>,
    },
}

/// The largest value: the engine never gives back the space of larger ones.
pub const VALUE_MAX: usize = 32 << 10;

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A value above [`VALUE_MAX`].
    #[error("expected a value of at most {VALUE_MAX} bytes, got {0}")]
    ValueTooLarge(usize),
    /// The disk or the engine failed; the process must end.
    #[error(
        "store at {path} failed: this node must stop; check the disk and its free space before it is started again"
    )]
    Engine {
        /// Where.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The engine does not read what is on the disk, and the disk is not to blame: most likely it lost its power in the
    /// middle of a write. The process must end. [`SledStore::open_or_begin_anew`] goes on without it.
    #[error(
        "the store at {path} is damaged: this node must stop; when it is started again it makes a new one from its log and the other nodes"
    )]
    Damaged {
        /// Where.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// An ordered map of small records on disk, in tables.
///
/// Contract: a batch is atomic, also over a crash; batches of one table become visible and durable in order; after a crash
/// the table is a prefix of the batches that were applied, which holds at least all that were applied before the last
/// [`Store::flush`] that returned. The first error of the engine is told to whoever calls next, and to all after that.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Applies a batch to one table at once. Later reads see it; that it could not be written may be told to a later call
    /// only. Waits while too much waits to be written.
    async fn apply(&self, table: &str, batch: Vec<Write>) -> Result<(), StoreError>;

    /// Replaces the whole content of a table. Not atomic over a crash: the caller marks completeness in a record of the
    /// last batch (see the replica's snapshot rule).
    async fn clear(&self, table: &str) -> Result<(), StoreError>;

    /// One record.
    async fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// At most `limit` records in key order with keys greater than or equal to `from`.
    async fn range(
        &self,
        table: &str,
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError>;

    /// Returns when all that was applied before is on disk, as far as the engine can tell.
    async fn flush(&self) -> Result<(), StoreError>;
}
