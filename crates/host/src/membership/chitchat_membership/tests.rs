use std::net::Ipv4Addr;

use chitchat::{
    ChitchatEnvelope,
    transport::{RecvOutcome, SendOutcome, Socket},
};
use model::capacity::WarmKey;
use tokio::sync::Notify;

use super::*;
use crate::{
    SystemClock, SystemEntropy,
    membership::contract::{self, worker},
};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn options(own: Member, seeds: &[SocketAddr], keys: &[u8]) -> MembershipOptions {
    MembershipOptions {
        cluster_id: "blue".to_owned(),
        own,
        bind: ANY,
        advertise: ANY,
        seeds: seeds.iter().map(ToString::to_string).collect(),
        keys: keys.iter().map(|key| [*key; 32]).collect(),
    }
}

async fn start(options: MembershipOptions) -> ChitchatMembership {
    let entropy = Arc::new(SystemEntropy::new());
    ChitchatMembership::start(options, &Tasks::new(), entropy, &SystemClock)
        .await
        .unwrap()
}

/// A cluster on the loopback interface, whose first node is the seed of all.
#[derive(Default)]
struct Loopback {
    seed: Mutex<Option<SocketAddr>>,
}

#[async_trait]
impl contract::Cluster for Loopback {
    async fn join(&self, own: Member) -> Arc<dyn Membership> {
        let seed = *self.seed.lock();
        let node = start(options(own, seed.as_slice(), &[1])).await;
        self.seed.lock().get_or_insert(node.address());
        Arc::new(node)
    }

    async fn kill(&self, node: Arc<dyn Membership>) {
        drop(node);
    }
}

#[tokio::test]
async fn a_cluster_lives() {
    contract::a_cluster_lives(&Loopback::default()).await;
}

#[tokio::test]
async fn the_newest_generation_wins() {
    contract::the_newest_generation_wins(&Loopback::default()).await;
}

async fn see(node: &ChitchatMembership, predicate: impl Fn(&Members) -> bool) {
    let mut watch = node.watch();
    let seen = watch.wait_for(|members| predicate(members));
    tokio::time::timeout(contract::SOON, seen)
        .await
        .expect("soon")
        .unwrap();
}

#[tokio::test]
async fn a_node_with_another_key_is_not_heard() {
    let a = start(options(worker("a", 1), &[], &[1])).await;
    let stranger = start(options(worker("x", 1), &[a.address()], &[2])).await;
    let b = start(options(worker("b", 1), &[a.address()], &[1])).await;
    see(&a, |m| m.len() == 2).await;
    see(&b, |m| m.len() == 2).await;
    tokio::time::timeout(contract::SOON, async {
        while a.counts().refused < 3 {
            tokio::time::sleep(INTERVAL / 4).await;
        }
    })
    .await
    .expect("the stranger was refused");
    assert_eq!(a.watch().borrow().len(), 2);
    assert_eq!(stranger.watch().borrow().len(), 1);
}

#[tokio::test]
async fn keys_rotate_without_a_gap() {
    let old = start(options(worker("a", 1), &[], &[1])).await;
    let knows_both = start(options(worker("b", 1), &[old.address()], &[1, 2])).await;
    let new_first = start(options(worker("c", 1), &[knows_both.address()], &[2, 1])).await;
    see(&knows_both, |m| m.len() == 3).await;
    see(&new_first, |m| m.len() == 3).await;
    see(&old, |m| m.len() >= 2).await;
}

#[tokio::test]
async fn more_warmth_than_fits_arrives_cut() {
    let a = start(options(worker("a", 1), &[], &[1])).await;
    let b = start(options(worker("b", 1), &[a.address()], &[1])).await;
    let mut hot = worker("b", 1);
    hot.warm = (0..50_000)
        .map(|n| (WarmKey(n), 1 + (n % 9) as u16))
        .collect();
    hot.capacity.slots = 9;
    b.publish(hot.clone());
    let arrived = |m: &Members| {
        let b = m.get(&"b".parse().unwrap());
        b.is_some_and(|b| b.capacity.slots == 9 && b.warm.len() == 128)
    };
    see(&a, arrived).await;
    // And what comes later still spreads.
    hot.draining = true;
    b.publish(hot);
    see(&a, |m| m.values().any(|m| m.draining)).await;
}

