//! Certificates that may change under a running node.

use std::{fmt, fs, os::unix::fs::MetadataExt, path::PathBuf, sync::Arc, time::Duration};

use model::Timestamp;
use parking_lot::Mutex;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::CryptoProvider,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    time_provider::TimeProvider,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject};
use tokio::time::Instant;

use super::verify::ClusterVerifier;
use crate::{
    Clock,
    certificate::{
        BUNDLE_FILE, CertificateError, NODE_FILE, NODE_KEY_FILE, NodeCertificate, expires_at,
        identity_of, read,
    },
    net::PeerIdentity,
};

/// How long what was read is believed to be what is on disk.
const FRESH: Duration = Duration::from_secs(1);

/// Where a node's certificate comes from.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Three files, looked at again before handshakes.
    Files {
        /// The node's certificate.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
        /// The authorities that it trusts.
        bundle: PathBuf,
    },
    /// A certificate that was made for this process.
    Memory(NodeCertificate),
}

/// The certificate that callers see.
#[derive(Clone, Debug)]
pub struct PublicFiles {
    /// The chain, the leaf first.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Credentials {
    /// The files of a node in one directory, by their usual names.
    #[must_use]
    pub fn in_directory(directory: &std::path::Path) -> Self {
        Self::Files {
            certificate: directory.join(NODE_FILE),
            key: directory.join(NODE_KEY_FILE),
            bundle: directory.join(BUNDLE_FILE),
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Files {
                certificate,
                key,
                bundle,
            } => vec![certificate.clone(), key.clone(), bundle.clone()],
            Self::Memory(_) => Vec::new(),
        }
    }

    fn read(&self) -> Result<NodeCertificate, CertificateError> {
        match self {
            Self::Files {
                certificate,
                key,
                bundle,
            } => Ok(NodeCertificate {
                certificate: read(certificate)?,
                key: read(key)?,
                bundle: read(bundle)?,
            }),
            Self::Memory(certificate) => Ok(certificate.clone()),
        }
    }
}

/// What connections between nodes are made with.
pub(super) struct Internal {
    pub(super) identity: PeerIdentity,
    pub(super) expires_at: Timestamp,
    pub(super) server: Arc<ServerConfig>,
    pub(super) client: Arc<ClientConfig>,
}

/// What connections of callers are made with.
pub(super) struct Public {
    pub(super) server: Arc<ServerConfig>,
}

/// Where a value comes from: the files that it depends on, and how it is made of them.
pub(super) struct Source<T> {
    files: Vec<PathBuf>,
    load: Box<dyn Fn() -> Result<T, CertificateError> + Send + Sync>,
}

/// A value made of files, made again when they change.
pub(super) struct Kept<T> {
    source: Arc<Source<T>>,
    state: Mutex<State<T>>,
}

struct State<T> {
    current: Arc<T>,
    /// The look of the files when they were last read, whether they could be used or not.
    stamp: Vec<Option<Stamp>>,
    looked_at: Instant,
}

/// Two of these differ if a file was replaced or written.
type Stamp = (u64, u64, i64, i64);

impl<T: Send + Sync + 'static> Kept<T> {
    pub(super) fn new(source: Source<T>) -> Result<Self, CertificateError> {
        let stamp = source.stamp();
        let state = State {
            current: Arc::new((source.load)()?),
            stamp,
            looked_at: Instant::now(),
        };
        Ok(Self {
            source: Arc::new(source),
            state: Mutex::new(state),
        })
    }

    /// The value of the files as they are, or as they were at most a second ago.
    pub(super) async fn current(&self) -> Arc<T> {
        let known = {
            let mut state = self.state.lock();
            if self.source.files.is_empty() || state.looked_at.elapsed() < FRESH {
                return state.current.clone();
            }
            state.looked_at = Instant::now();
            state.stamp.clone()
        };
        let source = self.source.clone();
        let looked = tokio::task::spawn_blocking(move || {
            // The look comes before the content: if a file changes in between, the next look differs again.
            let stamp = source.stamp();
            (stamp != known).then(|| (stamp, (source.load)()))
        });
        match looked.await {
            Ok(Some((stamp, loaded))) => self.take(stamp, loaded),
            Ok(None) => self.state.lock().current.clone(),
            Err(error) => {
                tracing::warn!(%error, "certificates could not be looked at");
                self.state.lock().current.clone()
            }
        }
    }

    fn take(&self, stamp: Vec<Option<Stamp>>, loaded: Result<T, CertificateError>) -> Arc<T> {
        let mut state = self.state.lock();
        state.stamp = stamp;
        match loaded {
            Ok(value) => {
                tracing::info!(files = ?self.source.files, "new certificates are in use");
                state.current = Arc::new(value);
            }
            Err(error) => {
                tracing::warn!(files = ?self.source.files, error = &error as &dyn std::error::Error, "new certificates cannot be used; the old ones stay in use");
            }
        }
        state.current.clone()
    }
}

