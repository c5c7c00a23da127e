//! The process of a simulated node: the real composition of its roles on simulated ports.

use std::{path::Path, sync::Arc, time::Duration};

use host::{Host, Tasks, net::Credentials, net::PeerIdentity};
use lambda_api::sigv4::{Credential, Secret};
use model::{AccountId, Role};
use node::{
    compose::{self, NodeHandle, announce},
    config::{self, NodeConfig},
    material::Material,
};
use sandbox::Driver;
use seal::{KeyRing, MasterKey};

use crate::{
    caller::{ACCESS_KEY, SECRET},
    gossip::SimMembership,
    guest::Guests,
    net::SimNetwork,
    world::{Node, World},
};

/// How long a node that is told to end may take for what is under way.
const GRACE: Duration = Duration::from_secs(3);

/// What runs on a host of the simulator: one process after the other, each until it ends or is killed.
///
/// # Errors
/// Never: a node that ends is an event of the run, not the end of it.
pub(crate) async fn run(world: Arc<World>, index: usize) -> turmoil::Result {
    let Some(node) = world.nodes.get(index) else {
        return Ok(());
    };
    let (start, terminate) = {
        let mut process = node.process.lock();
        process.starts += 1;
        process.ended = None;
        process.terminate = tokio_util::sync::CancellationToken::new();
        (process.starts, process.terminate.clone())
    };
    tracing::info!(start, "the process starts");
    let why = match begin(&world, node, start).await {
        Err(error) => format!("it did not start: {error}"),
        Ok(handle) => {
            let handle = Arc::new(handle);
            node.process.lock().handle = Arc::downgrade(&handle);
            tokio::select! {
                fatal = handle.failed() => format!("its storage failed: {fatal}"),
                () = terminate.cancelled() => {
                    let whole = handle.drain(GRACE).await;
                    format!("it was told to; work under way was ended: {whole}")
                }
            }
        }
    };
    tracing::info!(why, "the process ends");
    node.process.lock().ended = Some(why);
    // Whoever looks after processes reaps it.
    std::future::pending().await
}

async fn begin(
    world: &World,
    node: &Node,
    start: u64,
) -> Result<NodeHandle, Box<dyn std::error::Error>> {
    let config = configuration(world, node)?;
    node.process.lock().reads = config.cluster.newest_format;
    let entropy = world.entropy.fork(&format!("{} #{start}", node.name));
    let tasks = Tasks::in_place();
    if node.disk.set_damaged_store_aside() {
        tracing::info!("a damaged store was set aside");
    }
    let mounted = node.disk.mount();
    let incarnation = replica::marker::open(
        mounted.log.clone(),
        mounted.store.clone(),
        &node.name,
        &*entropy,
    )
    .await?;
    let membership = SimMembership::start(
        announce::own(&config, incarnation),
        world.nodes.iter().map(|n| n.name.clone()).collect(),
        world.register.clone(),
        entropy.fork("gossip"),
        &node.clock,
        &tasks,
    )
    .await?;
    let host = Host {
        clock: Arc::new(node.clock.clone()),
        network: Arc::new(SimNetwork::new(PeerIdentity {
            node: node.name.clone(),
            roles: node.roles,
        })),
        store: mounted.store,
        log: mounted.log,
        blobs: mounted.blobs,
        segments: mounted.segments,
        membership: Arc::new(membership),
        tasks,
        entropy: entropy.clone(),
    };
    let driver = node.roles.has(Role::Worker).then(|| {
        let guests = Guests::in_health(
            node.name.as_str(),
            entropy.fork("guests"),
            world.ledger.clone(),
            node.health.clone(),
        );
        guests as Arc<dyn Driver>
    });
    let credential = Credential {
        secret: Secret::new(SECRET),
        account: AccountId::DEFAULT,
        session: None,
    };
    // Certificates are not proven in this network.
    let material = Material {
        credentials: Credentials::in_directory(Path::new("none")),
        public: None,
        gossip_keys: vec![[7; 32]],
        access_keys: Some(vec![(ACCESS_KEY.to_owned(), credential)]),
        master_keys: master_keys(world)?,
        object_store: None,
        registries: None,
    };
    Ok(compose::start(config, &material, host, driver).await?)
}

/// The same on every node and at every start: part of what an operator gave the cluster.
fn master_keys(world: &World) -> Result<Option<Arc<KeyRing>>, Box<dyn std::error::Error>> {
    let entropy = world.entropy.fork("master key");
    let mut key = [0; 32];
    entropy.fill(&mut key);
    let ring = KeyRing::new(vec![("sim".parse()?, MasterKey::from_bytes(key))])?;
    Ok(Some(Arc::new(ring)))
}

fn configuration(world: &World, node: &Node) -> Result<NodeConfig, Box<dyn std::error::Error>> {
    let name = &node.name;
    let controllers: Vec<_> = world
        .with_role(Role::Controller)
        .into_iter()
        .filter_map(|n| world.nodes.get(n))
        .map(|c| format!("\"{0}={0}:7000\"", c.name))
        .collect();
    let roles: Vec<_> = node.roles.iter().map(|r| format!("\"{r}\"")).collect();
    let held_back = node.process.lock().held_back;
    let held_back = held_back.map_or(String::new(), |f| format!("newest_format = {f}\n"));
    let mut text = format!(
        "[node]\nname = \"{name}\"\nzone = \"{}\"\nroles = [{}]\ndata_dir = {:?}\n\
         [listen]\npublic = \"0.0.0.0:9000\"\ngrpc = \"0.0.0.0:9001\"\ninternal = \"0.0.0.0:7000\"\n\
         advertise_internal = \"{name}:7000\"\nadvertise_public = \"{name}:9000\"\n\
         [cluster]\n{held_back}initial_controllers = [{}]\ngossip_key_files = [\"none\"]\nidentity_dir = \"none\"\n\
         [[auth.keys]]\naccess_key_id = \"{ACCESS_KEY}\"\nsecret_env = \"SECRET\"\n\
         [[secrets.master_keys]]\nid = \"sim\"\nenv = \"MASTER\"\n\
         [raft]\nsnapshot_every = {}\nsnapshot_keep = {}\n",
        node.zone,
        roles.join(", "),
        world.scratch.join(name.as_str()),
        controllers.join(", "),
        world.raft.snapshot_every,
        world.raft.snapshot_keep,
    );
    if node.roles.has(Role::Worker) {
        text.push_str("[worker]\nmemory = \"4GiB\"\ncpus = 4\nslots = 16\nidle_expiry = \"4s\"\n");
    }
    Ok(config::parse(Path::new("dunlin.toml"), &text, &[])?)
}
