//! Invocations.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    cluster::{Cluster, eventually},
    http::request,
};

#[tokio::test]
async fn a_response_and_everything_around_it() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({ "Publish": true })).await;
    let reply = cluster.invoke("hello", &[], r#"{"a": 1}"#).await;
    assert_eq!((reply.status, reply.text()), (200, r#"{"a": 1}"#));
    assert_eq!(reply.header("x-amz-executed-version"), Some("$LATEST"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("x-amz-function-error"), None);
    assert!(
        reply
            .header("x-amzn-trace-id")
            .unwrap()
            .starts_with("Root=1-")
    );
    let head = cluster.worker.heads.lock()[0].clone();
    assert_eq!(
        reply.header("x-amzn-requestid"),
        Some(head.request_id.as_str())
    );
    assert_eq!(
        head.invoked_arn,
        "arn:aws:lambda:us-east-1:000000000000:function:hello"
    );

    let context = STANDARD.encode(r#"{"custom":{"k":"v"}}"#);
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
    let headers = [
        ("x-amz-client-context", context.as_str()),
        ("x-amzn-trace-id", trace),
        ("x-amz-log-type", "Tail"),
    ];
    let reply = cluster.invoke("hello:1", &headers, "\"log\"").await;
    assert_eq!(reply.header("x-amz-executed-version"), Some("1"));
    assert_eq!(
        reply.header("x-amz-log-result"),
        Some(STANDARD.encode("START\nEND\n").as_str())
    );
    assert_eq!(reply.header("x-amzn-trace-id"), Some(trace));
    let head = cluster.worker.heads.lock()[1].clone();
    assert_eq!(head.client_context, r#"{"custom":{"k":"v"}}"#);
    assert_eq!(head.trace_id, trace);
    assert!(head.invoked_arn.ends_with(":hello:1"));
    assert_eq!(cluster.invoke("hello", &[], "").await.text(), "{}");

    let figures = cluster.frontend.figures();
    assert_eq!((figures.invocations, figures.cold_starts), (3, 3));
    assert_eq!(figures.invocation_durations.iter().sum::<u64>(), 3);
}

#[tokio::test]
async fn errors_of_the_function_and_of_the_platform() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    let failed = cluster.invoke("hello", &[], "\"error\"").await;
    assert_eq!(
        (failed.status, failed.text()),
        (200, r#"{"errorType":"E"}"#)
    );
    assert_eq!(failed.header("x-amz-function-error"), Some("Unhandled"));

    let full = cluster.invoke("hello", &[], "\"full\"").await;
    assert_eq!(full.error(), (429, "TooManyRequestsException"));
    assert_eq!(full.json()["Reason"], "ConcurrentInvocationLimitExceeded");
    assert_eq!(full.header("retry-after"), Some("1"));
    let lost = cluster.invoke("hello", &[], "\"lost\"").await;
    assert_eq!(lost.error(), (500, "ServiceException"));
    let large = cluster.invoke("hello", &[], "\"large\"").await;
    assert_eq!(large.error(), (500, "ServiceException"));
    let before = cluster.worker.seen();
    assert_eq!(
        cluster.invoke("hello", &[], "{no").await.error(),
        (400, "InvalidRequestContentException")
    );
    let event = cluster
        .invoke("hello", &[("x-amz-invocation-type", "Event")], "1")
        .await;
    assert_eq!(event.error(), (400, "InvalidParameterValueException"));
    let dry = cluster
        .invoke("hello", &[("x-amz-invocation-type", "DryRun")], "1")
        .await;
    assert_eq!((dry.status, dry.body.len()), (204, 0));
    let missing = cluster
        .invoke("missing", &[("x-amz-invocation-type", "DryRun")], "1")
        .await;
    assert_eq!(missing.error(), (404, "ResourceNotFoundException"));
    assert_eq!(cluster.worker.seen(), before);

    let figures = cluster.frontend.figures();
    assert_eq!((figures.function_errors, figures.invocations_lost), (1, 1));
    assert_eq!(figures.invocations_throttled, 1);
}

#[tokio::test]
async fn a_function_that_is_not_ready_or_never_will_be() {
    let cluster = Cluster::start().await;
    cluster.controller.settles(false);
    cluster.create("hello", &json!({})).await;
    assert_eq!(
        cluster.invoke("hello", &[], "1").await.error(),
        (409, "ResourceConflictException")
    );
    let reason = model::function::Reason {
        code: "InvalidZipFileException".to_owned(),
        text: "the package is damaged".to_owned(),
    };
    cluster.controller.settle(Some(&reason));
    // The local copy catches up by itself.
    let path = "/2015-03-31/functions/hello/configuration";
    assert_eq!(cluster.get(path).await.json()["State"], "Failed");
    let failed = cluster.invoke("hello", &[], "1").await;
    assert_eq!(failed.error(), (502, "InvalidZipFileException"));
    assert_eq!(failed.json()["Message"], "the package is damaged");
}

#[tokio::test]
async fn an_alias_that_this_node_has_not_heard_of_is_asked_for_once() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    let hello = model::FunctionId {
        account: model::AccountId::DEFAULT,
        region: model::Region::default(),
        name: "hello".parse().unwrap(),
    };
    let alias = |name: &str| model::Mutation::CreateAlias {
        function: hello.clone(),
        name: name.parse().unwrap(),
        version: model::Version::Latest,
        canary: None,
        description: String::new(),
    };
    cluster.controller.apply_quietly(alias("live"));
    assert_eq!(cluster.invoke("hello:live", &[], "1").await.status, 200);
    // Without a leader nobody can know, and what exists must not be said not to.
    cluster.controller.apply_quietly(alias("later"));
    cluster.controller.leads(false);
    let missing = cluster.invoke("hello:later", &[], "1").await;
    assert_eq!(missing.error(), (503, "ServiceUnavailableException"));
    assert_eq!(cluster.invoke("hello:live", &[], "1").await.status, 200);
}

#[tokio::test]
async fn an_account_has_a_limit_and_an_invocation_outlives_its_caller() {
    let cluster = Cluster::start_with(|_| {}, |r| r.account_concurrency = 1).await;
    cluster.create("hello", &json!({})).await;
    let mut caller = TcpStream::connect(cluster.public).await.unwrap();
    let held = request(
        "POST",
        "/2015-03-31/functions/hello/invocations",
        &[],
        b"\"held\"",
    );
    caller.write_all(&held).await.unwrap();
    eventually("the invocation runs", || cluster.worker.seen() == 1).await;
    drop(caller);
    let refused = cluster.invoke("hello", &[], "1").await;
    assert_eq!(refused.error(), (429, "TooManyRequestsException"));
    let other = [(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=111111111111/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00",
    )];
    let theirs = cluster.invoke("hello", &other, "1").await;
    assert_eq!(theirs.error(), (404, "ResourceNotFoundException"));
    assert_eq!(cluster.frontend.figures().invocations_in_flight, 1);
    cluster.worker.gate.add_permits(1);
    eventually("the invocation ends", || {
        cluster.frontend.figures().invocations_in_flight == 0
    })
    .await;
    assert_eq!(cluster.invoke("hello", &[], "1").await.status, 200);
}

#[tokio::test]
async fn a_drain_lets_what_is_under_way_end() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    let held = cluster.invoke("hello", &[], "\"held\"");
    let drain = async {
        eventually("the invocation runs", || cluster.worker.seen() == 1).await;
        let drain = cluster.tasks.drain(Duration::from_secs(10));
        let release = async {
            cluster.tasks.draining().cancelled().await;
            eventually("nobody is accepted", || {
                std::net::TcpStream::connect_timeout(&cluster.public, Duration::from_millis(50))
                    .is_err()
            })
            .await;
            cluster.worker.gate.add_permits(1);
        };
        tokio::join!(drain, release).0
    };
    let (reply, in_time) = tokio::join!(held, drain);
    assert_eq!((reply.status, reply.text()), (200, "\"released\""));
    assert!(in_time);
}
