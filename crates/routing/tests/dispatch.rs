//! Dispatch against workers that refuse, die and dawdle: real gRPC over loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_types,
    reason = "a test stops at what it did not expect"
)]

#[path = "dispatch/fake.rs"]
mod fake;

use std::time::Duration;

use bytes::Bytes;
use fake::{Cluster, Script};
use model::{ErrorKind, Failure};
use proto::internal::refused::Reason;
use routing::{Call, DispatchError, Dispatched, ResponseEvent, RouterOptions, dispatch::Lost};
use tokio::time::Instant;

fn call(payload: impl Into<Bytes>) -> Call {
    Call {
        request_id: model::RequestId::from_random(7),
        payload: payload.into(),
        client_context: String::new(),
        trace_id: "Root=1-2-3".to_owned(),
        stream_max: None,
        log_tail: true,
    }
}

async fn read(mut dispatched: Dispatched) -> (Vec<u8>, Option<String>) {
    let mut body = Vec::new();
    while let Some(event) = dispatched.next().await.unwrap() {
        match event {
            ResponseEvent::Chunk(chunk) => body.extend_from_slice(&chunk),
            ResponseEvent::Finished(end) => return (body, end.function_error),
        }
    }
    panic!("no end");
}

#[tokio::test]
async fn a_response_comes_back_in_order() {
    let cluster = Cluster::start(&[Script::Echo]).await;
    let payload: Vec<u8> = (0..3_000_000_u32).map(|i| i.to_le_bytes()[0]).collect();
    let dispatched = cluster.dispatch(&call(payload.clone())).await.unwrap();
    assert_eq!(dispatched.accepted().attempts, 1);
    assert_eq!(dispatched.accepted().worker.as_str(), "w0");
    assert!(dispatched.accepted().cold);
    let (body, error) = read(dispatched).await;
    assert!(body == payload, "{} bytes", body.len());
    assert_eq!(error, None);
    let head = cluster.heads(0).remove(0);
    assert_eq!(head.payload_size, 3_000_000);
    assert_eq!(head.request_id, call("").request_id.to_string());
    assert_eq!(head.trace_id, "Root=1-2-3");
    assert!(head.log_tail);
    assert_eq!(head.catalog_revision, 5);
}

#[tokio::test]
async fn a_revision_that_only_workers_know_is_run() {
    let cluster = Cluster::start(&[Script::KnowsNewer]).await;
    let dispatched = cluster.dispatch(&call("{}")).await.unwrap();
    assert_eq!(dispatched.accepted().attempts, 2);
    let heads = cluster.heads(0);
    assert_ne!(heads[0].revision_id, heads[1].revision_id);
    assert_eq!(
        (heads[0].catalog_revision, heads[1].catalog_revision),
        (5, 6)
    );
}

#[tokio::test]
async fn a_function_error_is_part_of_the_end() {
    let cluster = Cluster::start(&[Script::FunctionError]).await;
    let dispatched = cluster.dispatch(&call("{}")).await.unwrap();
    assert_eq!(
        read(dispatched).await,
        (
            b"{\"errorType\":\"E\"}".to_vec(),
            Some("Unhandled".to_owned())
        )
    );
}

#[tokio::test]
async fn refusals_and_deaths_before_acceptance_move_on() {
    for bad in [
        Script::Refuse(Reason::NoCapacity),
        Script::Refuse(Reason::Draining),
        Script::Refuse(Reason::EnvironmentLost),
        Script::DieBeforeAccepting,
        Script::FailTheCall,
    ] {
        let cluster = Cluster::start(&[bad, bad, Script::Echo]).await;
        for attempt in 0..3 {
            let dispatched = cluster.dispatch(&call("{}")).await;
            let dispatched = dispatched.unwrap_or_else(|e| panic!("{bad:?} {attempt}: {e}"));
            assert_eq!(dispatched.accepted().worker.as_str(), "w2", "{bad:?}");
            assert_eq!(read(dispatched).await.0, b"{}");
        }
    }
}

#[tokio::test]
async fn a_worker_that_is_not_there_costs_little_and_is_set_aside() {
    let cluster = Cluster::start(&[Script::Echo, Script::Echo]).await;
    cluster.members_change(|members| {
        let gone = members.values().next().cloned().unwrap();
        let gone = model::capacity::Member {
            address: "127.0.0.1:1".to_owned(),
            // The only warm one: it would be chosen first every time.
            warm: [(
                model::capacity::WarmKey::of(&cluster.resolved().version.id, None),
                9,
            )]
            .into(),
            ..(*gone).clone()
        };
        members.insert(gone.name.clone(), gone.into());
    });
    let first = cluster.dispatch(&call("{}")).await.unwrap();
    assert_eq!(first.accepted().attempts, 2);
    let second = cluster.dispatch(&call("{}")).await.unwrap();
    assert_eq!(second.accepted().attempts, 1);
}

