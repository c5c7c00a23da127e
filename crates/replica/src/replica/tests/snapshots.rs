use crate::{
    error::StartError,
    rows::Rows,
    testing::{Dead, Group, Node, fast, start, wait_until},
    types::{LeaderId, LogId},
};
use host::{LogEngine as _, log::LogOp};
use openraft::vote::RaftLeaderId as _;
use prost::Message as _;

async fn fill(node: &Node, count: usize) {
    for n in 0..count {
        node.set(&format!("k{n}"), &"v".repeat(2_000)).await;
    }
}

/// The index of the first entry of a node's log.
async fn log_begins(node: &Node) -> u64 {
    node.disk
        .log
        .bounds(0)
        .await
        .unwrap()
        .map_or(0, |(first, _)| first)
}

pub(super) async fn compacted(node: &Node) {
    let waited = tokio::time::timeout(crate::testing::LONG, async {
        while log_begins(node).await < 20 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    });
    waited.await.expect("the log is compacted");
}

#[tokio::test]
async fn a_new_member_gets_a_compacted_state_as_a_snapshot() {
    let mut group = Group::of(1, fast()).await;
    // Enough for several chunks.
    fill(group.leader().await, 300).await;
    compacted(group.leader().await).await;
    let node = group.fresh("c-1").await;
    group.add(node).await;
    let [leader, new] = group.nodes.as_slice() else {
        panic!("two nodes")
    };
    wait_until("it has all", || {
        new.replica.rows().1 == leader.replica.rows().1
    })
    .await;
    assert_eq!(new.replica.rows().1.len(), 300);
    assert!(
        log_begins(new).await > 20,
        "it did not replay the whole log"
    );
    assert_eq!(
        new.replica.changes_after(3),
        None,
        "what was before a snapshot is not at hand"
    );

    // It has the snapshot on disk, too.
    let id = new.id();
    let dead = group.take(id).await.kill().await;
    let new = group.restart(dead).await;
    wait_until("it is all there", || new.replica.rows().1.len() == 300).await;
}

