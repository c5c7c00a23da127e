//! The floor of one hop: HTTP in, HTTP out to one other server, over kept connections.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{net::TcpStream, task::JoinSet};

/// A server that passes everything on.
#[derive(clap::Args)]
pub(crate) struct Proxy {
    /// To whom.
    #[arg(long)]
    to: SocketAddr,
}

struct Upstream {
    address: SocketAddr,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    drivers: Mutex<JoinSet<()>>,
}

impl Proxy {
    /// Serves until the process is killed.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let upstream = Arc::new(Upstream {
            address: self.to,
            idle: Mutex::default(),
            drivers: Mutex::default(),
        });
        tokio::runtime::Runtime::new()?.block_on(crate::server::serve(move |request| {
            pass_on(upstream.clone(), request)
        }))
    }
}

async fn pass_on(
    upstream: Arc<Upstream>,
    request: Request<Incoming>,
) -> anyhow::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = Full::new(body.collect().await?.to_bytes());
    let mut sender = upstream.sender().await?;
    let response = sender.send_request(Request::from_parts(head, body)).await?;
    let (head, body) = response.into_parts();
    let body = Full::new(body.collect().await?.to_bytes());
    upstream.idle.lock().push(sender);
    Ok(Response::from_parts(head, body))
}

impl Upstream {
    async fn sender(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let kept = self.idle.lock().pop();
        if let Some(mut kept) = kept
            && kept.ready().await.is_ok()
        {
            return Ok(kept);
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await?;
        self.drivers.lock().spawn(async move {
            // The request that was under way tells what broke.
            let _ended = driver.await;
        });
        Ok(sender)
    }
}