#[tokio::test]
async fn silence_is_given_up_on_within_the_limit() {
    let cluster = Cluster::start(&[Script::Silent, Script::Echo]).await;
    cluster.prefer(0);
    let before = Instant::now();
    let dispatched = cluster.dispatch(&call("{}")).await.unwrap();
    assert_eq!(dispatched.accepted().attempts, 2);
    // Long before the invocation itself would be given up.
    assert!(
        before.elapsed() < Duration::from_secs(15),
        "{:?}",
        before.elapsed()
    );
}

#[tokio::test]
async fn a_cold_start_longer_than_that_is_waited_for() {
    let cluster =
        Cluster::start(&[Script::SlowStart(Duration::from_millis(1200)), Script::Echo]).await;
    cluster.prefer(0);
    let dispatched = cluster.dispatch(&call("{}")).await.unwrap();
    assert_eq!(dispatched.accepted().attempts, 1);
    assert_eq!(read(dispatched).await.0, b"{}");
}

#[tokio::test]
async fn what_was_accepted_is_never_sent_elsewhere() {
    let cluster = Cluster::start(&[Script::DieAfterAccepting, Script::Echo]).await;
    cluster.prefer(0);
    let mut dispatched = cluster.dispatch(&call("{}")).await.unwrap();
    let lost = loop {
        match dispatched.next().await {
            Ok(Some(ResponseEvent::Chunk(_))) => {}
            Ok(other) => panic!("expected a loss, got {other:?}"),
            Err(lost) => break lost,
        }
    };
    assert!(
        matches!(lost, Lost::Broken { .. } | Lost::Closed { .. }),
        "{lost}"
    );
    assert_eq!(lost.kind(), ErrorKind::Unavailable);
    assert_eq!(cluster.heads(0).len(), 1);
    assert_eq!(cluster.heads(1).len(), 0);
}

#[tokio::test]
async fn an_end_that_does_not_come_is_a_typed_error() {
    let cluster = Cluster::start_with(&[Script::NeverEnds], |o| {
        o.init_timeout = Duration::ZERO;
        o.slack = Duration::from_millis(100);
    })
    .await;
    let mut dispatched = cluster.dispatch(&call("{}")).await.unwrap();
    let lost = dispatched.next().await.unwrap_err();
    assert!(matches!(lost, Lost::Deadline { .. }), "{lost}");
}

#[tokio::test]
async fn full_workers_are_told_as_a_throttle_at_once() {
    let full = Script::Refuse(Reason::NoCapacity);
    let patient = |o: &mut RouterOptions| o.worker_wait = Duration::from_secs(60);
    let cluster = Cluster::start_with(&[full, full, full, full, full], patient).await;
    let before = Instant::now();
    let error = cluster.dispatch(&call("{}")).await.unwrap_err();
    assert!(
        matches!(error, DispatchError::NoCapacity { attempts } if attempts >= 3),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::Throttled);
    // It does not wait as it would for a worker that cannot be reached.
    assert!(
        before.elapsed() < Duration::from_secs(15),
        "{:?}",
        before.elapsed()
    );
}

#[tokio::test]
async fn nobody_to_ask_is_an_error_of_its_own() {
    let shorter = |o: &mut RouterOptions| o.worker_wait = Duration::from_millis(50);
    let cluster = Cluster::start_with(&[], shorter).await;
    let error = cluster.dispatch(&call("{}")).await.unwrap_err();
    assert!(matches!(error, DispatchError::NoWorker { .. }), "{error}");
    let cluster = Cluster::start_with(&[Script::Refuse(Reason::CodeUnavailable)], shorter).await;
    let error = cluster.dispatch(&call("{}")).await.unwrap_err();
    assert!(
        matches!(error, DispatchError::Unavailable { .. }),
        "{error}"
    );
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_worker_that_joins_meanwhile_is_found() {
    let cluster = Cluster::start(&[Script::Echo]).await;
    let mut hidden = None;
    cluster.members_change(|members| hidden = members.pop_first());
    let (name, member) = hidden.unwrap();
    let (dispatched, ()) = tokio::join!(async { cluster.dispatch(&call("{}")).await }, async {
        tokio::task::yield_now().await;
        cluster.members_change(|members| {
            members.insert(name, member);
        });
    });
    assert_eq!(dispatched.unwrap().accepted().worker.as_str(), "w0");
}

#[tokio::test]
async fn gossip_that_has_ended_does_not_make_the_search_spin() {
    let shorter = |o: &mut RouterOptions| o.worker_wait = Duration::from_millis(300);
    let cluster = Cluster::start_with(&[], shorter).await;
    cluster.gossip_ends();
    let call = call("{}");
    let mut searching = std::pin::pin!(cluster.dispatch(&call));
    let mut polls = 0;
    let counted = std::future::poll_fn(|context| {
        polls += 1;
        searching.as_mut().poll(context)
    });
    let error = counted.await.unwrap_err();
    assert!(matches!(error, DispatchError::NoWorker { .. }), "{error}");
    assert!(polls < 100, "woken {polls} times");
}
