//! Nodes of one group, each with a runtime of its own so that it can be killed with everything it does.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use host::{
    LogEngine, Store, Tasks,
    entropy::SeededEntropy,
    net::{Channels, serve},
};
use model::{NodeName, Role, Roles};
use tokio::runtime::{Builder, Runtime};

use super::{Disk, Kv, Links};
use crate::{
    identity::{ClusterId, Identity},
    marker,
    options::Options,
    replica::{Ports, Replica},
};

/// Every start draws differently, as on real machines.
static SEED: AtomicU64 = AtomicU64::new(1);

pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Default timing, small snapshots.
pub(crate) fn fast() -> Options {
    Options {
        snapshot_every: 20,
        snapshot_keep: 5,
        ..Options::default()
    }
}

/// Waits for a condition, for [`LONG`] at most.
pub(crate) async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(LONG, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited in vain until {what}");
}

pub(crate) struct Node {
    pub(crate) name: NodeName,
    pub(crate) address: String,
    pub(crate) disk: Disk,
    pub(crate) replica: Replica<Kv>,
    runtime: Option<Runtime>,
}

impl Node {
    /// Dies at once, as by `kill -9`; the store keeps only what was flushed.
    pub(crate) async fn kill(self) -> Dead {
        self.kill_keeping(0).await
    }

    /// Like [`Self::kill`], but the store keeps so many of the changes since its last flush.
    pub(crate) async fn kill_keeping(mut self, kept: usize) -> Dead {
        if let Some(runtime) = self.runtime.take() {
            stop(runtime).await;
        }
        self.disk.store.crash(kept);
        Dead {
            name: self.name.clone(),
            address: self.address.clone(),
            disk: self.disk.clone(),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.replica.identity().id
    }

    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.replica.read(|kv, _| kv.0.get(key).cloned())
    }

    pub(crate) async fn set(&self, key: &str, value: &str) -> u64 {
        let command = format!("set {key} {value}").into_bytes();
        self.replica.propose(command, LONG).await.unwrap().index
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.replica.status().is_leader
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What is left of a node.
pub(crate) struct Dead {
    pub(crate) name: NodeName,
    pub(crate) address: String,
    pub(crate) disk: Disk,
}

/// A group and its links.
pub(crate) struct Group {
    pub(crate) links: Links,
    pub(crate) options: Options,
    pub(crate) nodes: Vec<Node>,
}

impl Group {
    /// Nodes `c-0`, `c-1` and so on; the first one bootstraps and adds the others.
    pub(crate) async fn of(count: usize, options: Options) -> Self {
        let mut group = Self {
            links: Links::new(),
            options,
            nodes: Vec::new(),
        };
        for n in 0..count {
            let node = group.fresh(&format!("c-{n}")).await;
            if n == 0 {
                node.replica.bootstrap(ClusterId::new(7)).await.unwrap();
                wait_until("the first node leads", || node.is_leader()).await;
                group.nodes.push(node);
            } else {
                group.add(node).await;
            }
        }
        group
    }

    /// Adds a started node through the leader.
    pub(crate) async fn add(&mut self, node: Node) {
        let leader = self.leader().await;
        let identity = node.replica.identity().clone();
        leader.replica.add_controller(identity, LONG).await.unwrap();
        self.nodes.push(node);
    }

    /// A node with an empty disk, not a member yet.
    pub(crate) async fn fresh(&self, name: &str) -> Node {
        self.start(name.parse().unwrap(), "127.0.0.1:0".into(), Disk::default())
            .await
    }

    /// Starts a node again where it died.
    pub(crate) async fn restart(&mut self, dead: Dead) -> &Node {
        let node = self.start(dead.name, dead.address, dead.disk).await;
        self.nodes.push(node);
        self.nodes.last().unwrap()
    }

    pub(crate) async fn start(&self, name: NodeName, address: String, disk: Disk) -> Node {
        let (log, store) = (disk.log.clone(), disk.store.clone());
        let started = start(
            &self.links,
            &self.options,
            name.clone(),
            address,
            log,
            store,
        )
        .await;
        let (runtime, replica, address) = started.unwrap();
        Node {
            name,
            address,
            disk,
            replica,
            runtime: Some(runtime),
        }
    }

    /// The node that leads and can write, once there is one.
    pub(crate) async fn leader(&self) -> &Node {
        let led = tokio::time::timeout(LONG, async {
            loop {
                for node in &self.nodes {
                    let barrier = node.replica.read_barrier(Duration::from_millis(500));
                    if node.is_leader() && barrier.await.is_ok() {
                        return node;
                    }
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        led.await.expect("a leader within the time")
    }

    pub(crate) async fn take(&mut self, id: u64) -> Node {
        let at = self.nodes.iter().position(|n| n.id() == id).unwrap();
        self.nodes.remove(at)
    }

    pub(crate) fn followers(&self, leader: u64) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |n| n.id() != leader)
    }
}

/// Drops all tasks of a runtime at their next await and waits until they are gone, so that none of them goes on in the
/// next life of its node.
pub(crate) async fn stop(runtime: Runtime) {
    let stop = move || runtime.shutdown_timeout(LONG);
    tokio::task::spawn_blocking(stop).await.unwrap();
}

/// Starts a member with any storage and serves its messages, on a runtime of its own.
pub(crate) async fn start(
    links: &Links,
    options: &Options,
    name: NodeName,
    address: String,
    log: Arc<dyn LogEngine>,
    store: Arc<dyn Store>,
) -> Result<(Runtime, Replica<Kv>, String), crate::StartError> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (links, options) = (links.clone(), options.clone());
    let started = runtime.spawn(async move {
        let roles = Roles::default().with(Role::Controller);
        let listener = bind(&links, &name, &address).await;
        let address = listener.local_addr().to_string();
        let seed = SEED.fetch_add(1, Ordering::SeqCst);
        let entropy = Arc::new(SeededEntropy::new(seed));
        let incarnation = marker::open(log.clone(), store.clone(), &name, &*entropy).await?;
        let zone = "z1".parse().unwrap();
        let identity = Identity::new(name.clone(), incarnation, address.clone(), zone);
        let network = links.network(&name, roles, &address);
        let ports = Ports {
            log,
            store,
            channels: Arc::new(Channels::new(network)),
            tasks: Tasks::new(),
            entropy: entropy.clone(),
        };
        let replica = Replica::start(options, identity, Kv::default(), ports).await?;
        let server = serve::server(&*entropy)
            .add_service(replica.service())
            .serve_with_incoming(serve::incoming(listener));
        tokio::runtime::Handle::current().spawn(server);
        Ok((replica, address))
    });
    match started.await.unwrap() {
        Ok((replica, address)) => Ok((runtime, replica, address)),
        Err(error) => {
            runtime.shutdown_background();
            Err(error)
        }
    }
}

/// A killed node's port may be held for a moment longer.
async fn bind(links: &Links, name: &NodeName, address: &str) -> Arc<dyn host::net::Listener> {
    let network = links.network(name, Roles::default().with(Role::Controller), address);
    let address: SocketAddr = address.parse().unwrap();
    let bound = tokio::time::timeout(LONG, async {
        loop {
            if let Ok(listener) = network.bind_internal(address).await {
                return listener;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    bound.await.expect("the address is free in time")
}
