//! What callers may not do.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::{
    cluster::{Cluster, eventually},
    http::{exchange, parse, request},
};

const INVOKE: &str = "/2015-03-31/functions/hello/invocations";

#[tokio::test]
async fn bodies_are_limited_before_and_while_they_come() {
    let cluster = Cluster::start().await;
    // Announced: refused without a byte of it.
    let announced = format!(
        "POST {INVOKE} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 6291457\r\n\r\n"
    );
    let reply = parse(&exchange(cluster.public, announced.as_bytes()).await);
    assert_eq!(reply.error(), (413, "RequestTooLargeException"));
    // Not announced: refused when it is too much.
    let mut chunked = format!("POST {INVOKE} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..7 {
        chunked.extend_from_slice(format!("{:x}\r\n", 1 << 20).as_bytes());
        chunked.extend_from_slice(&vec![b'1'; 1 << 20]);
        chunked.extend_from_slice(b"\r\n");
    }
    // The server may close while we still send: the answer is then lost to us, but nobody is invoked.
    let reply = exchange(cluster.public, &chunked).await;
    if !reply.is_empty() {
        assert_eq!(parse(&reply).error(), (413, "RequestTooLargeException"));
    }
    assert_eq!(cluster.worker.seen(), 0);
    let create = "POST /2015-03-31/functions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 70167212\r\n\r\n";
    let reply = parse(&exchange(cluster.public, create.as_bytes()).await);
    assert_eq!(reply.error(), (413, "RequestEntityTooLargeException"));
    assert_eq!(
        reply.json()["message"],
        "Request must be smaller than 70167211 bytes for the CreateFunction operation"
    );
}

#[tokio::test]
async fn all_bodies_together_are_limited() {
    let cluster =
        Cluster::start_with(|o| o.body_bytes_max = model::ByteCount::mib(1), |_| {}).await;
    let large = format!(
        "POST {INVOKE} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2000000\r\n\r\n"
    );
    let reply = parse(&exchange(cluster.public, large.as_bytes()).await);
    assert_eq!(reply.error(), (429, "TooManyRequestsException"));
    assert_eq!(reply.json()["Reason"], "CallerRateLimitExceeded");
}

#[tokio::test]
async fn a_body_must_make_progress() {
    let cluster =
        Cluster::start_with(|o| o.body_stall_max = Duration::from_millis(100), |_| {}).await;
    let stalled = format!(
        "POST {INVOKE} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10\r\n\r\n123"
    );
    let reply = parse(&exchange(cluster.public, stalled.as_bytes()).await);
    assert_eq!(reply.error(), (400, "InvalidRequestContentException"));
}

#[tokio::test]
async fn a_connection_must_bring_a_request() {
    let cluster =
        Cluster::start_with(|o| o.first_request_max = Duration::from_millis(100), |_| {}).await;
    for head in ["", "GET /2015-03-31/functions HTTP/1.1\r\nho"] {
        let before = Instant::now();
        assert_eq!(exchange(cluster.public, head.as_bytes()).await, b"");
        assert!(before.elapsed() >= Duration::from_millis(90));
    }
    // One that brought a request may rest.
    let mut stream = TcpStream::connect(cluster.public).await.unwrap();
    let get = "GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n";
    for _ in 0..2 {
        stream.write_all(get.as_bytes()).await.unwrap();
        let mut reply = vec![0; 4096];
        let n = stream.read(&mut reply).await.unwrap();
        assert_eq!(
            parse(&reply[..n]).error(),
            (404, "UnknownOperationException")
        );
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

#[tokio::test]
async fn requests_beyond_the_bound_are_refused_at_once() {
    let cluster = Cluster::start_with(|o| o.requests_max = 1, |_| {}).await;
    cluster.create("hello", &json!({})).await;
    let mut caller = TcpStream::connect(cluster.public).await.unwrap();
    let held = request("POST", INVOKE, &[], b"\"held\"");
    caller.write_all(&held).await.unwrap();
    eventually("the invocation runs", || cluster.worker.seen() == 1).await;
    let refused = cluster.get("/2015-03-31/functions").await;
    assert_eq!(refused.error(), (429, "TooManyRequestsException"));
    cluster.worker.gate.add_permits(1);
    let mut reply = Vec::new();
    caller.read_to_end(&mut reply).await.unwrap();
    assert_eq!(parse(&reply).status, 200);
    assert_eq!(cluster.get("/2015-03-31/functions").await.status, 200);
}

#[tokio::test]
async fn connections_beyond_the_bound_wait() {
    let cluster = Cluster::start_with(|o| o.connections_max = 1, |_| {}).await;
    let first = TcpStream::connect(cluster.public).await.unwrap();
    let second = tokio::time::timeout(Duration::from_millis(200), cluster.get("/x")).await;
    assert!(second.is_err(), "it was served");
    drop(first);
    assert_eq!(cluster.get("/x").await.status, 404);
}

#[tokio::test]
async fn heads_are_limited() {
    let cluster = Cluster::start().await;
    let long = "x".repeat(100 << 10);
    let reply = cluster
        .http("GET", "/2015-03-31/functions", &[("x-long", &long)], b"")
        .await;
    assert_eq!(reply.status, 431);
}

#[tokio::test]
async fn http_2_is_served_without_an_upgrade() {
    use http_body_util::{BodyExt, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    let stream = TcpStream::connect(cluster.public).await.unwrap();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    cluster
        .tasks
        .spawn(host::task::Kind::Background, "client", async {
            drop(connection.await);
        });
    for payload in ["1", "2"] {
        let uri = format!("http://{}{INVOKE}", cluster.public);
        let request = http::Request::post(uri).body(Full::new(bytes::Bytes::from(payload)));
        let response = client.send_request(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, payload);
    }
}
