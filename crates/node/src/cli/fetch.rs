//! One question to an admin endpoint.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How long the whole question may take.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const ANSWER_MAX: usize = 16 << 20;

/// What the endpoint answers to a GET, if it answers 200.
pub(crate) async fn get(endpoint: &str, path: &str) -> Result<String, anyhow::Error> {
    let address = endpoint
        .strip_prefix("http://")
        .unwrap_or(endpoint)
        .trim_end_matches('/');
    tokio::time::timeout(LIMIT, exchange(address, path))
        .await
        .with_context(|| format!("{address} did not answer within {LIMIT:?}"))?
        .with_context(|| {
            format!("is {address} the admin address (listen.admin) of a running node?")
        })
}

async fn exchange(address: &str, path: &str) -> Result<String, anyhow::Error> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header(header::HOST, address)
        .body(Empty::<Bytes>::new())?;
    let exchange = async move {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_MAX);
        let bytes = body
            .collect()
            .await
            .map_err(anyhow::Error::from_boxed)?
            .to_bytes();
        Ok::<_, anyhow::Error>((status, String::from_utf8_lossy(&bytes).into_owned()))
    };
    let (answer, _) = futures::future::join(exchange, connection).await;
    let (status, text) = answer?;
    if !status.is_success() {
        bail!("it answered {status}: {}", text.trim());
    }
    Ok(text)
}
