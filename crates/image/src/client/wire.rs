//! One request and its answer.

use std::{io, time::Duration};

pub(super) use bytes::Bytes;
use bytes::BytesMut;
use host::{Tasks, task::Kind};
use http::{HeaderMap, Request, Response, Uri, header::HOST};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::{Body as _, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::rustls::pki_types::ServerName;

use crate::registries::Way;

/// How long a connection may take, TLS included.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long the head of an answer may take.
const HEAD_MAX: Duration = Duration::from_secs(30);

pub(super) type Broken = Box<dyn std::error::Error + Send + Sync>;

trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// `HOST[:PORT]`.
    pub(super) authority: String,
    /// Path and query.
    pub(super) path: String,
    pub(super) plain: bool,
}

impl Target {
    /// A URL, as a registry writes it; `None` if it is none that can be followed. One without a host is of `home`.
    pub(super) fn of(url: &str, home: &Self) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let path = uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        let (authority, plain) = match (uri.scheme_str(), uri.authority()) {
            (Some("https"), Some(authority)) => (authority.as_str().to_owned(), false),
            (Some("http"), Some(authority)) => (authority.as_str().to_owned(), true),
            (None, None) if path.starts_with('/') => (home.authority.clone(), home.plain),
            _ => return None,
        };
        (!authority.contains('@')).then_some(Self {
            authority,
            path,
            plain,
        })
    }
}

/// Sends a GET and answers when its head is there.
pub(super) async fn get(
    tasks: &Tasks,
    way: &Way,
    target: &Target,
    mut headers: HeaderMap,
) -> Result<Response<Incoming>, Broken> {
    headers.insert(HOST, target.authority.parse()?);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = target.path.parse()?;
    *request.headers_mut() = headers;
    let connecting = tokio::time::timeout(CONNECT_MAX, connect(way, target));
    let io = connecting
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await?;
    // Not one that a drain waits for: a download may be long.
    tasks.spawn(Kind::Environment, "registry", async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to a registry broke");
        }
    });
    let answering = tokio::time::timeout(HEAD_MAX, sender.send_request(request));
    Ok(answering
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??)
}

async fn connect(way: &Way, target: &Target) -> io::Result<Box<dyn Io>> {
    let authority: http::uri::Authority = target.authority.parse().map_err(io::Error::other)?;
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let port = authority
        .port_u16()
        .unwrap_or(if target.plain { 80 } else { 443 });
    let tcp = TcpStream::connect((host.as_str(), port)).await?;
    tcp.set_nodelay(true)?;
    if target.plain {
        return Ok(Box::new(tcp));
    }
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    Ok(Box::new(way.tls.connect(name, tcp).await?))
}

/// A whole body of at most `limit` bytes.
pub(super) async fn read_whole(mut body: Incoming, limit: u64) -> Result<Bytes, Broken> {
    let too_large = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("expected at most {limit} bytes, got more"),
        )
    };
    if body.size_hint().lower() > limit {
        return Err(too_large().into());
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = tokio::time::timeout(HEAD_MAX, body.frame()).await? {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        whole.extend_from_slice(&data);
        if u64::try_from(whole.len()).unwrap_or(u64::MAX) > limit {
            return Err(too_large().into());
        }
    }
    Ok(whole.freeze())
}
