//! How faults are written down.

use super::*;

/// One of every kind, and what a dry run says of it.
const EVERY: [(&str, &str); 24] = [
    (
        "kind = 'kill'\nwho = 'leader'",
        "kill the leader at once; start again after 5s",
    ),
    (
        "kind = 'kill'\nwho = 'controller'\ncount = 2\ndown = '1s'",
        "kill 2 × controller at once; start again after 1s",
    ),
    (
        "kind = 'pause'\nwho = 'worker'\nlasts = '30s'",
        "stop one worker where it stands for 30s",
    ),
    (
        "kind = 'starve'\nwho = 'leader'\nshare = '20%'",
        "let the leader run 20% of each 100ms for 15s",
    ),
    (
        "kind = 'restart-storm'\nwho = 'zone:any'\ntimes = 3",
        "kill all of zone:any 3 times, dead for 500ms, then up for 2s",
    ),
    (
        "kind = 'terminate'\nwho = 'node:a1'",
        "ask a1 to end within 60s; start again after 5s",
    ),
    (
        "kind = 'wipe'\nwho = 'follower'",
        "kill one follower and take its data away; start again with nothing after 5s",
    ),
    (
        "kind = 'isolate'\nwho = 'leader'",
        "cut what the leader sends and gets for 15s",
    ),
    (
        "kind = 'isolate'\nwho = 'any'\ndirection = 'in'\nclients = true",
        "cut what any node gets for 15s",
    ),
    (
        "kind = 'isolate'\nwho = 'frontend'\ndirection = 'out'",
        "cut what one frontend sends for 15s",
    ),
    (
        "kind = 'minority'",
        "cut a minority of the controllers, the leader among them, off from everybody else for 15s",
    ),
    (
        "kind = 'minority'\nwith_leader = false\nlasts = '2m'",
        "cut a minority of the controllers without the leader off from everybody else for 120s",
    ),
    (
        "kind = 'bridge'",
        "cut the leader and one follower off from each other alone for 15s",
    ),
    (
        "kind = 'separate'\nrole = 'controller'\nfrom = 'frontend'",
        "cut every controller off from every frontend for 15s",
    ),
    ("kind = 'cut-zone'", "cut one zone off for 15s"),
    ("kind = 'cut-zone'\nzone = 'b'", "cut zone b off for 15s"),
    (
        "kind = 'flap'\nwho = 'follower'",
        "cut what one follower sends and gets for 200ms, let it pass for 200ms, and so on for 15s",
    ),
    (
        "kind = 'slow'\nwho = 'all'\ndelay = '200ms'\njitter = '100ms'\nreorder = 0.01",
        "delay what all nodes sends and gets by 200ms ± 100ms for 15s",
    ),
    (
        "kind = 'loss'\nwho = 'all'\nshare = '5%'",
        "lose 5% of what all nodes sends and gets for 15s",
    ),
    (
        "kind = 'corrupt'\nwho = 'leader'\nshare = '1%'\nunseen = 0.001",
        "corrupt 1% of what the leader sends and gets, and 0.1% so that checksums do not see it, for 15s",
    ),
    (
        "kind = 'bandwidth'\nwho = 'leader'\nrate = '1mbit'",
        "let 1mbit of what the leader sends and gets pass for 15s",
    ),
    (
        "kind = 'disk'\nwho = 'leader'\nhow = 'stall'",
        "let the disk of the leader stall for 10s",
    ),
    (
        "kind = 'disk'\nwho = 'all'\nhow = 'power-cut'\nlasts = '3s'",
        "cut the power of all nodes: what was not synced is lost; power is back after 3s",
    ),
    (
        "kind = 'clock-step'\nwho = 'leader'\nby = '-1h'",
        "move the wall clock of the leader by -3600s for 15s",
    ),
];

#[test]
fn every_kind_is_read_and_says_what_it_does() {
    for (text, says) in EVERY {
        let fault = fault(text);
        assert_eq!(fault.to_string(), says);
        assert!(text.contains(&format!("'{}'", fault.name())), "{text}");
        assert!(!fault.lasts().is_zero());
    }
    let kinds = EVERY.map(|(text, _)| fault(text).name());
    let kinds: std::collections::BTreeSet<_> = kinds.into_iter().collect();
    assert_eq!(kinds.len(), 18, "one of every kind");
}

#[test]
fn what_is_not_known_is_refused() {
    for (text, _) in EVERY {
        let more = format!("{text}\nunheard_of = 1");
        let error = toml::from_str::<Fault>(&more).unwrap_err().to_string();
        assert!(error.contains("unheard_of"), "{text}: {error}");
    }
    let problem = |text: &str| toml::from_str::<Fault>(text).unwrap_err().to_string();
    assert!(problem("kind = 'meteor'").contains("meteor"));
    assert!(problem("kind = 'kill'").contains("who"));
    assert!(problem("kind = 'kill'\nwho = 'boss'").contains("expected \"leader\""));
    assert!(problem("kind = 'kill'\nwho = 'zone:'").contains("expected \"leader\""));
    assert!(problem("kind = 'loss'\nwho = 'all'\nshare = 1.5").contains("from 0 to 1"));
    assert!(problem("kind = 'loss'\nwho = 'all'\nshare = '5'").contains("such as \"5%\""));
    assert!(problem("kind = 'pause'\nwho = 'all'\nlasts = '5'").contains("a duration"));
    assert!(
        problem("kind = 'separate'\nrole = 'leader'\nfrom = 'worker'")
            .contains("expected \"controller\"")
    );
}
