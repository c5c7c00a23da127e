//! Controllers of two builds in one group: what a cluster begins with, when an upgrade can be finished, and who comes back.

use std::time::Duration;

use proto::{FORMATS, internal::finalize_response::Result as Answer};

use crate::world::World;

const OLD: u32 = 1;
const ALL: [&str; 3] = ["a", "b", "c"];
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_new_builds_begins_with_the_newest_format() {
    let world = World::start(&ALL).await;
    let newest = FORMATS.newest;
    world
        .until("all know the format", || {
            ALL.iter().all(|name| world.format(name) == newest)
        })
        .await;
    assert_eq!(world.finalize().await, Answer::Format(newest));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_is_finished_once_every_controller_reads_the_format() {
    let mut world = World::start_held_back(&ALL, &[("a", OLD), ("b", OLD), ("c", OLD)]).await;
    for name in ["c", "b"] {
        world.kill(name).await;
        world.restart_reading(name, FORMATS.newest).await.unwrap();
    }
    // One build is old, then away; either is named, and nothing is changed.
    for newest in [OLD, 0] {
        if newest == 0 {
            world.kill("a").await;
        }
        let Answer::Behind(behind) = world.finalize().await else {
            panic!("a controller is behind");
        };
        assert_eq!(behind.format, FORMATS.newest);
        let named: Vec<_> = behind.nodes.iter().map(|n| (&*n.name, n.newest)).collect();
        assert_eq!(named, [("a", newest)]);
        assert_eq!((world.format("b"), world.format("c")), (OLD, OLD));
    }
    world.restart_reading("a", FORMATS.newest).await.unwrap();
    world
        .until_async("the upgrade is finished", async |w| {
            w.finalize().await == Answer::Format(FORMATS.newest)
        })
        .await;
    world
        .until("all know the format", || {
            ALL.iter().all(|name| world.format(name) == FORMATS.newest)
        })
        .await;

    world.kill("b").await;
    let refused = world.restart_reading("b", OLD).await.unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("run the newer build"), "{said}");
    world.restart_reading("b", FORMATS.newest).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_is_too_old_comes_into_a_newer_cluster() {
    let mut world = World::start(&ALL).await;
    world.kill("c").await;
    world.wipe("c");
    world.restart_reading("c", OLD).await.unwrap();
    let said = world.failed("c").await;
    assert!(said.contains("run the newer build"), "{said}");

    let controllers = world.client();
    let old = world.follower_reading(&controllers, OLD).await;
    world
        .until("the follower is told", || old.refusal().is_some())
        .await;
    assert!(old.refusal().unwrap().contains("run the newer build"));
    assert_eq!(old.staleness(), None);
    let new = world.follower(&controllers).await;
    let revision = controllers.barrier(PATIENCE).await.unwrap();
    new.wait_for(revision, PATIENCE).await.unwrap();
    assert_eq!(new.refusal(), None);
    assert_eq!(new.read(|catalog| catalog.format()), FORMATS.newest);
}