#[tokio::test]
async fn a_lost_store_is_made_anew_from_snapshot_and_log() {
    let mut group = Group::of(3, fast()).await;
    fill(group.leader().await, 100).await;
    compacted(group.leader().await).await;
    let leader = group.leader().await.id();
    let dead = group.take(leader).await.kill().await;
    dead.disk.store.wipe();
    let node = group.restart(dead).await;
    wait_until("it is all there", || node.replica.rows().1.len() == 100).await;
    assert_eq!(node.id(), leader, "it is the member that it was");
    wait_until("it leads or follows", || {
        node.replica.status().leader.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_follower_behind_the_log_catches_up_by_a_snapshot() {
    let mut group = Group::of(3, fast()).await;
    let leader = group.leader().await.id();
    let behind = group.followers(leader).next().unwrap().id();
    group.leader().await.set("old", "1").await;
    let dead = group.take(behind).await.kill().await;
    fill(group.leader().await, 100).await;
    group
        .leader()
        .await
        .replica
        .propose(b"del old".to_vec(), crate::testing::LONG)
        .await
        .unwrap();
    compacted(group.leader().await).await;
    group.restart(dead).await;
    let leader = group.leader().await;
    let back = group.nodes.iter().find(|n| n.id() == behind).unwrap();
    wait_until("it has all", || {
        back.replica.rows().1 == leader.replica.rows().1
    })
    .await;
    assert_eq!(back.get("old"), None);
    let status = back.replica.status();
    assert_eq!(status.snapshots.installed, 1);
    assert!(status.purged > 20, "it has entries from {}", status.purged);
    assert!(leader.replica.status().snapshots.built > 0);
    leader.set("new", "1").await;
    wait_until("it goes on with the log", || back.get("new").is_some()).await;
}

#[tokio::test]
async fn a_compacted_member_restarts_from_rows_that_were_lost_since() {
    let mut group = Group::of(1, fast()).await;
    fill(group.leader().await, 130).await;
    compacted(group.leader().await).await;
    let rows = group.leader().await.replica.rows().1;
    // The store's whole table is gone with the power, as if it had never been flushed: the snapshot beside the log and
    // the log itself are enough.
    let dead = group.nodes.pop().unwrap().kill().await;
    host::Store::clear(&*dead.disk.store, "group-0")
        .await
        .unwrap();
    host::Store::flush(&*dead.disk.store).await.unwrap();
    let node = group.restart(dead).await;
    wait_until("it leads", || node.is_leader()).await;
    node.replica
        .read_barrier(crate::testing::LONG)
        .await
        .unwrap();
    assert_eq!(node.replica.rows().1, rows);
}

#[tokio::test]
async fn a_snapshot_arrives_although_the_group_writes_on() {
    let mut group = Group::of(1, fast()).await;
    let new = group.fresh("c-1").await;
    let leader = group.leader().await;
    fill(leader, 400).await;
    compacted(leader).await;
    let identity = new.replica.identity().clone();
    // Every 20 writes are a snapshot, many of them while one is sent.
    let write = async {
        for n in 0_u32.. {
            leader.set(&format!("k{}", n % 400), &n.to_string()).await;
        }
    };
    let join = leader
        .replica
        .add_controller(identity, crate::testing::LONG);
    tokio::select! {
        joined = join => joined.unwrap(),
        () = write => {}
    }
    group.nodes.push(new);
    let [leader, new] = group.nodes.as_slice() else {
        panic!("two nodes")
    };
    wait_until("it has all", || {
        new.replica.rows().1 == leader.replica.rows().1
    })
    .await;
    leader.set("more", "1").await;
}

/// Whether these are the rows of some moment: `old` first, then `k0`, `k1` and so on in this order.
fn is_of_one_moment(rows: &Rows) -> bool {
    let later = rows.len().saturating_sub(1);
    let expected = (0..later).map(|n| format!("k{n}").into_bytes());
    rows.is_empty()
        || expected
            .chain([b"old".to_vec()])
            .all(|key| rows.get(&key).is_some())
}

/// Brings a follower behind, so that it needs a snapshot, and kills it in the middle of the installation.
#[tokio::test]
async fn a_crash_in_the_middle_of_an_installation_never_leaves_half_a_state() {
    // How many writes of the installation were done, and how many of those survive: the header goes first, then the
    // table, then the rows come in batches.
    for (done, survive) in [(0, 0), (1, 1), (2, 1), (3, 2), (3, 0)] {
        let mut group = Group::of(3, fast()).await;
        let leader = group.leader().await.id();
        let behind = group.followers(leader).next().unwrap().id();
        group.leader().await.set("old", "1").await;
        let node = group.nodes.iter().find(|n| n.id() == behind).unwrap();
        wait_until("it has the old state", || node.get("old").is_some()).await;
        host::Store::flush(&*node.disk.store).await.unwrap();
        let dead = group.take(behind).await.kill().await;
        for n in 0..60 {
            group
                .leader()
                .await
                .set(&format!("k{n}"), &"v".repeat(60_000))
                .await;
        }
        compacted(group.leader().await).await;

        dead.disk.store.hang_in_replacement(done);
        let (name, address, disk) = (dead.name, dead.address, dead.disk);
        let node = group.start(name, address, disk.clone()).await;
        wait_until("the installation hangs", || disk.store.hangs()).await;
        let (_, rows) = node.replica.rows();
        assert!(is_of_one_moment(&rows), "{} rows in memory", rows.len());
        let Dead {
            name,
            address,
            disk,
        } = node.kill_keeping(survive).await;

        // Alone, it has the state of one moment, and not an older one than before.
        group.links.cut(&address);
        let node = group.start(name, address, disk).await;
        let (_, rows) = node.replica.rows();
        assert!(
            is_of_one_moment(&rows),
            "after {done} writes: {} rows",
            rows.len()
        );
        assert!(
            rows.get(b"old").is_some(),
            "after {done} writes the state is gone"
        );
        group.links.heal();
        group.nodes.push(node);
        let leader = group.leader().await;
        let back = group.nodes.last().unwrap();
        wait_until("it has all", || {
            back.replica.rows().1 == leader.replica.rows().1
        })
        .await;
    }
}

#[tokio::test]
async fn a_state_that_ends_before_the_log_begins_is_refused() {
    let group = Group::of(1, fast()).await;
    let dead = group.fresh("c-1").await.kill().await;
    let purged = LogId::new(LeaderId::new(3, 1), 50);
    let set = LogOp::SetMeta {
        key: "purged",
        bytes: crate::wire::log_id(purged).encode_to_vec(),
    };
    dead.disk.log.apply(0, vec![set]).await.unwrap();
    let (log, store) = (dead.disk.log.clone(), dead.disk.store.clone());
    let started = start(&group.links, &fast(), dead.name, dead.address, log, store).await;
    let Err(StartError::StateLost {
        applied, purged, ..
    }) = started
    else {
        panic!("expected a refusal");
    };
    assert_eq!((applied, purged), (0, 50));
}
