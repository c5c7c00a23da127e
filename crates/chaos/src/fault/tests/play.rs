//! The lives of faults.

use super::*;

/// Plays a fault to its end and answers what was done to the target.
async fn played(text: &str) -> Vec<String> {
    let target = Arc::new(Remembers::new());
    let prepared = prepare(&target, text).await.unwrap();
    let mut phases = Vec::new();
    let played = prepared
        .play(std::future::pending(), |phase| phases.push(phase))
        .await;
    played.happened.unwrap();
    played.healed.unwrap();
    assert!(!played.stopped);
    assert_eq!(
        phases,
        [Phase::Begins, Phase::Holds, Phase::Ends, Phase::Over]
    );
    assert!(target.bad_links().is_empty());
    target.log()
}

/// Plays a fault of the network; answers which links are bad half a second before it ends, in paused time.
async fn bad_during(text: &str, at: Duration) -> BTreeMap<String, Rule> {
    let target = Arc::new(Remembers::new());
    let prepared = prepare(&target, text).await.unwrap();
    let mut seen = BTreeMap::new();
    let play = prepared.play(std::future::pending(), |_| {});
    let look = async {
        tokio::time::sleep(at).await;
        seen = target.bad_links();
    };
    let (played, ()) = tokio::join!(play, look);
    played.happened.unwrap();
    played.healed.unwrap();
    assert!(target.bad_links().is_empty(), "it heals");
    seen
}

#[tokio::test(start_paused = true)]
async fn processes_suffer_in_the_order_they_should() {
    let kill = played("kind = 'kill'\nwho = 'zone:b'\ndown = '1s'").await;
    assert_eq!(
        kill,
        ["0 kill b1", "0 kill b2", "1000 start b1", "1000 start b2"]
    );
    let pause = played("kind = 'pause'\nwho = 'leader'").await;
    assert_eq!(pause, ["0 pause a1", "5000 resume a1"]);
    let storm = played("kind = 'restart-storm'\nwho = 'leader'\ntimes = 2").await;
    assert_eq!(
        storm,
        ["0 kill a1", "500 start a1", "2500 kill a1", "3000 start a1"]
    );
    let drain = played("kind = 'terminate'\nwho = 'leader'").await;
    assert_eq!(drain, ["0 terminate a1", "5000 start a1"]);
    let wipe = played("kind = 'wipe'\nwho = 'node:b1'").await;
    assert_eq!(wipe, ["0 kill b1", "0 wipe b1", "5000 start b1"]);
    let starve = played("kind = 'starve'\nwho = 'leader'\nshare = '20%'\nlasts = '200ms'").await;
    let on_and_off = [
        "0 pause a1",
        "80 resume a1",
        "100 pause a1",
        "180 resume a1",
        "200 pause a1",
        "200 resume a1",
    ];
    assert_eq!(starve, on_and_off);
}

