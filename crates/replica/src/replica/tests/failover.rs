use std::time::Duration;

use model::Failure as _;
use tokio::time::Instant;

use crate::{
    Options,
    error::{ProposeError, ReadError},
    testing::{Group, LONG, fast, wait_until},
};

#[tokio::test]
async fn a_killed_leader_is_replaced_and_catches_up_when_it_is_back() {
    let mut group = Group::of(3, fast()).await;
    let leader = group.leader().await.id();
    group.leader().await.set("before", "1").await;
    let dead = group.take(leader).await.kill().await;
    let killed = Instant::now();
    let new = 'found: loop {
        for node in &group.nodes {
            let proposed = node
                .replica
                .propose(b"set after 2".to_vec(), Duration::from_secs(1));
            if proposed.await.is_ok() {
                break 'found node.id();
            }
        }
        assert!(killed.elapsed() < LONG, "no new leader");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_ne!(new, leader);
    for node in &group.nodes {
        wait_until("both have it", || node.get("after").is_some()).await;
        assert_eq!(node.get("before"), Some("1".into()));
    }

    let term = group.leader().await.replica.status().term;
    let back = group.restart(dead).await;
    wait_until("it has caught up", || back.get("after").is_some()).await;
    let status = back.replica.status();
    assert_eq!(
        status.leader.map(|l| l.id),
        Some(new),
        "who comes back deposes nobody"
    );
    assert_eq!(status.term, term);
}

#[tokio::test]
async fn a_leader_without_a_quorum_refuses_fast() {
    let group = Group::of(3, fast()).await;
    let leader = group.leader().await;
    leader.set("a", "1").await;
    group.links.cut(&leader.address);
    let cut = Instant::now();
    // What is under way when the quorum is lost is given up, with its outcome unknown.
    let caught = leader
        .replica
        .propose(b"set a 2".to_vec(), LONG)
        .await
        .unwrap_err();
    assert!(
        matches!(caught, ProposeError::Interrupted | ProposeError::NoQuorum),
        "{caught:?}"
    );
    assert!(cut.elapsed() < LONG / 2, "took {:?}", cut.elapsed());
    assert!(caught.is_retryable());

    // After that nothing is even begun.
    let mut fastest = LONG;
    for _ in 0..3 {
        let asked = Instant::now();
        let refused = leader
            .replica
            .propose(b"set a 3".to_vec(), LONG)
            .await
            .unwrap_err();
        assert!(
            matches!(
                refused,
                ProposeError::NoQuorum | ProposeError::NotLeader { .. }
            ),
            "{refused:?}"
        );
        assert!(!refused.is_outcome_unknown());
        fastest = fastest.min(asked.elapsed());
    }
    // Less than it takes to find out that a quorum is lost.
    assert!(fastest < Duration::from_millis(500), "took {fastest:?}");
    let read = leader.replica.read_barrier(LONG).await;
    assert!(
        matches!(read, Err(ReadError::NoQuorum | ReadError::NotLeader { .. })),
        "{read:?}"
    );

    wait_until("it believes in no leader", || {
        leader.replica.status().leader.is_none()
    })
    .await;

    // The others go on, and the old leader follows them when it is back.
    let others: Vec<_> = group.followers(leader.id()).collect();
    wait_until("the others have a leader", || {
        others.iter().any(|n| n.is_leader())
    })
    .await;
    let new = others.iter().find(|n| n.is_leader()).unwrap();
    new.set("a", "4").await;
    group.links.heal();
    wait_until("the old leader follows", || {
        leader.get("a") == Some("4".into())
    })
    .await;
    assert!(!leader.is_leader());
}

#[tokio::test]
async fn a_follower_left_alone_believes_in_no_leader() {
    let mut group = Group::of(3, fast()).await;
    let leader = group.leader().await.id();
    let last = group.followers(leader).next().unwrap().id();
    assert!(
        group
            .followers(leader)
            .all(|n| n.replica.status().leader.is_some())
    );
    let gone: Vec<u64> = group
        .nodes
        .iter()
        .map(|n| n.id())
        .filter(|id| *id != last)
        .collect();
    for id in gone {
        group.take(id).await.kill().await;
    }
    let alone = &group.nodes[0];
    wait_until("it believes in no leader", || {
        alone.replica.status().leader.is_none()
    })
    .await;
}

#[tokio::test]
async fn reads_are_confirmed_by_the_leader_and_followers_point_to_it() {
    let group = Group::of(3, fast()).await;
    let leader = group.leader().await;
    let index = leader.set("a", "1").await;
    let barriers = (0..64).map(|_| leader.replica.read_barrier(LONG));
    for covered in futures::future::join_all(barriers).await {
        assert!(covered.unwrap() >= index);
    }
    let hint = Some(leader.address.clone());
    for follower in group.followers(leader.id()) {
        let read = follower.replica.read_barrier(LONG).await;
        assert_eq!(
            read,
            Err(ReadError::NotLeader {
                leader: hint.clone()
            })
        );
        let write = follower.replica.propose(b"set a 2".to_vec(), LONG).await;
        assert_eq!(
            write,
            Err(ProposeError::NotLeader {
                leader: hint.clone()
            })
        );
        let status = follower.replica.status();
        assert_eq!(status.leader.unwrap().address, leader.address);
        assert_eq!((status.voters.len(), status.learners.len()), (3, 0));
        assert_eq!(
            (status.is_leader, status.last_quorum_ack_age),
            (false, None)
        );
    }
    let age = leader.replica.status().last_quorum_ack_age.unwrap();
    assert!(age < Duration::from_secs(1), "{age:?}");
}

#[tokio::test]
async fn a_write_is_read_by_whoever_asks_after_it() {
    let group = Group::of(3, fast()).await;
    let leader = group.leader().await;
    for n in 0..50 {
        leader.set("n", &n.to_string()).await;
        let covered = leader.replica.read_barrier(LONG).await.unwrap();
        let (read, at) = leader.replica.read(|kv, at| (kv.0.get("n").cloned(), at));
        assert_eq!(read, Some(n.to_string()));
        assert!(at >= covered);
    }
}

#[tokio::test]
async fn a_leader_that_stops_hands_over_without_an_election_timeout() {
    let never = Options {
        election_min: LONG * 4,
        election_max: LONG * 5,
        ..fast()
    };
    let mut group = Group::of(3, never).await;
    let leader = group.leader().await.id();
    group.leader().await.set("a", "1").await;
    let old = group.take(leader).await;
    old.replica.shutdown().await;
    let new = group.leader().await;
    new.set("a", "2").await;
    let stopped = old.replica.propose(b"set a 3".to_vec(), LONG).await;
    assert_eq!(stopped, Err(ProposeError::Stopped));
}

#[tokio::test]
async fn many_writers_share_the_disk() {
    let group = Group::of(3, fast()).await;
    let leader = group.leader().await;
    let before = leader.disk.log.barriers();
    let writers = (0..64).map(async |writer| {
        for n in 0..20 {
            leader.set(&format!("w{writer}"), &n.to_string()).await;
        }
    });
    futures::future::join_all(writers).await;
    let barriers = leader.disk.log.barriers() - before;
    assert!(barriers < 640, "1280 writes took {barriers} barriers");
    for node in &group.nodes {
        let same = || {
            let (_, a) = leader.replica.rows();
            let (_, b) = node.replica.rows();
            a == b && a.len() == 64
        };
        wait_until("all have the same rows", same).await;
    }
}
