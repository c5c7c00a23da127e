use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use host::{
    Entropy, LogEngine, Membership, Store, SystemClock, Tasks,
    blobs::DirectoryBlobs,
    entropy::SystemEntropy,
    log::RedbLog,
    membership::Members,
    net::{PeerIdentity, PlainNetwork, channel::Channels},
    store::SledStore,
};
use model::{NodeName, Roles, capacity::Member};
use tokio::{sync::watch, time::Instant};

use super::*;
use crate::{Controller, ControllerOptions, ControllerPorts};

const PATIENCE: Duration = Duration::from_secs(10);

/// Gossip as a test says it.
struct Gossip(watch::Sender<Members>);

#[async_trait]
impl Membership for Gossip {
    fn watch(&self) -> watch::Receiver<Members> {
        self.0.subscribe()
    }

    fn publish(&self, own: Member) {
        self.0.send_modify(|members| {
            let mut all = (**members).clone();
            all.insert(own.name.clone(), Arc::new(own));
            *members = Arc::new(all);
        });
    }

    async fn leave(&self) {}
}

fn worker(name: &str, newest_format: u32) -> Member {
    Member {
        newest_format,
        ..host::membership::contract::worker(name, 1)
    }
}

/// A controller that is a cluster of its own.
async fn alone(directory: &std::path::Path, newest_format: u32, gossip: Arc<Gossip>) -> Controller {
    let name: NodeName = "a".parse().unwrap();
    let log: Arc<dyn LogEngine> = Arc::new(RedbLog::open(&directory.join("log")).await.unwrap());
    let store: Arc<dyn Store> = Arc::new(SledStore::open(&directory.join("store")).await.unwrap());
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::new());
    let opened = replica::marker::open(log.clone(), store.clone(), &name, &*entropy).await;
    let network = PlainNetwork::new(PeerIdentity {
        node: name.clone(),
        roles: Roles::ALL,
    });
    let address = "127.0.0.1:1".to_owned();
    let options = ControllerOptions {
        incarnation: opened.unwrap(),
        address: address.clone(),
        zone: "z".parse().unwrap(),
        initial: BTreeMap::from([(name.clone(), address)]),
        name,
        newest_format,
        raft: replica::Options::default(),
    };
    let ports = ControllerPorts {
        clock: Arc::new(SystemClock),
        entropy,
        log,
        store,
        blobs: Arc::new(
            DirectoryBlobs::open(&directory.join("blobs"))
                .await
                .unwrap(),
        ),
        membership: gossip,
        channels: Arc::new(Channels::new(Arc::new(network))),
        tasks: Tasks::new(),
    };
    let controller = Controller::start(options, ports).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while controller.status().leader.is_empty() || *controller.shared.beginning.borrow() {
        assert!(Instant::now() < deadline, "nobody leads");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    controller
}

async fn change(controller: &Controller, format: u32) -> Result<pb::Outcome, MutateError> {
    let mutation = Mutation::Finalize { format };
    let shared = &controller.shared;
    shared.mutate(IdempotencyKey(7), mutation, PATIENCE).await
}

#[tokio::test]
async fn nothing_above_the_format_of_the_cluster_is_proposed() {
    let directory = tempfile::tempdir().unwrap();
    let gossip = Arc::new(Gossip(watch::Sender::default()));
    let controller = alone(directory.path(), 1, gossip).await;
    let before = controller.status();
    let refused = change(&controller, 2).await.unwrap_err();
    assert!(
        matches!(
            refused,
            MutateError::Unfinalized {
                needed: 2,
                cluster: 1
            }
        ),
        "{refused}"
    );
    assert!(!refused.is_retryable());
    let after = controller.status();
    assert_eq!((after.format, after.applied), (1, before.applied));
    controller.stop().await;
}

#[tokio::test]
async fn a_node_that_gossip_shows_and_that_is_too_old_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let gossip = Arc::new(Gossip(watch::Sender::default()));
    let controller = alone(directory.path(), 2, gossip.clone()).await;
    assert_eq!(controller.status().format, 2, "it began so");
    change(&controller, 2).await.unwrap();
    gossip.publish(worker("w", 1));
    // As a build would that reads one more.
    let refused = controller.shared.finalize(3).await.unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("a that reads 2, w that reads 1"), "{said}");
    // What is done is done.
    assert_eq!(controller.shared.finalize(2).await.unwrap(), 2);
    controller.stop().await;
}
