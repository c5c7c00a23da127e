//! Carries batches to a listener inside an environment.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use host::Clock;
use http::{Method, Request, header};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use runtime_api::subscription::Destination;
use sandbox::{Connection, Sandbox};
use tokio::{io::AsyncWriteExt, sync::RwLock, time::Instant};

use super::{
    Queue, Turn,
    batch::{Dropped, Due},
};

/// How long one attempt may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(1);
/// Attempts at one batch, and the pauses between them.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
];

/// Reaches listeners on the loopback of an environment.
#[async_trait]
pub(crate) trait Inside: Send + Sync {
    async fn connect(&self, port: u16) -> io::Result<Box<dyn Connection>>;
}

#[async_trait]
impl Inside for Arc<dyn Sandbox> {
    async fn connect(&self, port: u16) -> io::Result<Box<dyn Connection>> {
        Sandbox::connect(&**self, port).await
    }
}

/// Runs until the queue is closed.
pub(super) async fn run(
    queue: Arc<Queue>,
    destination: Destination,
    inside: Arc<dyn Inside>,
    clock: Arc<dyn Clock>,
    gate: Arc<RwLock<()>>,
) {
    let mut line = Line {
        destination,
        inside,
        open: None,
    };
    loop {
        let due = queue.batch.lock().take(Instant::now());
        match due {
            Due::Closed => return,
            Due::Never => queue.bell.notified().await,
            Due::At(at) => {
                tokio::select! {
                    () = queue.bell.notified() => {}
                    () = tokio::time::sleep_until(at) => {}
                }
            }
            Due::Now(batch, dropped) => {
                let told = (dropped != Dropped::default()).then(|| told(dropped, &*clock));
                if !line.deliver(told.iter().chain(&batch), &gate).await {
                    queue.batch.lock().lost(&batch);
                }
            }
        }
    }
}

/// The record that tells what was dropped.
fn told(dropped: Dropped, clock: &dyn Clock) -> Bytes {
    let record = serde_json::json!({
        "reason": "Consumer seems to have fallen behind as it has not acknowledged receipt of logs.",
        "droppedRecords": dropped.records,
        "droppedBytes": dropped.bytes,
    });
    let time = clock.wall().to_rfc3339();
    let json = serde_json::json!({"time": time, "type": "platform.logsDropped", "record": record});
    json.to_string().into()
}

/// The way to one listener.
struct Line {
    destination: Destination,
    inside: Arc<dyn Inside>,
    /// A TCP connection is kept.
    open: Option<Box<dyn Connection>>,
}

impl Line {
    /// Whether it arrived, after some attempts.
    async fn deliver<'a>(
        &mut self,
        records: impl Iterator<Item = &'a Bytes> + Clone + Send,
        gate: &Arc<RwLock<()>>,
    ) -> bool {
        let body = match self.destination {
            Destination::Http { .. } => array(records),
            Destination::Tcp { .. } => lines(records),
        };
        let mut pauses = PAUSES.iter();
        loop {
            let sent = {
                // Stopped processes take nothing.
                let _turn: Turn = gate.clone().read_owned().await;
                tokio::time::timeout(ATTEMPT_MAX, self.attempt(body.clone())).await
            };
            let error = match sent {
                Ok(Ok(())) => return true,
                Ok(Err(error)) => error,
                Err(_) => io::ErrorKind::TimedOut.into(),
            };
            self.open = None;
            tracing::debug!(%error, destination = ?self.destination, "telemetry did not arrive");
            let Some(pause) = pauses.next() else {
                return false;
            };
            tokio::time::sleep(*pause).await;
        }
    }

    async fn attempt(&mut self, body: Bytes) -> io::Result<()> {
        match &self.destination {
            Destination::Http { port, path, put } => {
                let connection = self.inside.connect(*port).await?;
                post(connection, *port, path, *put, body).await
            }
            Destination::Tcp { port } => {
                let open = match &mut self.open {
                    Some(open) => open,
                    closed => closed.insert(self.inside.connect(*port).await?),
                };
                open.write_all(&body).await?;
                open.flush().await
            }
        }
    }
}

async fn post(
    connection: Box<dyn Connection>,
    port: u16,
    path: &str,
    put: bool,
    body: Bytes,
) -> io::Result<()> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(connection))
        .await
        .map_err(io::Error::other)?;
    let method = if put { Method::PUT } else { Method::POST };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, format!("sandbox.localdomain:{port}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .body(Full::new(body))
        .map_err(io::Error::other)?;
    let answer = async {
        let response = sender.send_request(request).await;
        let status = response.map_err(io::Error::other)?.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("expected success, got {status}")))
        }
    };
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        answered = &mut answer => answered,
        // What it read before its end may be the answer.
        _ended = connection => answer.await,
    }
}

fn array<'a>(records: impl Iterator<Item = &'a Bytes> + Clone) -> Bytes {
    let size: usize = records.clone().map(|r| r.len() + 1).sum();
    let mut body = BytesMut::with_capacity(size + 2);
    body.put_u8(b'[');
    for (at, record) in records.enumerate() {
        if at > 0 {
            body.put_u8(b',');
        }
        body.put_slice(record);
    }
    body.put_u8(b']');
    body.freeze()
}

fn lines<'a>(records: impl Iterator<Item = &'a Bytes> + Clone) -> Bytes {
    let mut body = BytesMut::new();
    for record in records {
        body.put_slice(record);
        body.put_u8(b'\n');
    }
    body.freeze()
}
