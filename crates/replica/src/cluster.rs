//! Which cluster this member belongs to, and where messages to and from it go.

use parking_lot::RwLock;
use proto::internal as pb;
use tokio::{sync::Mutex, time::Instant};
use tonic::Status;

use crate::{error::Fatal, failure::Failed, identity::ClusterId, marker::Marker, snapshot};

/// The cluster of this member: unknown until it is bootstrapped or hears from a leader, never changed after that.
pub(crate) struct Cluster {
    group: u64,
    member: u64,
    known: RwLock<Option<ClusterId>>,
    marker: Mutex<Marker>,
    failed: Failed,
    /// When a leader's message was last taken.
    heard: RwLock<Option<Instant>>,
}

/// Why a cluster was not taken on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    #[error("this member belongs to cluster {0}")]
    Other(ClusterId),
    #[error(transparent)]
    Failed(#[from] Fatal),
}

impl Cluster {
    pub(crate) fn new(group: u64, member: u64, marker: Marker, failed: Failed) -> Self {
        Self {
            group,
            member,
            known: RwLock::new(marker.cluster()),
            marker: Mutex::new(marker),
            failed,
            heard: RwLock::new(None),
        }
    }

    pub(crate) fn id(&self) -> Option<ClusterId> {
        *self.known.read()
    }

    /// Belongs to a cluster from now on, durably. If that cannot be written the member has failed: it must not ask again.
    pub(crate) async fn join(&self, cluster: ClusterId) -> Result<(), JoinError> {
        let mut marker = self.marker.lock().await;
        let known = match self.id() {
            Some(known) => known,
            None => marker.set_cluster(cluster).await.map_err(|error| {
                let fatal = error.fatal(self.group);
                let _told = self.failed.set(fatal.clone());
                fatal
            })?,
        };
        *self.known.write() = Some(known);
        if known == cluster {
            Ok(())
        } else {
            Err(JoinError::Other(known))
        }
    }

    /// A stored snapshot cannot be read: this member must not go on.
    pub(crate) fn fail(&self, error: snapshot::ReadError) {
        // Whoever looks for it finds it; the caller has an error of its own.
        let _told = self.failed.set(error.fatal(self.group));
    }

    /// A leader's message was taken.
    pub(crate) fn hear(&self) {
        *self.heard.write() = Some(Instant::now());
    }

    /// How long ago that was; `None` if it never happened.
    pub(crate) fn silence(&self) -> Option<std::time::Duration> {
        self.heard.read().map(|at| at.elapsed())
    }

    /// The target of a message to a member.
    pub(crate) fn target(&self, member: u64) -> pb::RaftTarget {
        pb::RaftTarget {
            group: self.group,
            member,
            cluster: self.id().map(|id| id.to_string()).unwrap_or_default(),
        }
    }

    /// Whether a message is for this member. A member without a cluster answers any: it has no vote in another one.
    ///
    /// Returns the sender's cluster, for [`Self::join`].
    pub(crate) fn check(
        &self,
        target: Option<&pb::RaftTarget>,
    ) -> Result<Option<ClusterId>, Status> {
        let target =
            target.ok_or_else(|| Status::invalid_argument("expected a target, got none"))?;
        if target.group != self.group {
            return Err(Status::failed_precondition(format!(
                "expected a message to group {}, got one to {}",
                self.group, target.group
            )));
        }
        if target.member != self.member {
            return Err(Status::failed_precondition(format!(
                "expected a message to member {:016x}, got one to {:016x}, which had this address before",
                self.member, target.member
            )));
        }
        let cluster = if target.cluster.is_empty() {
            None
        } else {
            let parsed = target.cluster.parse::<ClusterId>();
            Some(parsed.map_err(|e| Status::invalid_argument(e.to_string()))?)
        };
        match (self.id(), cluster) {
            (Some(known), other) if other != Some(known) => {
                Err(Status::failed_precondition(format!(
                    "expected a message from cluster {known}, got one from {}",
                    other.map_or_else(|| "none".to_owned(), |id| id.to_string())
                )))
            }
            _ => Ok(cluster),
        }
    }
}
