//! The node that a certificate names.

use model::{NodeName, Role, Roles, node::InvalidNodeText};
use x509_parser::extensions::GeneralName;

use crate::net::PeerIdentity;

const SCHEME: &str = "dunlin://";

/// Why a certificate names no node of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentity {
    /// Not a certificate.
    #[error("expected an X.509 certificate")]
    Malformed,
    /// No name of ours, or more than one.
    #[error("expected one dunlin:// URI among the alternative names, got {0}")]
    Count(usize),
    /// A name of ours that does not have its form.
    #[error("expected dunlin://<cluster>/node/<name>?roles=<roles>, got {0:?}")]
    Form(String),
    /// A part that is no node name or no role.
    #[error(transparent)]
    Part(#[from] InvalidNodeText),
    /// A node of somebody else.
    #[error("expected a node of cluster {expected}, got one of {actual}")]
    Cluster {
        /// Ours.
        expected: String,
        /// Theirs.
        actual: String,
    },
}

/// Reads the node that a certificate (DER) names. Says nothing about who signed it.
///
/// # Errors
/// [`InvalidIdentity`] if it names no node of this cluster, or more than one.
pub fn identity_of(der: &[u8], cluster: &str) -> Result<PeerIdentity, InvalidIdentity> {
    let names = our_names(der)?;
    let [name] = names.as_slice() else {
        return Err(InvalidIdentity::Count(names.len()));
    };
    parse(name, cluster)
}

/// The text that names a node.
pub(super) fn uri(cluster: &str, node: &NodeName, roles: Roles) -> String {
    format!("{SCHEME}{cluster}/node/{node}?roles={roles}")
}

/// The text that names an authority.
pub(super) fn authority_uri(cluster: &str) -> String {
    format!("{SCHEME}{cluster}")
}

/// The cluster of an authority's certificate.
pub(super) fn cluster_of(der: &[u8]) -> Result<String, InvalidIdentity> {
    let names = our_names(der)?;
    match names.as_slice() {
        [name] if !name.contains("/node/") => Ok(name.trim_start_matches(SCHEME).to_owned()),
        [name] => Err(InvalidIdentity::Form(name.clone())),
        _ => Err(InvalidIdentity::Count(names.len())),
    }
}

fn our_names(der: &[u8]) -> Result<Vec<String>, InvalidIdentity> {
    let malformed = |_| InvalidIdentity::Malformed;
    let (_, certificate) =
        x509_parser::parse_x509_certificate(der).map_err(|_| InvalidIdentity::Malformed)?;
    let names = certificate.subject_alternative_name().map_err(malformed)?;
    let all = names.iter().flat_map(|n| n.value.general_names.iter());
    Ok(all
        .filter_map(|name| match name {
            GeneralName::URI(uri) if uri.starts_with(SCHEME) => Some((*uri).to_owned()),
            _ => None,
        })
        .collect())
}

fn parse(uri: &str, cluster: &str) -> Result<PeerIdentity, InvalidIdentity> {
    let form = || InvalidIdentity::Form(uri.chars().take(300).collect());
    let rest = uri.strip_prefix(SCHEME).ok_or_else(form)?;
    let (actual, rest) = rest.split_once("/node/").ok_or_else(form)?;
    let (name, roles) = rest.split_once("?roles=").ok_or_else(form)?;
    if actual != cluster {
        return Err(InvalidIdentity::Cluster {
            expected: cluster.to_owned(),
            actual: actual.to_owned(),
        });
    }
    let named = roles.split(',').filter(|role| !role.is_empty());
    Ok(PeerIdentity {
        node: name.parse()?,
        roles: named.map(str::parse::<Role>).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_round_trips() {
        let node: NodeName = "worker-1.zone-a".parse().unwrap();
        for roles in [
            Roles::ALL,
            Roles::default(),
            Roles::default().with(Role::Worker),
        ] {
            let text = uri("blue", &node, roles);
            let identity = parse(&text, "blue").unwrap();
            assert_eq!((identity.node, identity.roles), (node.clone(), roles));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "dunlin://blue/node/a",
            "dunlin://blue?roles=worker",
            "dunlin://blue/node/A?roles=worker",
            "dunlin://blue/node/?roles=worker",
            "dunlin://blue/node/a/node/b?roles=worker",
            "dunlin://blue/node/a?roles=worker,king",
            "dunlin://blue/node/a?roles=worker&roles=controller",
            "dunlin://green/node/a?roles=worker",
            "dunlin://blue/x/node/a?roles=worker",
            "http://blue/node/a?roles=worker",
        ] {
            assert!(parse(bad, "blue").is_err(), "{bad}");
        }
    }
}