impl<T> Source<T> {
    fn stamp(&self) -> Vec<Option<Stamp>> {
        let look = |file: &PathBuf| {
            let metadata = fs::metadata(file).ok()?;
            Some((
                metadata.ino(),
                metadata.len(),
                metadata.mtime(),
                metadata.mtime_nsec(),
            ))
        };
        self.files.iter().map(look).collect()
    }
}

impl Internal {
    pub(super) fn source(
        cluster: Arc<str>,
        credentials: Credentials,
        clock: Arc<dyn Clock>,
    ) -> Source<Self> {
        Source {
            files: credentials.files(),
            load: Box::new(move || Self::make(&cluster, &credentials.read()?, &clock)),
        }
    }

    fn make(
        cluster: &Arc<str>,
        node: &NodeCertificate,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, CertificateError> {
        let chain = chain(&node.certificate)?;
        let leaf = chain.first().ok_or(CertificateError::Malformed {
            expected: "a certificate",
        })?;
        let identity = identity_of(leaf, cluster).map_err(|source| CertificateError::Identity {
            cluster: cluster.to_string(),
            source,
        })?;
        let provider = provider();
        let verifier = ClusterVerifier::new(cluster.clone(), roots(&node.bundle)?, &provider)
            .map_err(CertificateError::Unusable)?;
        let verifier = Arc::new(verifier);
        let time = WallTime::of(clock);

        let mut server = ServerConfig::builder_with_details(provider.clone(), time.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(CertificateError::Unusable)?
            .with_client_cert_verifier(verifier.clone())
            .with_single_cert(chain.clone(), key(&node.key)?)
            .map_err(CertificateError::Unusable)?;
        server.alpn_protocols = vec![b"h2".to_vec()];
        never_resume(&mut server);

        let mut client = ClientConfig::builder_with_details(provider, time)
            .with_protocol_versions(&[&TLS13])
            .map_err(CertificateError::Unusable)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_auth_cert(chain, key(&node.key)?)
            .map_err(CertificateError::Unusable)?;
        client.alpn_protocols = vec![b"h2".to_vec()];
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        Ok(Self {
            identity,
            expires_at: expires_at(&node.certificate)?,
            server: Arc::new(server),
            client: Arc::new(client),
        })
    }
}

impl Public {
    pub(super) fn source(files: PublicFiles, clock: Arc<dyn Clock>) -> Source<Self> {
        Source {
            files: vec![files.certificate.clone(), files.key.clone()],
            load: Box::new(move || {
                let chain = chain(&read(&files.certificate)?)?;
                let mut server =
                    ServerConfig::builder_with_details(provider(), WallTime::of(&clock))
                        .with_protocol_versions(&[&TLS13, &TLS12])
                        .map_err(CertificateError::Unusable)?
                        .with_client_cert_verifier(WebPkiClientVerifier::no_client_auth())
                        .with_single_cert(chain, key(&read(&files.key)?)?)
                        .map_err(CertificateError::Unusable)?;
                server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
                Ok(Self {
                    server: Arc::new(server),
                })
            }),
        }
    }
}

fn never_resume(server: &mut ServerConfig) {
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    crate::certificate::certificates(pem)
}

fn roots(bundle: &str) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for authority in chain(bundle)? {
        roots.add(authority).map_err(CertificateError::Unusable)?;
    }
    Ok(roots)
}

fn key(pem: &str) -> Result<PrivateKeyDer<'static>, CertificateError> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| CertificateError::Malformed {
        expected: "a private key",
    })
}

/// The node's clock in the form that rustls asks for.
struct WallTime(Arc<dyn Clock>);

impl WallTime {
    fn of(clock: &Arc<dyn Clock>) -> Arc<dyn TimeProvider> {
        Arc::new(Self(clock.clone()))
    }
}

impl TimeProvider for WallTime {
    fn current_time(&self) -> Option<UnixTime> {
        let since_epoch = Duration::from_millis(self.0.wall().as_millis());
        Some(UnixTime::since_unix_epoch(since_epoch))
    }
}

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallTime")
    }
}
