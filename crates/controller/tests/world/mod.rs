//! A cluster of controllers and what a test does to it.

mod stalling;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use catalog::{Controllers, ControllersOptions, LocalCopy};
use controller::{Controller, ControllerOptions, ControllerPorts};
use host::{
    Blobs, Entropy, Membership, Network, Tasks,
    blobs::DirectoryBlobs,
    clock::SystemClock,
    entropy::SystemEntropy,
    log::RedbLog,
    membership::Members,
    net::{PeerIdentity, PlainNetwork, channel::Channels, serve},
    store::SledStore,
    task::Kind,
};
use model::{
    AccountId, Architecture, Digest, FunctionId, NodeName, Region, Role, Roles,
    capacity::Member,
    function::{Config, Logging, TracingMode},
};
use proto::internal::{self as pb, catalog_client::CatalogClient};
use tokio::{sync::watch, time::Instant};
use tonic::service::Routes;

use self::stalling::Stalling;

pub(crate) fn function(name: &str) -> FunctionId {
    FunctionId {
        account: AccountId::DEFAULT,
        region: Region::default(),
        name: name.parse().unwrap(),
    }
}

pub(crate) fn config() -> Config {
    Config {
        runtime: "python3.11".parse().unwrap(),
        handler: Some("app.handler".to_owned()),
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        description: String::new(),
        timeout: model::TimeoutSeconds::default(),
        memory: model::MemoryMib::default(),
        ephemeral: model::EphemeralMib::default(),
        architecture: Architecture::X86_64,
        environment: None,
        tracing: TracingMode::PassThrough,
        logging: Logging::default(),
        optional: None,
    }
}

/// Nobody gossips here: the controllers know each other from their configuration.
struct Nobody(watch::Sender<Members>);

#[async_trait]
impl Membership for Nobody {
    fn watch(&self) -> watch::Receiver<Members> {
        self.0.subscribe()
    }

    fn publish(&self, _own: Member) {}

    async fn leave(&self) {}
}