#[tokio::test(start_paused = true)]
async fn disks_suffer_in_the_order_they_should() {
    let stall = played("kind = 'disk'\nwho = 'leader'\nhow = 'stall'").await;
    assert_eq!(
        stall,
        ["0 stall a1", "10000 heal a1"],
        "it is up, so it is not started"
    );
    let full = played("kind = 'disk'\nwho = 'leader'\nhow = 'full'").await;
    assert_eq!(full, ["0 fill a1", "10000 heal a1"]);
    let cut = played("kind = 'disk'\nwho = 'zone:c'\nhow = 'power-cut'").await;
    let all_before_any_death = [
        "0 cut c1",
        "0 cut c2",
        "0 kill c1",
        "0 kill c2",
        "10000 kill c1",
        "10000 kill c2",
        "10000 restore c1",
        "10000 restore c2",
        "10000 start c1",
        "10000 start c2",
    ];
    assert_eq!(cut, all_before_any_death);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stopped_itself_is_started_when_its_disk_is_whole() {
    let target = Arc::new(Remembers::new());
    let prepared = prepare(&target, "kind = 'disk'\nwho = 'leader'\nhow = 'eio'").await;
    let play = prepared.unwrap().play(std::future::pending(), |_| {});
    let stops = async {
        tokio::time::sleep(Duration::from_secs(11)).await;
        target.remembered.lock().down.push("a1".to_owned());
    };
    let (played, ()) = tokio::join!(play, stops);
    played.healed.unwrap();
    assert_eq!(
        target.log(),
        ["0 fail a1", "10000 heal a1", "12000 start a1"]
    );
}

#[tokio::test(start_paused = true)]
async fn links_are_bad_where_and_when_they_should_be() {
    let second = Duration::from_secs(1);
    let keys = |bad: BTreeMap<String, Rule>| bad.into_keys().collect::<Vec<_>>();
    let inward = bad_during(
        "kind = 'isolate'\nwho = 'node:b1'\ndirection = 'in'",
        second,
    )
    .await;
    assert!(inward.values().all(|rule| rule.cut));
    assert_eq!(keys(inward), ["a1>b1", "a2>b1", "b2>b1", "c1>b1", "c2>b1"]);
    let zone = bad_during("kind = 'cut-zone'\nzone = 'c'", second).await;
    assert_eq!(
        zone.len(),
        20,
        "two inside, five outside, both ways: {zone:?}"
    );
    assert!(zone.contains_key("client>c1") && !zone.contains_key("c1>c2"));
    let slow = bad_during(
        "kind = 'slow'\nwho = 'all'\ndelay = '1s'\njitter = '1ms'",
        second,
    )
    .await;
    assert_eq!(slow.len(), 30, "all nodes among each other, not the client");
    assert_eq!(slow["a1>b1"], Rule::slow(second, Duration::from_millis(1)));
    let both = bad_during(
        "kind = 'corrupt'\nwho = 'leader'\nshare = 0.1\nunseen = 0.2",
        second,
    )
    .await;
    assert!((both["a1>b1"].corrupt - 0.1).abs() < 1e-9);
    assert!((both["a1>b1"].corrupt_unseen - 0.2).abs() < 1e-9);
    let lossy = bad_during(
        "kind = 'loss'\nwho = 'leader'\nshare = 0.1\nduplicate = 0.2",
        second,
    )
    .await;
    assert!(
        (lossy["b1>a1"].loss - 0.1).abs() < 1e-9 && (lossy["b1>a1"].duplicate - 0.2).abs() < 1e-9
    );
    let narrow = bad_during("kind = 'bandwidth'\nwho = 'leader'\nrate = '1mbit'", second).await;
    assert_eq!(narrow["a1>b1"].rate, Some(1_000_000));
    let ms = Duration::from_millis;
    let flap = "kind = 'flap'\nwho = 'node:a1'\nlasts = '1s'";
    assert_eq!(bad_during(flap, ms(100)).await.len(), 10);
    assert_eq!(bad_during(flap, ms(300)).await.len(), 0);
    assert_eq!(bad_during(flap, ms(500)).await.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_error_at_the_beginning_is_still_healed() {
    let mut target = Remembers::new();
    target.fails = Some((Verb::Kill, "b1"));
    let target = Arc::new(target);
    let prepared = prepare(&target, "kind = 'kill'\nwho = 'zone:b'")
        .await
        .unwrap();
    let played = prepared.play(std::future::pending(), |_| {}).await;
    assert_eq!(
        played.happened.unwrap_err().to_string(),
        "could not kill node b1"
    );
    played.healed.unwrap();
    assert_eq!(
        target.log(),
        ["0 kill b1", "0 kill b2", "0 start b2"],
        "no hold, only who is down"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_fault_early_and_heals() {
    let target = Arc::new(Remembers::new());
    let prepared = prepare(&target, "kind = 'pause'\nwho = 'leader'\nlasts = '1h'").await;
    let stop = tokio::time::sleep(Duration::from_secs(2));
    let played = prepared.unwrap().play(stop, |_| {}).await;
    assert!(played.stopped && played.happened.is_ok() && played.healed.is_ok());
    assert_eq!(target.log(), ["0 pause a1", "2000 resume a1"]);
}

#[tokio::test(start_paused = true)]
async fn links_heal_even_when_nobody_waits_for_the_end() {
    let target = Arc::new(Remembers::new());
    let prepared = prepare(&target, "kind = 'cut-zone'").await.unwrap();
    let play = prepared.play(std::future::pending(), |_| {});
    let second = Duration::from_secs(1);
    assert!(tokio::time::timeout(second, play).await.is_err());
    assert!(target.bad_links().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_drain_is_killed_and_told_of() {
    let mut target = Remembers::new();
    target.stubborn = true;
    let target = Arc::new(target);
    let text = "kind = 'terminate'\nwho = 'leader'\npatience = '3s'";
    let prepared = prepare(&target, text).await.unwrap();
    let played = prepared.play(std::future::pending(), |_| {}).await;
    let lingers = "node a1 still ran 3s after it was asked to end, and was killed";
    assert_eq!(played.happened.unwrap_err().to_string(), lingers);
    assert_eq!(
        target.log(),
        ["0 terminate a1", "3000 kill a1", "3000 start a1"]
    );
}

#[tokio::test(start_paused = true)]
async fn clocks_jump_and_jump_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut target = Remembers::new();
    target.clocks = Some(directory.path().to_owned());
    let target = Arc::new(target);
    let prepared = prepare(
        &target,
        "kind = 'clock-step'\nwho = 'leader'\nby = '-1500ms'",
    )
    .await;
    let file = directory.path().join("a1");
    let play = prepared.unwrap().play(std::future::pending(), |_| {});
    let look = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        std::fs::read_to_string(&file).unwrap()
    };
    let (played, during) = tokio::join!(play, look);
    played.healed.unwrap();
    assert_eq!(during, "-1.500\n");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "+0\n");
    played.happened.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_nobody_sees_move_has_not_moved() {
    let directory = tempfile::tempdir().unwrap();
    let mut target = Remembers::new();
    target.clocks = Some(directory.path().to_owned());
    target.deaf = true;
    let target = Arc::new(target);
    for by in ["+1h", "-250ms"] {
        let text = format!("kind = 'clock-step'\nwho = 'leader'\nby = '{by}'");
        let prepared = prepare(&target, &text).await.unwrap();
        let played = prepared.play(std::future::pending(), |_| {}).await;
        let why = played.happened.unwrap_err().to_string();
        assert_eq!(why, "the wall clock of node a1 did not move within 5s");
        played.healed.unwrap();
    }
}
