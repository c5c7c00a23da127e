//! Whose storage this is.
//!
//! A node's log and its store both carry a marker with the node's name and the incarnation that was drawn when the storage
//! was first used. A voter that comes back without its log could vote twice or help to form a second quorum; so a storage
//! that lost its log is refused, and an empty one gets a new incarnation and with it a new member id. One that lost its
//! store alone gets an empty one: all that was in it follows from the log and the snapshots beside it.
//!
//! The log's marker is written first, then the store's, then the log's again as *confirmed*: older builds go by that.
//! Nothing else is written before all three are durable.

use std::sync::Arc;

use host::{
    Entropy, LogEngine, Store,
    log::{LogError, LogOp},
    store::{StoreError, Write},
};
use model::{Incarnation, NodeName};
use prost::Message as _;
use proto::internal as pb;

use crate::{error::Fatal, identity::ClusterId, wire};

/// The log group that holds the marker; no Raft group has this number.
const GROUP: u64 = u64::MAX;
const LOG_KEY: &str = "storage-marker";
const TABLE: &str = "node";
const STORE_KEY: &[u8] = b"storage-marker";

/// Why a storage is refused.
#[derive(Debug, thiserror::Error)]
pub enum MarkerError {
    /// The half that counts is gone.
    #[error(
        "the log of this node was lost while its store is still there; it must not rejoin under its old id: empty the whole data directory, start it again, and the cluster will replace the old member"
    )]
    LogLost,
    /// The two halves were not made together.
    #[error(
        "the log of this node belongs to {log} and its store to {store}: two data directories were mixed; put back the right one, or empty both"
    )]
    Mixed {
        /// What the log says.
        log: String,
        /// What the store says.
        store: String,
    },
    /// The storage was made by another node.
    #[error(
        "expected the storage of node {expected}, got that of {actual}; check the node's name and the mounted volume"
    )]
    OtherNode {
        /// Who is starting.
        expected: NodeName,
        /// Whose storage it is.
        actual: String,
    },
    /// The marker is there but means nothing.
    #[error("the storage marker is damaged or was written by a newer build: {0}")]
    Unreadable(String),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl MarkerError {
    /// For a member that runs.
    pub(crate) fn fatal(self, group: u64) -> Fatal {
        match self {
            Self::Log(error) => Fatal::Log(Arc::new(error)),
            Self::Store(error) => Fatal::Store(Arc::new(error)),
            other @ (Self::LogLost
            | Self::Mixed { .. }
            | Self::OtherNode { .. }
            | Self::Unreadable(_)) => Fatal::State {
                group,
                what: other.to_string(),
            },
        }
    }
}

/// The storage's marker, both halves in agreement.
#[derive(Clone)]
pub(crate) struct Marker {
    log: Arc<dyn LogEngine>,
    store: Arc<dyn Store>,
    record: pb::StorageMarker,
}

/// Opens a node's storage: gives an empty one a new incarnation, and a used one the incarnation that it has.
///
/// # Errors
/// [`MarkerError`] if the storage is not whole or not this node's; the texts say what to do.
pub async fn open(
    log: Arc<dyn LogEngine>,
    store: Arc<dyn Store>,
    name: &NodeName,
    entropy: &dyn Entropy,
) -> Result<Incarnation, MarkerError> {
    let draw = || Incarnation(entropy.next_u64());
    let marker = Marker::open(log, store, name, draw).await?;
    Ok(marker.incarnation())
}

impl Marker {
    /// Like [`open`]; `draw` gives an incarnation to an empty storage.
    pub(crate) async fn open(
        log: Arc<dyn LogEngine>,
        store: Arc<dyn Store>,
        name: &NodeName,
        draw: impl FnOnce() -> Incarnation,
    ) -> Result<Self, MarkerError> {
        let in_log = read(log.meta(GROUP, LOG_KEY).await?)?;
        let in_store = read(store.get(TABLE, STORE_KEY).await?)?;
        let is_whole = in_store.is_some();
        let record = match (in_log, in_store) {
            (None, None) => {
                let record = pb::StorageMarker {
                    format: wire::FORMAT,
                    name: name.as_str().to_owned(),
                    incarnation: draw().0,
                    cluster: String::new(),
                    confirmed: false,
                };
                write_log(&*log, &record).await?;
                record
            }
            (Some(record), None) => record,
            (None, Some(_)) => return Err(MarkerError::LogLost),
            (Some(record), Some(other)) => {
                if (&record.name, record.incarnation) != (&other.name, other.incarnation) {
                    return Err(MarkerError::Mixed {
                        log: describe(&record),
                        store: describe(&other),
                    });
                }
                record
            }
        };
        if record.name != name.as_str() {
            return Err(MarkerError::OtherNode {
                expected: name.clone(),
                actual: describe(&record),
            });
        }
        let mut marker = Self { log, store, record };
        if !(marker.record.confirmed && is_whole) {
            marker.save().await?;
        }
        Ok(marker)
    }

