//! The way from a command to a frontend: its address, and a connection to it, with TLS or without.

use std::{io, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use host::net::Io;
use http::uri::Authority;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long a connection may take, its handshake included.
const CONNECT: Duration = Duration::from_secs(5);

/// Where a frontend is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// What the signature covers as the host.
    pub(super) authority: Authority,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_secure: bool,
}

impl Address {
    /// Reads what people write. `has_ca`: they have named whose certificates they trust; `port`: that where none is named.
    pub(super) fn parse(endpoint: &str, has_ca: bool, port: u16) -> Result<Self, anyhow::Error> {
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
        let port = authority.port_u16().unwrap_or(port);
        Ok(Self {
            authority,
            host,
            port,
            is_secure,
        })
    }
}

/// A connection, made within a limit, with TLS if a connector is given.
pub(super) async fn connect(
    host: &str,
    port: u16,
    tls: Option<&TlsConnector>,
) -> io::Result<Box<dyn Io>> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
    let connecting = tokio::time::timeout(CONNECT, connect_at_last(host, port, tls));
    connecting.await.map_err(late)?
}

async fn connect_at_last(
    host: &str,
    port: u16,
    tls: Option<&TlsConnector>,
) -> io::Result<Box<dyn Io>> {
    // A literal of IPv6 stands in brackets, and a certificate names it without.
    let host = host.trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = tls else {
        return Ok(Box::new(stream));
    };
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok(Box::new(tls.connect(name, stream).await?))
}

/// TLS with those who are signed by these certificates, or by ones that this machine trusts. `alpn`: what is spoken.
pub(super) fn connector(ca: Option<&Path>, alpn: &[u8]) -> Result<TlsConnector, anyhow::Error> {
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
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let parsed = |endpoint: &str, has_ca: bool| {
            let address = Address::parse(endpoint, has_ca, 9001).map_err(|e| e.to_string())?;
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
