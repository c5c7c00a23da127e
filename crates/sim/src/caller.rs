//! A client of the simulated cluster: signed HTTP/1.1 to the frontends, as an SDK does it, without retries.

use std::{
    collections::BTreeMap,
    io::{Cursor, Write},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use host::{Clock, Entropy, Tasks, task::Kind};
use http::{HeaderMap, Method, Request, header::HOST};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use lambda_api::sigv4::{self, SERVICE, Secret, SignedRequest, Signer};
use model::Role;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    clock::SimClock,
    net, refusals,
    world::{Change, World},
};

/// The access key of all clients.
pub(crate) const ACCESS_KEY: &str = "AKSIMULATED";
/// Its secret.
pub(crate) const SECRET: &str = "simulated";
/// How long a client waits for an answer, unless it says otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);
/// The longest pause before another try at what a client insists on.
const RETRY: Duration = Duration::from_millis(400);
/// How long guests of control workloads would take to start.
const INIT_MS: u64 = 5;
/// Idle connections that are kept to one frontend.
const IDLE_MAX: usize = 4;

/// A client with its own connections.
pub(crate) struct Caller {
    pub(crate) world: Arc<World>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) clock: SimClock,
    pub(crate) credentials: Credentials,
    tasks: Tasks,
    idle: Mutex<BTreeMap<String, Vec<SendRequest<Full<Bytes>>>>>,
    /// Markers by the digest of the package that has them.
    packages: Mutex<BTreeMap<String, String>>,
}

/// Whom a client signs as.
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret: Secret,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Nothing came back.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// The request was not sent.
    #[error("not sent: {0}")]
    NotSent(String),
    /// It may have been.
    #[error("lost: {0}")]
    Lost(String),
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The error type that the API names, without its namespace.
    pub(crate) fn error(&self) -> String {
        let named = self.headers.get("x-amzn-errortype");
        named
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split(':').next())
            .unwrap_or_default()
            .to_owned()
    }

    /// A header; empty if there is none of this name.
    fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).and_then(|v| v.to_str().ok());
        value.unwrap_or_default().to_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A text of the answer; empty if there is none of this name.
    pub(crate) fn text(&self, name: &str) -> String {
        let json = self.json();
        let text = json.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    }
}

impl Caller {
    /// A client with the key of a node's configuration.
    pub(crate) fn new(world: Arc<World>, label: &str) -> Arc<Self> {
        let credentials = Credentials {
            access_key_id: ACCESS_KEY.to_owned(),
            secret: Secret::new(SECRET),
        };
        Self::with(world, label, credentials)
    }

    /// A client with another key.
    pub(crate) fn with(world: Arc<World>, label: &str, credentials: Credentials) -> Arc<Self> {
        Arc::new(Self {
            credentials,
            entropy: world.entropy.fork(label),
            clock: SimClock::new(world.elapsed.clone()),
            tasks: Tasks::in_place(),
            idle: Mutex::default(),
            packages: Mutex::default(),
            world,
        })
    }

    /// A frontend by chance.
    pub(crate) fn frontend(&self) -> String {
        let all = self.world.with_role(Role::Frontend);
        let chosen = self.entropy.below(all.len() as u64);
        self.frontends()
            .into_iter()
            .nth(usize::try_from(chosen).unwrap_or(0))
            .unwrap_or_default()
    }

    /// All frontends.
    pub(crate) fn frontends(&self) -> Vec<String> {
        let all = self.world.with_role(Role::Frontend).into_iter();
        all.filter_map(|n| self.world.nodes.get(n))
            .map(|node| node.name.to_string())
            .collect()
    }

    /// What answers show of the package of a marker.
    pub(crate) fn code(&self, marker: &str) -> String {
        let code = model::Digest::of(&package(marker, INIT_MS)).to_base64();
        self.packages.lock().insert(code.clone(), marker.to_owned());
        code
    }

    /// The package that answers show so, if its marker was named before.
    pub(crate) fn package_of(&self, code: &str) -> Option<Vec<u8>> {
        let packages = self.packages.lock();
        packages.get(code).map(|marker| package(marker, INIT_MS))
    }

    /// Which process of a frontend this is.
    pub(crate) fn starts(&self, frontend: &str) -> u64 {
        let nodes = self.world.nodes.iter();
        let node = nodes.into_iter().find(|n| n.name.as_str() == frontend);
        node.map_or(0, |n| n.process.lock().starts)
    }

    /// Whether it is time to stop.
    pub(crate) fn is_quiet(&self) -> bool {
        self.world.quiet.is_cancelled()
    }