    pub(crate) fn incarnation(&self) -> Incarnation {
        Incarnation(self.record.incarnation)
    }

    /// The cluster that the node belongs to, once known.
    pub(crate) fn cluster(&self) -> Option<ClusterId> {
        self.record.cluster.parse().ok()
    }

    /// Notes durably which cluster the node belongs to, unless another group of the node has done so. Returns which one it
    /// is.
    pub(crate) async fn set_cluster(
        &mut self,
        cluster: ClusterId,
    ) -> Result<ClusterId, MarkerError> {
        if let Some(record) = read(self.log.meta(GROUP, LOG_KEY).await?)? {
            self.record = record;
        }
        if let Some(known) = self.cluster() {
            return Ok(known);
        }
        self.record.cluster = cluster.to_string();
        self.save().await?;
        Ok(cluster)
    }

    /// Forgets nothing and can be repeated: the store first, then the log, which is the one that counts.
    async fn save(&mut self) -> Result<(), MarkerError> {
        self.record.confirmed = true;
        let put = Write::Put {
            key: STORE_KEY.to_vec(),
            value: self.record.encode_to_vec(),
        };
        self.store.apply(TABLE, vec![put]).await?;
        self.store.flush().await?;
        write_log(&*self.log, &self.record).await
    }
}

fn read(bytes: Option<Vec<u8>>) -> Result<Option<pb::StorageMarker>, MarkerError> {
    bytes
        .map(|bytes| wire::decode_marker(&bytes))
        .transpose()
        .map_err(|e| MarkerError::Unreadable(e.to_string()))
}

async fn write_log(log: &dyn LogEngine, record: &pb::StorageMarker) -> Result<(), MarkerError> {
    let set = LogOp::SetMeta {
        key: LOG_KEY,
        bytes: record.encode_to_vec(),
    };
    Ok(log.apply(GROUP, vec![set]).await?)
}

fn describe(record: &pb::StorageMarker) -> String {
    format!("{} (incarnation {:016x})", record.name, record.incarnation)
}

#[cfg(test)]
mod tests {
    use host::SeededEntropy;

    use super::*;
    use crate::testing::Disk;

    async fn opened(disk: &Disk, entropy: &dyn Entropy) -> Result<Incarnation, MarkerError> {
        let name = "c-0".parse().unwrap();
        open(disk.log.clone(), disk.store.clone(), &name, entropy).await
    }

    #[tokio::test]
    async fn an_empty_storage_gets_an_incarnation_and_keeps_it() {
        let entropy = SeededEntropy::new(1);
        let disk = Disk::default();
        let first = opened(&disk, &entropy).await.unwrap();
        disk.store.crash(0);
        assert_eq!(opened(&disk, &entropy).await.unwrap(), first);
        let second = opened(&Disk::default(), &entropy).await.unwrap();
        assert_ne!(first, second);
    }

    #[tokio::test]
    async fn a_crash_while_the_marker_is_made_is_no_loss() {
        let entropy = SeededEntropy::new(1);
        let disk = Disk::default();
        let record = pb::StorageMarker {
            format: wire::FORMAT,
            name: "c-0".into(),
            incarnation: 77,
            cluster: String::new(),
            confirmed: false,
        };
        write_log(&*disk.log, &record).await.unwrap();
        assert_eq!(opened(&disk, &entropy).await.unwrap(), Incarnation(77));
    }

    #[tokio::test]
    async fn a_lost_store_is_marked_anew() {
        let entropy = SeededEntropy::new(1);
        let disk = Disk::default();
        let first = opened(&disk, &entropy).await.unwrap();
        disk.store.wipe();
        assert_eq!(opened(&disk, &entropy).await.unwrap(), first);
        let in_store = disk.store.get(TABLE, STORE_KEY).await.unwrap();
        assert_eq!(read(in_store).unwrap().unwrap().incarnation, first.0);
    }

    #[tokio::test]
    async fn a_marker_of_a_newer_build_is_refused() {
        let disk = Disk::default();
        let record = pb::StorageMarker {
            format: wire::FORMAT + 1,
            ..pb::StorageMarker::default()
        };
        write_log(&*disk.log, &record).await.unwrap();
        let refused = opened(&disk, &SeededEntropy::new(1)).await;
        assert!(matches!(refused, Err(MarkerError::Unreadable(_))));
    }
}
