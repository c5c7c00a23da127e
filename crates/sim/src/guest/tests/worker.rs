//! What guests do when a real worker invokes them.

use std::time::Duration;

use serde_json::json;

use super::harness::{Harness, until};
use crate::guest::{Ending, Execution, ledger};

fn only(harness: &Harness, id: &str) -> Execution {
    let [execution] = harness.ledger.executions_of(id).try_into().unwrap();
    execution
}

fn ending(harness: &Harness, id: &str) -> Ending {
    only(harness, id).end.unwrap().1
}

#[tokio::test(start_paused = true)]
async fn an_echo_is_answered_by_the_right_code_in_a_counted_sandbox() {
    let harness = Harness::start(1, |_| {}).await;
    let runtimes = harness.worker.runtimes();
    assert!(runtimes.iter().any(|r| r == "provided.al2023"));
    assert!(
        !runtimes.iter().any(|r| r.starts_with("python")),
        "{runtimes:?}"
    );
    let function = harness.plain();
    let first = harness.order(&function, "i1", "echo", 0).await;
    assert!(first.cold);
    assert_eq!(
        first.json(),
        json!({ "id": "i1", "marker": "m", "sandbox": first.environment, "count": 1 })
    );
    assert!(first.log.contains("m is up\n"), "{}", first.log);
    assert!(first.log.contains("saw i1\nEND"), "{}", first.log);
    until("it is frozen", || harness.ledger.alive()["w1"][0].frozen).await;
    let second = harness.order(&function, "i2", "echo", 0).await;
    assert!(!second.cold);
    assert_eq!(second.json()["count"], 2);
    assert_eq!(second.environment, first.environment);
    let execution = only(&harness, "i2");
    assert_eq!(execution.function, "f");
    assert_eq!(execution.version, "$LATEST");
    assert_eq!(execution.node, "w1");
    assert_eq!(execution.end.unwrap().1, Ending::Answered);
    assert!(harness.ledger.misdelivered().is_empty());
    assert!(harness.ledger.frozen_while_running().is_empty());
    let logs = harness.dir().join("worker/logs/000000000000/us-east-1/f");
    assert_eq!(std::fs::read_dir(logs).unwrap().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_sleep_takes_its_time_and_a_sleep_that_is_too_long_is_ended() {
    let harness = Harness::start(2, |_| {}).await;
    let function = harness.plain();
    harness.order(&function, "short", "sleep", 700).await;
    let short = only(&harness, "short");
    let took = short.end.unwrap().0 - short.start;
    assert!(took >= Duration::from_millis(700) && took < Duration::from_millis(750));
    let long = harness.order(&function, "long", "sleep", 5000).await;
    assert!(long.text().contains("Sandbox.Timedout"), "{long:?}");
    assert_eq!(ending(&harness, "long"), Ending::Killed);
    // The process is a new one in the same sandbox.
    let after = harness.order(&function, "after", "echo", 0).await;
    assert_eq!(after.json()["count"], 1);
    assert_eq!(after.environment, long.environment);
    assert!(harness.ledger.overlaps().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_crash_an_exit_and_a_hang_are_the_fault_of_the_function() {
    let harness = Harness::start(3, |_| {}).await;
    let function = harness.plain();
    for (act, said, how) in [
        ("crash", "segmentation fault", Ending::Exited),
        ("exit", "exit status 1", Ending::Exited),
        ("hang", "Sandbox.Timedout", Ending::Killed),
    ] {
        let got = harness.order(&function, act, act, 5).await;
        assert!(!got.error.is_empty(), "{got:?}");
        assert!(got.text().contains(said), "{got:?}");
        assert_eq!(ending(&harness, act), how);
        let id = format!("after {act}");
        let after = harness.order(&function, &id, "echo", 0).await;
        assert_eq!(after.json()["marker"], "m");
    }
    let fired = harness.ledger.fired();
    assert_eq!((fired["crash"], fired["exit"], fired["hang"]), (1, 1, 1));
    assert_eq!(fired["created"], 1);
    assert_eq!(fired["killed"], 1, "the others were over by themselves");
}

#[tokio::test(start_paused = true)]
async fn an_error_is_reported_and_the_process_goes_on() {
    let harness = Harness::start(4, |_| {}).await;
    let function = harness.plain();
    let failed = harness.order(&function, "e", "error", 3).await;
    assert_eq!(failed.json()["errorType"], "Scripted.Error");
    assert!(!failed.error.is_empty());
    assert_eq!(ending(&harness, "e"), Ending::Failed);
    let strange = harness.invoke(&function, "{}".into()).await;
    assert_eq!(strange.json()["errorType"], "Scripted.Payload");
    let after = harness.order(&function, "after", "echo", 0).await;
    assert_eq!(after.json()["count"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_second_answer_is_not_taken() {
    let harness = Harness::start(5, |_| {}).await;
    let function = harness.plain();
    let got = harness.order(&function, "d", "double", 0).await;
    assert_eq!(got.json()["id"], "d");
    until("both answers were given", || {
        harness.ledger.fired().contains_key("second answer refused")
    })
    .await;
    assert_eq!(ending(&harness, "d"), Ending::Answered);
    let next = harness.order(&function, "next", "echo", 0).await;
    assert_eq!(next.json()["id"], "next");
    assert!(!harness.ledger.fired().contains_key("second answer taken"));
}

#[tokio::test(start_paused = true)]
async fn a_big_answer_comes_whole_and_one_that_is_too_big_does_not() {
    let harness = Harness::start(6, |_| {}).await;
    let function = harness.plain();
    let big = harness.order(&function, "big", "big", 300).await;
    assert_eq!(big.json()["padding"].as_str().unwrap().len(), 300 << 10);
    let bigger = harness.order(&function, "bigger", "big", 0).await;
    assert!(bigger.text().contains("Function.ResponseSizeTooLarge"));
    assert_eq!(ending(&harness, "bigger"), Ending::Refused);
    let after = harness.order(&function, "after", "echo", 0).await;
    assert_eq!(after.json()["id"], "after");
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_cannot_initialise_says_why() {
    let harness = Harness::start(7, |_| {}).await;
    let script = json!({ "marker": "m", "init_ms": 20, "init_fails": true });
    let function = harness.function("f", &script);
    let got = harness.order(&function, "i", "echo", 0).await;
    assert_eq!(got.json()["errorType"], "Scripted.Init");
    assert!(harness.ledger.executions_of("i").is_empty());
    assert!(harness.ledger.fired()["init failed"] >= 1);
    let no_script = harness.function("g", &json!({ "mark": 1 }));
    let got = harness.order(&no_script, "i", "echo", 0).await;
    assert!(got.text().contains("exec format error"), "{got:?}");
}

#[tokio::test(start_paused = true)]
async fn many_at_once_run_each_in_a_sandbox_of_its_own() {
    let harness = Harness::start(8, |o| o.slots = 8).await;
    let function = harness.plain();
    let orders = (0..8).map(|n| {
        let (harness, function) = (&harness, &function);
        async move {
            harness
                .order(function, &format!("i{n}"), "sleep", 400)
                .await
        }
    });
    for got in futures::future::join_all(orders).await {
        assert_eq!(got.json()["count"], 1, "{got:?}");
    }
    assert_eq!(ledger::peak(&harness.ledger.executions()), 8);
    assert!(harness.ledger.overlaps().is_empty());
}

#[tokio::test(start_paused = true)]
async fn sandboxes_end_with_their_function_with_idleness_and_with_the_worker() {
    let harness = Harness::start(9, |o| o.idle_expiry = Duration::from_secs(30)).await;
    let (kept, gone) = (
        harness.plain(),
        harness.function("g", &json!({ "marker": "g" })),
    );
    let alive = || -> Vec<String> {
        let all = harness.ledger.alive().into_values().flatten();
        all.filter_map(|a| Some(a.function?.0)).collect()
    };
    harness.order(&kept, "i1", "echo", 0).await;
    harness.order(&gone, "i2", "echo", 0).await;
    assert_eq!(alive().len(), 2);
    harness.forget(&gone);
    until("an old version's sandbox ends", || alive() == ["f"]).await;
    until("an idle sandbox ends", || alive().is_empty()).await;
    harness.order(&kept, "i3", "echo", 0).await;
    assert_eq!(alive(), ["f"]);
    assert!(harness.worker.drain(Duration::from_secs(5)).await);
    assert!(alive().is_empty());
    let fired = harness.ledger.fired();
    assert_eq!(fired["created"], fired["ended"]);
}

#[tokio::test(start_paused = true)]
async fn an_invocation_dies_with_its_node() {
    let harness = Harness::start(10, |_| {}).await;
    let function = harness.plain();
    let call = harness.order(&function, "i", "sleep", 2000);
    let death = async {
        until("it runs", || !harness.ledger.executions_of("i").is_empty()).await;
        sandbox::Driver::shutdown(&*harness.guests).await;
        harness.ledger.node_died("w1");
    };
    let (got, ()) = tokio::join!(call, death);
    assert_eq!(ending(&harness, "i"), Ending::Killed);
    assert!(!got.error.is_empty() || got.body.is_empty(), "{got:?}");
    assert!(harness.ledger.alive().is_empty());
}

/// Everything a run leaves behind.
async fn run(seed: u64) -> (Vec<Execution>, String) {
    let harness = Harness::start(seed, |o| o.slots = 3).await;
    let function = harness.plain();
    let acts = ["echo", "sleep", "crash", "error", "double", "exit"];
    let orders = (0..30).map(|n| {
        let (harness, function) = (&harness, &function);
        async move {
            tokio::time::sleep(Duration::from_millis(n * 37)).await;
            let act = acts[usize::try_from(n).unwrap() % acts.len()];
            harness.order(function, &format!("i{n}"), act, n * 11).await
        }
    });
    let got = futures::future::join_all(orders).await;
    (harness.ledger.executions(), format!("{got:?}"))
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let once = |seed| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build();
        runtime.unwrap().block_on(run(seed))
    };
    let first = once(11);
    assert!(first.0.len() > 10, "{first:?}");
    assert_eq!(first, once(11));
    assert_ne!(first.0, once(12).0);
}
