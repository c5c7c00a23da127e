//! The engine under a Raft log: ordered, durable on return.
//!
//! [`RedbLog`] is the real one: one file for all groups of a node, one writer thread, one barrier for all that is queued.

pub mod contract;
mod redb_log;

pub use redb_log::RedbLog;

use async_trait::async_trait;

/// One step of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOp {
    /// Set the entry at an index.
    Append {
        /// Its index.
        index: u64,
        /// Its encoded bytes; the engine adds and checks a checksum.
        bytes: Vec<u8>,
    },
    /// Take away every entry with this index or a greater one.
    TruncateFrom(u64),
    /// Take away every entry with this index or a smaller one.
    PurgeTo(u64),
    /// Set a small named record (vote, last purged id, committed id, storage marker).
    SetMeta {
        /// Its name.
        key: &'static str,
        /// Its value.
        bytes: Vec<u8>,
    },
}

/// Why the log could not do it. Every variant is fatal for the process: after a failed sync the state of the disk is unknown.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk or the engine failed.
    #[error(
        "raft log at {path} failed: this node must stop; check the disk and its free space before it is started again"
    )]
    Engine {
        /// Where.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A record does not match its checksum.
    #[error(
        "raft log at {path} is damaged at {what}: this node must be replaced by one with an empty data directory"
    )]
    Damaged {
        /// Where.
        path: String,
        /// Which record.
        what: String,
    },
}

/// The log engine, by group: a node may be a member of several Raft groups and shares one disk barrier between them.
///
/// Contract: batches are applied in the order of the calls; when [`LogEngine::apply`] returns, the batch is on disk
/// (a real `fdatasync` or better); a batch is atomic over a crash. Reads see every batch that returned.
#[async_trait]
pub trait LogEngine: Send + Sync + 'static {
    /// Applies batches for a group, atomically, durable on return. Concurrent calls share one barrier.
    async fn apply(&self, group: u64, ops: Vec<LogOp>) -> Result<(), LogError>;

    /// Entries in `from..to` in index order, checksums verified. Begins with the first entry that is there (the start of a
    /// log may be purged) and stops at the first hole after it.
    async fn entries(
        &self,
        group: u64,
        from: u64,
        to: u64,
    ) -> Result<Vec<(u64, Vec<u8>)>, LogError>;

    /// The first and last index of the log, if it has entries.
    async fn bounds(&self, group: u64) -> Result<Option<(u64, u64)>, LogError>;

    /// A named record.
    async fn meta(&self, group: u64, key: &'static str) -> Result<Option<Vec<u8>>, LogError>;
}
