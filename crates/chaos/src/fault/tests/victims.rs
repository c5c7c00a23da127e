//! Whom faults hit, and what a target cannot suffer.

use super::*;

async fn says(text: &str) -> String {
    says_of(&Arc::new(Remembers::new()), text).await
}

async fn says_of(target: &Arc<Remembers>, text: &str) -> String {
    match prepare(target, text).await {
        Ok(prepared) => prepared.describe(),
        Err(unsupported) => format!("unsupported: {unsupported}"),
    }
}

#[tokio::test(start_paused = true)]
async fn victims_are_those_that_are_asked_for() {
    let chosen = |who: &'static str| async move {
        let target = Arc::new(Remembers::new());
        let text = format!("kind = 'kill'\n{who}");
        prepare(&target, &text).await.unwrap().victims().to_vec()
    };
    assert_eq!(chosen("who = 'leader'").await, ["a1"]);
    assert_eq!(chosen("who = 'follower'\ncount = 2").await, ["b1", "c1"]);
    assert_eq!(chosen("who = 'all'").await.len(), 6);
    assert_eq!(chosen("who = 'zone:b'").await, ["b1", "b2"]);
    assert_eq!(chosen("who = 'zone:b'\ncount = 1").await.len(), 1);
    assert_eq!(chosen("who = 'node:c2'").await, ["c2"]);
    assert_eq!(
        chosen("who = 'frontend'\ncount = 3").await,
        ["a2", "b2", "c2"]
    );
    let any_zone = chosen("who = 'zone:any'").await;
    assert_eq!(any_zone.len(), 2);
    assert_eq!(any_zone[0][..1], any_zone[1][..1], "of one zone");
    assert_eq!(chosen("who = 'any'").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn chance_follows_the_seed_and_reaches_everybody() {
    let draw = |seed: u64| async move {
        let target: Arc<dyn Target> = Arc::new(Remembers::new());
        let kill = fault("kind = 'kill'\nwho = 'any'");
        let prepared = kill.prepare(&target, &SeededEntropy::new(seed)).await;
        prepared.unwrap().victims()[0].clone()
    };
    assert_eq!(draw(1).await, draw(1).await);
    let mut drawn = std::collections::BTreeSet::new();
    for seed in 0..100 {
        drawn.insert(draw(seed).await);
    }
    assert_eq!(drawn.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn only_who_runs_is_hit() {
    let target = Arc::new(Remembers::new());
    target.remembered.lock().down = vec!["b1".to_owned(), "c1".to_owned()];
    let follower = says_of(&target, "kind = 'kill'\nwho = 'follower'").await;
    let none = "unsupported: expected at least 1 running node(s) that are follower, got 0";
    assert_eq!(follower, none);
    let most = says_of(&target, "kind = 'kill'\nwho = 'all'\ncount = 5").await;
    assert_eq!(
        most,
        "unsupported: expected at least 5 running node(s) that are all, got 4"
    );
    assert_eq!(target.log(), Vec::<String>::new(), "nothing has happened");
}

#[tokio::test(start_paused = true)]
async fn links_are_those_around_the_victims() {
    let between = "cut what a1 sends to and gets from a2, b1, b2, c1 and c2 for 15s";
    assert_eq!(says("kind = 'isolate'\nwho = 'leader'").await, between);
    let in_only = "cut what a1 gets from a2, b1, b2, c1, c2 and client for 15s";
    let text = "kind = 'isolate'\nwho = 'leader'\ndirection = 'in'\nclients = true";
    assert_eq!(says(text).await, in_only);
    let minority = "cut a1 off from everybody else for 15s";
    assert_eq!(says("kind = 'minority'").await, minority);
    let without = says("kind = 'minority'\nwith_leader = false").await;
    assert!(
        ["b1", "c1"]
            .iter()
            .any(|n| without.starts_with(&format!("cut {n} off"))),
        "{without}"
    );
    let bridge = says("kind = 'bridge'").await;
    assert!(
        bridge.starts_with("cut what a1 sends to and gets from "),
        "{bridge}"
    );
    assert_eq!(
        says("kind = 'separate'\nrole = 'controller'\nfrom = 'frontend'").await,
        "cut what a1, b1 and c1 sends to and gets from a2, b2 and c2 for 15s"
    );
    assert_eq!(
        says("kind = 'cut-zone'\nzone = 'b'").await,
        "cut zone b (b1 and b2) off for 15s"
    );
    let all = says("kind = 'loss'\nwho = 'all'\nshare = 0.1").await;
    assert!(all.starts_with("lose 10% of what a1, a2, b1"), "{all}");
}

#[tokio::test(start_paused = true)]
async fn what_a_target_cannot_suffer_it_says_before() {
    let mut target = Remembers::new();
    target.links = None;
    target.cannot = vec![Verb::Wipe];
    target.disks = false;
    target.leader = None;
    let target = Arc::new(target);
    let refusals = [
        (
            "kind = 'wipe'\nwho = 'any'",
            "this cluster cannot wipe a node: no command is given for it",
        ),
        (
            "kind = 'isolate'\nwho = 'any'",
            "the links between the nodes are not ours to break; run the cluster in a fabric",
        ),
        (
            "kind = 'disk'\nwho = 'node:a1'\nhow = 'eio'",
            "the data of node a1 is not on a faulty disk; mount one under its data_dir",
        ),
        (
            "kind = 'clock-step'\nwho = 'node:a1'\nby = '+1h'",
            "the wall clock of node a1 cannot be moved: it shares the machine's",
        ),
        (
            "kind = 'kill'\nwho = 'leader'",
            "expected at least 1 running node(s) that are leader, got 0",
        ),
        (
            "kind = 'minority'",
            "expected at least 1 running node(s) that are leader, got 0",
        ),
        (
            "kind = 'separate'\nrole = 'controller'\nfrom = 'worker'",
            "expected at least 1 running node(s) that are worker without being controller, got 0",
        ),
        (
            "kind = 'kill'\nwho = 'any'\ncount = 0",
            "expected a count of at least 1",
        ),
        (
            "kind = 'starve'\nwho = 'any'\nshare = 0.0",
            "expected a period, and a share of it above 0; to stop a process altogether, pause it",
        ),
    ];
    for (text, why) in refusals {
        assert_eq!(says_of(&target, text).await, format!("unsupported: {why}"));
    }
    assert_eq!(target.log(), Vec::<String>::new());
}
