//! The floor of an invocation on one machine: HTTP, one hop over a socket to the process that runs the handler, back.

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream as StdUnixStream},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::Semaphore,
};

/// What a handler's process runs; its end of the socket is its standard input.
const PROGRAM: &str = include_str!("handlers/handler.py");
/// The longest answer of a handler, in bytes.
const ANSWER_MAX: u32 = 16 << 20;

/// Processes that run a handler, one request each at a time.
#[derive(clap::Args)]
pub(crate) struct Handlers {
    /// How many processes.
    #[arg(long, default_value_t = 1)]
    processes: usize,
    #[arg(long, default_value = "python3")]
    python: String,
}

struct Pool {
    /// As many permits as there are idle processes.
    idle: Semaphore,
    sockets: Mutex<Vec<UnixStream>>,
}

impl Handlers {
    /// Serves until the process is killed; its children end with their sockets.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        ensure!(self.processes > 0, "expected at least one process");
        tokio::runtime::Runtime::new()?.block_on(async {
            let mut sockets = Vec::new();
            let mut children = Vec::new();
            for _ in 0..self.processes {
                let (socket, child) = start(&self.python)?;
                sockets.push(socket);
                children.push(child);
            }
            let pool = Arc::new(Pool {
                idle: Semaphore::new(sockets.len()),
                sockets: Mutex::new(sockets),
            });
            crate::server::serve(move |request| answer(pool.clone(), request)).await
        })
    }
}

fn start(python: &str) -> anyhow::Result<(UnixStream, Child)> {
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let child = Command::new(python)
        .args(["-S", "-E", "-c", PROGRAM])
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .with_context(|| format!("{python} does not start"))?;
    Ok((UnixStream::from_std(ours)?, child))
}

async fn answer(
    pool: Arc<Pool>,
    request: Request<Incoming>,
) -> anyhow::Result<Response<Full<Bytes>>> {
    let event = request.into_body().collect().await?.to_bytes();
    let _permit = pool.idle.acquire().await?;
    let mut socket = pool
        .sockets
        .lock()
        .pop()
        .context("expected an idle process for every permit")?;
    let result = exchange(&mut socket, &event).await?;
    pool.sockets.lock().push(socket);
    Ok(Response::new(Full::new(result)))
}

/// Sends an event and reads its result; both are preceded by their length, four bytes, the highest first.
async fn exchange(socket: &mut UnixStream, event: &[u8]) -> anyhow::Result<Bytes> {
    let mut message = u32::try_from(event.len())?.to_be_bytes().to_vec();
    message.extend_from_slice(event);
    socket.write_all(&message).await?;
    let length = socket.read_u32().await?;
    ensure!(
        length <= ANSWER_MAX,
        "expected an answer of at most {ANSWER_MAX} bytes, got {length}"
    );
    let mut result = vec![0; usize::try_from(length)?];
    socket.read_exact(&mut result).await?;
    Ok(result.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handler_gives_back_what_it_got() {
        let (mut socket, mut child) = start("python3").unwrap();
        for event in ["{}", r#"{"a": [1, "ä"]}"#] {
            let result = exchange(&mut socket, event.as_bytes()).await.unwrap();
            let value = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
            assert_eq!(value(&result), value(event.as_bytes()));
        }
        drop(socket);
        assert!(child.wait().unwrap().success());
    }
}
