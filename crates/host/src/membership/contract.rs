//! What every [`Membership`] must hold.
#![allow(
    clippy::expect_used,
    reason = "a contract suite fails by panicking, with the reason"
)]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::{
    Capacity, Incarnation, NodeName, Role, Roles,
    capacity::{Member, WarmKey},
};
use tokio::sync::watch;

use super::{Members, Membership};

/// Within what time every change is known to everybody, a death included.
pub const SOON: Duration = Duration::from_secs(3);

/// A cluster that nodes can join.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// A node that says this of itself, and knows where the others are.
    async fn join(&self, own: Member) -> Arc<dyn Membership>;

    /// The sudden end of a node: no goodbye.
    async fn kill(&self, node: Arc<dyn Membership>);
}

/// A worker to test with.
///
/// # Panics
/// If the name is not one.
#[must_use]
pub fn worker(name: &str, generation: u64) -> Member {
    Member {
        name: name.parse().expect("a node name"),
        incarnation: Incarnation(1),
        generation,
        roles: Roles::default().with(Role::Worker),
        zone: "zone-a".parse().expect("a zone"),
        address: format!("{name}:7000"),
        public_address: String::new(),
        architecture: None,
        draining: false,
        capacity: Capacity::default(),
        warm: BTreeMap::new(),
        runtimes: vec!["provided.al2023".to_owned()],
        newest_format: 2,
    }
}

/// The life of a cluster of three: they find each other, a change reaches all, nothing new wakes nobody, one leaves, one
/// dies, and the dead one comes back.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn a_cluster_lives(cluster: &dyn Cluster) {
    let a = cluster.join(worker("a", 1)).await;
    let b = cluster.join(worker("b", 1)).await;
    let c = cluster.join(worker("c", 1)).await;
    let own = a.watch().borrow().get(&name("a")).cloned();
    assert_eq!(own.as_deref(), Some(&worker("a", 1)), "ourselves at once");
    for node in [&a, &b, &c] {
        see(&mut node.watch(), "all three", |m| m.len() == 3).await;
    }
    a_change_reaches_everybody(&*a, [&*a, &*b, &*c]).await;

    c.leave().await;
    for node in [&a, &b] {
        let gone = |m: &Members| m.get(&name("c")).is_none_or(|c| c.draining);
        see(&mut node.watch(), "that c leaves", gone).await;
        see(&mut node.watch(), "c gone", |m| m.len() == 2).await;
    }

    cluster.kill(b).await;
    see(&mut a.watch(), "b dead", |m| m.len() == 1).await;

    let again = cluster.join(worker("b", 2)).await;
    let back = |m: &Members| m.get(&name("b")).is_some_and(|b| b.generation == 2);
    see(&mut a.watch(), "b back", back).await;
    see(&mut again.watch(), "a", |m| m.contains_key(&name("a"))).await;
    again.leave().await;
    a.leave().await;
}

async fn a_change_reaches_everybody(a: &dyn Membership, all: [&dyn Membership; 3]) {
    let mut busy = worker("a", 1);
    busy.capacity.slots = 10;
    busy.warm.insert(WarmKey(7), 3);
    for free in 0..=9 {
        busy.capacity.slots_free = free;
        a.publish(busy.clone());
    }
    for node in all {
        let known = |m: &Members| m.get(&name("a")).is_some_and(|a| **a == busy);
        see(&mut node.watch(), "what a says last", known).await;
    }
    let mut watch = a.watch();
    watch.borrow_and_update();
    a.publish(busy);
    let second = Duration::from_secs(1);
    let woken = tokio::time::timeout(second, watch.changed()).await;
    assert!(woken.is_err(), "woken by what is not new");
}

/// A node that takes over a name with a newer generation hides the older one, even while both are heard.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn the_newest_generation_wins(cluster: &dyn Cluster) {
    let a = cluster.join(worker("a", 1)).await;
    let old = cluster.join(worker("b", 1)).await;
    let is = |generation| {
        move |m: &Members| {
            m.get(&name("b"))
                .is_some_and(|b| b.generation == generation)
        }
    };
    see(&mut a.watch(), "b", is(1)).await;
    let new = cluster.join(worker("b", 2)).await;
    see(&mut a.watch(), "the newer b", is(2)).await;
    // The old one is still talking.
    let mut busy = worker("b", 1);
    busy.capacity.slots = 1;
    old.publish(busy);
    let third = cluster.join(worker("c", 1)).await;
    see(&mut a.watch(), "c", |m| m.len() == 3).await;
    assert!(is(2)(&a.watch().borrow().clone()), "still the newer b");
    for node in [a, old, new, third] {
        cluster.kill(node).await;
    }
}

fn name(text: &str) -> NodeName {
    text.parse().expect("a node name")
}

async fn see(
    watch: &mut watch::Receiver<Members>,
    what: &str,
    predicate: impl Fn(&Members) -> bool,
) {
    let seen = tokio::time::timeout(SOON, watch.wait_for(|members| predicate(members)))
        .await
        .map(|outcome| drop(outcome.expect("the adapter lives")));
    let now = watch.borrow().clone();
    assert!(
        seen.is_ok(),
        "expected to see {what} within {SOON:?}, got {now:?}"
    );
}
