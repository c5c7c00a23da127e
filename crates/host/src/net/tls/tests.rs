use std::path::Path;

use model::{NodeName, Role, Roles};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::{
    SystemEntropy,
    certificate::{Authority, NodeCertificate, NodeCertificateRequest},
    net::contract,
};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

/// A clock that stands where it was put.
struct Standing(Mutex<Timestamp>);

impl Clock for Standing {
    fn wall(&self) -> Timestamp {
        *self.0.lock()
    }
}

fn standing() -> Arc<Standing> {
    Arc::new(Standing(Mutex::new(NOW)))
}

fn authority(cluster: &str) -> Authority {
    Authority::generate(cluster, NOW, &SystemEntropy::new()).unwrap()
}

fn leaf(authority: &Authority, name: &str, role: Role) -> NodeCertificate {
    let request = NodeCertificateRequest {
        name: name.parse().unwrap(),
        roles: Roles::default().with(role),
        alternative_names: vec!["localhost".to_owned()],
        valid_days: 30,
    };
    let entropy = SystemEntropy::new();
    authority.issue(&request, NOW, &entropy).unwrap()
}

fn network(cluster: &str, credentials: Credentials) -> TlsNetwork {
    let options = TlsOptions {
        cluster: cluster.to_owned(),
        credentials,
        public: None,
    };
    TlsNetwork::new(options, standing()).unwrap()
}

fn identity(name: &str, role: Role) -> PeerIdentity {
    PeerIdentity {
        node: name.parse::<NodeName>().unwrap(),
        roles: Roles::default().with(role),
    }
}

fn any() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// Whether a client and a server come to exchange a byte.
async fn talk(client: &TlsNetwork, server: &dyn Listener) -> io::Result<PeerIdentity> {
    let address = server.local_addr().to_string();
    let serve = async {
        let mut accepted = server.accept().await.unwrap();
        accepted.io.write_all(b"x").await.unwrap();
        accepted.io.flush().await.unwrap();
        accepted
    };
    let call = async {
        let mut connection = client.connect(&address).await?;
        connection.io.read_u8().await?;
        Ok(connection.peer.unwrap())
    };
    tokio::select! {
        biased;
        // The server only comes first when the byte is on its way.
        accepted = serve => {
            let peer = accepted.peer.clone();
            drop(accepted);
            Ok(peer.unwrap())
        }
        refused = call => refused,
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    let ca = authority("blue");
    let memory = |name, role| {
        let credentials = Credentials::Memory(leaf(&ca, name, role));
        Arc::new(network("blue", credentials))
    };
    let pair = contract::Pair {
        server: memory("c1", Role::Controller),
        server_identity: identity("c1", Role::Controller),
        client: memory("w1", Role::Worker),
        client_identity: identity("w1", Role::Worker),
        any: any(),
        caller: contract::plain_caller,
    };
    contract::all(&pair).await;
}

#[tokio::test]
async fn strangers_are_refused_in_both_directions() {
    let blue = authority("blue");
    let server_of = async |ca: &Authority, cluster: &str| {
        let credentials = Credentials::Memory(leaf(ca, "c1", Role::Controller));
        network(cluster, credentials)
            .bind_internal(any())
            .await
            .unwrap()
    };
    let client_of = |ca: &Authority, cluster: &str| {
        network(cluster, Credentials::Memory(leaf(ca, "w1", Role::Worker)))
    };
    let server = server_of(&blue, "blue").await;
    let peer = talk(&client_of(&blue, "blue"), &*server).await.unwrap();
    assert_eq!(peer, identity("w1", Role::Worker));

    // Another authority with the same name; another cluster.
    for (stranger, cluster) in [(authority("blue"), "blue"), (authority("green"), "green")] {
        assert!(
            talk(&client_of(&stranger, cluster), &*server)
                .await
                .is_err()
        );
        let theirs = server_of(&stranger, cluster).await;
        assert!(talk(&client_of(&blue, "blue"), &*theirs).await.is_err());
    }
    // An authority that we trust and that signs for another cluster as well.
    let mut mixed = leaf(&authority("green"), "w1", Role::Worker);
    mixed.bundle.push_str(&blue.bundle_pem());
    let mut trusting = leaf(&blue, "c1", Role::Controller);
    trusting.bundle.push_str(mixed.bundle_pem());
    let server = network("blue", Credentials::Memory(trusting));
    let server = server.bind_internal(any()).await.unwrap();
    let green = network("green", Credentials::Memory(mixed));
    assert!(talk(&green, &*server).await.is_err());
    // No certificate at all.
    let mut plain = TcpStream::connect(server.local_addr()).await.unwrap();
    plain.write_all(b"PRI * HTTP/2.0\r\n\r\n").await.unwrap();
    assert!(talk(&client_of(&blue, "blue"), &*server).await.is_ok());
}

#[tokio::test]
async fn certificates_that_ended_are_refused() {
    let ca = authority("blue");
    let late = Arc::new(Standing(Mutex::new(NOW.plus(DAY * 31))));
    let options = |name, role| TlsOptions {
        cluster: "blue".to_owned(),
        credentials: Credentials::Memory(leaf(&ca, name, role)),
        public: None,
    };
    let server = TlsNetwork::new(options("c1", Role::Controller), late.clone()).unwrap();
    let listener = server.bind_internal(any()).await.unwrap();
    let client = TlsNetwork::new(options("w1", Role::Worker), standing()).unwrap();
    assert_eq!(client.expires_at().await, NOW.plus(DAY * 30));
    assert!(talk(&client, &*listener).await.is_err());
    *late.0.lock() = NOW;
    assert!(talk(&client, &*listener).await.is_ok());
}

#[tokio::test]
async fn new_files_are_used_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let old = authority("blue");
    let new = old.rotate(NOW, &SystemEntropy::new()).unwrap();
    let path = |name: &str| directory.path().join(name);
    leaf(&old, "c1", Role::Controller)
        .save(&path("c1"))
        .unwrap();
    leaf(&old, "w1", Role::Worker).save(&path("w1")).unwrap();
    let server = network("blue", Credentials::in_directory(&path("c1")));
    let client = network("blue", Credentials::in_directory(&path("w1")));
    let listener = server.bind_internal(any()).await.unwrap();
    talk(&client, &*listener).await.unwrap();

    // A half of a pair cannot be used: the old one stays.
    std::fs::copy(path("w1").join("node.key"), path("c1").join("node.key")).unwrap();
    a_second_passes().await;
    talk(&client, &*listener).await.unwrap();

    // The new authority issues both; the client's new role shows.
    leaf(&new, "c1", Role::Controller)
        .save(&path("c1"))
        .unwrap();
    leaf(&new, "w1", Role::Frontend).save(&path("w1")).unwrap();
    a_second_passes().await;
    let peer = talk(&client, &*listener).await.unwrap();
    assert_eq!(peer, identity("w1", Role::Frontend));
    assert_eq!(client.identity().await, identity("w1", Role::Frontend));
}

