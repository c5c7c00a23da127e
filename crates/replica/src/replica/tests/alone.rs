use std::sync::Arc;

use host::{RedbLog, SledStore};

use crate::{
    error::{BootstrapError, ProposeError},
    identity::ClusterId,
    options::Options,
    testing::{Group, LONG, Links, fast, start, stop, wait_until},
};

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let mut group = Group::of(1, fast()).await;
    let node = group.nodes.pop().unwrap();
    let proposed = node
        .replica
        .propose(b"set a 1".to_vec(), LONG)
        .await
        .unwrap();
    assert_eq!(proposed.reply, b"");
    let again = node
        .replica
        .propose(b"set a 2".to_vec(), LONG)
        .await
        .unwrap();
    assert_eq!(
        (again.index, again.reply),
        (proposed.index + 1, b"1".to_vec())
    );
    node.set("b", "3").await;
    let (id, before) = (node.id(), node.replica.status());

    let dead = node.kill().await;
    let node = group.restart(dead).await;
    assert_eq!(node.id(), id, "the same storage is the same member");
    wait_until("it leads alone", || node.is_leader()).await;
    node.replica.read_barrier(LONG).await.unwrap();
    assert_eq!(
        (node.get("a"), node.get("b")),
        (Some("2".into()), Some("3".into()))
    );
    let after = node.replica.status();
    assert_eq!(after.cluster, Some(ClusterId::new(7)));
    assert!(
        after.term > before.term,
        "a restarted leader is elected again"
    );
    assert!(after.applied > before.applied);
}

#[tokio::test]
async fn every_kill_between_writes_keeps_every_acknowledged_write() {
    let mut group = Group::of(1, fast()).await;
    for round in 0..4 {
        let node = group.leader().await;
        for n in 0..15 {
            node.set(&format!("k{round}-{n}"), "v").await;
        }
        let dead = group.nodes.pop().unwrap().kill().await;
        group.restart(dead).await;
        let node = group.leader().await;
        node.replica.read_barrier(LONG).await.unwrap();
        let count = node.replica.read(|kv, _| kv.0.len());
        assert_eq!(count, (round + 1) * 15);
    }
}

#[tokio::test]
async fn a_clean_stop_leaves_nothing_to_replay() {
    let mut group = Group::of(1, fast()).await;
    let node = group.nodes.pop().unwrap();
    node.set("a", "1").await;
    node.replica.shutdown().await;
    assert_eq!(node.disk.store.unflushed(), 0);
    let late = node.replica.propose(b"set a 2".to_vec(), LONG).await;
    assert_eq!(late, Err(ProposeError::Stopped));
    node.replica.shutdown().await;
    let applied = node.replica.status().applied;
    let dead = node.kill().await;
    let node = group.restart(dead).await;
    assert_eq!(node.get("a"), Some("1".into()));
    assert!(*node.replica.applied().borrow() >= applied);
}

#[tokio::test]
async fn a_cluster_is_begun_once() {
    let group = Group::of(1, fast()).await;
    let [node] = group.nodes.as_slice() else {
        panic!("one node")
    };
    let again = node.replica.bootstrap(ClusterId::new(7)).await;
    assert!(matches!(again, Err(BootstrapError::AlreadyMember)));
    let other = node.replica.bootstrap(ClusterId::new(8)).await;
    assert!(matches!(other, Err(BootstrapError::OtherCluster { .. })));
}

#[tokio::test]
async fn proposals_are_bounded_in_size_and_number() {
    let options = Options {
        command_bytes_max: 100,
        proposals_max: 2,
        ..fast()
    };
    let group = Group::of(1, options).await;
    let replica = &group.leader().await.replica;
    let large = replica.propose(vec![b'x'; 101], LONG).await;
    assert_eq!(large, Err(ProposeError::TooLarge { got: 101, max: 100 }));
    assert!(replica.propose(vec![b'x'; 100], LONG).await.is_ok());
    let many = (0..50).map(|n| replica.propose(format!("set k {n}").into_bytes(), LONG));
    let answers = futures::future::join_all(many).await;
    let refused = answers
        .iter()
        .filter(|a| **a == Err(ProposeError::Overloaded { max: 2 }));
    assert_eq!(refused.count(), 48);
    assert_eq!(answers.iter().filter(|a| a.is_ok()).count(), 2);
}

