//! The controller: the catalog's replicated state machine and everything that looks after it.
//!
//! - [`Controller`]: starts the group, forms or joins the cluster, serves the `Catalog` and `Blobs` services.
//! - `proposals`: the leader stamps time and ids into a command and proposes it; a blob that a command names is on a
//!   quorum of controllers first.
//! - `finalize`: the end of an upgrade; until then no command is proposed that an older build does not read.
//! - `watch`: the stream that frontends and workers follow.
//! - `reconcile`: background work of the leader (settling creations and updates) and of every controller (fetching blobs
//!   that it lacks). Reconcilers take no input: woken, they compare what is with what should be, and act idempotently.
//!
//! Nothing of an invocation passes through here.

mod blobs;
mod finalize;
mod formation;
mod machine;
mod proposals;
mod reconcile;
mod service;
mod watch;

use std::{collections::BTreeMap, sync::Arc};

use futures::future::{BoxFuture, FutureExt};
use host::{Blobs, Clock, Entropy, Membership, Tasks, net::channel::Channels};
use model::{Incarnation, NodeName, VersionId, Zone, function::FunctionVersion};
use proto::{
    TooOld,
    internal::{blobs_server::BlobsServer, catalog_server::CatalogServer},
};
use replica::{Identity, Replica, Rows, SnapshotCounts, StartError, Written};
use tokio::sync::{Mutex, watch::Sender};
use tonic::service::Routes;

use crate::machine::CatalogMachine;

/// The largest request, and the largest part of a streamed one.
const REQUEST_MAX: usize = 1 << 20;

/// What a controller is told.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// This node.
    pub name: NodeName,
    /// The life of its storage.
    pub incarnation: Incarnation,
    /// Where other nodes reach it, `host:port`.
    pub address: String,
    /// Where it stands.
    pub zone: Zone,
    /// The controllers that form a new cluster, by name, with their addresses; this node among them if it is one. All of
    /// them must answer before a cluster is formed, so that a lost disk never starts a second one.
    pub initial: BTreeMap<NodeName, String>,
    /// The newest format that this node reads: that of the build, or less for one that is held back.
    pub newest_format: u32,
    /// Raft's settings.
    pub raft: replica::Options,
}

/// The ports that a controller uses.
#[derive(Clone)]
pub struct ControllerPorts {
    /// Wall time, stamped into commands.
    pub clock: Arc<dyn Clock>,
    /// Randomness, stamped into commands.
    pub entropy: Arc<dyn Entropy>,
    /// The Raft log.
    pub log: Arc<dyn host::LogEngine>,
    /// The materialised state.
    pub store: Arc<dyn host::Store>,
    /// Code packages.
    pub blobs: Arc<dyn Blobs>,
    /// The other nodes.
    pub membership: Arc<dyn Membership>,
    /// Channels to them.
    pub channels: Arc<Channels>,
    /// Where its work runs.
    pub tasks: Tasks,
}

/// A running controller. Clones share it.
#[derive(Clone)]
pub struct Controller {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) options: ControllerOptions,
    pub(crate) ports: ControllerPorts,
    pub(crate) replica: Replica<CatalogMachine>,
    /// Held while a controller is taken in, and while it is decided that everybody reads a format. Not while one leaves: that
    /// makes the decision for fewer, and the replica changes its membership one step at a time by itself.
    pub(crate) members_change: Mutex<()>,
    /// Whether this controller is beginning a cluster, whose format is not written yet.
    pub(crate) beginning: Sender<bool>,
    /// Set if the cluster that this controller should join is beyond it.
    pub(crate) too_old: Sender<Option<TooOld>>,
}

/// What an operator asks first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControllerStatus {
    /// Empty before the cluster was formed.
    pub cluster_id: String,
    /// The leader's name; empty if unknown.
    pub leader: String,
    /// Raft's term.
    pub term: u64,
    /// The last applied revision.
    pub applied: u64,
    /// The format that the cluster writes, as far as this controller has applied.
    pub format: u32,
    /// The members' names, voters first.
    pub members: Vec<String>,
    /// How many of them vote.
    pub voters: usize,
    /// Whether this controller, in this life of its storage, is one of those.
    pub votes: bool,
    /// Whether a change of the voters is half done.
    pub is_changing: bool,
    /// The newest snapshot that this process has written.
    pub snapshot: Option<Written>,
    /// How many snapshots this process has made current.
    pub snapshots: SnapshotCounts,
    /// The last entry of the log here.
    pub last_log: u64,
    /// The last entry that was taken away from the front of the log here; 0 if none was.
    pub purged: u64,
}

