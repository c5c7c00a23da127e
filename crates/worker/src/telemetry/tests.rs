use std::{io, time::Duration};

use async_trait::async_trait;
use host::clock::SystemClock;
use runtime_api::subscription::{Buffering, Destination};
use sandbox::Connection;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream},
    sync::mpsc,
};

use super::*;

const WAIT: Duration = Duration::from_secs(20);
const PORT: u16 = 4243;

/// Listens on one port, or refuses for a while.
struct Listener {
    connections: mpsc::Sender<DuplexStream>,
    refusals: Mutex<u32>,
}

#[async_trait]
impl Inside for Listener {
    async fn connect(&self, port: u16) -> io::Result<Box<dyn Connection>> {
        assert_eq!(port, PORT);
        let mut refusals = self.refusals.lock();
        if *refusals > 0 {
            *refusals -= 1;
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (near, far) = tokio::io::duplex(1 << 20);
        self.connections.try_send(far).unwrap();
        Ok(Box::new(near))
    }
}

struct Bench {
    telemetry: Telemetry,
    connections: mpsc::Receiver<DuplexStream>,
}

fn bench(refusals: u32) -> Bench {
    let (sender, connections) = mpsc::channel(16);
    let inside = Arc::new(Listener {
        connections: sender,
        refusals: Mutex::new(refusals),
    });
    Bench {
        telemetry: Telemetry::new(inside, Arc::new(SystemClock), Tasks::new()),
        connections,
    }
}

fn subscription(types: &str, destination: Destination) -> Subscription {
    Subscription {
        api: Api::Telemetry,
        types: Types {
            platform: types.contains('p'),
            function: types.contains('f'),
            extension: types.contains('e'),
        },
        buffering: Buffering {
            items_max: 1000,
            bytes_max: 262_144,
            timeout: Duration::from_millis(25),
        },
        destination,
    }
}

fn http() -> Destination {
    Destination::Http {
        port: PORT,
        path: "/logs".into(),
        put: false,
    }
}

impl Bench {
    async fn accept(&mut self) -> BufReader<DuplexStream> {
        let next = tokio::time::timeout(WAIT, self.connections.recv());
        BufReader::new(next.await.expect("a connection").unwrap())
    }

    /// Answers one request; its body.
    async fn request(&mut self, status: &str) -> Value {
        let mut stream = self.accept().await;
        let mut length = 0;
        let mut first = String::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            if first.is_empty() {
                first.clone_from(&line);
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        assert_eq!(first, "POST /logs HTTP/1.1\r\n");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Kinds and records of requests, until this many have come.
    async fn records(&mut self, many: usize) -> Vec<(String, Value)> {
        let mut all = Vec::new();
        while all.len() < many {
            for record in self.request("200 OK").await.as_array().unwrap() {
                assert!(record["time"].as_str().unwrap().ends_with('Z'), "{record}");
                let kind = record["type"].as_str().unwrap().to_owned();
                all.push((kind, record["record"].clone()));
            }
        }
        all
    }
}

#[tokio::test]
async fn who_subscribes_late_gets_it_from_the_start() {
    let mut bench = bench(0);
    let telemetry = bench.telemetry.clone();
    telemetry.platform(Only::Telemetry, "platform.initStart", &1.into());
    telemetry.platform(Only::Logs, "platform.end", &2.into());
    telemetry.function_output(b"one\ntw", LogFormat::Text);
    telemetry.extension_line("not wanted");
    telemetry
        .subscribe("watcher", subscription("pf", http()))
        .unwrap();
    telemetry.function_output(b"o\n{\"a\":1}\nrest", LogFormat::Json);
    telemetry.end_line(LogFormat::Text);
    telemetry.opened();
    assert!(telemetry.is_listening());
    let late = telemetry.subscribe("late", subscription("p", http()));
    assert_eq!(late, Err(Closed));
    let got = bench.records(6).await;
    let subscribed = serde_json::json!({
        "name": "watcher", "state": "Subscribed", "types": ["platform", "function"],
    });
    let expected = [
        ("platform.initStart", 1.into()),
        ("function", "one".into()),
        ("platform.telemetrySubscription", subscribed),
        ("function", "two".into()),
        ("function", serde_json::json!({"a": 1})),
        ("function", "rest".into()),
    ];
    assert_eq!(
        got,
        expected.map(|(kind, record)| (kind.to_owned(), record))
    );
}

#[tokio::test]
async fn nothing_is_kept_for_nobody() {
    let bench = bench(0);
    bench.telemetry.function_output(b"one\ntw", LogFormat::Text);
    bench.telemetry.opened();
    assert!(!bench.telemetry.is_listening());
    bench.telemetry.function_output(b"o\n", LogFormat::Text);
    let state = bench.telemetry.shared.state.lock();
    assert!(state.backlog.is_empty() && state.partial.is_empty());
    drop(state);
    bench.telemetry.reset();
    assert!(bench.telemetry.is_listening(), "new ones may subscribe");
}

#[tokio::test]
async fn a_later_subscription_takes_the_place_of_an_earlier_one() {
    let mut bench = bench(0);
    let nowhere = Destination::Tcp { port: 1 };
    bench
        .telemetry
        .subscribe("watcher", subscription("e", nowhere))
        .unwrap();
    bench
        .telemetry
        .subscribe("watcher", subscription("f", http()))
        .unwrap();
    bench.telemetry.extension_line("not any more");
    bench.telemetry.function_output(b"yes\n", LogFormat::Text);
    let got = bench.records(1).await;
    assert_eq!(got, [("function".to_owned(), "yes".into())]);
}

#[tokio::test]
async fn a_tcp_connection_gets_a_line_for_each() {
    let mut bench = bench(0);
    let tcp = Destination::Tcp { port: PORT };
    bench
        .telemetry
        .subscribe("watcher", subscription("e", tcp))
        .unwrap();
    bench.telemetry.extension_line("one");
    let mut stream = bench.accept().await;
    for expected in ["one", "two"] {
        let mut line = String::new();
        let read = stream.read_line(&mut line);
        tokio::time::timeout(WAIT, read).await.unwrap().unwrap();
        let record: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(record["record"], expected);
        bench.telemetry.extension_line("two");
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_tried_again_and_then_told() {
    // One attempt and three more fail, which costs the first batch; the second arrives at its second attempt.
    let mut bench = bench(5);
    bench
        .telemetry
        .subscribe("watcher", subscription("e", http()))
        .unwrap();
    bench.telemetry.extension_line("lost");
    tokio::time::sleep(Duration::from_millis(300)).await;
    bench.telemetry.extension_line("kept");
    let got = bench.records(2).await;
    assert_eq!(got[0].0, "platform.logsDropped", "{got:?}");
    assert_eq!(got[0].1["droppedRecords"], 1);
    assert_eq!(got[1].1, "kept");
}

#[tokio::test]
async fn stopped_processes_are_sent_nothing() {
    let mut bench = bench(0);
    assert!(
        bench.telemetry.pause().await.is_none(),
        "nobody to wait for"
    );
    bench
        .telemetry
        .subscribe("watcher", subscription("e", http()))
        .unwrap();
    let paused = bench.telemetry.pause().await;
    assert!(paused.is_some());
    bench.telemetry.extension_line("later");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(bench.connections.try_recv().is_err());
    drop(paused);
    assert_eq!(bench.records(1).await[0].1, "later");
}