/// Opens storage whose last user, in this very process, may be a moment from letting go of it.
async fn opened<T, E: std::fmt::Debug>(open: impl AsyncFn() -> Result<T, E>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match open().await {
            Ok(storage) => return storage,
            Err(error) => assert!(Instant::now() < deadline, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn nobody() -> Arc<dyn Membership> {
    Arc::new(Nobody(watch::Sender::new(Members::default())))
}

struct Node {
    controller: Controller,
    blobs: Arc<Stalling>,
    tasks: Tasks,
}

pub(crate) struct World {
    directory: tempfile::TempDir,
    addresses: BTreeMap<NodeName, String>,
    nodes: BTreeMap<String, Node>,
    /// The newest format that each node reads, if it is held back.
    held_back: BTreeMap<String, u32>,
    client_tasks: Tasks,
}

impl World {
    /// Starts a cluster and waits until it has a leader.
    pub(crate) async fn start(names: &[&str]) -> Self {
        Self::start_held_back(names, &[]).await
    }

    /// As [`World::start`], with nodes that read formats only up to one.
    pub(crate) async fn start_held_back(names: &[&str], held_back: &[(&str, u32)]) -> Self {
        let mut addresses = BTreeMap::new();
        for name in names {
            // A port that was free a moment ago; the nodes must know each other's before they start.
            let free = std::net::TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap();
            addresses.insert(name.parse().unwrap(), free.to_string());
        }
        let directory = tempfile::tempdir().unwrap();
        let mut world = Self {
            directory,
            addresses,
            nodes: BTreeMap::new(),
            held_back: held_back
                .iter()
                .map(|(name, newest)| ((*name).to_owned(), *newest))
                .collect(),
            client_tasks: Tasks::new(),
        };
        for name in names {
            world.restart(name).await;
        }
        world.leader().await;
        world
            .until("all are members", || {
                world
                    .nodes
                    .values()
                    .all(|n| n.controller.status().members.len() == names.len())
            })
            .await;
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts a node as a build that reads formats up to `newest`.
    pub(crate) async fn restart_reading(
        &mut self,
        name: &str,
        newest: u32,
    ) -> Result<(), replica::StartError> {
        self.held_back.insert(name.to_owned(), newest);
        self.try_restart(name).await
    }

    pub(crate) async fn restart(&mut self, name: &str) {
        self.try_restart(name).await.unwrap();
    }

    async fn try_restart(&mut self, name: &str) -> Result<(), replica::StartError> {
        let newest_format = self.held_back.get(name).copied();
        let newest_format = newest_format.unwrap_or(proto::FORMATS.newest);
        let path = self.path(name);
        std::fs::create_dir_all(&path).unwrap();
        let node_name: NodeName = name.parse().unwrap();
        let address = self.addresses[&node_name].clone();
        let identity = PeerIdentity {
            node: node_name.clone(),
            roles: Roles::ALL,
        };
        let network: Arc<dyn Network> = Arc::new(PlainNetwork::new(identity));
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::new());
        let tasks = Tasks::new();
        let log: Arc<dyn host::LogEngine> =
            Arc::new(opened(async || RedbLog::open(&path.join("log")).await).await);
        let store: Arc<dyn host::Store> =
            Arc::new(opened(async || SledStore::open(&path.join("store")).await).await);
        let blobs = DirectoryBlobs::open(&path.join("blobs")).await.unwrap();
        let blobs = Arc::new(Stalling::new(blobs));
        let incarnation = replica::marker::open(log.clone(), store.clone(), &node_name, &*entropy)
            .await
            .unwrap();
        let options = ControllerOptions {
            name: node_name,
            incarnation,
            address: address.clone(),
            zone: "z".parse().unwrap(),
            initial: self.addresses.clone(),
            newest_format,
            raft: replica::Options::default(),
        };
        let ports = ControllerPorts {
            clock: Arc::new(SystemClock),
            entropy: entropy.clone(),
            log,
            store,
            blobs: blobs.clone(),
            membership: nobody(),
            channels: Arc::new(Channels::new(network.clone())),
            tasks: tasks.clone(),
        };
        let controller = Controller::start(options, ports).await?;
        let address: SocketAddr = address.parse().unwrap();
        let listener = network.bind_internal(address).await.unwrap();
        let server = serve::server(&*entropy).add_routes(controller.serve_in(Routes::default()));
        let closing = tasks.draining();
        tasks.spawn(Kind::Request, "internal", async move {
            let served = server
                .serve_with_incoming_shutdown(serve::incoming(listener), closing.cancelled_owned());
            // Open streams keep a server up; the end of this test's patience cuts them.
            let _ = tokio::time::timeout(Duration::from_secs(60), served).await;
        });
        self.nodes.insert(
            name.to_owned(),
            Node {
                controller,
                blobs,
                tasks,
            },
        );
        Ok(())
    }

    /// Stops a node without a word to the others.
    pub(crate) async fn kill(&mut self, name: &str) {
        let node = self.nodes.remove(name).unwrap();
        node.tasks.drain(Duration::from_secs(1)).await;
        node.controller.stop().await;
    }

    /// Lets the blobs of one node not answer any more, or answer again.
    pub(crate) fn stall_blobs(&self, name: &str, stalled: bool) {
        self.nodes[name].blobs.stall(stalled);
    }

    pub(crate) fn wipe(&self, name: &str) {
        std::fs::remove_dir_all(self.path(name)).unwrap();
    }

    pub(crate) fn client(&self) -> Controllers {
        let identity = PeerIdentity {
            node: "client".parse().unwrap(),
            roles: Roles::ALL,
        };
        let channels = Arc::new(Channels::new(Arc::new(PlainNetwork::new(identity))));
        let options = ControllersOptions {
            initial: self.addresses.values().cloned().collect(),
            own: None,
        };
        Controllers::new(options, nobody(), channels)
    }

    pub(crate) async fn follower(&self, controllers: &Controllers) -> LocalCopy {
        self.follower_reading(controllers, proto::FORMATS.newest)
            .await
    }

    pub(crate) async fn follower_reading(
        &self,
        controllers: &Controllers,
        newest: u32,
    ) -> LocalCopy {
        let path = self.path(&format!("follower-{newest}"));
        let store = Arc::new(SledStore::open(&path).await.unwrap());
        let copy = LocalCopy::open_up_to(store, newest).await.unwrap();
        copy.follow(controllers.clone(), &self.client_tasks);
        copy
    }

    pub(crate) async fn leader(&self) -> String {
        let leader = || {
            self.nodes
                .values()
                .map(|n| n.controller.status().leader)
                .find(|l| !l.is_empty())
        };
        self.until("there is a leader", || leader().is_some()).await;
        leader().unwrap()
    }

    /// What the leader answers an operator who finishes an upgrade.
    pub(crate) async fn finalize(&self) -> pb::finalize_response::Result {
        let identity = PeerIdentity {
            node: "operator".parse().unwrap(),
            roles: Roles::ALL,
        };
        let channels = Channels::new(Arc::new(PlainNetwork::new(identity)));
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let leader: NodeName = self.leader().await.parse().unwrap();
            let channel = channels.get_to(&self.addresses[&leader], Role::Controller);
            let mut client = CatalogClient::new(channel);
            let format = proto::FORMATS.newest;
            let answer = client.finalize(pb::FinalizeRequest { format }).await;
            match answer.map(|a| a.into_inner().result) {
                Ok(Some(pb::finalize_response::Result::NotLeader(_))) | Err(_) => {}
                Ok(answer) => return answer.unwrap(),
            }
            assert!(Instant::now() < deadline, "no leader answers");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The format of the cluster as a controller has applied it.
    pub(crate) fn format(&self, name: &str) -> u32 {
        self.nodes[name].controller.status().format
    }

    /// Why a controller cannot go on.
    pub(crate) async fn failed(&self, name: &str) -> String {
        let failed = self.nodes[name].controller.failed();
        let failed = tokio::time::timeout(Duration::from_secs(20), failed).await;
        failed.unwrap().to_string()
    }

    pub(crate) fn applied(&self, name: &str) -> u64 {
        self.nodes[name].controller.status().applied
    }

    pub(crate) fn members(&self) -> Vec<String> {
        let mut members = self
            .nodes
            .values()
            .next()
            .unwrap()
            .controller
            .status()
            .members;
        members.sort();
        members
    }

    pub(crate) async fn has_blob(&self, name: &str, digest: Digest) -> bool {
        self.nodes[name].blobs.stat(digest).await.unwrap().is_some()
    }

    pub(crate) async fn until(&self, what: &str, done: impl Fn() -> bool) {
        self.until_async(what, async |_| done()).await;
    }

    pub(crate) async fn until_async(&self, what: &str, done: impl AsyncFn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done(self).await {
            assert!(Instant::now() < deadline, "not within 20 s: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
