//! The operator's endpoint: health, readiness, metrics, status and a page that shows it, and the audit log of a frontend.
//!
//! Plain HTTP without authentication, on loopback by default, so it answers questions and changes nothing. It outlives
//! the drain of its node: a load balancer that asks `/readyz` meanwhile is told that the node is draining.

pub mod audit_log;
pub mod metrics;
mod process;
pub mod status;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use audit::Recorder;
use bytes::Bytes;
use host::{Tasks, task::Kind};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use metrics::Metrics;
use status::{Readiness, Status};

/// Connections at a time; more wait in the kernel's queue.
const CONNECTIONS: usize = 64;
/// How long a client may take to send its request line and headers.
const HEADER_LIMIT: Duration = Duration::from_secs(5);
/// How long one connection may live.
const CONNECTION_LIMIT: Duration = Duration::from_secs(60);
/// A pause after accepting failed, so that the process can recover.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const PAGE: &str = include_str!("admin/page.html");
const SCRIPT: &str = include_str!("admin/page.js");
const STYLE: &str = include_str!("admin/page.css");
/// The page loads nothing but its own two files and asks nobody but its own node.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the endpoint tells about.
pub trait Subject: Send + Sync + 'static {
    /// Whether the node can do its work now.
    fn readiness(&self) -> Readiness;

    /// What the node knows of itself and its cluster.
    fn status(&self) -> Status;
}

/// The endpoint, without its socket.
pub struct Admin {
    subject: Arc<dyn Subject>,
    metrics: Metrics,
    audit: Option<Recorder>,
}

impl Admin {
    /// An endpoint that tells about a node.
    #[must_use]
    pub fn new(subject: Arc<dyn Subject>, metrics: Metrics) -> Self {
        Self {
            subject,
            metrics,
            audit: None,
        }
    }

    /// One that shows an audit log, too.
    #[must_use]
    pub fn with_audit(self, audit: Option<Recorder>) -> Self {
        Self { audit, ..self }
    }

    /// Answers on this socket until `tasks` drain.
    pub fn serve(self, listener: TcpListener, tasks: &Tasks) {
        let connections = tasks.clone();
        let admin = Arc::new(self);
        tasks.spawn(Kind::Listener, "admin", async move {
            let room = Arc::new(Semaphore::new(CONNECTIONS));
            loop {
                let Ok(permit) = room.clone().acquire_owned().await else {
                    return;
                };
                let stream = match accept(&listener).await {
                    Ok(stream) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "the admin endpoint accepted nothing");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                };
                let admin = admin.clone();
                connections.spawn(Kind::Background, "admin connection", async move {
                    admin.connection(stream).await;
                    drop(permit);
                });
            }
        });
    }

    async fn connection(self: Arc<Self>, stream: TcpStream) {
        let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
            let admin = self.clone();
            async move {
                let (method, uri) = (request.method(), request.uri());
                let query = uri.query().unwrap_or_default();
                Ok::<_, Infallible>(admin.answer(method, uri.path(), query).await)
            }
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_LIMIT)
            .serve_connection(TokioIo::new(stream), service);
        if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_LIMIT, serving).await {
            tracing::debug!(%error, "an admin connection broke");
        }
    }

    async fn answer(&self, method: &Method, path: &str, query: &str) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            return reply(
                StatusCode::METHOD_NOT_ALLOWED,
                TEXT,
                "only GET is answered\n",
            );
        }
        match path {
            "/" => reply(StatusCode::OK, "text/html; charset=utf-8", PAGE),
            "/page.js" => reply(StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT),
            "/page.css" => reply(StatusCode::OK, "text/css; charset=utf-8", STYLE),
            "/healthz" => reply(StatusCode::OK, TEXT, "alive\n"),
            "/readyz" => {
                let readiness = self.subject.readiness();
                let code = if readiness.ready {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                json(code, &readiness)
            }
            "/status" => json(StatusCode::OK, &self.subject.status()),
            "/metrics" => reply(StatusCode::OK, metrics::CONTENT_TYPE, self.metrics.text()),
            audit_log::PATH => match &self.audit {
                Some(audit) => audit_log::answer(audit, query).await,
                None => reply(StatusCode::NOT_FOUND, TEXT, "this node is no frontend\n"),
            },
            _ => reply(
                StatusCode::NOT_FOUND,
                TEXT,
                "try /, /healthz, /readyz, /status, /metrics or /audit\n",
            ),
        }
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn json(code: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => reply(code, "application/json", text + "\n"),
        Err(error) => reply(
            StatusCode::INTERNAL_SERVER_ERROR,
            TEXT,
            format!("{error}\n"),
        ),
    }
}

fn reply(
    code: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    response
}
