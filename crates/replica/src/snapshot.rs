//! Raft snapshots on disk.
//!
//! A snapshot is kept with the log, behind the same disk barrier, because entries are purged on the strength of it: what
//! the store holds may be behind after a power loss, the log and the snapshot may not. There are two places for it; a new
//! one is written into the place that is not in use, and one atomic record then names it as current. A crash in between
//! leaves the old one current. Each chunk carries the snapshot's position, so that a reader who is overtaken notices.

use std::{sync::Arc, time::Duration};

use host::{LogEngine, log::LogOp};
use parking_lot::RwLock;
use prost::Message as _;
use proto::internal as pb;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    error::{Fatal, StartError},
    rows::Rows,
    types::{LogId, SnapshotMeta, StoredMembership},
    wire,
};

/// How many bytes of rows are in one chunk; a single row may be larger.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;
/// Groups with these bits are the two places of a group's snapshot.
const SLOTS: [u64; 2] = [1 << 62, 1 << 63];
const RECORD: &str = "snapshot";

/// The place of a group's snapshots.
pub(crate) struct Snapshots {
    engine: Arc<dyn LogEngine>,
    group: u64,
    current: RwLock<Option<Current>>,
    written: RwLock<Option<Written>>,
    counts: RwLock<Counts>,
    /// Held while a snapshot is written.
    writing: Mutex<()>,
    /// Shared with every [`Stored`].
    readers: Arc<()>,
}

struct Current {
    meta: SnapshotMeta,
    slot: u32,
    chunks: u64,
}

/// The newest snapshot that this process has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The last log index in it.
    pub index: u64,
    /// The bytes of its rows, keys included.
    pub bytes: u64,
    /// From the first byte until it was durable.
    pub took: Duration,
}

/// How many snapshots this process has made current.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Of its own state.
    pub built: u64,
    /// From a leader, because the log does not reach back to where this member was.
    pub installed: u64,
}

/// The content of a snapshot: on this member's disk, or just received.
pub(crate) enum Content {
    Stored(Stored),
    Rows(Rows),
}

/// A snapshot on disk, read chunk by chunk.
pub(crate) struct Stored {
    engine: Arc<dyn LogEngine>,
    place: u64,
    last: Option<LogId>,
    chunks: u64,
    _reader: Arc<()>,
}

/// Why a stored snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Log(#[from] host::log::LogError),
    #[error("the snapshot was replaced by a newer one while it was read")]
    Replaced,
    #[error("chunk {chunk} of the snapshot: {why}")]
    Damaged { chunk: u64, why: wire::Unreadable },
}

impl Snapshots {
    pub(crate) async fn open(group: u64, engine: Arc<dyn LogEngine>) -> Result<Self, StartError> {
        let current = match engine.meta(group, RECORD).await? {
            None => None,
            Some(bytes) => {
                let read = wire::decode_snapshot_record(&bytes).and_then(|record| {
                    Ok(Current {
                        slot: record.slot,
                        chunks: record.chunks,
                        meta: wire::to_meta(record.header)?,
                    })
                });
                Some(read.map_err(|e| StartError::Damaged {
                    group,
                    what: format!("snapshot: {e}"),
                })?)
            }
        };
        Ok(Self {
            engine,
            group,
            current: RwLock::new(current),
            written: RwLock::default(),
            counts: RwLock::default(),
            writing: Mutex::new(()),
            readers: Arc::new(()),
        })
    }

    /// The newest whole snapshot.
    pub(crate) fn current(&self) -> Option<(SnapshotMeta, Stored)> {
        let current = self.current.read();
        let current = current.as_ref()?;
        Some((current.meta.clone(), self.stored(current)))
    }

    /// The last entry that the newest whole snapshot covers.
    pub(crate) fn last(&self) -> Option<LogId> {
        self.current.read().as_ref()?.meta.last_log_id
    }

    /// The newest one that this process has written.
    pub(crate) fn written(&self) -> Option<Written> {
        *self.written.read()
    }

    /// How many this process has made current.
    pub(crate) fn counts(&self) -> Counts {
        *self.counts.read()
    }

    /// One more of this member's own state.
    pub(crate) fn count_built(&self) {
        self.counts.write().built += 1;
    }

    /// One more from a leader.
    pub(crate) fn count_installed(&self) {
        self.counts.write().installed += 1;
    }

    /// Whether the current snapshot is being read, most likely for a member that is far behind. The next one but one takes
    /// its place on disk, so a new one should wait: otherwise a group that writes much never finishes sending any.
    pub(crate) fn is_being_read(&self) -> bool {
        Arc::strong_count(&self.readers) > 1
    }

