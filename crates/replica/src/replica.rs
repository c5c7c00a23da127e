//! A member's handle on its group.

mod leadership;
mod membership;
mod proposing;
mod starting;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use host::{Entropy, LogEngine, Store, Tasks, net::Channels};
use openraft::{Raft, ServerState, alias::WatchReceiverOf, async_runtime::WatchReceiver as _};
use proto::internal::raft_server::RaftServer;
use tokio::sync::{Semaphore, watch};

use crate::{
    cluster::{Cluster, JoinError},
    error::{BootstrapError, Fatal},
    failure::Failed,
    identity::{ClusterId, Identity},
    log_store::LogStore,
    machine::{RowChange, StateMachine},
    options::Options,
    rows::Rows,
    service::Service,
    snapshot::{Counts, Snapshots, Written},
    state::{self, Adapter, State},
    types::{Member, Types},
};

type Metrics = openraft::RaftMetrics<Types>;

/// What a member needs from its host.
#[derive(Clone)]
pub struct Ports {
    /// Where the log, votes and Raft snapshots are kept.
    pub log: Arc<dyn LogEngine>,
    /// Where the rows are kept.
    pub store: Arc<dyn Store>,
    /// Channels to the other members.
    pub channels: Arc<Channels>,
    /// Where background work runs.
    pub tasks: Tasks,
    /// For election timeouts.
    pub entropy: Arc<dyn Entropy>,
}

/// A committed and applied command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// Its index in the log.
    pub index: u64,
    /// What the state machine answered.
    pub reply: Vec<u8>,
}

/// How a member sees its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The cluster, once the member belongs to one.
    pub cluster: Option<ClusterId>,
    /// This member's id.
    pub id: u64,
    /// The leader, if one is known and was heard from lately: itself by a quorum, another one by this member.
    pub leader: Option<Identity>,
    /// The current term.
    pub term: u64,
    /// The last entry that this member applied.
    pub applied: u64,
    /// The last entry of this member's log.
    pub last_log: u64,
    /// The members that vote.
    pub voters: Vec<Identity>,
    /// The members that only follow.
    pub learners: Vec<Identity>,
    /// Whether a change of the voters is half done.
    pub is_changing: bool,
    /// Whether this member leads.
    pub is_leader: bool,
    /// As leader: how long ago a quorum was last heard from.
    pub last_quorum_ack_age: Option<Duration>,
    /// The newest snapshot that this process has written.
    pub snapshot: Option<Written>,
    /// How many snapshots this process has made current.
    pub snapshots: Counts,
    /// The last entry that was taken away from the front of this member's log; 0 if none was.
    pub purged: u64,
}

impl Status {
    /// Whether this member, in this life of its storage, votes.
    #[must_use]
    pub fn votes(&self) -> bool {
        self.voters.iter().any(|voter| voter.id == self.id)
    }
}

/// A member of a Raft group. Clones are handles on the same member.
pub struct Replica<M: StateMachine> {
    shared: Arc<Shared<M>>,
}

struct Shared<M: StateMachine> {
    options: Options,
    identity: Identity,
    raft: Raft<Types, Adapter<M>>,
    state: Arc<State<M>>,
    log: LogStore,
    snapshots: Arc<Snapshots>,
    store: Arc<dyn Store>,
    cluster: Arc<Cluster>,
    failed: Failed,
    /// One permit for each proposal that may wait.
    proposals: Semaphore,
    /// Held while the membership changes.
    change: tokio::sync::Mutex<()>,
}

impl<M: StateMachine> Clone for Replica<M> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<M: StateMachine> Replica<M> {
    /// The gRPC service for the other members, to be served on the internal listener.
    #[must_use]
    pub fn service(&self) -> RaftServer<Service<M>> {
        Service::server(
            self.shared.raft.clone(),
            self.shared.cluster.clone(),
            self.shared.options.snapshot_bytes_max,
        )
    }

