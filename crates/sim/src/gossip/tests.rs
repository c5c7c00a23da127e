//! The contract of membership, over turmoil's UDP. The suite speaks from a host of its own; each node that it lets join
//! lives on another one.

use host::{SeededEntropy, membership::contract};
use model::Timestamp;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

use super::*;

/// Nodes that ever join within one case.
const HOSTS: [&str; 4] = ["h1", "h2", "h3", "h4"];

/// A node that a host is to be, and who wants to have it.
struct Order {
    own: Member,
    joined: oneshot::Sender<Life>,
}

/// A node that lives on a host.
struct Life {
    membership: Arc<dyn Membership>,
    /// Ends it without a goodbye.
    killed: CancellationToken,
}

struct Turmoil {
    orders: mpsc::Sender<Order>,
    lives: Mutex<Vec<Life>>,
}

#[async_trait]
impl contract::Cluster for Turmoil {
    async fn join(&self, own: Member) -> Arc<dyn Membership> {
        let (joined, life) = oneshot::channel();
        self.orders.send(Order { own, joined }).await.ok().unwrap();
        let life = life.await.unwrap();
        let membership = life.membership.clone();
        self.lives.lock().push(life);
        membership
    }

    async fn kill(&self, node: Arc<dyn Membership>) {
        let lives = self.lives.lock();
        let is_it = |life: &&Life| Arc::ptr_eq(&life.membership, &node);
        lives.iter().find(is_it).unwrap().killed.cancel();
    }
}

/// A clock that shows when a node was started: its generation is what the suite says.
struct Start(u64);

impl Clock for Start {
    fn wall(&self) -> Timestamp {
        Timestamp(self.0)
    }
}

/// One host: it is one node after the other.
async fn be(orders: Arc<AsyncMutex<mpsc::Receiver<Order>>>, register: Arc<Register>, seed: u64) {
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(seed));
    loop {
        let Some(Order { own, joined }) = orders.lock().await.recv().await else {
            return std::future::pending().await;
        };
        let peers = HOSTS.map(|name| name.parse().unwrap()).to_vec();
        let (start, tasks) = (Start(own.generation), Tasks::in_place());
        let node = SimMembership::start(
            own,
            peers,
            register.clone(),
            entropy.clone(),
            &start,
            &tasks,
        );
        let killed = CancellationToken::new();
        let life = Life {
            membership: Arc::new(node.await.unwrap()),
            killed: killed.clone(),
        };
        assert!(joined.send(life).is_ok());
        killed.cancelled().await;
        tasks.stop().await;
    }
}

fn run<F: Future<Output = ()> + 'static>(case: impl Fn(Turmoil) -> F) {
    for seed in 0..8 {
        let mut sim = turmoil::Builder::new()
            .simulation_duration(Duration::from_secs(60))
            .rng_seed(seed)
            .build();
        let (orders, receiver) = mpsc::channel(1);
        let receiver = Arc::new(AsyncMutex::new(receiver));
        let register = Arc::new(Register::default());
        for (number, name) in (0..).zip(HOSTS) {
            let (receiver, register) = (receiver.clone(), register.clone());
            sim.host(name, move || {
                let life = be(receiver.clone(), register.clone(), seed * 100 + number);
                async move {
                    life.await;
                    Ok(())
                }
            });
        }
        let life = case(Turmoil {
            orders,
            lives: Mutex::default(),
        });
        sim.client("suite", async move {
            life.await;
            Ok(())
        });
        sim.run().unwrap();
    }
}

#[test]
fn a_cluster_lives() {
    run(|cluster| async move { contract::a_cluster_lives(&cluster).await });
}

#[test]
fn the_newest_generation_wins() {
    run(|cluster| async move { contract::the_newest_generation_wins(&cluster).await });
}
