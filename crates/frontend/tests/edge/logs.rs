//! CloudWatch Logs beside the Lambda API: what is told where no worker answers, and what is recorded.

use std::time::Duration;

use lambda_api::{event_stream, logs};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    cluster::Cluster,
    http::{Reply, parse, request},
};

impl Cluster {
    async fn logs(&self, operation: &str, body: &str) -> Reply {
        let target = format!("Logs_20140328.{operation}");
        let headers = [
            ("x-amz-target", target.as_str()),
            ("content-type", logs::CONTENT_TYPE),
        ];
        self.http("POST", "/", &headers, body.as_bytes()).await
    }
}

#[tokio::test]
async fn without_an_answer_of_a_worker_nothing_is_said_not_to_be() {
    let cluster = Cluster::start().await;
    // This worker is of a release that has no such service.
    for (operation, body) in [
        ("FilterLogEvents", r#"{"logGroupName":"/g"}"#),
        (
            "GetLogEvents",
            r#"{"logGroupName":"/g","logStreamName":"s"}"#,
        ),
        ("DescribeLogStreams", r#"{"logGroupName":"/g"}"#),
        ("DescribeLogGroups", ""),
    ] {
        let reply = cluster.logs(operation, body).await;
        assert_eq!(reply.status, 200, "{operation}: {reply:?}");
        assert_eq!(reply.header("x-dunlin-unreached"), Some("n"), "{operation}");
        assert_eq!(reply.header("content-type"), Some(logs::CONTENT_TYPE));
        assert!(reply.header("x-amzn-requestid").is_some());
    }
    let reply = cluster
        .logs("FilterLogEvents", r#"{"logGroupName":"/g"}"#)
        .await;
    assert_eq!(
        reply.json(),
        json!({"events": [], "searchedLogStreams": []})
    );
}

#[tokio::test]
async fn errors_are_told_in_the_words_of_the_service() {
    let cluster = Cluster::start().await;
    for (operation, body, name) in [
        ("PutLogEvents", "{}", "UnknownOperationException"),
        ("FilterLogEvents", "{", "SerializationException"),
        ("FilterLogEvents", "{}", "InvalidParameterException"),
        ("StartLiveTail", "{}", "InvalidParameterException"),
    ] {
        let reply = cluster.logs(operation, body).await;
        assert_eq!(
            (reply.status, &reply.json()["__type"]),
            (400, &json!(name)),
            "{operation} {body}"
        );
    }
    let recorded = cluster.calls().await;
    let told: Vec<_> = recorded
        .iter()
        .map(|call| (&call["operation"], &call["error"]))
        .collect();
    assert_eq!(
        told[0],
        (&json!("logs:Unknown"), &json!("UnknownOperationException"))
    );
    assert_eq!(
        told[1],
        (
            &json!("logs:FilterLogEvents"),
            &json!("SerializationException")
        )
    );
}

#[tokio::test]
async fn a_session_begins_at_once_and_ends_when_the_node_drains() {
    let cluster = Cluster::start().await;
    let target = [("x-amz-target", "Logs_20140328.StartLiveTail")];
    let bytes = request("POST", "/", &target, br#"{"logGroupIdentifiers":["/g"]}"#);
    let mut stream = TcpStream::connect(cluster.public).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let mut bytes = Vec::new();
    let has_update = |bytes: &[u8]| bytes.windows(13).any(|window| window == b"sessionUpdate");
    while !has_update(&bytes) {
        let read = stream.read_buf(&mut bytes);
        let read = tokio::time::timeout(Duration::from_secs(20), read).await;
        assert!(read.expect("an update in time").unwrap() > 0);
    }
    let drained = cluster.tasks.drain(Duration::from_secs(20));
    let (drained, rest) = tokio::join!(drained, stream.read_to_end(&mut bytes));
    assert!(drained, "a session holds nothing up");
    rest.unwrap();
    let body = parse(&bytes).body;
    let (mut kinds, mut rest) = (Vec::new(), body.as_slice());
    while let Some((message, size)) = event_stream::decode(rest).unwrap() {
        let kind = message.headers.iter().find(|(n, _)| n == ":event-type");
        kinds.push(kind.unwrap().1.clone());
        rest = &rest[size..];
    }
    assert_eq!(
        kinds[..3],
        ["initial-response", "sessionStart", "sessionUpdate"]
    );
}
