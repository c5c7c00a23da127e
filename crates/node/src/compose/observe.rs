//! What a node tells operators about itself and its cluster.

use std::{sync::Arc, time::Duration};

use audit::Recorder;
use catalog::LocalCopy;
use controller::Controller;
use host::{Clock, Host, Tasks, membership::Members, net::channel::Channels, task::Kind};
use model::{Incarnation, Role};
use parking_lot::Mutex;
use proto::internal::{self as pb, catalog_client::CatalogClient};
use sandbox::Driver;
use tokio::{sync::watch, time::Instant};

use super::Shared;
use crate::{
    admin::{
        Subject,
        metrics::{Figure, Figures, Measure},
        status::{
            AuditStatus, CatalogStatus, ClusterStatus, ControllerStatus, MemberStatus, NodeStatus,
            Readiness, SandboxStatus, Status, role_names,
        },
    },
    config::NodeConfig,
};

/// How often a controller is asked about the group.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// How long it may take to answer.
const ASK_MAX: Duration = Duration::from_millis(800);
/// A copy that was confirmed this long ago is not being followed.
const FOLLOWED: Duration = Duration::from_secs(3);
/// How long a node that has a catalog on disk waits for a controller before it serves from the disk.
const CATCH_UP_MAX: Duration = Duration::from_secs(2);

/// Looks at the parts of a node without disturbing them.
pub(super) struct Observer {
    config: Arc<NodeConfig>,
    incarnation: Incarnation,
    began: Instant,
    clock: Arc<dyn Clock>,
    copy: LocalCopy,
    controller: Option<Controller>,
    audit: Option<Recorder>,
    members: watch::Receiver<Members>,
    tasks: Tasks,
    sandbox: Option<SandboxStatus>,
    /// The group as a controller told it last; `None` if none answers.
    group: Mutex<Option<pb::StatusResponse>>,
}

impl Observer {
    /// Begins to follow what a controller says about the group.
    pub(super) fn start(
        shared: &Shared,
        host: &Host,
        driver: Option<&dyn Driver>,
        controller: Option<Controller>,
        audit: Option<Recorder>,
    ) -> Arc<Self> {
        let observer = Arc::new(Self {
            config: shared.config.clone(),
            incarnation: shared.incarnation,
            began: Instant::now(),
            clock: host.clock.clone(),
            copy: shared.copy.clone(),
            controller,
            audit,
            members: host.membership.watch(),
            tasks: host.tasks.clone(),
            sandbox: driver.map(|driver| SandboxStatus {
                driver: driver.name().to_owned(),
                missing: driver
                    .report()
                    .missing()
                    .into_iter()
                    .map(|piece| piece.to_string())
                    .collect(),
            }),
            group: Mutex::new(None),
        });
        let asker = observer.clone();
        let channels = shared.channels.clone();
        host.tasks
            .spawn(Kind::Background, "group status", async move {
                loop {
                    let told = asker.ask(&channels).await;
                    *asker.group.lock() = told;
                    tokio::time::sleep(ASK_EVERY).await;
                }
            });
        observer
    }

    /// Returns when the node is ready.
    pub(super) async fn ready(&self) {
        let mut copy = self.copy.changed();
        let mut members = self.members.clone();
        while !self.readiness().ready {
            tokio::select! {
                Ok(()) = copy.changed() => {}
                Ok(()) = members.changed() => {}
                // Time alone can make it ready, too.
                () = tokio::time::sleep(CATCH_UP_MAX) => {}
            }
        }
    }

    /// Asks this node's controller, or else any, until one answers.
    async fn ask(&self, channels: &Channels) -> Option<pb::StatusResponse> {
        let listen = &self.config.listen;
        let controls = self.config.node.roles.has(Role::Controller);
        let addresses: Vec<String> = if controls {
            vec![listen.advertise_internal.clone()]
        } else {
            let members = self.members.borrow().clone();
            let known = members.values().filter(|m| m.roles.has(Role::Controller));
            known.map(|m| m.address.clone()).collect()
        };
        for address in addresses {
            let mut client = CatalogClient::new(channels.get_to(&address, Role::Controller));
            let asked = client.status(pb::StatusRequest {});
            if let Ok(Ok(answer)) = tokio::time::timeout(ASK_MAX, asked).await {
                return Some(answer.into_inner());
            }
        }
        None
    }

