//! Accepts connections and serves HTTP/1.1 and HTTP/2 on them.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use host::{
    net::{Connection, Listener},
    task::{Kind, Tasks},
};
use hyper::{rt::Executor, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::{
    source::Source,
    stack::{self, Edge},
};

/// The largest head of a request.
const HEAD_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 128;
/// Requests at the same time on one HTTP/2 connection.
const STREAMS_MAX: u32 = 100;
/// Streams that a caller opened and reset before we looked at them.
const RESET_STREAMS_MAX: usize = 50;
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// How often an HTTP/2 connection is pinged, and how long an answer may take.
const PING: Duration = Duration::from_secs(20);

/// Serves connections until the node drains or the listener is dead.
pub(crate) async fn accept(edge: Arc<Edge>, listener: Arc<dyn Listener>, tasks: Tasks) {
    let room = Arc::new(Semaphore::new(edge.options.connections_max));
    loop {
        // Without room nobody is accepted: callers wait in the kernel's queue.
        let Ok(place) = room.clone().acquire_owned().await else {
            return;
        };
        let connection = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) => {
                let address = listener.local_addr();
                tracing::error!(%address, %error, "a public listener is dead; this node takes no new connections there");
                return;
            }
        };
        let Connection { io, remote, .. } = connection;
        let served = serve_one(edge.clone(), io, remote.into(), tasks.clone(), place);
        tasks.spawn(Kind::Connection, "public-connection", served);
    }
}

/// Serves one connection that a worker carries here: HTTP/1.1 alone, and otherwise what [`accept`] would serve.
pub(crate) async fn serve_carried(
    edge: Arc<Edge>,
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    source: Source,
    tasks: Tasks,
    place: OwnedSemaphorePermit,
) {
    let builder = builder(&edge, tasks.clone()).http1_only();
    serve(edge, io, source, builder, tasks, place).await;
}

async fn serve_one(
    edge: Arc<Edge>,
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    source: Source,
    tasks: Tasks,
    place: OwnedSemaphorePermit,
) {
    let builder = builder(&edge, tasks.clone());
    serve(edge, io, source, builder, tasks, place).await;
}

async fn serve(
    edge: Arc<Edge>,
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    source: Source,
    builder: auto::Builder<Spawner>,
    tasks: Tasks,
    _place: OwnedSemaphorePermit,
) {
    let source = Arc::new(source);
    let began = Arc::new(AtomicBool::new(false));
    let service = {
        let (edge, source, began) = (edge.clone(), source.clone(), began.clone());
        service_fn(move |request| {
            began.store(true, Ordering::Relaxed);
            let (edge, source) = (edge.clone(), source.clone());
            async move { Ok::<_, Infallible>(stack::serve(edge, &source, request).await) }
        })
    };
    let connection = builder.serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);
    let first_request = tokio::time::sleep(edge.options.first_request_max);
    let mut first_request = std::pin::pin!(first_request);
    let draining = tasks.draining();
    let (mut asked_to_end, mut first_is_due) = (false, true);
    loop {
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = draining.cancelled(), if !asked_to_end => {
                // Answers what is under way, and then closes.
                asked_to_end = true;
                connection.as_mut().graceful_shutdown();
                continue;
            }
            () = first_request.as_mut(), if first_is_due => {
                if began.load(Ordering::Relaxed) {
                    first_is_due = false;
                    continue;
                }
                tracing::debug!(remote = %source, "a connection brought no request in time");
                return;
            }
        };
        if let Err(error) = ended {
            tracing::debug!(remote = %source, %error, "a connection ended badly");
        }
        return;
    }
}

fn builder(edge: &Edge, tasks: Tasks) -> auto::Builder<Spawner> {
    let mut builder = auto::Builder::new(Spawner(tasks));
    builder
        .http1()
        .timer(TokioTimer::new())
        // The time between two requests counts too: this is the idle timeout of a connection.
        .header_read_timeout(edge.options.idle_max)
        .max_buf_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(HEAD_MAX).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

/// Runs the streams of HTTP/2 connections among the node's tasks.
#[derive(Clone)]
struct Spawner(Tasks);

impl<F> Executor<F> for Spawner
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0.spawn(Kind::Request, "http2-stream", stream);
    }
}