    /// Makes these rows the current snapshot, durably, unless there is one already that covers as much or more. Returns
    /// what is current then.
    pub(crate) async fn save(
        &self,
        last: Option<LogId>,
        membership: &StoredMembership,
        rows: &Rows,
    ) -> Result<(SnapshotMeta, Stored), host::log::LogError> {
        let _writing = self.writing.lock().await;
        if let Some((meta, stored)) = self.current().filter(|(meta, _)| meta.last_log_id >= last) {
            return Ok((meta, stored));
        }
        let began = Instant::now();
        let old = self.current.read().as_ref().map(|c| c.slot);
        let slot = u32::from(old == Some(0));
        let chunks = self
            .write_chunks(place(self.group, slot), last, rows)
            .await?;
        let meta = SnapshotMeta {
            last_log_id: last,
            last_membership: membership.clone(),
        };
        let record = pb::SnapshotRecord {
            format: wire::FORMAT,
            header: Some(wire::header(last, membership)),
            slot,
            chunks,
        };
        let set = LogOp::SetMeta {
            key: RECORD,
            bytes: record.encode_to_vec(),
        };
        self.engine.apply(self.group, vec![set]).await?;
        *self.written.write() = Some(Written {
            index: last.map_or(0, |last| last.index),
            bytes: rows.bytes(),
            took: began.elapsed(),
        });
        let new = Current { meta, slot, chunks };
        let saved = (new.meta.clone(), self.stored(&new));
        *self.current.write() = Some(new);
        if let Some(old) = old {
            self.engine
                .apply(place(self.group, old), vec![LogOp::TruncateFrom(0)])
                .await?;
        }
        Ok(saved)
    }

    /// Writes all rows into a place, over whatever is there, and returns the number of chunks.
    async fn write_chunks(
        &self,
        place: u64,
        last: Option<LogId>,
        rows: &Rows,
    ) -> Result<u64, host::log::LogError> {
        let mut ops = vec![LogOp::TruncateFrom(0)];
        let mut index = 0_u64;
        for chunk in chunks(rows) {
            let chunk = pb::StoredRows {
                last: last.map(wire::log_id),
                rows: chunk,
            };
            ops.push(LogOp::Append {
                index,
                bytes: chunk.encode_to_vec(),
            });
            index = index.saturating_add(1);
            // One chunk a batch: other groups share the disk barrier and must not wait for a large one.
            self.engine.apply(place, std::mem::take(&mut ops)).await?;
        }
        if !ops.is_empty() {
            self.engine.apply(place, ops).await?;
        }
        Ok(index)
    }

    fn stored(&self, current: &Current) -> Stored {
        Stored {
            engine: self.engine.clone(),
            place: place(self.group, current.slot),
            last: current.meta.last_log_id,
            chunks: current.chunks,
            _reader: self.readers.clone(),
        }
    }
}

impl Stored {
    /// How many chunks it has.
    pub(crate) const fn len(&self) -> u64 {
        self.chunks
    }

    /// One chunk's rows.
    pub(crate) async fn chunk(&self, chunk: u64) -> Result<Vec<pb::SnapshotRow>, ReadError> {
        let entries = self
            .engine
            .entries(self.place, chunk, chunk.saturating_add(1))
            .await?;
        let (_, bytes) = entries.into_iter().next().ok_or(ReadError::Replaced)?;
        let read = pb::StoredRows::decode(bytes.as_slice());
        let read = read.map_err(|e| ReadError::Damaged {
            chunk,
            why: e.into(),
        })?;
        if read.last.map(wire::to_log_id) != self.last {
            return Err(ReadError::Replaced);
        }
        Ok(read.rows)
    }

    async fn rows(&self) -> Result<Rows, ReadError> {
        let mut rows = Vec::new();
        for chunk in 0..self.chunks {
            rows.extend(self.chunk(chunk).await?.iter().map(own));
        }
        Ok(rows.into_iter().collect())
    }
}

impl Content {
    /// All rows, in memory.
    pub(crate) async fn rows(self) -> Result<Rows, ReadError> {
        match self {
            Self::Stored(stored) => stored.rows().await,
            Self::Rows(rows) => Ok(rows),
        }
    }
}

/// A row of a message as one that does not keep the whole message in memory.
pub(crate) fn own(row: &pb::SnapshotRow) -> (bytes::Bytes, bytes::Bytes) {
    let copy = |bytes: &bytes::Bytes| bytes::Bytes::copy_from_slice(bytes);
    (copy(&row.key), copy(&row.value))
}

const fn place(group: u64, slot: u32) -> u64 {
    let [first, second] = SLOTS;
    group | if slot == 0 { first } else { second }
}

/// The rows in key order, cut into chunks.
fn chunks(rows: &Rows) -> impl Iterator<Item = Vec<pb::SnapshotRow>> {
    let mut rows = rows.shared().peekable();
    std::iter::from_fn(move || {
        rows.peek()?;
        let mut chunk = Vec::new();
        let mut bytes = 0_usize;
        while let Some((key, value)) = rows.next_if(|(key, value)| {
            let with_this = bytes.saturating_add(key.len()).saturating_add(value.len());
            chunk.is_empty() || with_this <= CHUNK_BYTES
        }) {
            bytes = bytes.saturating_add(key.len()).saturating_add(value.len());
            chunk.push(pb::SnapshotRow { key, value });
        }
        Some(chunk)
    })
}