    fn cluster(&self) -> ClusterStatus {
        let told = self.group.lock().clone().unwrap_or_default();
        let controllers: Vec<_> = told
            .controllers
            .iter()
            .map(|c| ControllerStatus {
                name: c.name.clone(),
                address: c.address.clone(),
                zone: c.zone.clone(),
                voter: c.voter,
            })
            .collect();
        // A controller knows without being asked.
        let (id, leader, term, applied, format) =
            match self.controller.as_ref().map(Controller::status) {
                Some(own) => (
                    own.cluster_id,
                    own.leader,
                    own.term,
                    own.applied,
                    own.format,
                ),
                None => (
                    told.cluster_id,
                    told.leader,
                    told.term,
                    told.applied,
                    told.format,
                ),
            };
        let members = self.members.borrow().clone();
        let lives = |name: &str| members.keys().any(|m| m.as_str() == name);
        let leads = can_lead(&leader, &controllers, lives);
        ClusterStatus {
            name: self.config.cluster.name.clone(),
            id: Some(id).filter(|id| !id.is_empty()),
            leader: Some(leader).filter(|_| leads),
            term,
            applied,
            format: format.max(self.copy.read(|catalog| catalog.format())),
            controllers,
        }
    }
}

/// Whether the leader that a controller last heard of can still be one: it and most voters live. Raft itself notices the
/// same only when it next needs them.
fn can_lead(leader: &str, controllers: &[ControllerStatus], lives: impl Fn(&str) -> bool) -> bool {
    let voters = controllers.iter().filter(|c| c.voter);
    let (alive, all) = voters.fold((0, 0), |(alive, all), c| {
        (alive + usize::from(lives(&c.name)), all + 1)
    });
    // Nothing is known of the voters yet: the leader is believed.
    !leader.is_empty() && lives(leader) && (all == 0 || alive * 2 > all)
}

impl Subject for Observer {
    fn readiness(&self) -> Readiness {
        let mut reasons = Vec::new();
        if self.tasks.draining().is_cancelled() {
            reasons.push("this node is draining".to_owned());
        }
        let has_copy = !self.copy.cluster_id().is_empty();
        let waited = self.began.elapsed() >= CATCH_UP_MAX;
        if self.copy.staleness().is_none() && !(has_copy && waited) {
            reasons.push("no controller has sent the catalog yet".to_owned());
        }
        reasons.extend(self.copy.refusal());
        if !self.members.borrow().contains_key(&self.config.node.name) {
            reasons.push("gossip does not show this node yet".to_owned());
        }
        Readiness::of(reasons)
    }

    fn status(&self) -> Status {
        let node = &self.config.node;
        let functions = self.copy.read(|catalog| catalog.function_count());
        let members = self.members.borrow().clone();
        Status {
            node: NodeStatus {
                name: node.name.to_string(),
                zone: node.zone.to_string(),
                roles: role_names(node.roles),
                incarnation: self.incarnation.0,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                uptime_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
                wall_ms: self.clock.wall().0,
                newest_format: self.config.cluster.newest_format,
                audit: self.audit.as_ref().map(|audit| {
                    let figures = audit.figures();
                    AuditStatus {
                        head: figures.head.to_string(),
                        writable: figures.writable,
                        breaks: figures.breaks,
                    }
                }),
                sandbox: self.sandbox.clone(),
            },
            cluster: self.cluster(),
            catalog: CatalogStatus {
                revision: self.copy.revision().0,
                caught_up: self.copy.staleness().is_some(),
                following: self.copy.staleness().is_some_and(|age| age < FOLLOWED),
                functions: u64::try_from(functions).unwrap_or(u64::MAX),
            },
            members: members.values().map(|m| MemberStatus::from(&**m)).collect(),
            readiness: self.readiness(),
        }
    }
}