    /// Begins a new cluster, with this node as its first and only member. Asking again with the same id is safe.
    ///
    /// # Errors
    /// [`BootstrapError`] if the node belongs to a cluster already.
    pub async fn bootstrap(&self, cluster: ClusterId) -> Result<(), BootstrapError> {
        let shared = &self.shared;
        shared
            .cluster
            .join(cluster)
            .await
            .map_err(|error| match error {
                JoinError::Other(actual) => BootstrapError::OtherCluster {
                    wanted: cluster,
                    actual,
                },
                JoinError::Failed(fatal) => BootstrapError::Failed(fatal),
            })?;
        let members = [(shared.identity.id, Member::from(&shared.identity))];
        let members: std::collections::BTreeMap<_, _> = members.into();
        match shared.raft.initialize(members).await {
            Ok(()) => Ok(()),
            Err(openraft::error::RaftError::Fatal(_)) => Err(BootstrapError::Stopped),
            Err(openraft::error::RaftError::APIError(_)) => Err(BootstrapError::AlreadyMember),
        }
    }

    /// Reads this member's state, with the index of the last entry in it. It may be behind: see [`Self::read_barrier`].
    /// The state stands still meanwhile, so keep it short.
    pub fn read<T>(&self, f: impl FnOnce(&M, u64) -> T) -> T {
        self.shared.state.read(f)
    }

    /// The index of the last applied entry, whenever it grows. 0 before the first; it may begin lower after a restart.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.shared.state.applied()
    }

    /// The changes of all entries after an index, in order; `None` if they are no longer all at hand, so that a watcher
    /// needs [`Self::rows`].
    #[must_use]
    pub fn changes_after(&self, index: u64) -> Option<Vec<(u64, Arc<[RowChange]>)>> {
        self.shared.state.changes_after(index)
    }

    /// All rows, and the index of the last entry in them.
    #[must_use]
    pub fn rows(&self) -> (u64, Rows) {
        self.shared.state.rows()
    }

    /// This member.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// How this member sees the group now.
    #[must_use]
    pub fn status(&self) -> Status {
        let metrics = self.metrics();
        let membership = metrics.membership_config.membership();
        let identity = |id: u64| membership.get_node(&id).and_then(|m| m.identity(id));
        Status {
            cluster: self.shared.cluster.id(),
            id: metrics.id,
            leader: metrics
                .current_leader
                .filter(|_| self.hears_leader(&metrics))
                .and_then(identity),
            term: metrics.current_term,
            applied: *self.applied().borrow(),
            last_log: metrics.last_log_index.unwrap_or(0),
            voters: membership.voter_ids().filter_map(identity).collect(),
            learners: membership.learner_ids().filter_map(identity).collect(),
            is_changing: membership::is_joint(&metrics),
            is_leader: is_leader(&metrics),
            last_quorum_ack_age: metrics
                .last_quorum_acked
                .filter(|_| is_leader(&metrics))
                .map(|at| openraft::Instant::elapsed(&*at)),
            snapshot: self.shared.snapshots.written(),
            snapshots: self.shared.snapshots.counts(),
            purged: state::index(self.shared.log.purged()),
        }
    }

    /// Whether the leader that Raft remembers still shows signs of life. Raft itself remembers it until another one
    /// stands for election, which a minority never does successfully.
    fn hears_leader(&self, metrics: &Metrics) -> bool {
        let silence_max = self.shared.options.election_max * 2;
        if !is_leader(metrics) {
            return self
                .shared
                .cluster
                .silence()
                .is_some_and(|s| s < silence_max);
        }
        let alone = metrics
            .membership_config
            .membership()
            .voter_ids()
            .nth(1)
            .is_none();
        let silence = metrics
            .last_quorum_acked
            .map(|at| openraft::Instant::elapsed(&*at));
        alone || silence.is_none_or(|s| s < silence_max)
    }

    /// Resolves when this member cannot go on. The process must end then; it never resolves after [`Self::shutdown`]
    /// without a reason.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn failed(&self) -> Fatal {
        let mut failed = self.shared.failed.subscribe();
        loop {
            if let Some(fatal) = failed.borrow_and_update().clone() {
                return fatal;
            }
            if failed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn metrics(&self) -> Metrics {
        self.metrics_watch().borrow_watched().clone()
    }

    fn metrics_watch(&self) -> WatchReceiverOf<Types, Metrics> {
        self.shared.raft.metrics()
    }
}

fn is_leader(metrics: &Metrics) -> bool {
    metrics.running_state.is_ok() && metrics.state == ServerState::Leader
}
