use host::SeededEntropy;

use super::*;
use crate::fault::How;

const SECOND: Duration = Duration::from_secs(1);

fn problem(text: &str) -> String {
    Scenario::parse("x", text).unwrap_err().to_string()
}

#[test]
fn every_built_in_scenario_is_good_and_the_promised_ones_are_there() {
    let all = Scenario::built_in().unwrap();
    let names: Vec<_> = all.iter().map(|s| s.name.as_str()).collect();
    for name in [
        "smoke", "leader", "zone", "flapping", "gray", "disk", "clock", "quorum", "staging", "soak",
    ] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    assert!(all.iter().all(|s| !s.summary.is_empty()));
}

#[test]
fn smoke_takes_about_four_minutes_and_hits_what_it_must() {
    let smoke = Scenario::find("smoke").unwrap();
    let steps = smoke.steps(None, &SeededEntropy::new(1));
    let held: Duration = steps.iter().map(|s| s.fault.lasts() + smoke.settle).sum();
    assert!(
        held > SECOND * 180 && held < SECOND * 230,
        "{held:?} without start, recovery and end"
    );
    let kinds: Vec<_> = steps.iter().map(|s| s.fault.name()).collect();
    for kind in [
        "kill",
        "minority",
        "isolate",
        "cut-zone",
        "pause",
        "loss",
        "terminate",
        "disk",
        "slow",
        "bandwidth",
        "starve",
        "corrupt",
        "flap",
    ] {
        assert!(kinds.contains(&kind), "{kind} is missing in {kinds:?}");
    }
    assert!(steps.iter().any(|s| s.leader_change));
}

#[test]
fn limits_of_a_step_are_those_of_the_scenario_but_for_its_own() {
    let scenario = Scenario::parse(
        "x",
        r#"
        summary = "s"
        [limits]
        gap = "7s"
        success = "95%"
        [[step]]
        fault = { kind = "kill", who = "leader" }
        leader_change = true
        limits = { gap = "9s", writes = "refused" }
        "#,
    )
    .unwrap();
    let step = &scenario.steps(None, &SeededEntropy::new(1))[0];
    assert!(step.leader_change);
    assert_eq!(step.limits.gap, SECOND * 9);
    assert!((step.limits.success - 0.95).abs() < 1e-9);
    assert_eq!(step.limits.writes, Writes::Refused);
    assert_eq!(step.limits.recovery, Limits::default().recovery);
    assert_eq!(scenario.cluster, Shape::Split);
}

#[test]
fn what_is_written_wrongly_is_told_with_the_nearest_name() {
    let unknown = Scenario::find("smok").unwrap_err().to_string();
    assert!(unknown.contains("did you mean \"smoke\"?"), "{unknown}");
    let unknown = Scenario::find("everything").unwrap_err().to_string();
    assert!(
        unknown.contains("there are ") && !unknown.contains("did you"),
        "{unknown}"
    );
    let step = "summary = \"s\"\n[[step]]\n";
    for (text, near) in [
        ("fault = { kind = \"kil\", who = \"leader\" }", "\"kill\""),
        ("fault = { kind = \"kill\", whom = \"leader\" }", "\"who\""),
        ("falt = { kind = \"kill\", who = \"leader\" }", "\"fault\""),
        (
            "fault = { kind = \"kill\", who = \"leader\" }\nlimits = { writegap = \"1s\" }",
            "\"write_gap\"",
        ),
    ] {
        let told = problem(&format!("{step}{text}"));
        assert!(told.contains(&format!("did you mean {near}?")), "{told}");
        assert!(told.contains("line "), "{told}");
    }
}

#[test]
fn a_scenario_has_steps_or_draws() {
    let step = "[[step]]\nfault = { kind = \"kill\", who = \"any\" }\n";
    let draw = "[[draw]]\nfault = { kind = \"kill\", who = \"any\" }\n";
    assert!(problem("summary = \"s\"").contains("either [[step]] or [[draw]]"));
    assert!(problem(&format!("summary = \"s\"\n{step}{draw}")).contains("pace.duration"));
    assert!(problem(&format!("summary = \"s\"\n{draw}")).contains("pace.duration"));
    let both = format!("summary = \"s\"\n[pace]\nduration = \"1h\"\n{step}{draw}");
    assert!(problem(&both).contains("either"));
    let rate = format!("summary = \"s\"\n[load]\nrate = 0.0\n{step}");
    assert!(problem(&rate).contains("load.rate"));
}

#[test]
fn a_seed_repeats_its_draws_and_another_draws_others() {
    let soak = Scenario::find("soak").unwrap();
    let drawn = |seed| soak.steps(Some(SECOND * 3600), &SeededEntropy::new(seed));
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    assert!(drawn(1).len() > 50 && drawn(1).len() < 1000);
    assert!(drawn(1).len() < soak.steps(None, &SeededEntropy::new(1)).len());
}

#[test]
fn a_soak_draws_every_kind_of_fault_and_every_way_of_a_disk() {
    let soak = Scenario::find("soak").unwrap();
    let kinds: std::collections::BTreeSet<_> = soak.candidates().map(|s| s.fault.name()).collect();
    let all = [
        "bandwidth",
        "bridge",
        "clock-step",
        "corrupt",
        "cut-zone",
        "disk",
        "flap",
        "isolate",
        "kill",
        "loss",
        "minority",
        "pause",
        "restart-storm",
        "separate",
        "slow",
        "starve",
        "terminate",
        "wipe",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), all);
    for how in [How::Stall, How::Slow, How::Eio, How::Full, How::PowerCut] {
        let drawn = |step: &Step| matches!(&step.fault, Fault::Disk(disk) if disk.how == how);
        assert!(soak.candidates().any(drawn), "{how:?}");
    }
}

#[test]
fn steps_are_repeated_in_whole_rounds() {
    let leader = Scenario::find("leader").unwrap();
    let entropy = SeededEntropy::new(1);
    let once = leader.steps(None, &entropy);
    assert_eq!(leader.steps(Some(SECOND), &entropy), once);
    let many = leader.steps(Some(SECOND * 3600), &entropy);
    assert!(many.len() > once.len());
    assert_eq!(many.len() % once.len(), 0);
}