#[tokio::test]
async fn names_and_generations_cannot_be_changed_by_publishing() {
    let a = start(options(worker("a", 5), &[], &[1])).await;
    let mut other = worker("z", 9);
    other.capacity.slots = 3;
    a.publish(other);
    see(&a, |m| m.values().any(|m| m.capacity.slots == 3)).await;
    let members = a.watch().borrow().clone();
    let own = &members[&"a".parse().unwrap()];
    assert_eq!((members.len(), own.generation), (1, 5));
}

#[tokio::test]
async fn a_missing_generation_is_the_time_now() {
    let a = start(options(worker("a", 0), &[], &[1])).await;
    let members = a.watch().borrow().clone();
    assert!(members[&"a".parse().unwrap()].generation > 1_735_689_600_000);
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused() {
    let refused = async |options| {
        let entropy = Arc::new(SystemEntropy::new());
        ChitchatMembership::start(options, &Tasks::new(), entropy, &SystemClock)
            .await
            .map(drop)
            .unwrap_err()
    };
    let none = refused(options(worker("a", 1), &[], &[])).await;
    assert!(matches!(none, MembershipError::NoKey));
    let mut nowhere = options(worker("a", 1), &[], &[1]);
    nowhere.advertise.set_ip(Ipv4Addr::UNSPECIFIED.into());
    let nowhere = refused(nowhere).await;
    assert!(matches!(nowhere, MembershipError::Advertise(_)));
    let taken = start(options(worker("a", 1), &[], &[1])).await;
    let mut again = options(worker("b", 1), &[], &[1]);
    again.bind = taken.address();
    let again = refused(again).await;
    assert!(matches!(again, MembershipError::Bind { .. }));
}

#[tokio::test]
async fn gossip_that_dies_is_started_again() {
    let a = start(options(worker("a", 1), &[], &[1])).await;
    let death = Arc::new(Notify::new());
    let counters = Arc::new(Counters::default());
    let sealed = SealedTransport {
        cluster: "blue".into(),
        keys: vec![[1; 32]],
        entropy: Arc::new(SystemEntropy::new()),
        counters: counters.clone(),
        bound: Mutex::new(None),
    };
    let mortal = Mortal {
        sealed,
        death: death.clone(),
    };
    let mut options = options(worker("b", 1), &[a.address()], &[1]);
    // The port must be known before: the mortal transport binds it anew each time.
    let probe = UdpSocket::bind(ANY).await.unwrap();
    options.bind = probe.local_addr().unwrap();
    drop(probe);
    let tasks = Tasks::new();
    let b = ChitchatMembership::start_on(options, Box::new(mortal), counters, &tasks)
        .await
        .unwrap();
    see(&a, |m| m.len() == 2).await;
    see(&b, |m| m.len() == 2).await;
    assert_eq!(b.restarts(), 0);

    death.notify_one();
    let mut busy = worker("b", 1);
    busy.capacity.slots = 4;
    b.publish(busy);
    let heard = |m: &Members| m.values().any(|m| m.capacity.slots == 4);
    tokio::time::timeout(contract::SOON * 2, a.watch().wait_for(heard))
        .await
        .expect("b speaks again")
        .unwrap();
    assert_eq!(b.restarts(), 1);
    see(&b, |m| m.len() == 2).await;
    tasks.drain(Duration::ZERO).await;
    tokio::time::timeout(INTERVAL * ROUNDS, b.leave())
        .await
        .expect("the node took gossip with it");
}

/// A transport whose socket breaks on command.
struct Mortal {
    sealed: SealedTransport,
    death: Arc<Notify>,
}

struct MortalSocket {
    socket: Box<dyn Socket>,
    death: Arc<Notify>,
}

#[async_trait]
impl Transport for Mortal {
    async fn open(&self, address: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        Ok(Box::new(MortalSocket {
            socket: self.sealed.open(address).await?,
            death: self.death.clone(),
        }))
    }
}

#[async_trait]
impl Socket for MortalSocket {
    fn local_addr(&self) -> anyhow::Result<SocketAddr> {
        self.socket.local_addr()
    }

    async fn send(
        &mut self,
        to: SocketAddr,
        envelope: ChitchatEnvelope,
    ) -> anyhow::Result<SendOutcome> {
        self.socket.send(to, envelope).await
    }

    async fn recv(&mut self) -> anyhow::Result<RecvOutcome> {
        tokio::select! {
            () = self.death.notified() => anyhow::bail!("broken on command"),
            outcome = self.socket.recv() => outcome,
        }
    }
}
