use std::{
    io,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use model::Timestamp;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::{CREDENTIALS_PATH, Outcome};

mod extensions;
mod streams;

const WAIT: Duration = Duration::from_secs(10);

struct Runtime {
    sender: http1::SendRequest<Full<Bytes>>,
}

struct Got {
    status: u16,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Got {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Runtime {
    async fn connect(port: u16, tasks: &Tasks) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (sender, connection) = http1::Builder::new()
            .handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tasks.spawn(Kind::Environment, "test-client", async {
            let _ = connection.await;
        });
        Self { sender }
    }

    async fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Option<Got> {
        let mut request = Request::builder()
            .method(method)
            .uri(match path {
                path if path.starts_with("/20") => path.to_owned(),
                _ => format!("/2018-06-01{path}"),
            })
            .header("host", "x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).unwrap();
        let response = tokio::time::timeout(WAIT, self.sender.send_request(request))
            .await
            .expect("an answer")
            .ok()?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Got {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        })
    }

    async fn next(&mut self) -> Got {
        self.call("GET", "/runtime/invocation/next", &[], Bytes::new())
            .await
            .unwrap()
    }

    async fn post(&mut self, path: &str, body: impl Into<Bytes>) -> Got {
        self.call(
            "POST",
            path,
            &[("content-type", "application/json")],
            body.into(),
        )
        .await
        .unwrap()
    }
}

struct Loopback {
    listener: tokio::net::TcpListener,
    same: std::net::TcpListener,
}

impl Accept for Loopback {
    type Stream = TcpStream;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        let (stream, _) = ready!(self.listener.poll_accept(cx))?;
        stream.set_nodelay(true)?;
        Poll::Ready(Ok(stream))
    }

    fn discard_waiting(&self) {
        while self.same.accept().is_ok() {}
    }
}

fn start(limits: Limits) -> (RuntimeApi, u16, Tasks) {
    start_with(limits, None)
}

fn start_with(
    limits: Limits,
    credentials: Option<Arc<dyn Credentials>>,
) -> (RuntimeApi, u16, Tasks) {
    start_as(setting(limits, credentials))
}

fn setting(limits: Limits, credentials: Option<Arc<dyn Credentials>>) -> Setting {
    Setting {
        limits,
        credentials,
        about: About {
            function_name: "f".into(),
            function_version: "$LATEST".into(),
            handler: "app.handler".into(),
            account_id: "000000000000".into(),
        },
        identifiers: Arc::new(host::SeededEntropy::new(1)),
        subscriptions: None,
    }
}

fn start_as(setting: Setting) -> (RuntimeApi, u16, Tasks) {
    let tasks = Tasks::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let same = listener.try_clone().unwrap();
    let listener = Loopback {
        listener: tokio::net::TcpListener::from_std(listener).unwrap(),
        same,
    };
    let api = RuntimeApi::serve(listener, &tasks, setting);
    (api, port, tasks)
}

fn invocation(n: u128) -> Invocation {
    Invocation {
        request_id: RequestId::from_random(n),
        deadline: Timestamp(1_700_000_003_000),
        invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:f:live".into(),
        trace_id: "Root=1-00000000-000000000000000000000000".into(),
        client_context: "{\"custom\":\n{}}".into(),
        tenant_id: "blue team".into(),
        attempt_id: "a-1".into(),
        payload: Bytes::from_static(b"{\"x\":1}"),
        stream_max: None,
    }
}

async fn whole(call: &mut Call) -> Outcome {
    match within(call.answer()).await.unwrap() {
        Answer::Whole(outcome) => outcome,
        Answer::Parts(_) => panic!("expected a whole answer, got a stream"),
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(WAIT, future).await.expect("in time")
}

#[tokio::test]
async fn one_round() {
    let (api, port, tasks) = start(Limits::default());
    let mut runtime = Runtime::connect(port, &tasks).await;
    let mut call = api.invoke(invocation(1)).unwrap();
    let event = runtime.next().await;
    assert!(within(call.taken()).await);
    assert_eq!((event.status, event.text()), (200, "{\"x\":1}"));
    let id = event.headers["lambda-runtime-aws-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(id, RequestId::from_random(1).to_string());
    for (name, value) in [
        ("lambda-runtime-deadline-ms", "1700000003000"),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:f:live",
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-00000000-000000000000000000000000",
        ),
        ("lambda-runtime-client-context", "{\"custom\": {}}"),
        ("lambda-runtime-invocation-id", "a-1"),
        ("lambda-runtime-aws-tenant-id", "blue team"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(event.headers[name], value, "{name}");
    }
    assert!(
        !event
            .headers
            .contains_key("lambda-runtime-cognito-identity")
    );

    let wrong = RequestId::from_random(2);
    let got = runtime
        .post(&format!("/runtime/invocation/{wrong}/response"), "1")
        .await;
    assert_eq!(got.status, 400);
    assert_eq!(
        got.text(),
        r#"{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}"#
    );
    let got = runtime.next().await;
    assert_eq!(got.status, 403);
    assert!(
        got.text().contains("InvalidStateTransition"),
        "{}",
        got.text()
    );

    let path = format!("/runtime/invocation/{id}/response");
    let echo = [("lambda-runtime-invocation-id", "another")];
    let got = runtime
        .call("POST", &path, &echo, Bytes::from_static(b"0"))
        .await
        .unwrap();
    assert_eq!(got.status, 400, "an answer to another attempt");
    let got = runtime.post(&path, "42").await;
    assert_eq!((got.status, got.text()), (202, r#"{"status":"OK"}"#));
    assert_eq!(
        whole(&mut call).await,
        Outcome::Response {
            body: Bytes::from_static(b"42"),
            content_type: "application/json".into()
        }
    );
    assert_eq!(runtime.post(&path, "43").await.status, 400, "answered once");
    assert_eq!(api.phase(), Phase::Answered);
}

#[tokio::test]
async fn a_waiting_poll_gets_the_invocation_and_an_error_comes_back_unchanged() {
    let (api, port, tasks) = start(Limits::default());
    let mut runtime = Runtime::connect(port, &tasks).await;
    let mut other = Runtime::connect(port, &tasks).await;
    let serve = async {
        let event = runtime.next().await;
        let id = event.headers["lambda-runtime-aws-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let path = format!("/runtime/invocation/{id}/error");
        let cause = "x".repeat(1 << 20);
        let headers = [
            ("lambda-runtime-function-error-type", "Runtime.Custom"),
            ("lambda-runtime-function-xray-error-cause", cause.as_str()),
        ];
        runtime
            .call(
                "POST",
                &path,
                &headers,
                Bytes::from_static(b"{\"errorType\":\"E\"}"),
            )
            .await
            .unwrap()
            .status
    };
    let drive = async {
        assert_eq!(api.ready().await, Ok(()));
        let got = other.post("/runtime/init/error", "{}").await;
        assert_eq!(got.status, 403, "too late for that");
        let mut call = api.invoke(invocation(7)).unwrap();
        assert!(call.taken().await);
        whole(&mut call).await
    };
    let (status, outcome) = within(async { tokio::join!(serve, drive) }).await;
    assert_eq!(status, 202);
    assert_eq!(
        outcome,
        Outcome::Error {
            body: Bytes::from_static(b"{\"errorType\":\"E\"}"),
            error_type: Some("Runtime.Custom".into())
        }
    );
}

#[tokio::test]
async fn a_response_above_the_limit_is_refused_and_the_runtime_goes_on() {
    let (api, port, tasks) = start(Limits {
        response: 1000,
        ..Limits::default()
    });
    let mut runtime = Runtime::connect(port, &tasks).await;
    for (size, fits) in [(1001, false), (1000, true), (2_000_000, false), (0, true)] {
        let mut call = api.invoke(invocation(size)).unwrap();
        let event = runtime.next().await;
        let id = event.headers["lambda-runtime-aws-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let body = vec![b'x'; usize::try_from(size).unwrap()];
        let got = runtime
            .post(&format!("/runtime/invocation/{id}/response"), body.clone())
            .await;
        let outcome = whole(&mut call).await;
        if fits {
            assert_eq!(got.status, 202);
            assert!(matches!(outcome, Outcome::Response { body: got, .. } if got == body));
        } else {
            assert_eq!(got.status, 413);
            assert_eq!(
                got.text(),
                r#"{"errorMessage":"Exceeded maximum allowed payload size (1000 bytes).","errorType":"RequestEntityTooLarge"}"#
            );
            assert_eq!(outcome, Outcome::TooLarge);
        }
    }
}

#[tokio::test]
async fn an_init_error_is_reported_once() {
    let (api, port, tasks) = start(Limits::default());
    let mut runtime = Runtime::connect(port, &tasks).await;
    let got = runtime
        .post("/runtime/init/error", r#"{"errorType":"E"}"#)
        .await;
    assert_eq!(got.status, 202);
    let failure = within(api.ready()).await.unwrap_err();
    assert_eq!(failure.body, r#"{"errorType":"E"}"#);
    assert_eq!(runtime.post("/runtime/init/error", "{}").await.status, 403);
    assert_eq!(runtime.next().await.status, 403);
    assert_eq!(
        api.invoke(invocation(1)).unwrap_err(),
        InvokeError(OfferError::InitFailed)
    );
}

#[tokio::test]
async fn a_process_before_a_reset_never_speaks_for_the_next_one() {
    let (api, port, tasks) = start(Limits::default());
    let mut old = Runtime::connect(port, &tasks).await;
    let mut call = api.invoke(invocation(1)).unwrap();
    let event = old.next().await;
    assert_eq!(event.status, 200);
    // One more, that nobody has accepted yet or has only just.
    let mut late = Runtime::connect(port, &tasks).await;
    api.reset();
    assert!(within(call.answer()).await.is_none());
    assert_eq!(api.phase(), Phase::Starting);
    let path = format!("/runtime/invocation/{}/response", RequestId::from_random(1));
    assert!(
        old.call("POST", &path, &[], Bytes::new()).await.is_none(),
        "its connection is closed"
    );
    let polled = late
        .call("GET", "/runtime/invocation/next", &[], Bytes::new())
        .await;
    assert!(polled.is_none(), "so is the other one");
    assert_eq!(api.phase(), Phase::Starting);

    let mut new = Runtime::connect(port, &tasks).await;
    let mut call = api.invoke(invocation(1)).unwrap();
    assert_eq!(new.next().await.status, 200);
    assert_eq!(new.post(&path, "1").await.status, 202);
    assert!(within(call.answer()).await.is_some());
}

#[tokio::test]
async fn a_poll_whose_connection_died_gets_nothing_and_a_later_one_supersedes() {
    let (api, port, tasks) = start(Limits::default());
    let mut first = Runtime::connect(port, &tasks).await;
    {
        let polling = first.next();
        tokio::pin!(polling);
        tokio::select! {
            _ = &mut polling => panic!("nothing to get"),
            () = api.idle() => {}
        }
    }
    let mut second = Runtime::connect(port, &tasks).await;
    let serve = async {
        let event = second.next().await;
        assert_eq!(event.status, 200);
    };
    let drive = async {
        drop(first);
        // Whether the second poll is there yet or not, it is the one that gets it.
        let mut call = api.invoke(invocation(3)).unwrap();
        assert!(call.taken().await);
    };
    within(async { tokio::join!(serve, drive) }).await;
}

#[tokio::test]
async fn a_streamed_response_is_collected_and_its_error_trailer_wins() {
    let (api, port, tasks) = start(Limits::default());
    let mut runtime = Runtime::connect(port, &tasks).await;
    for (trailer, expected) in [
        (
            "",
            Outcome::Response {
                body: Bytes::from_static(b"hello"),
                content_type: "text/plain".into(),
            },
        ),
        (
            "Lambda-Runtime-Function-Error-Type: Runtime.X\r\nLambda-Runtime-Function-Error-Body: eyJhIjoxfQ==\r\n",
            Outcome::Error {
                body: Bytes::from_static(b"{\"a\":1}"),
                error_type: Some("Runtime.X".into()),
            },
        ),
    ] {
        let mut call = api.invoke(invocation(5)).unwrap();
        let event = runtime.next().await;
        let id = event.headers["lambda-runtime-aws-request-id"]
            .to_str()
            .unwrap();
        let mut raw = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n\
             Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\
             Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\nConnection: close\r\n\r\n\
             3\r\nhel\r\n2\r\nlo\r\n0\r\n{trailer}\r\n"
        );
        raw.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        within(raw.read_to_string(&mut reply)).await.unwrap();
        assert!(reply.starts_with("HTTP/1.1 202 Accepted"), "{reply}");
        assert_eq!(whole(&mut call).await, expected);
    }
}

#[tokio::test]
async fn a_truncated_response_is_no_answer() {
    let (api, port, tasks) = start(Limits::default());
    let mut runtime = Runtime::connect(port, &tasks).await;
    let mut call = api.invoke(invocation(5)).unwrap();
    let event = runtime.next().await;
    let id = event.headers["lambda-runtime-aws-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let path = format!("/runtime/invocation/{id}/response");
    let mut raw = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head =
        format!("POST /2018-06-01{path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
    raw.write_all(head.as_bytes()).await.unwrap();
    drop(raw);
    assert_eq!(runtime.post(&path, "whole").await.status, 202);
    assert!(matches!(
        whole(&mut call).await,
        Outcome::Response { body, .. } if body == "whole"
    ));
}

#[tokio::test]
async fn ping_and_nonsense() {
    let (_api, port, tasks) = start(Limits::default());
    let mut runtime = Runtime::connect(port, &tasks).await;
    let got = runtime
        .call("GET", "/ping", &[], Bytes::new())
        .await
        .unwrap();
    assert_eq!((got.status, got.text()), (200, "pong"));
    assert_eq!(
        runtime
            .call("GET", "/nonsense", &[], Bytes::new())
            .await
            .unwrap()
            .status,
        404
    );
    assert_eq!(
        runtime.post("/runtime/invocation/next", "").await.status,
        405
    );
    assert_eq!(
        runtime
            .post("/runtime/invocation/zzz/response", "")
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn it_is_quiet_once_the_last_connection_is_dealt_with() {
    let (api, port, tasks) = start(Limits::default());
    let mut runtime = Runtime::connect(port, &tasks).await;
    assert_eq!(runtime.post("/runtime/init/error", "{}").await.status, 202);
    assert!(
        tokio::time::timeout(Duration::from_millis(1), api.quiet())
            .await
            .is_err()
    );
    drop(runtime);
    within(api.quiet()).await;
}

#[tokio::test]
async fn whoever_comes_while_it_is_to_be_quiet_is_served() {
    let (api, port, tasks) = start(Limits::default());
    let mut first = Runtime::connect(port, &tasks).await;
    assert!(
        first
            .call("GET", "/ping", &[], Bytes::new())
            .await
            .is_some()
    );
    let mut quiet = std::pin::pin!(api.quiet());
    let come = async {
        let mut second = Runtime::connect(port, &tasks).await;
        second.call("GET", "/ping", &[], Bytes::new()).await
    };
    tokio::select! {
        biased;
        () = &mut quiet => panic!("one is there"),
        got = within(come) => assert_eq!(got.expect("an answer").status, 200),
    }
    drop(first);
    within(quiet).await;
}

#[tokio::test]
async fn dropping_it_closes_everything() {
    let (api, port, tasks) = start(Limits::default());
    let mut runtime = Runtime::connect(port, &tasks).await;
    let poll = runtime.call("GET", "/runtime/invocation/next", &[], Bytes::new());
    let end = async {
        api.idle().await;
        drop(api);
    };
    let (polled, ()) = within(async { tokio::join!(poll, end) }).await;
    assert!(polled.is_none(), "the connection was closed");
    within(async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

struct OneToken;

impl Credentials for OneToken {
    fn document(&self, authorization: &[u8]) -> Option<Bytes> {
        (authorization == b"token").then(|| Bytes::from_static(b"{\"AccessKeyId\":\"A\"}"))
    }
}

#[tokio::test]
async fn credentials_are_for_whoever_has_the_token() {
    let check =
        async |source: Option<Arc<dyn Credentials>>, token: &str, status: u16, part: &str| {
            let (_api, port, tasks) = start_with(Limits::default(), source);
            let mut code = Runtime::connect(port, &tasks).await;
            let headers = [("authorization", token)];
            let got = code
                .call("GET", CREDENTIALS_PATH, &headers, Bytes::new())
                .await
                .unwrap();
            assert_eq!(got.status, status, "{}", got.text());
            assert!(got.text().contains(part), "{}", got.text());
        };
    check(Some(Arc::new(OneToken)), "token", 200, "AccessKeyId").await;
    check(
        Some(Arc::new(OneToken)),
        "other",
        404,
        "cannot get credentials",
    )
    .await;
    check(None, "token", 404, "No such path").await;
}
