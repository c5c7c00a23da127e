use std::time::Duration;

use crate::{
    error::{BootstrapError, Fatal, ProposeError, StartError},
    identity::ClusterId,
    marker::MarkerError,
    testing::{Disk, Group, LONG, fast, start, stop, wait_until},
};

#[tokio::test]
async fn a_broken_disk_ends_the_member_and_nothing_is_acknowledged() {
    let group = Group::of(1, fast()).await;
    let node = group.leader().await;
    node.disk.log.break_down();
    let refused = node.replica.propose(b"set a 1".to_vec(), LONG).await;
    assert!(refused.is_err(), "{refused:?}");
    let failed = tokio::time::timeout(LONG, node.replica.failed())
        .await
        .unwrap();
    assert!(matches!(failed, Fatal::Log(_)), "{failed}");
    assert_eq!(node.get("a"), None);
    let late = node.replica.propose(b"set a 1".to_vec(), LONG).await;
    assert_eq!(late, Err(ProposeError::Stopped));
}

#[tokio::test]
async fn a_disk_that_breaks_while_a_cluster_begins_ends_the_member() {
    let group = Group::of(0, fast()).await;
    let node = group.fresh("c-0").await;
    node.disk.log.break_down();
    let begun = node.replica.bootstrap(ClusterId::new(7)).await;
    assert!(matches!(begun, Err(BootstrapError::Failed(Fatal::Log(_)))));
    assert_eq!(node.replica.status().cluster, None);
    let failed = tokio::time::timeout(LONG, node.replica.failed()).await;
    assert!(matches!(failed, Ok(Fatal::Log(_))));
}

#[tokio::test]
async fn a_start_on_a_disk_that_cannot_be_read_says_so() {
    let mut group = Group::of(1, fast()).await;
    group.leader().await.set("a", "1").await;
    let dead = group.nodes.pop().unwrap().kill().await;
    let mut met_by_core = 0;
    for reads in 0..8 {
        dead.disk.log.lose_entries_after(reads);
        let (log, store) = (dead.disk.log.clone(), dead.disk.store.clone());
        let (name, address) = (dead.name.clone(), dead.address.clone());
        match start(&group.links, &fast(), name, address, log, store).await {
            Err(StartError::Failed(Fatal::Log(_))) => met_by_core += 1,
            Err(StartError::Log(_)) => {}
            Err(other) => panic!("{other}"),
            Ok((runtime, ..)) => {
                stop(runtime).await;
                break;
            }
        }
    }
    assert!(met_by_core > 0);
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_read_for_another_ends_the_member() {
    let group = Group::of(1, fast()).await;
    let leader = group.leader().await;
    for n in 0..60 {
        leader.set("a", &n.to_string()).await;
    }
    super::snapshots::compacted(leader).await;
    leader.disk.log.lose_entries_after(0);
    let newcomer = group.fresh("c-1").await;
    let identity = newcomer.replica.identity().clone();
    let (failed, _) = tokio::join!(
        tokio::time::timeout(LONG, leader.replica.failed()),
        leader
            .replica
            .add_controller(identity, Duration::from_secs(2))
    );
    assert!(matches!(failed, Ok(Fatal::Log(_))), "{failed:?}");
}

#[tokio::test]
async fn a_follower_with_a_broken_disk_does_not_stop_the_group() {
    let group = Group::of(3, fast()).await;
    let leader = group.leader().await;
    let broken = group.followers(leader.id()).next().unwrap();
    broken.disk.log.break_down();
    for n in 0..10 {
        leader.set("a", &n.to_string()).await;
    }
    let failed = tokio::time::timeout(LONG, broken.replica.failed())
        .await
        .unwrap();
    assert!(matches!(failed, Fatal::Log(_)), "{failed}");
    leader.set("b", "1").await;
}

#[tokio::test]
async fn a_machine_that_panics_ends_the_member() {
    let group = Group::of(1, fast()).await;
    let node = group.leader().await;
    let _ = node
        .replica
        .propose(b"panic".to_vec(), Duration::from_secs(2))
        .await;
    let failed = tokio::time::timeout(LONG, node.replica.failed())
        .await
        .unwrap();
    assert!(matches!(failed, Fatal::State { .. }), "{failed}");
}

#[tokio::test]
async fn a_command_of_a_newer_build_ends_the_member_before_it_is_applied() {
    let group = Group::of(1, fast()).await;
    let node = group.leader().await;
    node.set("a", "1").await;
    let before = *node.replica.applied().borrow();
    let _ = node
        .replica
        .propose(b"newer".to_vec(), Duration::from_secs(2))
        .await;
    let failed = tokio::time::timeout(LONG, node.replica.failed())
        .await
        .unwrap();
    assert!(
        matches!(&failed, Fatal::State { what, .. } if what.contains("asked to")),
        "{failed}"
    );
    assert_eq!(*node.replica.applied().borrow(), before);
}

#[tokio::test]
async fn a_member_that_is_well_has_not_failed() {
    let group = Group::of(1, fast()).await;
    let node = group.leader().await;
    node.set("a", "1").await;
    let failed = tokio::time::timeout(Duration::from_millis(300), node.replica.failed());
    assert!(failed.await.is_err());
    node.replica.shutdown().await;
    let failed = tokio::time::timeout(Duration::from_millis(300), node.replica.failed());
    assert!(
        failed.await.is_err(),
        "a stop that was asked for is no failure"
    );
}

#[tokio::test]
async fn a_storage_that_lost_its_log_is_refused() {
    let mut group = Group::of(1, fast()).await;
    group.leader().await.set("a", "1").await;
    let dead = group.nodes.pop().unwrap().kill().await;
    let whole = dead.disk.clone();
    let fresh = Disk::default();
    let (log, store) = (fresh.log.clone(), whole.store.clone());
    let (name, address) = (dead.name.clone(), dead.address.clone());
    let lost = start(&group.links, &fast(), name, address, log, store).await;
    assert!(matches!(
        lost,
        Err(StartError::Marker(MarkerError::LogLost))
    ));
    let other = group.fresh("c-1").await.kill().await;
    let (log, store) = (whole.log.clone(), other.disk.store.clone());
    let (name, address) = (dead.name.clone(), dead.address.clone());
    let mixed = start(&group.links, &fast(), name, address.clone(), log, store).await;
    assert!(matches!(
        mixed,
        Err(StartError::Marker(MarkerError::Mixed { .. }))
    ));
    let (log, store) = (whole.log.clone(), whole.store.clone());
    let renamed = start(
        &group.links,
        &fast(),
        "c-9".parse().unwrap(),
        address,
        log,
        store,
    )
    .await;
    assert!(matches!(
        renamed,
        Err(StartError::Marker(MarkerError::OtherNode { .. }))
    ));
    let node = group.restart(dead).await;
    wait_until("the whole storage is fine", || node.get("a").is_some()).await;
}
