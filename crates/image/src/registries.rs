//! How each registry is reached.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, pem::PemObject as _},
    },
};

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password, or a token in its place.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// How one registry is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    /// By HTTP without TLS.
    pub plain: bool,
    /// Who asks; anonymous if `None`.
    pub credentials: Option<Credentials>,
    /// Authorities that may vouch for it beside those of the machine, as a PEM file.
    pub ca_file: Option<PathBuf>,
}

/// How registries are reached, by `HOST[:PORT]`. One that is not listed is reached by TLS and anonymously, if that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registries {
    /// Those that are listed.
    pub listed: BTreeMap<String, Registry>,
    /// Whether others are asked at all.
    pub others: bool,
    /// Whether those of this machine itself are reached without TLS if they are not listed. For development.
    pub plain_loopback: bool,
}

impl Default for Registries {
    fn default() -> Self {
        Self {
            listed: BTreeMap::new(),
            others: true,
            plain_loopback: false,
        }
    }
}

/// Why the authorities of a registry cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error("registries: {path} holds no readable certificates")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// TLS itself cannot be set up.
    #[error("registries: TLS cannot be set up")]
    Tls(#[source] tokio_rustls::rustls::Error),
}

/// A registry that is ready to be connected to.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) plain: bool,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) tls: TlsConnector,
}

/// Every way, prepared once.
pub(crate) struct Ways {
    listed: BTreeMap<String, Way>,
    others: Option<Way>,
    loopback: Option<Way>,
    tls: TlsConnector,
}

impl Ways {
    pub(crate) fn new(registries: &Registries) -> Result<Self, TrustError> {
        let tls = connector(None)?;
        let mut listed = BTreeMap::new();
        for (name, registry) in &registries.listed {
            let own = match &registry.ca_file {
                Some(path) => connector(Some(path))?,
                None => tls.clone(),
            };
            let way = Way {
                plain: registry.plain,
                credentials: registry.credentials.clone(),
                tls: own,
            };
            listed.insert(name.clone(), way);
        }
        let others = registries.others.then(|| Way {
            plain: false,
            credentials: None,
            tls: tls.clone(),
        });
        let loopback = registries.plain_loopback.then(|| Way {
            plain: true,
            credentials: None,
            tls: tls.clone(),
        });
        Ok(Self {
            listed,
            others,
            loopback,
            tls,
        })
    }

    /// How to reach a registry that the name of an image says; `None` if it is not to be asked.
    pub(crate) fn of(&self, registry: &str) -> Option<&Way> {
        let loopback = self.loopback.as_ref().filter(|_| is_loopback(registry));
        self.listed
            .get(registry)
            .or(loopback)
            .or(self.others.as_ref())
    }

    /// How to reach a host that a registry sends to.
    pub(crate) fn elsewhere(&self, host: &str) -> Way {
        let listed = self.listed.get(host);
        Way {
            plain: match listed {
                Some(way) => way.plain,
                None => self.loopback.is_some() && is_loopback(host),
            },
            credentials: None,
            tls: listed.map_or(&self.tls, |way| &way.tls).clone(),
        }
    }
}

fn is_loopback(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    host == "localhost"
        || host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|a| a.is_loopback())
}

fn connector(ca_file: Option<&PathBuf>) -> Result<TlsConnector, TrustError> {
    let mut roots = RootCertStore::empty();
    // A machine that trusts nobody reaches plain registries all the same; TLS then fails by name.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| TrustError::File {
            path: path.clone(),
            source,
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(|e| failed(e.into()))? {
            let certificate = certificate.map_err(|e| failed(e.into()))?;
            roots.add(certificate).map_err(|e| failed(e.into()))?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