    /// Tries something again and again, with pauses, until it is done or it is time to stop.
    pub(crate) async fn insist(&self, attempt: impl AsyncFn() -> bool) {
        while !self.is_quiet() && !attempt().await {
            self.rest(RETRY).await;
        }
    }

    /// A pause of up to this long.
    pub(crate) async fn rest(&self, most: Duration) {
        let millis = self
            .entropy
            .below(u64::try_from(most.as_millis()).unwrap_or(1));
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    /// Sends one request to a frontend and waits for the answer.
    pub(crate) async fn call(
        &self,
        frontend: &str,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<Answer, NoAnswer> {
        self.call_within(PATIENCE, frontend, method, path, headers, body)
            .await
    }

    /// Like [`call`](Self::call), with a patience of its own.
    pub(crate) async fn call_within(
        &self,
        patience: Duration,
        frontend: &str,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<Answer, NoAnswer> {
        let invokes = path.contains("/invocations");
        let changes = method != Method::GET && !invokes;
        let starts = self.starts(frontend);
        let request = self.sign(frontend, method, path, headers, body)?;
        let exchange = async {
            let mut connection = self.connection(frontend).await?;
            let lost = |error: hyper::Error| NoAnswer::Lost(error.to_string());
            let response = connection.send_request(request).await.map_err(lost)?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(lost)?.to_bytes();
            self.keep(frontend, connection);
            let answer = Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body,
            };
            if let Err(untyped) = refusals::check(invokes, &answer) {
                let what = format!("{frontend} answered {path}: {untyped}");
                self.world.violated(refusals::CHECK, what);
            }
            if changes && answer.is_success() {
                self.world.changes.lock().push(Change {
                    frontend: frontend.to_owned(),
                    starts,
                    request_id: answer.header("x-amzn-requestid"),
                });
            }
            Ok(answer)
        };
        timeout(patience, exchange)
            .await
            .unwrap_or_else(|_| Err(NoAnswer::Lost(format!("nothing within {patience:?}"))))
    }

    fn sign(
        &self,
        frontend: &str,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, NoAnswer> {
        let not_sent = |error: &dyn std::fmt::Display| NoAnswer::NotSent(error.to_string());
        let mut all = HeaderMap::new();
        let host = format!("{frontend}:9000");
        all.insert(HOST, host.parse().map_err(|e| not_sent(&e))?);
        for (name, value) in headers {
            all.insert(*name, value.parse().map_err(|e| not_sent(&e))?);
        }
        let region = model::Region::default();
        let signer = Signer {
            access_key_id: &self.credentials.access_key_id,
            secret: &self.credentials.secret,
            session_token: None,
            region: &region,
            service: SERVICE,
        };
        let (bare, query) = path.split_once('?').unwrap_or((path, ""));
        let signed = SignedRequest {
            method: &method,
            path: bare,
            query,
            headers: &all,
            authority: None,
            body_sha256: sigv4::body_sha256(&body),
        };
        let added = sigv4::sign(&signed, &signer, self.clock.wall()).map_err(|e| not_sent(&e))?;
        all.extend(added);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .body(Full::new(body))
            .map_err(|e| not_sent(&e))?;
        *request.headers_mut() = all;
        Ok(request)
    }

    async fn connection(&self, frontend: &str) -> Result<SendRequest<Full<Bytes>>, NoAnswer> {
        loop {
            let idle = self.idle.lock().get_mut(frontend).and_then(Vec::pop);
            match idle {
                Some(connection) if connection.is_ready() => return Ok(connection),
                Some(_) => {}
                None => break,
            }
        }
        let not_sent = |error: &dyn std::fmt::Display| NoAnswer::NotSent(error.to_string());
        let stream = net::connect(&format!("{frontend}:9000"))
            .await
            .map_err(|e| not_sent(&e))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| not_sent(&e))?;
        self.tasks
            .spawn(Kind::Background, "client connection", async move {
                let _ended = connection.await;
            });
        Ok(sender)
    }

    fn keep(&self, frontend: &str, connection: SendRequest<Full<Bytes>>) {
        let mut idle = self.idle.lock();
        let of = idle.entry(frontend.to_owned()).or_default();
        if of.len() < IDLE_MAX {
            of.push(connection);
        }
    }
}

/// A deployment package whose guest answers this marker.
pub(crate) fn package(marker: &str, init_ms: u64) -> Vec<u8> {
    let script = serde_json::json!({ "marker": marker, "init_ms": init_ms, "init_fails": false });
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .unix_permissions(0o755);
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let written = archive
        .start_file("bootstrap", options)
        .map_err(std::io::Error::other)
        .and_then(|()| archive.write_all(script.to_string().as_bytes()))
        .and_then(|()| archive.finish().map_err(std::io::Error::other));
    written.map(Cursor::into_inner).unwrap_or_default()
}