impl Controller {
    /// Opens the group and begins to form or join the cluster. Returns before there is a leader.
    ///
    /// # Errors
    /// [`StartError`] if the storage cannot be used; the node must not go on.
    ///
    /// The future is in a box so that all of Raft is compiled with this crate, and not with each that starts a controller.
    pub fn start(
        options: ControllerOptions,
        ports: ControllerPorts,
    ) -> BoxFuture<'static, Result<Self, StartError>> {
        Self::open(options, ports).boxed()
    }

    async fn open(options: ControllerOptions, ports: ControllerPorts) -> Result<Self, StartError> {
        let identity = Identity::new(
            options.name.clone(),
            options.incarnation,
            options.address.clone(),
            options.zone.clone(),
        );
        let raft_ports = replica::Ports {
            log: ports.log.clone(),
            store: ports.store.clone(),
            channels: ports.channels.clone(),
            tasks: ports.tasks.clone(),
            entropy: ports.entropy.fork("raft"),
        };
        let replica = Replica::start(
            options.raft.clone(),
            identity,
            CatalogMachine::new(options.newest_format),
            raft_ports,
        )
        .await?;
        let shared = Arc::new(Shared {
            options,
            ports,
            replica,
            members_change: Mutex::new(()),
            beginning: Sender::new(false),
            too_old: Sender::new(None),
        });
        formation::spawn(&shared);
        reconcile::spawn(&shared);
        Ok(Self { shared })
    }

    /// Adds what it serves to other nodes: Raft between controllers; changes, barriers, watch streams and membership; code
    /// packages.
    #[must_use]
    pub fn serve_in(&self, services: Routes) -> Routes {
        let catalog = CatalogServer::new(service::CatalogService::new(self.shared.clone()));
        let blobs = BlobsServer::new(blobs::BlobsService::new(self.shared.clone()));
        services
            .add_service(self.shared.replica.service())
            .add_service(catalog.max_decoding_message_size(REQUEST_MAX))
            .add_service(blobs.max_decoding_message_size(REQUEST_MAX))
    }

    /// Versions as this controller has them, as long as it is there; they may be behind.
    pub fn versions(
        &self,
    ) -> impl Fn(&VersionId) -> Option<Arc<FunctionVersion>> + Send + Sync + use<> {
        let shared = Arc::downgrade(&self.shared);
        move |id| {
            let replica = &shared.upgrade()?.replica;
            replica.read(|machine, _| machine.catalog().version(id).cloned())
        }
    }

    /// What this controller knows of its group.
    #[must_use]
    pub fn status(&self) -> ControllerStatus {
        let status = self.shared.replica.status();
        let votes = status.votes();
        ControllerStatus {
            cluster_id: status.cluster.map(|c| c.to_string()).unwrap_or_default(),
            leader: status
                .leader
                .map(|l| l.name.to_string())
                .unwrap_or_default(),
            term: status.term,
            applied: status.applied,
            format: self.shared.format(),
            members: status
                .voters
                .iter()
                .chain(&status.learners)
                .map(|m| m.name.to_string())
                .collect(),
            voters: status.voters.len(),
            votes,
            is_changing: status.is_changing,
            snapshot: status.snapshot,
            snapshots: status.snapshots,
            last_log: status.last_log,
            purged: status.purged,
        }
    }

    /// All rows that this controller has, those that no follower is sent included, and the revision they are of.
    #[must_use]
    pub fn rows(&self) -> (u64, Rows) {
        self.shared.replica.rows()
    }

    /// Ends when the storage failed, or when the cluster is beyond what this build reads: the node must end too.
    pub async fn failed(&self) -> replica::Fatal {
        let mut too_old = self.shared.too_old.subscribe();
        let refused = async {
            match too_old.wait_for(Option::is_some).await.map(|found| *found) {
                Ok(Some(too_old)) => too_old.to_string(),
                Ok(None) | Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            fatal = self.shared.replica.failed() => fatal,
            what = refused => replica::Fatal::State {
                group: self.shared.options.raft.group,
                what,
            },
        }
    }

    /// Hands leadership over and stops.
    pub async fn stop(&self) {
        self.shared.replica.shutdown().await;
    }
}
