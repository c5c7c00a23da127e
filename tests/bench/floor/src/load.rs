//! The client: some connections, each sending the next request when the last one was answered.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde::Serialize;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{request::Template, response::Responses, signature::Signer, summary::Summary};

/// How long one answer is waited for.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// Requests to send, and how.
#[derive(Clone, clap::Args)]
pub(crate) struct Load {
    /// Where to.
    #[arg(long)]
    target: SocketAddr,
    #[arg(long, default_value = "POST")]
    method: String,
    /// Percent-encoded, without a query. `{n}` stands for the number of the request, `{c}` for that of the connection.
    #[arg(long)]
    path: String,
    /// With the same places.
    #[arg(long, default_value = "")]
    body: String,
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// How long to send; or until `requests` were sent.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    #[arg(long, default_value_t = u64::MAX)]
    requests: u64,
    /// The number of the first request.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// The status of an answer that is none of an error.
    #[arg(long, default_value_t = 200)]
    expect: u16,
    /// Signs every request; without it none is signed.
    #[arg(long, requires = "secret_key")]
    access_key: Option<String>,
    #[arg(long, env = "BENCH_SECRET_KEY", hide_env_values = true)]
    secret_key: Option<String>,
    #[arg(long, default_value = "us-east-1")]
    region: String,
}

/// The figures, and what the answers were.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    #[serde(flatten)]
    summary: Summary,
    statuses: BTreeMap<u16, u64>,
    /// The number of the request after the last one.
    next: u64,
}

#[derive(Default)]
struct Seen {
    times: Vec<Duration>,
    statuses: BTreeMap<u16, u64>,
}

impl Load {
    /// Sends until the time or the requests are over.
    pub(crate) fn run(&self) -> anyhow::Result<Outcome> {
        ensure!(self.connections > 0, "expected at least one connection");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.send())
    }

    async fn send(&self) -> anyhow::Result<Outcome> {
        let next = Arc::new(AtomicU64::new(self.first));
        let mut streams = Vec::new();
        for _ in 0..self.connections {
            let stream = TcpStream::connect(self.target)
                .await
                .context("the server does not answer")?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let began = Instant::now();
        let until = began + Duration::from_secs_f64(self.seconds);
        let mut connections = JoinSet::new();
        for (c, stream) in streams.into_iter().enumerate() {
            connections.spawn(self.clone().connection(c, stream, next.clone(), until));
        }
        let mut all = Seen::default();
        while let Some(done) = connections.join_next().await {
            let seen = done??;
            all.times.extend(seen.times);
            for (status, count) in seen.statuses {
                *all.statuses.entry(status).or_default() += count;
            }
        }
        let failures = all
            .statuses
            .iter()
            .filter(|(status, _)| **status != self.expect)
            .map(|(_, count)| count)
            .sum();
        let summary = Summary::of(all.times, failures, began.elapsed());
        Ok(Outcome {
            summary,
            statuses: all.statuses,
            next: next.load(Ordering::Relaxed).min(self.end()),
        })
    }

    async fn connection(
        self,
        c: usize,
        stream: TcpStream,
        next: Arc<AtomicU64>,
        until: Instant,
    ) -> anyhow::Result<Seen> {
        let mut signer = self.signer();
        let template = Template {
            method: self.method.clone(),
            host: self.target.to_string(),
            path: self.path.clone(),
            body: self.body.clone(),
        };
        let mut responses = Responses::new(stream);
        let mut seen = Seen::default();
        while Instant::now() < until {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= self.end() {
                break;
            }
            let request = template.bytes(n, c, signer.as_mut(), Timestamp::now());
            let sent = Instant::now();
            responses.stream().write_all(&request).await?;
            let status = timeout(ANSWER_LIMIT, responses.next())
                .await
                .context("no answer in time")??;
            seen.times.push(sent.elapsed());
            *seen.statuses.entry(status).or_default() += 1;
        }
        Ok(seen)
    }

    fn end(&self) -> u64 {
        self.first.saturating_add(self.requests)
    }

    fn signer(&self) -> Option<Signer> {
        let (access, secret) = (self.access_key.clone()?, self.secret_key.clone()?);
        Some(Signer::new(access, secret, self.region.clone()))
    }
}
