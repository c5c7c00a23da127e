//! Three controllers in one process, over real loopback connections, with their real logs, stores and blobs on disk.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what failed by failing"
)]

mod upgrade;
mod world;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use model::{
    Digest, Mutation, Revision,
    function::{Code, State},
    mutation::{Changed, Rejection},
};
use state::IdempotencyKey;

use crate::world::{World, config, function};

const PATIENCE: Duration = Duration::from_secs(10);

fn create(name: &str, zip: &'static [u8]) -> Mutation {
    Mutation::CreateFunction {
        function: function(name),
        config: Box::new(config()),
        code: Code {
            digest: Digest::of(zip),
            size: zip.len() as u64,
            unzipped: 0,
        },
        publish: None,
        tags: BTreeMap::new(),
        code_signing: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_is_created_settled_and_seen_by_a_follower() {
    let world = World::start(&["a", "b", "c"]).await;
    let controllers = world.client();
    let copy = world.follower(&controllers).await;
    let zip = Bytes::from_static(b"zip");
    controllers
        .put_blob(Digest::of(&zip), zip.clone(), PATIENCE)
        .await
        .unwrap();
    let (revision, result) = controllers
        .mutate(IdempotencyKey(1), &create("f", b"zip"), PATIENCE)
        .await
        .unwrap();
    let Ok(Changed::Version(made)) = result else {
        panic!("expected a version, got {result:?}")
    };
    assert_eq!(made.state, State::Pending);
    copy.wait_for(revision, PATIENCE).await.unwrap();
    world
        .until("the function is active", || {
            copy.read(|c| {
                c.function(&function("f")).unwrap().latest().unwrap().state == State::Active
            })
        })
        .await;
    let (again, repeated) = controllers
        .mutate(IdempotencyKey(1), &create("f", b"zip"), PATIENCE)
        .await
        .unwrap();
    assert_eq!((again, repeated), (revision, Ok(Changed::Version(made))));
    let (_, other) = controllers
        .mutate(IdempotencyKey(2), &create("f", b"zip"), PATIENCE)
        .await
        .unwrap();
    assert_eq!(other, Err(Rejection::FunctionExists("f".parse().unwrap())));
    assert_eq!(
        controllers
            .get_blob(Digest::of(b"zip"), PATIENCE)
            .await
            .unwrap(),
        zip
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_that_no_quorum_has_is_not_named_by_any_record() {
    let world = World::start(&["a", "b", "c"]).await;
    let controllers = world.client();
    let refused = controllers
        .mutate(IdempotencyKey(1), &create("f", b"never put"), PATIENCE)
        .await;
    assert!(
        matches!(refused, Err(catalog::ControllerError::BlobMissing)),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_go_on_after_the_leader_died_and_it_comes_back_complete() {
    let mut world = World::start(&["a", "b", "c"]).await;
    let controllers = world.client();
    let zip = Bytes::from_static(b"zip");
    controllers
        .put_blob(Digest::of(&zip), zip, PATIENCE)
        .await
        .unwrap();
    controllers
        .mutate(IdempotencyKey(1), &create("before", b"zip"), PATIENCE)
        .await
        .unwrap()
        .1
        .unwrap();
    let leader = world.leader().await;
    world.kill(&leader).await;
    let (revision, result) = controllers
        .mutate(IdempotencyKey(2), &create("after", b"zip"), PATIENCE)
        .await
        .unwrap();
    result.unwrap();
    world.restart(&leader).await;
    world
        .until("the old leader has caught up", || {
            world.applied(&leader) >= revision.0
        })
        .await;
    let barrier = controllers.barrier(PATIENCE).await.unwrap();
    assert!(barrier >= revision);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_disk_comes_back_as_a_new_member_with_every_blob() {
    let mut world = World::start(&["a", "b", "c"]).await;
    let controllers = world.client();
    let zip = Bytes::from_static(b"zip");
    controllers
        .put_blob(Digest::of(&zip), zip.clone(), PATIENCE)
        .await
        .unwrap();
    let (revision, _) = controllers
        .mutate(IdempotencyKey(1), &create("f", b"zip"), PATIENCE)
        .await
        .unwrap();
    world.kill("b").await;
    world.wipe("b");
    world.restart("b").await;
    world
        .until("the new member has caught up", || {
            world.applied("b") >= revision.0
        })
        .await;
    world
        .until_async("the new member has the blob", async |w| {
            w.has_blob("b", Digest::of(&zip)).await
        })
        .await;
    let members = world.members();
    assert_eq!(members, ["a", "b", "c"], "the old incarnation is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_changes_are_refused_and_copies_still_serve() {
    let mut world = World::start(&["a", "b", "c"]).await;
    let controllers = world.client();
    let copy = world.follower(&controllers).await;
    let zip = Bytes::from_static(b"zip");
    controllers
        .put_blob(Digest::of(&zip), zip, PATIENCE)
        .await
        .unwrap();
    let (revision, _) = controllers
        .mutate(IdempotencyKey(1), &create("f", b"zip"), PATIENCE)
        .await
        .unwrap();
    copy.wait_for(revision, PATIENCE).await.unwrap();
    world.kill("a").await;
    world.kill("b").await;
    let patience = Duration::from_secs(1);
    let refused = controllers
        .mutate(IdempotencyKey(2), &create("g", b"zip"), patience)
        .await;
    assert!(
        matches!(refused, Err(catalog::ControllerError::NoLeader(_))),
        "{refused:?}"
    );
    assert!(copy.read(|c| c.function(&function("f")).is_some()));
    assert!(copy.revision() >= Revision(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packages_go_round_a_controller_whose_disk_stalls() {
    let world = World::start(&["a", "b", "c"]).await;
    let controllers = world.client();
    for (name, zip) in [("a", b"one"), ("b", b"two"), ("c", b"six")] {
        world.stall_blobs(name, true);
        let (digest, zip) = (Digest::of(zip), Bytes::from_static(zip));
        let put = controllers.put_blob(digest, zip.clone(), PATIENCE).await;
        put.unwrap_or_else(|e| panic!("put without {name}: {e:?}"));
        let got = controllers.get_blob(digest, PATIENCE).await;
        assert_eq!(
            got.unwrap_or_else(|e| panic!("get without {name}: {e:?}")),
            zip
        );
        world.stall_blobs(name, false);
    }
}
