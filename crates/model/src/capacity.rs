//! What a worker has free and what it has warm: the content of gossip.

use std::collections::BTreeMap;

use crate::{
    Architecture, ByteCount, TenantId, VersionId,
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
    /// CPU not promised to an environment that runs an invocation, in thousandths of a core. An environment is promised
    /// what its memory brings ([`MIB_PER_CPU`](crate::size::MIB_PER_CPU)), whether it uses it or not.
    pub cpu_free_millis: u32,
}

/// A version's place in a warmth digest, or that of one of its tenants: 32 bits of a hash. Collisions only cost a colder
/// choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WarmKey(pub u32);

impl WarmKey {
    /// The key of a version (FNV-1a of its ARN), or of what one of its tenants has of it: nothing that is warm for one
    /// tenant is so for another.
    #[must_use]
    pub fn of(version: &VersionId, tenant: Option<&TenantId>) -> Self {
        let arn = version
            .function
            .arn(Some(crate::Qualifier::Version(version.version)))
            .to_string();
        // A zero is in no ARN, so that no tenant's text is the end of one.
        let tenant = tenant.into_iter();
        let tenant = tenant.flat_map(|t| std::iter::once(0).chain(t.as_str().bytes()));
        Self(arn.bytes().chain(tenant).fold(0x811c_9dc5, |h, b| {
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
    /// Idle warm environments by version. When the digest is full, the versions with the most of them are kept.
    pub warm: BTreeMap<WarmKey, u16>,
    /// Runtime identifiers it can start.
    pub runtimes: Vec<String>,
    /// The newest format of the catalog that it reads.
    pub newest_format: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;

    #[test]
    fn versions_and_their_tenants_are_told_apart() {
        let version = |version| VersionId {
            function: crate::FunctionId {
                account: crate::AccountId::DEFAULT,
                region: crate::Region::default(),
                name: "hello".parse().unwrap(),
            },
            version,
        };
        let key = |of, tenant: Option<&str>| {
            let tenant = tenant.map(|t| t.parse().unwrap());
            WarmKey::of(&version(of), tenant.as_ref())
        };
        // Other nodes have this number, too.
        assert_eq!(key(Version::Latest, None), WarmKey(0x68f0_5349));
        let keys = [
            key(Version::Latest, None),
            key(Version::Latest, Some("blue")),
            key(Version::Latest, Some("red")),
            key(Version::Number(1.try_into().unwrap()), Some("blue")),
        ];
        let different: std::collections::BTreeSet<_> = keys.into_iter().collect();
        assert_eq!(different.len(), keys.len());
    }
}