impl ReadError {
    pub(crate) fn fatal(self, group: u64) -> Fatal {
        match self {
            Self::Log(error) => Fatal::Log(Arc::new(error)),
            Self::Replaced | Self::Damaged { .. } => Fatal::State {
                group,
                what: self.to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use openraft::{storage::RaftStateMachine as _, vote::RaftLeaderId as _};

    use super::*;
    use crate::{
        failure::Failed,
        options::Options,
        state::{Adapter, State, Table},
        testing::{Disk, Kv},
        types::LeaderId,
    };

    fn at(index: u64) -> Option<LogId> {
        Some(LogId::new(LeaderId::new(1, 1), index))
    }

    fn rows(count: usize, bytes: usize) -> Rows {
        let value = bytes::Bytes::from(vec![b'v'; bytes]);
        let key = |n: usize| bytes::Bytes::from(format!("k{n:04}"));
        (0..count).map(|n| (key(n), value.clone())).collect()
    }

    async fn saved(snapshots: &Snapshots, index: u64, rows: &Rows) -> SnapshotMeta {
        let membership = StoredMembership::default();
        snapshots
            .save(at(index), &membership, rows)
            .await
            .unwrap()
            .0
    }

    #[tokio::test]
    async fn a_snapshot_is_there_after_a_restart_in_chunks() {
        let disk = Disk::default();
        let written = rows(40, 20_000);
        let first = Snapshots::open(0, disk.log.clone()).await.unwrap();
        assert!(first.current().is_none());
        saved(&first, 9, &written).await;
        let again = Snapshots::open(0, disk.log.clone()).await.unwrap();
        let (meta, stored) = again.current().unwrap();
        assert_eq!(meta.last_log_id, at(9));
        assert!(stored.len() >= 3, "{} chunks", stored.len());
        for chunk in 0..stored.len() {
            let bytes: usize = stored
                .chunk(chunk)
                .await
                .unwrap()
                .iter()
                .map(|r| r.value.len())
                .sum();
            assert!(bytes <= CHUNK_BYTES, "{bytes}");
        }
        assert_eq!(Content::Stored(stored).rows().await.unwrap(), written);
    }

    #[tokio::test]
    async fn an_older_snapshot_replaces_nothing() {
        let disk = Disk::default();
        let snapshots = Snapshots::open(0, disk.log.clone()).await.unwrap();
        assert_eq!(snapshots.written(), None);
        saved(&snapshots, 9, &rows(3, 1)).await;
        assert_eq!(saved(&snapshots, 8, &rows(2, 1)).await.last_log_id, at(9));
        let written = snapshots.written().unwrap();
        assert_eq!((written.index, written.bytes), (9, 3 * 6));
        let (_, stored) = snapshots.current().unwrap();
        assert_eq!(Content::Stored(stored).rows().await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_crash_before_the_record_leaves_the_old_one() {
        let disk = Disk::default();
        let snapshots = Snapshots::open(0, disk.log.clone()).await.unwrap();
        saved(&snapshots, 5, &rows(3, 1)).await;
        // Everything of the next one but the record that names it.
        snapshots
            .write_chunks(place(0, 1), at(9), &rows(7, 1))
            .await
            .unwrap();
        let again = Snapshots::open(0, disk.log.clone()).await.unwrap();
        let (meta, stored) = again.current().unwrap();
        assert_eq!(meta.last_log_id, at(5));
        assert_eq!(Content::Stored(stored).rows().await.unwrap().len(), 3);
        // What was left over does not end up in the next one that is written there.
        saved(&again, 10, &rows(2, 1)).await;
        let (_, stored) = again.current().unwrap();
        assert_eq!(Content::Stored(stored).rows().await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_reader_that_is_overtaken_notices() {
        let disk = Disk::default();
        let snapshots = Snapshots::open(0, disk.log.clone()).await.unwrap();
        saved(&snapshots, 5, &rows(3, 1)).await;
        let (_, slow) = snapshots.current().unwrap();
        saved(&snapshots, 6, &rows(3, 1)).await;
        assert!(
            matches!(slow.chunk(0).await, Err(ReadError::Replaced)),
            "its place is empty"
        );
        saved(&snapshots, 7, &rows(3, 1)).await;
        assert!(
            matches!(slow.chunk(0).await, Err(ReadError::Replaced)),
            "its place is taken"
        );
    }

    #[tokio::test]
    async fn no_snapshot_is_built_by_policy_while_one_is_read() {
        let disk = Disk::default();
        let snapshots = Arc::new(Snapshots::open(0, disk.log.clone()).await.unwrap());
        let mut adapter = Adapter {
            group: 0,
            state: Arc::new(State::new(Kv::default(), &Options::default())),
            table: Table::new(disk.store.clone(), 0),
            snapshots: snapshots.clone(),
            failed: Failed::new(),
        };
        saved(&snapshots, 5, &rows(3, 1)).await;
        assert!(adapter.try_create_snapshot_builder(false).await.is_some());
        let reading = snapshots.current().unwrap();
        assert!(adapter.try_create_snapshot_builder(false).await.is_none());
        assert!(
            adapter.try_create_snapshot_builder(true).await.is_some(),
            "one that is needed is built"
        );
        drop(reading);
        assert!(adapter.try_create_snapshot_builder(false).await.is_some());
    }
}
