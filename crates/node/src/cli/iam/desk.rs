//! The other end of a command: a frontend, asked over gRPC, each call signed.

use std::{io, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, anyhow, bail};
use host::{Clock, SystemClock, net::Io};
use http::{Uri, uri::Authority};
use hyper_util::rt::TokioIo;
use lambda_api::sigv4::{self, Signer};
use model::{AccountId, Region};
use proto::v1::identity_client::IdentityClient;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::{
    Code, Request, Response, Status,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};

use super::{
    access::Access,
    credentials::{self, Credentials},
};

/// How long a connection may take, its handshake included.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one call may take.
const CALL: Duration = Duration::from_secs(10);
/// The port of gRPC where none is named.
const PORT: u16 = 9001;
/// The trailer that names an error.
const ERROR_TYPE: &str = "dunlin-error-type";
/// Pages that one list may have.
const PAGES_MAX: usize = 10_000;
/// Items that are asked for at a time.
pub(super) const PAGE: u32 = 1000;

/// A way to ask, as somebody.
pub(super) struct Desk {
    /// The service.
    pub(super) client: IdentityClient<Channel>,
    authority: String,
    credentials: Option<Credentials>,
    region: Region,
    account: Option<AccountId>,
}

impl Desk {
    /// Finds the access key, and gets ready to connect. Nothing is sent yet.
    pub(super) fn open(
        access: &Access,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, anyhow::Error> {
        let credentials = credentials::find(access.profile.as_deref(), variable)?;
        let address = Address::parse(&access.endpoint, access.ca.is_some())?;
        let tls = (address.is_secure).then(|| connector(access.ca.as_deref()));
        let region = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        let region = region.iter().find_map(|name| variable(name)?.parse().ok());
        Ok(Self {
            authority: address.authority.to_string(),
            client: IdentityClient::new(channel(&address, tls.transpose()?)?),
            credentials,
            region: region.unwrap_or_default(),
            account: access.account,
        })
    }

    /// The account to act on, as messages name it.
    pub(super) fn account(&self) -> String {
        let account = self.account.map(|account| account.to_string());
        account.unwrap_or_default()
    }

    /// A call of a method, signed.
    pub(super) fn call<M>(&self, method: &str, message: M) -> Result<Request<M>, anyhow::Error> {
        let mut request = Request::new(message);
        request.set_timeout(CALL);
        let Some(credentials) = &self.credentials else {
            return Ok(request);
        };
        let signer = Signer {
            access_key_id: &credentials.access_key_id,
            secret: &credentials.secret,
            session_token: credentials.session_token.as_deref(),
            region: &self.region,
            service: sigv4::SERVICE,
        };
        let path = format!("/dunlin.v1.Identity/{method}");
        let headers = sigv4::sign_call(&path, &self.authority, &signer, SystemClock.wall())?;
        *request.metadata_mut() = MetadataMap::from_headers(headers);
        request.set_timeout(CALL);
        Ok(request)
    }

    /// What a call gave, or why it gave nothing.
    pub(super) fn told<T>(&self, answer: Result<Response<T>, Status>) -> Result<T, anyhow::Error> {
        match answer {
            Ok(response) => Ok(response.into_inner()),
            Err(status) => Err(self.refusal(&status)),
        }
    }

    fn refusal(&self, status: &Status) -> anyhow::Error {
        let name = status.metadata().get(ERROR_TYPE);
        let Some(name) = name.and_then(|name| name.to_str().ok()) else {
            let endpoint = &self.authority;
            let cause = innermost(status);
            return anyhow!(
                "{endpoint}: {cause}; is it the gRPC address (listen.grpc) of a running frontend?"
            );
        };
        if status.code() == Code::Unauthenticated && self.credentials.is_none() {
            return anyhow!(
                "{name}: no access key was found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a --profile of the \
                 shared credentials file"
            );
        }
        anyhow!("{name}: {}", status.message())
    }

    /// Every item of a list, page after page. `ask` fetches the page after a marker.
    pub(super) async fn all<T>(
        &mut self,
        ask: impl AsyncFn(&mut Self, String) -> Result<(Vec<T>, String), anyhow::Error>,
    ) -> Result<Vec<T>, anyhow::Error> {
        let (mut all, mut marker) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let (items, next) = ask(self, marker).await?;
            all.extend(items);
            if next.is_empty() {
                return Ok(all);
            }
            marker = next;
        }
        bail!("the list has no end after {PAGES_MAX} pages")
    }
}

