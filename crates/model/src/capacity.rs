//! What a worker has free and what it has warm: the content of gossip.

use std::collections::BTreeMap;

use crate::{
    Architecture, ByteCount, VersionId,
    node::{Incarnation, NodeName, Roles, Zone},
};

/// What a worker could still take. A hint for routing; the worker's own admission is the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Capacity {
    /// Environments it may still start.
    pub slots_free: u32,
    /// Environments it may have in all.
    pub slots: u32,
    /// Memory not promised to an environment.
    pub memory_free: ByteCount,
    /// CPU not in use, in thousandths of a core.
    pub cpu_free_millis: u32,
}

/// A version's place in a warmth digest: 32 bits of a hash of version id and revision. Collisions only cost a colder choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WarmKey(pub u32);

impl WarmKey {
    /// The key of a version (FNV-1a of its ARN).
    #[must_use]
    pub fn of(version: &VersionId) -> Self {
        let arn = version
            .function
            .arn(Some(crate::Qualifier::Version(version.version)))
            .to_string();
        Self(arn.bytes().fold(0x811c_9dc5, |h, b| {
            (h ^ u32::from(b)).wrapping_mul(0x0100_0193)
        }))
    }
}

/// What every node tells every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: NodeName,
    /// The life of its storage.
    pub incarnation: Incarnation,
    /// The start of its process, in milliseconds since the epoch: a restarted node has a greater one.
    pub generation: u64,
    /// What it does.
    pub roles: Roles,
    /// Where it stands.
    pub zone: Zone,
    /// Where other nodes reach its gRPC services, `host:port`.
    pub address: String,
    /// Where callers reach its frontend, `host:port`; empty without one.
    pub public_address: String,
    /// The instruction sets it runs.
    pub architecture: Option<Architecture>,
    /// Whether it takes no new work.
    pub draining: bool,
    /// What it has free.
    pub capacity: Capacity,
    /// Idle warm environments by version, the most recently used first to be kept when the digest is full.
    pub warm: BTreeMap<WarmKey, u16>,
    /// Runtime identifiers it can start.
    pub runtimes: Vec<String>,
    /// The newest format of the catalog that it reads.
    pub newest_format: u32,
}
