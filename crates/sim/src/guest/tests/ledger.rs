//! What the ledger makes of what it is told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::guest::{
    Ending, Execution, Ledger,
    ledger::{RECORDS_MAX, peak},
};

fn ledger() -> (Ledger, Arc<AtomicU64>) {
    let now = Arc::new(AtomicU64::new(0));
    let read = now.clone();
    let ledger = Ledger::new(move || Duration::from_millis(read.load(Ordering::Relaxed)));
    (ledger, now)
}

fn execution(id: &str, function: &str, sandbox: &str, node: &str) -> Execution {
    Execution {
        id: id.into(),
        request_id: format!("r-{id}"),
        marker: format!("code of {function}"),
        function: function.into(),
        version: "$LATEST".into(),
        invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:f:live".into(),
        sandbox: sandbox.into(),
        node: node.into(),
        count: 1,
        start: Duration::ZERO,
        end: None,
    }
}

#[test]
fn invocations_at_once_in_one_sandbox_are_overlaps_and_others_are_none() {
    let (ledger, now) = ledger();
    let long = ledger.begin(execution("long", "f", "s1", "w1"));
    let elsewhere = ledger.begin(execution("elsewhere", "f", "s2", "w1"));
    now.store(10, Ordering::Relaxed);
    let short = ledger.begin(execution("short", "f", "s1", "w1"));
    now.store(20, Ordering::Relaxed);
    short.end(Ending::Answered);
    now.store(30, Ordering::Relaxed);
    let third = ledger.begin(execution("third", "f", "s1", "w1"));
    now.store(40, Ordering::Relaxed);
    for running in [long, third, elsewhere] {
        running.end(Ending::Answered);
    }
    // The next begins in the same moment.
    drop(ledger.begin(execution("after", "f", "s1", "w1")));
    let pairs: Vec<_> = ledger
        .overlaps()
        .into_iter()
        .map(|o| (o.first.id, o.second.id))
        .collect();
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(pairs, [pair("long", "short"), pair("long", "third")]);
    // Three until 20 ms, three again from 30 to 40 ms, and then one after them.
    let all = ledger.executions();
    assert_eq!(peak(&all), 3);
    assert_eq!(peak(&all[3..]), 1);
    assert_eq!(peak(&[]), 0);
}

#[test]
fn a_dead_node_ends_what_ran_there_and_nothing_else() {
    let (ledger, now) = ledger();
    ledger.created("w1", "s1");
    ledger.created("w2", "s2");
    let died = ledger.begin(execution("died", "f", "s1", "w1"));
    let lives = ledger.begin(execution("lives", "f", "s2", "w2"));
    now.store(7, Ordering::Relaxed);
    ledger.node_died("w1");
    now.store(9, Ordering::Relaxed);
    died.end(Ending::Answered);
    let [died] = ledger.executions_of("died").try_into().unwrap();
    assert_eq!(died.end, Some((Duration::from_millis(7), Ending::Killed)));
    assert!(ledger.executions_of("lives")[0].end.is_none());
    let alive = ledger.alive();
    assert_eq!(alive.keys().collect::<Vec<_>>(), ["w2"]);
    assert_eq!(alive["w2"][0].sandbox, "s2");
    drop(lives);
    assert_eq!(
        ledger.executions_of("lives")[0].end,
        Some((Duration::from_millis(9), Ending::Killed))
    );
}

#[test]
fn wrong_code_and_wrong_functions_are_found() {
    let (ledger, _) = ledger();
    ledger
        .begin(execution("right", "f", "s1", "w1"))
        .end(Ending::Answered);
    ledger
        .begin(execution("wrong", "g", "s2", "w1"))
        .end(Ending::Answered);
    let wrong = ledger.wrong_code(|e| e.marker == "code of f");
    assert_eq!(wrong.len(), 1);
    assert_eq!(wrong[0].id, "wrong");
    assert_eq!(ledger.misdelivered(), wrong);
    assert!(ledger.executions_of("nobody").is_empty());
}

#[test]
fn a_sandbox_that_is_frozen_in_the_middle_of_a_run_is_found() {
    let (ledger, _) = ledger();
    ledger.created("w1", "s1");
    let running = ledger.begin(execution("running", "f", "s1", "w1"));
    running.end(Ending::Answered);
    ledger.froze("s1", true);
    assert!(ledger.frozen_while_running().is_empty());
    ledger.froze("s1", false);
    let _running = ledger.begin(execution("stopped", "f", "s1", "w1"));
    ledger.froze("s1", true);
    assert_eq!(ledger.frozen_while_running()[0].id, "stopped");
    assert!(ledger.alive()["w1"][0].frozen);
    assert_eq!(ledger.fired()["frozen"], 2);
}

#[test]
fn what_is_kept_is_bounded() {
    let (ledger, _) = ledger();
    for _ in 0..RECORDS_MAX + 3 {
        ledger
            .begin(execution("x", "f", "s1", "w1"))
            .end(Ending::Answered);
    }
    assert_eq!(ledger.executions().len(), RECORDS_MAX);
    assert_eq!(ledger.unrecorded(), 3);
}