impl Figures for Observer {
    fn figures(&self) -> Vec<Figure> {
        let members = self.members.borrow().clone();
        let ready = u64::from(self.readiness().ready);
        let mut figures = vec![
            Figure::gauge("ready", "Whether this node can do its work.", ready),
            Figure::gauge(
                "members",
                "Live nodes as gossip shows them, this one included.",
                u64::try_from(members.len()).unwrap_or(u64::MAX),
            ),
            Figure::gauge(
                "catalog_revision",
                "Revision of this node's copy of the catalog.",
                self.copy.revision().0,
            ),
            Figure::gauge(
                "catalog_format",
                "Format that the cluster writes, as far as this node knows.",
                u64::from(self.copy.read(|catalog| catalog.format())),
            ),
            Figure::gauge(
                "newest_format",
                "Newest format of the catalog that this node reads.",
                u64::from(self.config.cluster.newest_format),
            ),
        ];
        if let Some(age) = self.copy.staleness() {
            figures.push(Figure {
                name: "catalog_staleness_seconds",
                help: "Time since a controller confirmed that the copy is complete.",
                measure: Measure::Gauge(age.as_secs_f64()),
                labels: Vec::new(),
            });
        }
        if let Some(own) = members.get(&self.config.node.name)
            && own.roles.has(Role::Worker)
        {
            let free = &own.capacity;
            figures.extend([
                Figure::gauge(
                    "worker_slots",
                    "Environments that may live here.",
                    u64::from(free.slots),
                ),
                Figure::gauge(
                    "worker_slots_free",
                    "Environments that may still be started here.",
                    u64::from(free.slots_free),
                ),
                Figure::gauge(
                    "worker_memory_free_bytes",
                    "Memory not promised to an environment.",
                    free.memory_free.0,
                ),
            ]);
        }
        if let Some(status) = self.controller.as_ref().map(Controller::status) {
            let leads = status.leader == self.config.node.name.as_str();
            figures.extend([
                Figure::gauge("raft_term", "Term of the catalog group.", status.term),
                Figure::gauge(
                    "raft_applied",
                    "Last log index applied here.",
                    status.applied,
                ),
                Figure::gauge("raft_leader", "Whether this node leads.", u64::from(leads)),
                Figure::gauge(
                    "raft_log_entries",
                    "Entries of the log that are still there.",
                    status.last_log.saturating_sub(status.purged),
                ),
                Figure::counter(
                    "raft_snapshots_built_total",
                    "Snapshots of its own state that this process has made.",
                    status.snapshots.built,
                ),
                Figure::counter(
                    "raft_snapshots_installed_total",
                    "Snapshots that this process has taken over from a leader because the log did not reach back far enough.",
                    status.snapshots.installed,
                ),
            ]);
            if let Some(snapshot) = status.snapshot {
                figures.extend([
                    Figure::gauge(
                        "raft_snapshot_index",
                        "Last log index of the newest snapshot that this process has written.",
                        snapshot.index,
                    ),
                    Figure::gauge("raft_snapshot_bytes", "Bytes of its rows.", snapshot.bytes),
                    Figure {
                        name: "raft_snapshot_write_seconds",
                        help: "From its first byte until it was on disk.",
                        measure: Measure::Gauge(snapshot.took.as_secs_f64()),
                        labels: Vec::new(),
                    },
                ]);
            }
        }
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_is_believed_while_it_and_most_voters_live() {
        let controller = |name: &str, voter| ControllerStatus {
            name: name.to_owned(),
            address: String::new(),
            zone: String::new(),
            voter,
        };
        let three = ["a", "b", "c"].map(|name| controller(name, true));
        let check = |leader: &str, alive: &[&str], expected: bool| {
            let got = can_lead(leader, &three, |name| alive.contains(&name));
            assert_eq!(got, expected, "{leader} of {alive:?}");
        };
        check("a", &["a", "b", "c"], true);
        check("a", &["a", "b"], true);
        check("a", &["a"], false);
        check("a", &["b", "c"], false);
        check("", &["a", "b", "c"], false);
        assert!(can_lead("a", &[], |_| true));
        let learners = [
            controller("a", true),
            controller("b", false),
            controller("c", false),
        ];
        assert!(can_lead("a", &learners, |name| name == "a"));
    }
}
