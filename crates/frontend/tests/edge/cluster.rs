//! Everything of one test: controller, worker, frontend.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use audit::{Recorder, line::Writer};
use catalog::{Controllers, ControllersOptions, DataKeys, LocalCopy};
use frontend::{CodeUrlKey, Frontend, FrontendOptions, Ports};
use host::{
    DirectorySegments, Entropy, Membership, SeededEntropy, SystemClock, Tasks,
    membership::Members,
    net::{Channels, Network, PeerIdentity, PlainNetwork, serve},
    store::SledStore,
    task::Kind,
};
use model::{
    Architecture, ByteCount, Incarnation, Role, Roles,
    capacity::{Capacity, Member},
};
use proto::internal::{
    blobs_server::BlobsServer, catalog_server::CatalogServer, worker_server::WorkerServer,
};
use routing::{Router, RouterOptions, RouterPorts};
use seal::{KeyRing, MasterKey};
use tokio::sync::watch;

use crate::{controller::Controller, worker::FakeWorker};

struct FakeMembership(watch::Sender<Members>);

#[async_trait::async_trait]
impl Membership for FakeMembership {
    fn watch(&self) -> watch::Receiver<Members> {
        self.0.subscribe()
    }
    fn publish(&self, _own: Member) {}
    async fn leave(&self) {}
}

/// A cluster of fakes around one real frontend.
pub(crate) struct Cluster {
    pub(crate) public: SocketAddr,
    pub(crate) grpc: SocketAddr,
    pub(crate) controller: Controller,
    pub(crate) worker: FakeWorker,
    pub(crate) frontend: Frontend,
    /// The frontend's tasks; those of the fakes are others.
    pub(crate) tasks: Tasks,
    _fakes: Tasks,
    /// Where the audit log is, among others.
    pub(crate) directory: tempfile::TempDir,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}, |_| {}).await
    }

    pub(crate) async fn start_with(
        adjust: impl FnOnce(&mut FrontendOptions),
        adjust_router: impl FnOnce(&mut RouterOptions),
    ) -> Self {
        let network: Arc<dyn Network> = Arc::new(PlainNetwork::new(PeerIdentity {
            node: "n".parse().unwrap(),
            roles: Roles::ALL,
        }));
        let (controller, worker, fakes) = (Controller::new(), FakeWorker::new(), Tasks::new());
        let internal = serve_fakes(&*network, &controller, &worker, &fakes).await;
        let member = member(internal.to_string());
        let members = BTreeMap::from([(member.name.clone(), Arc::new(member))]);
        let membership = Arc::new(FakeMembership(watch::Sender::new(Arc::new(members))));

        let directory = tempfile::tempdir().unwrap();
        let store = SledStore::open(directory.path()).await.unwrap();
        let copy = LocalCopy::open(Arc::new(store)).await.unwrap();
        let channels = Arc::new(Channels::new(network.clone()));
        let controllers = Controllers::new(
            ControllersOptions {
                initial: vec![internal.to_string()],
                own: None,
            },
            membership.clone(),
            channels.clone(),
        );
        let (tasks, entropy) = (Tasks::new(), SeededEntropy::new(1));
        copy.follow(controllers.clone(), &tasks);
        let mut routing = RouterOptions {
            zone: "a".parse().unwrap(),
            ..RouterOptions::default()
        };
        adjust_router(&mut routing);
        let keys = DataKeys::new(copy.clone(), Arc::new(ring("m", 1)));
        let entropy: Arc<dyn Entropy> = Arc::new(entropy);
        let router_ports = RouterPorts {
            copy: copy.clone(),
            controllers: controllers.clone(),
            keys: keys.clone(),
            membership: membership.clone(),
            channels: channels.clone(),
            clock: Arc::new(SystemClock),
            entropy: entropy.clone(),
        };
        let router = Router::new(routing, router_ports);
        let listeners = [
            network
                .bind_public(([127, 0, 0, 1], 0).into())
                .await
                .unwrap(),
            network
                .bind_public(([127, 0, 0, 1], 0).into())
                .await
                .unwrap(),
        ];
        let segments = Arc::new(DirectorySegments::new(
            &directory.path().join("audit"),
            "jsonl",
        ));
        let writer = Writer {
            node: "n".parse().unwrap(),
            incarnation: Incarnation(1),
        };
        let recording = audit::Options::new(writer, "test");
        let mut options = FrontendOptions::open(CodeUrlKey::new([7; 32]));
        options.public_address = listeners[0].local_addr().to_string();
        adjust(&mut options);
        let ports = Ports {
            clock: Arc::new(SystemClock),
            entropy,
            tasks: tasks.clone(),
            copy,
            controllers,
            keys,
            router,
            membership,
            channels,
            audit: Recorder::start(recording, segments, Arc::new(SystemClock), &tasks),
            objects: None,
            images: None,
        };
        let frontend = Frontend::new(options, ports);
        let [public, grpc] = listeners.each_ref().map(|l| l.local_addr());
        let [first, second] = listeners;
        frontend.serve(first);
        frontend.serve_grpc(second);
        Self {
            public,
            grpc,
            controller,
            worker,
            frontend,
            tasks,
            _fakes: fakes,
            directory,
        }
    }
}

/// Master keys with one key, of the same byte 32 times.
pub(crate) fn ring(id: &str, byte: u8) -> KeyRing {
    let master = (id.parse().unwrap(), MasterKey::from_bytes([byte; 32]));
    KeyRing::new(vec![master]).unwrap()
}

async fn serve_fakes(
    network: &dyn Network,
    controller: &Controller,
    worker: &FakeWorker,
    tasks: &Tasks,
) -> SocketAddr {
    let any = ([127, 0, 0, 1], 0).into();
    let listener = network.bind_internal(any).await.unwrap();
    let address = listener.local_addr();
    let server = serve::server(&SeededEntropy::new(1))
        .add_service(CatalogServer::new(controller.clone()))
        .add_service(BlobsServer::new(controller.clone()))
        .add_service(WorkerServer::new(worker.clone()));
    let serving = server.serve_with_incoming(serve::incoming(listener));
    tasks.spawn(Kind::Listener, "fakes", async { serving.await.unwrap() });
    address
}

fn member(address: String) -> Member {
    Member {
        name: "n".parse().unwrap(),
        incarnation: Incarnation(1),
        generation: 1,
        roles: Roles::default().with(Role::Worker).with(Role::Frontend),
        zone: "a".parse().unwrap(),
        address,
        public_address: String::new(),
        architecture: Some(Architecture::X86_64),
        draining: false,
        capacity: Capacity {
            slots_free: 10,
            slots: 10,
            memory_free: ByteCount::mib(10_240),
            cpu_free_millis: 4000,
        },
        warm: BTreeMap::new(),
        runtimes: vec!["python3.13".to_owned()],
        newest_format: 2,
    }
}

/// Waits until a condition holds.
pub(crate) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let poll = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), poll).await;
    assert!(waited.is_ok(), "never: {what}");
}
