//! Invocations whose responses are streamed.

use base64::{Engine, engine::general_purpose::STANDARD};
use lambda_api::event_stream::{Message, decode};
use model::ByteCount;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    cluster::{Cluster, eventually},
    http::{Reply, request},
};

const PATH: &str = "/2021-11-15/functions/hello/response-streaming-invocations";

/// What a streamed response said.
struct Streamed {
    reply: Reply,
    payload: Vec<u8>,
    /// The kind of the last message, and its content.
    end: (String, Value),
}

impl Cluster {
    async fn stream(&self, headers: &[(&str, &str)], payload: &str) -> Streamed {
        let reply = self.http("POST", PATH, headers, payload.as_bytes()).await;
        let mut messages = messages(&reply.body);
        let end = messages.pop().expect("a last message");
        let kind = |message: &Message| {
            let names = [":event-type", ":exception-type"];
            let named = message
                .headers
                .iter()
                .find(|(n, _)| names.contains(&n.as_str()));
            named.unwrap().1.clone()
        };
        assert!(messages.iter().all(|m| kind(m) == "PayloadChunk"));
        Streamed {
            payload: messages.into_iter().flat_map(|m| m.payload).collect(),
            end: (kind(&end), serde_json::from_slice(&end.payload).unwrap()),
            reply,
        }
    }
}

fn messages(mut body: &[u8]) -> Vec<Message> {
    let mut all = Vec::new();
    while !body.is_empty() {
        let (message, size) = decode(body).unwrap().expect("a whole message");
        all.push(message);
        body = &body[size..];
    }
    all
}

#[tokio::test]
async fn a_response_comes_in_messages_and_has_an_end() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    let streamed = cluster.stream(&[], r#"{"a": 1}"#).await;
    let reply = &streamed.reply;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("content-type"),
        Some("application/vnd.amazon.eventstream")
    );
    assert_eq!(reply.header("x-amz-executed-version"), Some("$LATEST"));
    assert_eq!(
        reply.header("x-amzn-requestid"),
        Some(cluster.worker.heads.lock()[0].request_id.as_str())
    );
    assert!(reply.header("x-amzn-trace-id").is_some());
    assert_eq!(streamed.payload, br#"{"a": 1}"#);
    assert_eq!(streamed.end, ("InvokeComplete".to_owned(), json!({})));

    let streamed = cluster
        .stream(&[("x-amz-log-type", "Tail")], "\"log\"")
        .await;
    assert_eq!(
        streamed.end.1,
        json!({ "LogResult": STANDARD.encode("START\nEND\n") })
    );
    // What is more than `Invoke` may answer.
    let large = cluster.stream(&[], "\"large\"").await;
    assert_eq!((large.payload.len(), large.end.1), (7 << 20, json!({})));
}

#[tokio::test]
async fn failures_are_told_in_the_stream_or_before_it() {
    let cluster =
        Cluster::start_with(|f| f.limits.streamed_response = ByteCount::mib(3), |_| {}).await;
    cluster.create("hello", &json!({})).await;
    let failed = cluster.stream(&[], "\"error\"").await;
    assert_eq!(failed.payload, br#"{"errorType":"E"}"#);
    assert_eq!(
        failed.end.1,
        json!({ "ErrorCode": "Unhandled", "ErrorDetails": r#"{"errorType":"E"}"# })
    );
    let large = cluster.stream(&[], "\"large\"").await;
    assert_eq!(large.payload.len(), 3 << 20);
    assert_eq!(large.end.1["ErrorCode"], "Function.ResponseSizeTooLarge");
    let torn = cluster.stream(&[], "\"torn\"").await;
    assert_eq!(torn.payload, b"half");
    assert_eq!(torn.end.0, "ServiceException");

    let before = |payload: &'static str, headers: &'static [(&'static str, &'static str)]| {
        cluster.http("POST", PATH, headers, payload.as_bytes())
    };
    let lost = before("\"lost\"", &[]).await;
    assert_eq!(lost.error(), (500, "ServiceException"));
    let full = before("\"full\"", &[]).await;
    assert_eq!(full.error(), (429, "TooManyRequestsException"));
    let bad = before("{no", &[]).await;
    assert_eq!(bad.error(), (400, "InvalidRequestContentException"));
    let event = before("1", &[("x-amz-invocation-type", "Event")]).await;
    assert_eq!(event.error(), (400, "ValidationException"));
    let dry = before("1", &[("x-amz-invocation-type", "DryRun")]).await;
    assert_eq!((dry.status, dry.body.len()), (204, 0));
}

#[tokio::test]
async fn a_stream_keeps_its_place_and_gives_it_back_to_whoever_comes() {
    let cluster = Cluster::start_with(|f| f.requests_max = 1, |_| {}).await;
    cluster.create("hello", &json!({})).await;
    let mut caller = TcpStream::connect(cluster.public).await.unwrap();
    let open = request("POST", PATH, &[], b"\"dripping\"");
    caller.write_all(&open).await.unwrap();
    eventually("the invocation runs", || cluster.worker.seen() == 1).await;
    let mut head = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut caller, &mut head)
        .await
        .unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let refused = cluster.invoke("hello", &[], "1").await;
    assert_eq!(refused.error(), (429, "TooManyRequestsException"));
    assert_eq!(cluster.frontend.figures().requests_in_flight, 1);
    // The caller goes away: its place is free, and the invocation goes on to its end.
    drop(caller);
    eventually("the place is free", || {
        cluster.frontend.figures().requests_in_flight == 0
    })
    .await;
    assert_eq!(cluster.frontend.figures().invocations_in_flight, 1);
    cluster.worker.gate.add_permits(1);
    eventually("the invocation ends", || {
        cluster.frontend.figures().invocations_in_flight == 0
    })
    .await;
    assert_eq!(cluster.frontend.figures().invocations_lost, 0);
}

#[tokio::test]
async fn no_event_is_accepted_that_nobody_keeps() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    let old = "/2014-11-13/functions/hello/invoke-async/";
    let refused = cluster.http("POST", old, &[], b"{}").await;
    assert_eq!(refused.error(), (400, "InvalidParameterValueException"));
    let missing = "/2014-11-13/functions/missing/invoke-async/";
    let missing = cluster.http("POST", missing, &[], b"{}").await;
    assert_eq!(missing.error(), (404, "ResourceNotFoundException"));
    assert_eq!(cluster.worker.seen(), 0);
}
