//! An object store that speaks S3: one signed GET for each object, on a connection of its own.
//!
//! The number of fetches at a time, the bytes of each and its time are bounded. Redirects are not followed: an object store
//! that wants one is configured with the wrong endpoint or region, and its answer says so.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use host::{Clock, Tasks, task::Kind};
use http::{HeaderMap, HeaderValue, Method, Request, Response, header::HOST};
use http_body_util::{BodyExt as _, Empty};
use hyper::{body::Body as _, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use lambda_api::{
    object_store::{self, Refusal},
    sigv4::{self, Secret, SignedRequest, Signer},
};
use model::{ObjectAddress, Region};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Semaphore,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

use super::{Endpoint, Object, ObjectError, Objects, address::Target};

/// How long a fetch may take, the wait for its turn included: less than the SDKs wait for an answer.
const FETCH_MAX: Duration = Duration::from_secs(30);
/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// Fetches at a time: each may hold a whole package in memory.
const FETCHES_MAX: usize = 8;
/// The longest error document that is read.
const ERROR_MAX: u64 = 64 << 10;

/// How to reach an object store.
#[derive(Clone)]
pub struct S3Options {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The region that requests are signed for.
    pub region: Region,
    /// The access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret: Secret,
    /// Whether a bucket is the first part of the path, and not of the host's name.
    pub path_style: bool,
    /// Authorities to trust beside those of the machine, as a PEM file.
    pub ca_file: Option<PathBuf>,
}

/// Why the authorities of an object store cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error("s3.ca_file: {path} holds no readable certificates")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nobody is trusted at all.
    #[error(
        "s3.endpoint is reached by TLS, and this machine trusts no authority; install its certificates or set s3.ca_file"
    )]
    Nobody,
    /// TLS itself cannot be set up.
    #[error("s3: TLS cannot be set up")]
    Tls(#[source] tokio_rustls::rustls::Error),
}

/// A client of an object store.
pub struct S3 {
    options: S3Options,
    tls: Option<TlsConnector>,
    places: Semaphore,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
}

impl S3 {
    /// A client. Nothing is connected yet.
    ///
    /// # Errors
    /// [`TrustError`] if the endpoint is reached by TLS and nobody could prove to be it.
    pub fn new(
        options: S3Options,
        clock: Arc<dyn Clock>,
        tasks: Tasks,
    ) -> Result<Self, TrustError> {
        let tls = options
            .endpoint
            .tls
            .then(|| connector(options.ca_file.as_ref()))
            .transpose()?;
        Ok(Self {
            options,
            tls,
            places: Semaphore::new(FETCHES_MAX),
            clock,
            tasks,
        })
    }

    async fn fetch(&self, object: &ObjectAddress, limit: u64) -> Result<Object, ObjectError> {
        // The semaphore is never closed; without a place the deadline ends the wait.
        let _place = self.places.acquire().await;
        let target = self
            .options
            .endpoint
            .target(object, self.options.path_style);
        let request = self.request(&target)?;
        let response = self.send(&target, request).await?;
        let status = response.status();
        if status.is_success() {
            let version = object_store::version(response.headers());
            let content = self.read(response, limit).await?;
            Ok(Object { content, version })
        } else {
            let body = self.read(response, ERROR_MAX).await.unwrap_or_default();
            Err(Refusal::read(status, &body).into())
        }
    }

    fn request(&self, target: &Target) -> Result<Request<Empty<Bytes>>, ObjectError> {
        let unnameable = |e: &dyn std::fmt::Display| ObjectError::Unnameable(e.to_string());
        let header = |text: &str| HeaderValue::from_str(text).map_err(|e| unnameable(&e));
        let empty = sigv4::body_sha256(b"");
        let mut headers = HeaderMap::new();
        headers.insert(HOST, header(&target.authority)?);
        headers.insert("x-amz-content-sha256", header(&hex::encode(empty))?);
        let signed = SignedRequest {
            method: &Method::GET,
            path: &target.path,
            query: &target.query,
            headers: &headers,
            authority: None,
            body_sha256: empty,
        };
        let signer = Signer {
            access_key_id: &self.options.access_key_id,
            secret: &self.options.secret,
            session_token: None,
            region: &self.options.region,
            service: "s3",
        };
        let added = sigv4::sign(&signed, &signer, self.clock.wall()).map_err(|e| unnameable(&e))?;
        headers.extend(added);
        let uri = if target.query.is_empty() {
            target.path.clone()
        } else {
            format!("{}?{}", target.path, target.query)
        };
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri.parse().map_err(|e| unnameable(&e))?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    async fn send(
        &self,
        target: &Target,
        request: Request<Empty<Bytes>>,
    ) -> Result<Response<Incoming>, ObjectError> {
        let connecting = tokio::time::timeout(CONNECT_MAX, self.connect(&target.host));
        let io = match connecting.await {
            Ok(connected) => connected.map_err(|e| self.unreachable(e))?,
            Err(_) => return Err(self.unreachable(io::Error::from(io::ErrorKind::TimedOut))),
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(io))
            .await
            .map_err(|e| self.unreachable(e))?;
        self.tasks
            .spawn(Kind::Connection, "object-store", async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to the object store broke");
                }
            });
        let sent = sender.send_request(request).await;
        sent.map_err(|e| self.unreachable(e))
    }

    async fn connect(&self, host: &str) -> io::Result<Box<dyn Io>> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let tcp = TcpStream::connect((bare, self.options.endpoint.port)).await?;
        tcp.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(tcp));
        };
        let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(tls.connect(name, tcp).await?))
    }

    async fn read(&self, response: Response<Incoming>, limit: u64) -> Result<Bytes, ObjectError> {
        let mut body = response.into_body();
        if body.size_hint().lower() > limit {
            return Err(ObjectError::TooLarge { limit });
        }
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| self.unreachable(e))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            whole.extend_from_slice(&data);
            if u64::try_from(whole.len()).unwrap_or(u64::MAX) > limit {
                return Err(ObjectError::TooLarge { limit });
            }
        }
        Ok(whole.freeze())
    }

    fn unreachable(
        &self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ObjectError {
        ObjectError::Unreachable {
            endpoint: self.options.endpoint.to_string(),
            source: source.into(),
        }
    }
}

#[async_trait]
impl Objects for S3 {
    async fn get(&self, object: &ObjectAddress, limit: u64) -> Result<Object, ObjectError> {
        tokio::time::timeout(FETCH_MAX, self.fetch(object, limit))
            .await
            .unwrap_or(Err(ObjectError::Deadline(FETCH_MAX)))
    }
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

fn connector(ca_file: Option<&PathBuf>) -> Result<TlsConnector, TrustError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if let Some(path) = ca_file {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| TrustError::File {
            path: path.clone(),
            source,
        };
        let own = CertificateDer::pem_file_iter(path).map_err(|e| failed(e.into()))?;
        for certificate in own {
            let certificate = certificate.map_err(|e| failed(e.into()))?;
            roots.add(certificate).map_err(|e| failed(e.into()))?;
        }
    }
    if roots.is_empty() {
        return Err(TrustError::Nobody);
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
