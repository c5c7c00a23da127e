//! Certificates of a cluster: one authority, one leaf a node with its name and roles.
//!
//! The identity of a node is one URI among the alternative names of its leaf,
//! `dunlin://<cluster>/node/<name>?roles=controller,worker`; host names play no part between nodes. An authority is rotated
//! in three steps, none of which needs a restart: [`Authority::rotate`] and hand the longer bundle to every node; issue every
//! node a leaf of the new one; [`Authority::retire`] the old one and hand the short bundle out.
//!
//! Files of an authority: `ca.pem` (the bundle, the issuing certificate first) and `ca.key`. Files of a node: `ca.pem`,
//! `node.pem`, `node.key`. Keys are readable by their owner only.

mod authority;
mod identity;
mod leaf;

use std::{io, path::PathBuf};

use model::{Roles, Timestamp};
use rustls_pki_types::{CertificateDer, pem::PemObject};

pub use authority::Authority;
pub use identity::{InvalidIdentity, identity_of};
pub(crate) use leaf::read;
pub use leaf::{NodeCertificate, NodeCertificateRequest};

use crate::Entropy;

/// The file with the certificates of the authorities that a node trusts.
pub const BUNDLE_FILE: &str = "ca.pem";
/// The file with the key of an authority.
pub const AUTHORITY_KEY_FILE: &str = "ca.key";
/// The file with a node's certificate.
pub const NODE_FILE: &str = "node.pem";
/// The file with a node's key.
pub const NODE_KEY_FILE: &str = "node.key";

/// Why a certificate could not be made, read or kept.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Not the name of a cluster.
    #[error("expected a cluster name of 1 to 63 characters out of a-z, 0-9, . and -, got {0:?}")]
    ClusterName(String),
    /// An alternative name that is neither a DNS name nor an address.
    #[error("expected a DNS name or an IP address as an alternative name, got {0:?}")]
    AlternativeName(String),
    /// A validity that ends nowhere sensible.
    #[error("expected a validity of 1 to 3650 days from a clock that is right, got {days} days from {now}", now = .now.to_rfc3339())]
    Validity {
        /// As asked for.
        days: u32,
        /// What the clock says.
        now: Timestamp,
    },
    /// The cryptography refused.
    #[error("certificate could not be signed")]
    Sign(#[from] rcgen::Error),
    /// A file that cannot be read or written.
    #[error("certificate file {path} cannot be used; check that it is there and whose it is")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something that should be a certificate or a key and is not.
    #[error("expected {expected} in PEM form")]
    Malformed {
        /// What would have been accepted.
        expected: &'static str,
    },
    /// A certificate of our own that names no node of our cluster.
    #[error("certificate does not name a node of cluster {cluster}")]
    Identity {
        /// Where we belong.
        cluster: String,
        /// Why.
        #[source]
        source: InvalidIdentity,
    },
    /// A certificate and a key that do not belong together, or that TLS cannot use.
    #[error("certificate and key cannot be used together; issue this node a new certificate")]
    Unusable(#[source] rustls::Error),
}

/// A certificate for a cluster of one process, with an authority that nobody can use again because its key is dropped.
///
/// # Errors
/// [`CertificateError`] if the cluster has no proper name or the cryptography refuses.
pub fn self_signed(
    cluster: &str,
    node: model::NodeName,
    roles: Roles,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<NodeCertificate, CertificateError> {
    let request = NodeCertificateRequest {
        name: node,
        roles,
        alternative_names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        valid_days: 365,
    };
    Authority::generate(cluster, now, entropy)?.issue(&request, now, entropy)
}

/// When the first certificate of a PEM text ends.
///
/// # Errors
/// [`CertificateError::Malformed`] if there is none.
pub fn expires_at(pem: &str) -> Result<Timestamp, CertificateError> {
    const EXPECTED: CertificateError = CertificateError::Malformed {
        expected: "a certificate",
    };
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| EXPECTED)?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).map_err(|_| EXPECTED)?;
    let seconds = certificate.validity().not_after.timestamp();
    Ok(Timestamp(
        u64::try_from(seconds).unwrap_or(0).saturating_mul(1000),
    ))
}

/// Cluster names have the alphabet and the length of node names.
fn check_cluster(cluster: &str) -> Result<(), CertificateError> {
    match cluster.parse::<model::NodeName>() {
        Ok(_) => Ok(()),
        Err(_) => Err(CertificateError::ClusterName(cluster.to_owned())),
    }
}

pub(crate) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let malformed = CertificateError::Malformed {
        expected: "certificates",
    };
    match CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>() {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(malformed),
    }
}

#[cfg(test)]
mod tests;
