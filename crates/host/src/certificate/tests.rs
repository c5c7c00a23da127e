use std::{os::unix::fs::PermissionsExt, sync::Arc, time::Duration};

use model::{NodeName, Role};
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::UnixTime;

use super::*;
use crate::{SystemEntropy, net::PeerIdentity};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn request(node: &str) -> NodeCertificateRequest {
    NodeCertificateRequest {
        name: name(node),
        roles: Roles::default().with(Role::Worker),
        alternative_names: vec!["w1.example.com".to_owned(), "10.0.0.1".to_owned()],
        valid_days: 30,
    }
}

fn authority() -> Authority {
    Authority::generate("blue", NOW, &SystemEntropy::new()).unwrap()
}

fn issue(authority: &Authority, node: &str) -> NodeCertificate {
    authority
        .issue(&request(node), NOW, &SystemEntropy::new())
        .unwrap()
}

/// Whether a bundle trusts a certificate at a time.
fn trusts(bundle: &str, leaf: &NodeCertificate, at: Timestamp) -> bool {
    let mut roots = rustls::RootCertStore::empty();
    for root in certificates(bundle).unwrap() {
        roots.add(root).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let leaf = certificates(leaf.certificate_pem()).unwrap();
    let at = UnixTime::since_unix_epoch(Duration::from_millis(at.as_millis()));
    verifier.verify_client_cert(&leaf[0], &[], at).is_ok()
}

#[test]
fn a_leaf_names_its_node_and_is_trusted_while_it_lasts() {
    let authority = authority();
    let leaf = issue(&authority, "w1");
    let der = certificates(leaf.certificate_pem()).unwrap();
    let expected = PeerIdentity {
        node: name("w1"),
        roles: Roles::default().with(Role::Worker),
    };
    assert_eq!(identity_of(&der[0], "blue").unwrap(), expected);
    assert!(matches!(
        identity_of(&der[0], "green"),
        Err(InvalidIdentity::Cluster { .. })
    ));

    let end = NOW.plus(Duration::from_secs(30 * 86_400));
    assert_eq!(leaf.expires_at().unwrap(), end);
    let bundle = authority.bundle_pem();
    assert!(trusts(&bundle, &leaf, NOW));
    assert!(!trusts(&bundle, &leaf, end.plus(Duration::from_secs(1))));
    assert!(!trusts(&super::tests::authority().bundle_pem(), &leaf, NOW));
}

#[test]
fn an_authority_is_no_node() {
    let der = certificates(&authority().bundle_pem()).unwrap();
    assert!(identity_of(&der[0], "blue").is_err());
    assert!(identity_of(b"junk", "blue").is_err());
}

#[test]
fn an_authority_survives_its_directory_and_its_key_is_private() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca");
    let first = authority();
    first.save(&path).unwrap();
    first.save(&path).unwrap();
    let loaded = Authority::load(&path).unwrap();
    assert_eq!(loaded.cluster(), "blue");
    assert_eq!(loaded.bundle_pem(), first.bundle_pem());
    assert!(trusts(&first.bundle_pem(), &issue(&loaded, "w1"), NOW));

    let mode = |file: &str| {
        let metadata = std::fs::metadata(path.join(file)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode(AUTHORITY_KEY_FILE), 0o600);
    issue(&loaded, "w1").save(&path).unwrap();
    assert_eq!(mode(NODE_KEY_FILE), 0o600);
    assert!(NodeCertificate::load(&path).unwrap().expires_at().is_ok());
    assert!(Authority::load(directory.path()).is_err());
}

#[test]
fn rotation_trusts_both_until_the_old_one_is_retired() {
    let old = authority();
    let old_leaf = issue(&old, "w1");
    let mut new = old.rotate(NOW, &SystemEntropy::new()).unwrap();
    let new_leaf = issue(&new, "w1");
    assert!(trusts(&new.bundle_pem(), &old_leaf, NOW));
    assert!(trusts(&new.bundle_pem(), &new_leaf, NOW));
    assert!(!trusts(&old.bundle_pem(), &new_leaf, NOW));

    let directory = tempfile::tempdir().unwrap();
    new.save(directory.path()).unwrap();
    new = Authority::load(directory.path()).unwrap();
    assert!(trusts(&new.bundle_pem(), &old_leaf, NOW));
    new.retire();
    assert!(!trusts(&new.bundle_pem(), &old_leaf, NOW));
    assert!(trusts(&new.bundle_pem(), &new_leaf, NOW));
}

#[test]
fn what_cannot_be_is_refused() {
    let entropy = SystemEntropy::new();
    for bad in ["", "Blue", "a/b", "a b"] {
        assert!(matches!(
            Authority::generate(bad, NOW, &entropy),
            Err(CertificateError::ClusterName(_))
        ));
    }
    let authority = authority();
    let with = |change: fn(&mut NodeCertificateRequest)| {
        let mut request = request("w1");
        change(&mut request);
        authority.issue(&request, NOW, &entropy)
    };
    assert!(matches!(
        with(|r| r.valid_days = 0),
        Err(CertificateError::Validity { .. })
    ));
    assert!(matches!(
        with(|r| r.valid_days = 4000),
        Err(CertificateError::Validity { .. })
    ));
    assert!(matches!(
        with(|r| r.alternative_names = vec!["dunlin://blue/node/c1".to_owned()]),
        Err(CertificateError::AlternativeName(_))
    ));
    assert!(
        authority
            .issue(&request("w1"), Timestamp(u64::MAX), &entropy)
            .is_err()
    );
    assert!(expires_at("junk").is_err());
}

#[test]
fn keys_are_not_printed() {
    let authority = authority();
    let leaf = issue(&authority, "w1");
    let printed = format!("{authority:?} {leaf:?}");
    assert!(!printed.contains("PRIVATE"));
}

#[test]
fn a_cluster_of_one_process_trusts_itself() {
    let leaf = self_signed("dev", name("dev"), Roles::ALL, NOW, &SystemEntropy::new()).unwrap();
    assert!(trusts(leaf.bundle_pem(), &leaf, NOW));
}