/// Where a frontend is.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    /// What the signature covers as the host.
    authority: Authority,
    host: String,
    port: u16,
    is_secure: bool,
}

impl Address {
    fn parse(endpoint: &str, has_ca: bool) -> Result<Self, anyhow::Error> {
        let expected = || {
            format!("expected HOST:PORT, http://HOST:PORT or https://HOST:PORT, got {endpoint:?}")
        };
        let (scheme, rest) = endpoint
            .split_once("://")
            .map_or((None, endpoint), |(scheme, rest)| (Some(scheme), rest));
        let is_secure = match scheme {
            None => has_ca,
            Some("https") => true,
            Some("http") if !has_ca => false,
            Some("http") => bail!("--ca is for TLS, and {endpoint} is without"),
            Some(_) => bail!("{}", expected()),
        };
        let authority: Authority = rest.trim_end_matches('/').parse().with_context(expected)?;
        // Names and passwords are no part of an address here.
        if authority.as_str().contains('@') || authority.host().is_empty() {
            bail!("{}", expected());
        }
        let host = authority.host().to_owned();
        let port = authority.port_u16().unwrap_or(PORT);
        Ok(Self {
            authority,
            host,
            port,
            is_secure,
        })
    }
}

fn channel(address: &Address, tls: Option<TlsConnector>) -> Result<Channel, anyhow::Error> {
    let scheme = if address.is_secure { "https" } else { "http" };
    let endpoint = Endpoint::from_shared(format!("{scheme}://{}", address.authority))?;
    // A literal of IPv6 stands in brackets, and a certificate names it without.
    let host = address.host.trim_matches(['[', ']']).to_owned();
    let (port, tls) = (address.port, tls.map(Arc::new));
    let connector = tower::service_fn(move |_: Uri| {
        let (host, tls) = (host.clone(), tls.clone());
        async move {
            let connecting = tokio::time::timeout(CONNECT, connect(host, port, tls.as_deref()));
            let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
            Ok::<_, io::Error>(TokioIo::new(connecting.await.map_err(late)??))
        }
    });
    Ok(endpoint.connect_with_connector_lazy(connector))
}

async fn connect(host: String, port: u16, tls: Option<&TlsConnector>) -> io::Result<Box<dyn Io>> {
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = tls else {
        return Ok(Box::new(stream));
    };
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    Ok(Box::new(tls.connect(name, stream).await?))
}

fn connector(ca: Option<&Path>) -> Result<TlsConnector, anyhow::Error> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            let bad = || format!("{} holds no certificates in PEM", path.display());
            for certificate in CertificateDer::pem_file_iter(path).with_context(bad)? {
                roots
                    .add(certificate.with_context(bad)?)
                    .with_context(bad)?;
            }
            if roots.is_empty() {
                bail!("{}", bad());
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                bail!("this machine trusts no certificates; name those to trust with --ca");
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// What is at the bottom of a call that came to nothing.
fn innermost(status: &Status) -> String {
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(status);
    let mut said = status.message().to_owned();
    while let Some(cause) = next {
        said = cause.to_string();
        next = cause.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let parsed = |endpoint: &str, has_ca: bool| {
            let address = Address::parse(endpoint, has_ca).map_err(|e| e.to_string())?;
            let Address {
                authority,
                host,
                port,
                is_secure,
            } = address;
            Ok::<_, String>(format!("{authority} {host} {port} {is_secure}"))
        };
        for (endpoint, has_ca, expected) in [
            (
                "127.0.0.1:9001",
                false,
                "127.0.0.1:9001 127.0.0.1 9001 false",
            ),
            ("127.0.0.1:9001", true, "127.0.0.1:9001 127.0.0.1 9001 true"),
            (
                "http://a.example:1/",
                false,
                "a.example:1 a.example 1 false",
            ),
            ("https://a.example", false, "a.example a.example 9001 true"),
            ("https://[::1]:7", true, "[::1]:7 [::1] 7 true"),
        ] {
            assert_eq!(parsed(endpoint, has_ca), Ok(expected.to_owned()));
        }
        for (endpoint, has_ca) in [
            ("", false),
            ("ftp://a", false),
            ("http://a", true),
            ("a b", false),
            ("https://me:secret@a", false),
            ("a/b", false),
        ] {
            assert!(parsed(endpoint, has_ca).is_err(), "{endpoint}");
        }
    }
}