/// Long enough for the files to be looked at again.
async fn a_second_passes() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn slow_peers_keep_nobody_waiting() {
    let ca = authority("blue");
    let server = network(
        "blue",
        Credentials::Memory(leaf(&ca, "c1", Role::Controller)),
    );
    let client = network("blue", Credentials::Memory(leaf(&ca, "w1", Role::Worker)));
    let listener = server.bind_internal(any()).await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(listener.local_addr()).await.unwrap());
    }
    let soon = Duration::from_secs(4);
    let outcome = tokio::time::timeout(soon, talk(&client, &*listener)).await;
    outcome
        .expect("before the silent ones are given up")
        .unwrap();
}

#[tokio::test]
async fn callers_get_tls_if_there_is_a_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let ca = authority("blue");
    let node = leaf(&ca, "f1", Role::Frontend);
    node.save(directory.path()).unwrap();
    let file = |name: &str| directory.path().join(name);
    let options = TlsOptions {
        cluster: "blue".to_owned(),
        credentials: Credentials::Memory(node),
        public: Some(PublicFiles {
            certificate: file("node.pem"),
            key: file("node.key"),
        }),
    };
    let network = TlsNetwork::new(options, standing()).unwrap();
    let listener = network.bind_public(any()).await.unwrap();
    let mut roots = rustls::RootCertStore::empty();
    for root in crate::certificate::certificates(&ca.bundle_pem()).unwrap() {
        roots.add(root).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_details(provider, Arc::new(FixedTime))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let call = async {
        let stream = TcpStream::connect(listener.local_addr()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap();
        stream.write_all(b"x").await.unwrap();
        stream.flush().await.unwrap();
        stream
    };
    let (accepted, _caller) = futures::future::join(listener.accept(), call).await;
    let mut accepted = accepted.unwrap();
    assert_eq!(accepted.peer, None);
    assert_eq!(accepted.io.read_u8().await.unwrap(), b'x');
}

#[test]
fn what_cannot_be_used_is_refused_at_the_start() {
    let ca = authority("blue");
    let mut swapped = leaf(&ca, "c1", Role::Controller);
    swapped.key = leaf(&ca, "c2", Role::Controller).key;
    let of = |cluster: &str, credentials| {
        let options = TlsOptions {
            cluster: cluster.to_owned(),
            credentials,
            public: None,
        };
        TlsNetwork::new(options, standing()).map(drop)
    };
    let good = leaf(&ca, "c1", Role::Controller);
    assert!(matches!(
        of("blue", Credentials::Memory(swapped)),
        Err(CertificateError::Unusable(_))
    ));
    assert!(matches!(
        of("green", Credentials::Memory(good)),
        Err(CertificateError::Identity { .. })
    ));
    assert!(matches!(
        of("blue", Credentials::in_directory(Path::new("/nonexistent"))),
        Err(CertificateError::File { .. })
    ));
}

#[derive(Debug)]
struct FixedTime;

impl rustls::time_provider::TimeProvider for FixedTime {
    fn current_time(&self) -> Option<rustls_pki_types::UnixTime> {
        let since = Duration::from_millis(NOW.as_millis());
        Some(rustls_pki_types::UnixTime::since_unix_epoch(since))
    }
}
