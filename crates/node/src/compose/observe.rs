//! What a node tells operators about itself and its cluster.

use std::{sync::Arc, time::Duration};

use catalog::LocalCopy;
use controller::Controller;
use frontend::{DURATION_BOUNDS, Frontend};
use host::{Host, Tasks, membership::Members, net::channel::Channels, task::Kind};
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
            CatalogStatus, ClusterStatus, ControllerStatus, MemberStatus, NodeStatus, Readiness,
            SandboxStatus, Status, role_names,
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
    copy: LocalCopy,
    controller: Option<Controller>,
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
    ) -> Arc<Self> {
        let observer = Arc::new(Self {
            config: shared.config.clone(),
            incarnation: shared.incarnation,
            began: Instant::now(),
            copy: shared.copy.clone(),
            controller,
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
                _ = copy.changed() => {}
                _ = members.changed() => {}
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
        let controllers = told.controllers.iter().map(|c| ControllerStatus {
            name: c.name.clone(),
            address: c.address.clone(),
            zone: c.zone.clone(),
            voter: c.voter,
        });
        let controllers = controllers.collect();
        // A controller knows without being asked.
        let (id, leader, term, applied) = match self.controller.as_ref().map(Controller::status) {
            Some(own) => (own.cluster_id, own.leader, own.term, own.applied),
            None => (told.cluster_id, told.leader, told.term, told.applied),
        };
        ClusterStatus {
            name: self.config.cluster.name.clone(),
            id: Some(id).filter(|id| !id.is_empty()),
            leader: Some(leader).filter(|leader| !leader.is_empty()),
            term,
            applied,
            controllers,
        }
    }
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
            ]);
        }
        figures
    }
}

/// What a frontend counts.
pub(super) struct Edge(pub(super) Frontend);

impl Figures for Edge {
    fn figures(&self) -> Vec<Figure> {
        let f = self.0.figures();
        let requests = "Requests over both public APIs, by the class of their answer.";
        let done = f
            .requests
            .saturating_sub(f.requests_refused)
            .saturating_sub(f.requests_throttled)
            .saturating_sub(f.requests_failed);
        let answered =
            |class: &str, n| Figure::counter("requests", requests, n).with("answer", class);
        let bounds = DURATION_BOUNDS
            .into_iter()
            .map(|ms| Duration::from_millis(ms).as_secs_f64())
            .chain([f64::INFINITY]);
        vec![
            answered("done", done),
            answered("refused", f.requests_refused),
            answered("throttled", f.requests_throttled),
            answered("failed", f.requests_failed),
            Figure::gauge(
                "requests_in_flight",
                "Requests being served.",
                f.requests_in_flight,
            ),
            Figure::counter(
                "invocations",
                "Invocations that a runtime took.",
                f.invocations,
            ),
            Figure::counter(
                "cold_starts",
                "Invocations in a new environment.",
                f.cold_starts,
            ),
            Figure::counter(
                "function_errors",
                "Invocations that ended with a function error.",
                f.function_errors,
            ),
            Figure::counter(
                "invocations_lost",
                "Invocations whose response was lost on its way.",
                f.invocations_lost,
            ),
            Figure::counter(
                "invocations_throttled",
                "Invocations refused for want of concurrency or capacity.",
                f.invocations_throttled,
            ),
            Figure::gauge(
                "invocations_in_flight",
                "Invocations in flight.",
                f.invocations_in_flight,
            ),
            Figure::counter(
                "routing_attempts_failed",
                "Workers that were asked and did not take an invocation.",
                f.attempts_failed,
            ),
            Figure {
                name: "invocation_duration_seconds",
                help: "Time from a request's acceptance to the end of its response.",
                measure: Measure::Histogram {
                    sum: Duration::from_micros(f.invocation_duration_sum_us).as_secs_f64(),
                    buckets: bounds.zip(f.invocation_durations).collect(),
                },
                labels: Vec::new(),
            },
        ]
    }
}