#[tokio::test]
async fn watchers_can_follow_by_changes_or_start_from_rows() {
    let options = Options {
        changes_max: 5,
        ..fast()
    };
    let group = Group::of(1, options).await;
    let node = group.leader().await;
    let first = node.set("a", "1").await;
    let mut applied = node.replica.applied();
    let last = {
        node.set("b", "2").await;
        node.replica
            .propose(b"del a".to_vec(), LONG)
            .await
            .unwrap()
            .index
    };
    tokio::time::timeout(LONG, applied.wait_for(|i| *i >= last))
        .await
        .unwrap()
        .unwrap();

    let changes = node.replica.changes_after(first).unwrap();
    let changes: Vec<_> = changes.iter().flat_map(|(_, c)| c.iter()).collect();
    assert_eq!(changes.len(), 2);
    assert_eq!(
        (changes[0].key.as_slice(), changes[0].value.as_deref()),
        (&b"b"[..], Some(&b"2"[..]))
    );
    assert_eq!(
        (changes[1].key.as_slice(), changes[1].value.as_deref()),
        (&b"a"[..], None)
    );
    assert_eq!(node.replica.changes_after(last), Some(vec![]));

    let (at, rows) = node.replica.rows();
    assert_eq!(at, last);
    assert_eq!(rows.to_vec(), [(b"b".to_vec(), b"2".to_vec())]);
    for n in 0..10 {
        node.set("c", &n.to_string()).await;
    }
    assert_eq!(node.replica.changes_after(last), None, "too far behind");
    assert_eq!(rows.len(), 1, "rows that were handed out do not change");
    assert_eq!(node.replica.rows().1.get(b"c"), Some(&b"9"[..]));
}

#[tokio::test]
async fn large_rows_shrink_and_grow_and_survive() {
    let mut group = Group::of(1, fast()).await;
    let node = group.leader().await;
    let large = "x".repeat(100_000);
    node.set("big", &large).await;
    // Its second part sorts between the first row's parts.
    node.set("big\0\u{1}", "neighbour").await;
    node.set("shrunk", &large).await;
    node.set("shrunk", "small").await;
    node.set("gone", &large).await;
    node.replica
        .propose(b"del gone".to_vec(), LONG)
        .await
        .unwrap();
    node.replica.shutdown().await;
    let dead = group.nodes.pop().unwrap().kill().await;
    // Rows come from the store, not from the log: nothing is applied again.
    let node = group.restart(dead).await;
    let read = |key| node.get(key);
    assert_eq!(read("big"), Some(large));
    assert_eq!(read("big\0\u{1}"), Some("neighbour".into()));
    assert_eq!(read("shrunk"), Some("small".into()));
    assert_eq!(read("gone"), None);
    assert_eq!(node.replica.rows().1.len(), 3);
}

#[tokio::test]
async fn it_works_on_real_disks() {
    let directory = tempfile::tempdir().unwrap();
    let mut term = 0;
    for round in 0..3 {
        let log = RedbLog::open(&directory.path().join("log")).await.unwrap();
        let store = SledStore::open(&directory.path().join("store"))
            .await
            .unwrap();
        let (log, store) = (Arc::new(log), Arc::new(store));
        let name = "c-0".parse().unwrap();
        let started = start(
            &Links::new(),
            &fast(),
            name,
            "127.0.0.1:0".into(),
            log,
            store,
        )
        .await;
        let (runtime, replica, _) = started.unwrap();
        if round == 0 {
            replica.bootstrap(ClusterId::new(1)).await.unwrap();
        }
        wait_until("it leads", || replica.status().is_leader).await;
        replica.read_barrier(LONG).await.unwrap();
        assert_eq!(replica.read(|kv, _| kv.0.len()), round * 50);
        for n in 0..50 {
            let command = format!("set r{round}-{n} v").into_bytes();
            replica.propose(command, LONG).await.unwrap();
        }
        assert!(replica.status().term > term);
        term = replica.status().term;
        replica.shutdown().await;
        drop(replica);
        stop(runtime).await;
    }
}
