//! What a node says of itself: the shapes of `/status` and `/readyz`.

use model::capacity::Member;
use serde::{Deserialize, Serialize};

/// The answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Whether the node can do its work now.
    pub ready: bool,
    /// What it waits for; empty if it is ready.
    pub reasons: Vec<String>,
}

/// The answer of `/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The node that answers.
    pub node: NodeStatus,
    /// Its cluster, as far as it knows.
    pub cluster: ClusterStatus,
    /// Its copy of the catalog.
    pub catalog: CatalogStatus,
    /// Every node it hears of, itself included, by name.
    pub members: Vec<MemberStatus>,
    /// As `/readyz` answers.
    pub readiness: Readiness,
}

/// The node that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Its failure domain.
    pub zone: String,
    /// What it does.
    pub roles: Vec<String>,
    /// The life of its storage.
    pub incarnation: u64,
    /// The version of its program.
    pub version: String,
    /// The newest format of the catalog that it reads.
    #[serde(default = "first_format")]
    pub newest_format: u32,
    /// How long its process runs, in milliseconds.
    pub uptime_ms: u64,
    /// Its wall clock, in milliseconds since the Unix epoch; 0 from a build that did not tell.
    #[serde(default)]
    pub wall_ms: u64,
    /// Its audit log; on frontends.
    #[serde(default)]
    pub audit: Option<AuditStatus>,
    /// The sandbox driver, and what it does not enforce; on workers.
    pub sandbox: Option<SandboxStatus>,
}

/// The audit log of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditStatus {
    /// Its last record, as `HASH@SEQ`: keep it elsewhere, and it proves later that nothing was changed or cut off.
    pub head: String,
    /// Whether control calls can be recorded.
    pub writable: bool,
    /// Breaks found since the process began.
    pub breaks: u64,
}

/// What confines user code on this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxStatus {
    /// The driver's name.
    pub driver: String,
    /// The pieces that are missing and were waived.
    pub missing: Vec<String>,
}

/// The cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// Its name.
    pub name: String,
    /// Its id, once it was formed.
    pub id: Option<String>,
    /// The leader's name, if this node knows one.
    pub leader: Option<String>,
    /// The term of that leader; 0 on nodes that are no controller.
    pub term: u64,
    /// The last log index applied here; 0 on nodes that are no controller.
    pub applied: u64,
    /// The format that it writes, as far as this node knows.
    #[serde(default = "first_format")]
    pub format: u32,
    /// The controllers of the group; empty on nodes that are no controller.
    pub controllers: Vec<ControllerStatus>,
}

/// A member of the controllers' group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerStatus {
    /// Its name.
    pub name: String,
    /// Where it is reached.
    pub address: String,
    /// Its failure domain.
    pub zone: String,
    /// Whether it votes.
    pub voter: bool,
}

/// A node's copy of the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogStatus {
    /// The last revision it holds.
    pub revision: u64,
    /// Whether it was caught up since the process began.
    pub caught_up: bool,
    /// Whether a controller streams to it now.
    pub following: bool,
    /// How many functions it holds.
    pub functions: u64,
}

/// A node, as gossip tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Its name.
    pub name: String,
    /// Its failure domain.
    pub zone: String,
    /// What it does.
    pub roles: Vec<String>,
    /// Where other nodes reach it.
    pub address: String,
    /// Where callers reach it; empty without a frontend.
    pub public_address: String,
    /// Whether it takes no new work.
    pub draining: bool,
    /// What it has free; on workers.
    pub capacity: Option<CapacityStatus>,
    /// Runtimes it can start.
    pub runtimes: Vec<String>,
    /// How many versions it has warm.
    pub warm: u64,
    /// The newest format of the catalog that it reads.
    #[serde(default = "first_format")]
    pub newest_format: u32,
}

/// What a build reads that says nothing of formats.
const fn first_format() -> u32 {
    1
}

/// What a worker has free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityStatus {
    /// Environments it may still start.
    pub slots_free: u32,
    /// Environments it may have in all.
    pub slots: u32,
    /// Memory not promised, in bytes.
    pub memory_free_bytes: u64,
    /// CPU not in use, in thousandths of a core.
    pub cpu_free_millis: u32,
}

impl Readiness {
    /// Ready if there is nothing to wait for.
    #[must_use]
    pub fn of(reasons: Vec<String>) -> Self {
        Self {
            ready: reasons.is_empty(),
            reasons,
        }
    }
}

impl From<&Member> for MemberStatus {
    fn from(member: &Member) -> Self {
        let works = member.roles.has(model::Role::Worker);
        let capacity = &member.capacity;
        Self {
            name: member.name.to_string(),
            zone: member.zone.to_string(),
            roles: role_names(member.roles),
            address: member.address.clone(),
            public_address: member.public_address.clone(),
            draining: member.draining,
            capacity: works.then_some(CapacityStatus {
                slots_free: capacity.slots_free,
                slots: capacity.slots,
                memory_free_bytes: capacity.memory_free.0,
                cpu_free_millis: capacity.cpu_free_millis,
            }),
            runtimes: member.runtimes.clone(),
            warm: u64::try_from(member.warm.len()).unwrap_or(u64::MAX),
            newest_format: member.newest_format,
        }
    }
}

/// The roles by name, in a fixed order.
#[must_use]
pub fn role_names(roles: model::Roles) -> Vec<String> {
    roles.iter().map(|r| r.to_string()).collect()
}
