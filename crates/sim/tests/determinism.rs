//! The simulator does what it says: a seed gives the same run again, and a run that fails says so.

#![allow(clippy::expect_used, reason = "a test helper may give up")]

use std::process::{Command, Output};

fn simulator(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dunlin-sim"))
        .args(arguments)
        .output()
        .expect("the simulator runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// How many kinds of faults a run is told to draw from.
const AT_ONCE: usize = 4;

#[test]
fn two_runs_of_a_seed_are_equal_to_the_byte() {
    let listed = said(&simulator(&["list"]));
    let faults = listed
        .lines()
        .find_map(|line| line.strip_prefix("faults: "));
    let faults: Vec<&str> = faults.expect("faults are listed").split(' ').collect();
    assert!(faults.len() > 20, "{listed}");
    // Every fault, and with the seeds every topology.
    for (faults, seed) in faults.chunks(AT_ONCE).zip(3..) {
        let seed = format!("--seed={seed}");
        let faults = format!("--faults={}", faults.join(","));
        let output = simulator(&["twice", &seed, "--seconds=6", &faults]);
        let text = said(&output);
        assert!(
            output.status.success() && text.contains("both traces have the same"),
            "{faults}: {text}"
        );
    }
}

#[test]
fn other_seeds_give_other_runs() {
    let trace = |seed: &str| {
        let text = said(&simulator(&["run", "--seconds=4", seed]));
        text.rsplit_once("trace ").map(|(_, t)| t.to_owned())
    };
    let one = trace("--seed=1");
    assert!(one.is_some());
    assert_ne!(one, trace("--seed=2"));
}

#[test]
fn a_run_without_a_change_of_leader_still_gets_one() {
    let output = simulator(&["run", "--seed=5", "--seconds=6", "--faults=clock-jump"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("; 1 leaders"), "{text}");
}

#[test]
fn a_run_that_says_nothing_is_invalid() {
    let output = simulator(&["run", "--seed=5", "--seconds=1", "--workloads=burst"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}

#[test]
fn an_unknown_fault_is_refused_by_name() {
    let output = simulator(&["run", "--seed=1", "--faults=plague"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        errors.contains("expected the name of a fault, got plague"),
        "{errors}"
    );
}
