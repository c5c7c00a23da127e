//! The real adapters behind the ports: this machine's clock, entropy, network, disks, gossip and sandbox.

use std::{
    error::Error as _,
    fs::DirBuilder,
    io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use host::{
    ChitchatMembership, Clock, DirectoryBlobs, DirectorySegments, Host, LogEngine, RedbLog,
    SledStore, Store, SystemClock, SystemEntropy, Tasks, TlsNetwork,
    membership::{MembershipError, MembershipOptions},
    net::TlsOptions,
    store::SetAside,
};
use model::{NodeName, Role};
use sandbox::{Driver, LinuxDriver};
use sha2::{Digest as _, Sha256};

use crate::{
    compose::{StartError, announce},
    config::NodeConfig,
    material::Material,
};

/// How the files of the audit log end.
pub const AUDIT_FILES: &str = "jsonl";

/// Opens everything that a node gets from this machine, and begins to gossip.
///
/// # Errors
/// [`StartError`].
pub async fn host(config: &NodeConfig, material: &Material) -> Result<Host, StartError> {
    let data = &config.node.data_dir;
    // User code is mounted from below it and runs under other ids: they must be able to pass, not to look.
    make_directory(data, 0o711)?;
    for private in ["log", "store", "blobs"] {
        make_directory(&data.join(private), 0o700)?;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy = Arc::new(SystemEntropy::new());
    let tasks = Tasks::new();
    let network = TlsNetwork::new(
        TlsOptions {
            cluster: config.cluster.name.clone(),
            credentials: material.credentials.clone(),
            public: material.public.clone(),
        },
        clock.clone(),
    )?;
    check_identity(config, &network).await?;
    let log: Arc<dyn LogEngine> = Arc::new(RedbLog::open(&data.join("log")).await?);
    let (store, set_aside) = SledStore::open_or_begin_anew(&data.join("store")).await?;
    if let Some(SetAside { to, why }) = set_aside {
        let cause = why.source().map(ToString::to_string);
        tracing::warn!(to = %to.display(), error = %why, cause, "a damaged store was set aside; a new one is made from the log and the other nodes");
    }
    let store: Arc<dyn Store> = Arc::new(store);
    let blobs = DirectoryBlobs::open(&data.join("blobs")).await?;
    let incarnation =
        replica::marker::open(log.clone(), store.clone(), &config.node.name, &*entropy).await?;
    let options = MembershipOptions {
        cluster_id: config.cluster.name.clone(),
        own: announce::own(config, incarnation),
        bind: config.listen.internal,
        advertise: resolve(&config.listen.advertise_internal).await?,
        seeds: config.cluster.seeds.clone(),
        keys: material.gossip_keys.clone(),
    };
    let membership = ChitchatMembership::start(options, &tasks, entropy.clone(), &*clock)
        .await
        .map_err(gossip)?;
    Ok(Host {
        clock,
        entropy,
        network: Arc::new(network),
        store,
        log,
        blobs: Arc::new(blobs),
        segments: Arc::new(DirectorySegments::new(&data.join("audit"), AUDIT_FILES)),
        membership: Arc::new(membership),
        tasks,
    })
}

/// Starts the sandbox driver of a worker; other nodes have none.
///
/// # Errors
/// [`StartError::Driver`], which names every missing piece and what to do.
pub async fn driver(config: &NodeConfig) -> Result<Option<Arc<dyn Driver>>, StartError> {
    if !config.node.roles.has(Role::Worker) {
        return Ok(None);
    }
    let directory = config.node.data_dir.join("sandbox");
    make_directory(&config.node.data_dir, 0o711)?;
    make_directory(&directory, 0o711)?;
    let group = group_name(&config.node.name, &config.node.data_dir);
    let mut options = sandbox::linux::Options::new(directory, group);
    options.allow_missing = config.sandbox.allow_missing.clone();
    options.allotment = config.sandbox.allotment.clone();
    options.networks = Arc::new(config.network.networks.clone());
    let driver = LinuxDriver::start(options).await?;
    for piece in driver.report().missing() {
        tracing::warn!(%piece, "the sandbox lacks a piece that the configuration goes without");
    }
    Ok(Some(Arc::new(driver)))
}

/// A name for the groups of this node alone: a node ends what a previous life left in them, and another one on the same
/// machine may have the same name. Its data directory is its own.
fn group_name(name: &NodeName, data_dir: &Path) -> NodeName {
    let whole = data_dir
        .canonicalize()
        .unwrap_or_else(|_| data_dir.to_owned());
    let digest = Sha256::digest(whole.as_os_str().as_encoded_bytes());
    let short = digest.get(..6).map(hex::encode).unwrap_or_default();
    // Hexadecimal digits are letters of every name.
    let start: String = name.as_str().chars().take(48).collect();
    format!("{start}.{short}")
        .parse()
        .unwrap_or_else(|_| name.clone())
}

/// The certificate must name this node and allow every role that it is told to play.
async fn check_identity(config: &NodeConfig, network: &TlsNetwork) -> Result<(), StartError> {
    let identity = network.identity().await;
    let lacking = config
        .node
        .roles
        .iter()
        .find(|role| !identity.roles.has(*role));
    if identity.node != config.node.name || lacking.is_some() {
        return Err(StartError::Identity {
            node: config.node.name.clone(),
            roles: config.node.roles,
            certificate: identity.node,
            allowed: identity.roles,
        });
    }
    Ok(())
}

async fn resolve(address: &str) -> Result<SocketAddr, StartError> {
    let failed = |source| StartError::Resolve {
        address: address.to_owned(),
        source,
    };
    tokio::net::lookup_host(address)
        .await
        .map_err(failed)?
        .next()
        .ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

fn gossip(error: MembershipError) -> StartError {
    match error {
        MembershipError::Bind { address, source } => StartError::Bind {
            key: "listen.internal",
            address,
            source,
        },
        other @ (MembershipError::NoKey
        | MembershipError::Advertise(_)
        | MembershipError::Start(_)) => StartError::Gossip(other),
    }
}

fn make_directory(path: &Path, mode: u32) -> Result<(), StartError> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|source| StartError::Directory {
            path: PathBuf::from(path),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_directory_has_groups_of_its_own() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let name: NodeName = "a".parse().unwrap();
        let of = |dir: &tempfile::TempDir| group_name(&name, dir.path());
        assert_eq!(of(&one), of(&one));
        assert_ne!(of(&one), of(&other));
        let longest: NodeName = "x".repeat(63).parse().unwrap();
        assert_ne!(group_name(&longest, one.path()), longest);
    }
}
