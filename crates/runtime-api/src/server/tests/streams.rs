//! Responses that are passed on while they are made.

use super::*;
use crate::{Ending, Part, Parts};

struct Streaming {
    raw: TcpStream,
    parts: Parts,
}

impl Streaming {
    /// Begins a streamed response to an invocation whose caller takes `limit` bytes.
    async fn begin(api: &RuntimeApi, runtime: &mut Runtime, port: u16, limit: u64) -> Self {
        let mut call = api
            .invoke(Invocation {
                stream_max: Some(limit),
                ..invocation(5)
            })
            .unwrap();
        let event = runtime.next().await;
        let id = event.headers["lambda-runtime-aws-request-id"]
            .to_str()
            .unwrap();
        let mut raw = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let head = format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n\
             Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        );
        raw.write_all(head.as_bytes()).await.unwrap();
        let Answer::Parts(parts) = within(call.answer()).await.unwrap() else {
            panic!("expected a stream")
        };
        assert_eq!(parts.content_type(), "text/plain");
        let path = format!("/runtime/invocation/{id}/response");
        assert_eq!(runtime.post(&path, "2").await.status, 400, "one answer");
        assert_eq!(runtime.next().await.status, 403, "not before its end");
        Self { raw, parts }
    }

    async fn send(&mut self, text: &str) {
        self.raw.write_all(text.as_bytes()).await.unwrap();
    }

    async fn part(&mut self) -> Option<Part> {
        within(self.parts.next()).await
    }

    async fn reply(mut self) -> String {
        let mut reply = String::new();
        within(self.raw.read_to_string(&mut reply)).await.unwrap();
        reply
    }
}

#[tokio::test]
async fn a_streamed_response_is_passed_on_as_it_comes() {
    let (api, port, tasks) = start(Limits::default());
    let mut runtime = Runtime::connect(port, &tasks).await;
    let more = |text: &'static str| Some(Part::More(Bytes::from_static(text.as_bytes())));
    for (trailer, ending) in [
        ("", Ending::Done),
        (
            "Lambda-Runtime-Function-Error-Type: Runtime.X\r\nLambda-Runtime-Function-Error-Body: eyJhIjoxfQ==\r\n",
            Ending::Error {
                body: Bytes::from_static(b"{\"a\":1}"),
                error_type: "Runtime.X".into(),
            },
        ),
    ] {
        let mut stream = Streaming::begin(&api, &mut runtime, port, 5).await;
        assert_eq!(api.phase(), Phase::Busy);
        stream.send("3\r\nhel\r\n").await;
        assert_eq!(stream.part().await, more("hel"), "before the rest is there");
        stream.send("2\r\nlo\r\n").await;
        assert_eq!(stream.part().await, more("lo"));
        stream.send(&format!("0\r\n{trailer}\r\n")).await;
        assert_eq!(stream.part().await, Some(Part::End(ending)));
        assert_eq!(api.phase(), Phase::Answered);
        assert_eq!(stream.part().await, None);
        assert!(stream.reply().await.starts_with("HTTP/1.1 202 Accepted"));
    }
}

#[tokio::test]
async fn a_stream_ends_at_its_limit_and_where_it_breaks() {
    let (api, port, tasks) = start(Limits::default());
    let mut runtime = Runtime::connect(port, &tasks).await;
    let mut stream = Streaming::begin(&api, &mut runtime, port, 4).await;
    stream.send("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n").await;
    let kept = Part::More(Bytes::from_static(b"hell"));
    assert_eq!(stream.part().await, Some(kept));
    assert_eq!(stream.part().await, Some(Part::End(Ending::TooLarge)));
    assert!(stream.reply().await.starts_with("HTTP/1.1 413"));

    let mut stream = Streaming::begin(&api, &mut runtime, port, 4).await;
    stream.send("5\r\nhe").await;
    assert!(matches!(stream.part().await, Some(Part::More(_))));
    stream.raw.shutdown().await.unwrap();
    assert_eq!(stream.part().await, Some(Part::End(Ending::Truncated)));

    // Whoever does not read any more does not stop the runtime.
    let mut stream = Streaming::begin(&api, &mut runtime, port, 1 << 30).await;
    stream.parts.parts.close();
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
    for _ in 0..8 {
        stream.send(&chunk).await;
    }
    stream.send("0\r\n\r\n").await;
    assert!(stream.reply().await.starts_with("HTTP/1.1 202 Accepted"));
    assert_eq!(api.phase(), Phase::Answered);
}

#[tokio::test]
async fn a_runtime_waits_for_whoever_reads_its_stream() {
    let (api, port, tasks) = start(Limits::default());
    let mut runtime = Runtime::connect(port, &tasks).await;
    let mut stream = Streaming::begin(&api, &mut runtime, port, 1 << 30).await;
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_millis(200), stream.send(&chunk))
        .await
        .is_ok()
    {
        sent += 1;
        assert!(sent < 64, "it takes everything in");
    }
}

#[tokio::test]
async fn a_reset_in_the_middle_of_a_stream_ends_it() {
    let (api, port, tasks) = start(Limits::default());
    let mut runtime = Runtime::connect(port, &tasks).await;
    let mut stream = Streaming::begin(&api, &mut runtime, port, 9).await;
    api.reset();
    assert_eq!(stream.part().await, None);
    assert_eq!(api.phase(), Phase::Starting);
    let mut new = Runtime::connect(port, &tasks).await;
    let mut call = api.invoke(invocation(1)).unwrap();
    assert_eq!(new.next().await.status, 200);
    assert!(within(call.taken()).await);
}
