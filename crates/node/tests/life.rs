//! The life of one node in this process: it starts, serves, drains, crashes, comes back. On real adapters, without a
//! worker, so that no privilege is needed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test helper may give up"
)]

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use host::{
    Clock, Store, SystemClock, SystemEntropy, certificate,
    net::Credentials,
    store::{StoreError, Write},
};
use model::{Role, Roles};
use node::{
    admin::status::Status,
    compose::{self, NodeHandle, StartError},
    config::{self, NodeConfig},
    material::Material,
    real,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A port that was free a moment ago: a controller must know its own before it starts.
fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn config(data: &Path) -> NodeConfig {
    let internal = free();
    let text = format!(
        "[node]\nname = \"a\"\nroles = [\"controller\", \"frontend\"]\ndata_dir = {data:?}\n\
         [listen]\npublic = \"127.0.0.1:0\"\ngrpc = \"127.0.0.1:0\"\ninternal = \"{internal}\"\n\
         [cluster]\ninitial_controllers = [\"a={internal}\"]\ngossip_key_files = [\"none\"]\nidentity_dir = \"none\"\n\
         [auth]\nmode = \"none\"\n\
         [[secrets.master_keys]]\nid = \"m\"\nenv = \"NONE\"\n"
    );
    config::parse(Path::new("dunlin.toml"), &text, &[]).unwrap()
}

fn material(roles: Roles) -> Material {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let name = "a".parse().unwrap();
    let (now, entropy) = (SystemClock.wall(), SystemEntropy::new());
    let certificate = certificate::self_signed("dunlin", name, roles, now, &entropy).unwrap();
    let master = ("m".parse().unwrap(), seal::MasterKey::from_bytes([9; 32]));
    let ring = seal::KeyRing::new(vec![master]).unwrap();
    Material {
        credentials: Credentials::Memory(certificate),
        public: None,
        gossip_keys: vec![[7; 32]],
        access_keys: None,
        master_keys: Some(Arc::new(ring)),
        object_store: None,
        registries: None,
    }
}

async fn start(config: &NodeConfig) -> Result<NodeHandle, StartError> {
    let material = material(config.node.roles);
    let host = real::host(config, &material).await?;
    compose::start(config.clone(), &material, host, None).await
}

async fn ready(config: &NodeConfig) -> NodeHandle {
    let node = start(config).await.unwrap();
    timeout(PATIENCE, node.ready()).await.unwrap();
    node
}

fn status(node: &NodeHandle) -> Status {
    node.subject().status()
}

async fn list_functions(node: &NodeHandle) -> String {
    let address = node.addresses().public.unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /2015-03-31/functions HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    timeout(PATIENCE, read).await.unwrap().unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_serves_drains_crashes_and_comes_back_to_its_cluster() {
    let data = tempfile::tempdir().unwrap();
    let config = config(data.path());

    let node = ready(&config).await;
    let first = status(&node);
    assert_eq!(first.cluster.leader.as_deref(), Some("a"));
    assert!(first.readiness.ready && first.catalog.caught_up);
    assert_eq!(first.members.len(), 1);
    let answer = list_functions(&node).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("\"Functions\":[]"),
        "{answer}"
    );

    let public = node.addresses().public.unwrap();
    assert!(timeout(PATIENCE, node.drain(PATIENCE)).await.unwrap());
    assert!(!node.subject().readiness().ready);
    assert!(TcpStream::connect(public).await.is_err());
    drop(node);

    for _ in 0..2 {
        let node = ready(&config).await;
        let again = status(&node);
        assert_eq!(again.cluster.id, first.cluster.id);
        assert_eq!(again.node.incarnation, first.node.incarnation);
        assert!(list_functions(&node).await.starts_with("HTTP/1.1 200"));
        timeout(PATIENCE, node.crash()).await.unwrap();
    }
}

#[tokio::test]
async fn a_taken_port_is_named_by_its_key() {
    let data = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(data.path());
    config.listen.grpc = taken.local_addr().unwrap();
    match start(&config).await {
        Err(StartError::Bind { key, address, .. }) => {
            assert_eq!((key, address), ("listen.grpc", taken.local_addr().unwrap()));
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("two listen on {taken:?}"),
    }
}

#[tokio::test]
async fn a_certificate_must_name_the_node_and_allow_its_roles() {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(data.path());
    let weak = material(Roles::default().with(Role::Frontend));
    let refused = real::host(&config, &weak).await.map(|_| ()).unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("[controller,frontend], got one of node a [frontend]"),
        "{text}"
    );
    config.node.name = "b".parse().unwrap();
    let other = material(Roles::ALL);
    let refused = real::host(&config, &other).await.map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("of node b"), "{refused}");
}

#[tokio::test]
async fn a_worker_needs_a_driver() {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(data.path());
    config.node.roles = config.node.roles.with(Role::Worker);
    assert!(matches!(start(&config).await, Err(StartError::NoDriver)));
}

/// A store in which the copy of the catalog cannot be written; everything else can.
struct Broken(Arc<dyn Store>);

#[async_trait::async_trait]
impl Store for Broken {
    async fn apply(&self, table: &str, batch: Vec<Write>) -> Result<(), StoreError> {
        if table == "catalog-copy" {
            return Err(StoreError::Engine {
                path: "the copy".to_owned(),
                source: std::io::Error::other("the disk is broken"),
            });
        }
        self.0.apply(table, batch).await
    }

    async fn clear(&self, table: &str) -> Result<(), StoreError> {
        self.0.clear(table).await
    }

    async fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(table, key).await
    }

    async fn range(
        &self,
        table: &str,
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.0.range(table, from, limit).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.0.flush().await
    }
}

/// What every role has of the catalog is what fails: a node must end for it whether it is a controller or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_ends_when_its_copy_of_the_catalog_cannot_be_written() {
    let data = tempfile::tempdir().unwrap();
    let config = config(data.path());
    let material = material(config.node.roles);
    let mut host = real::host(&config, &material).await.unwrap();
    host.store = Arc::new(Broken(host.store));
    let node = compose::start(config, &material, host, None).await.unwrap();
    let fatal = timeout(PATIENCE, node.failed()).await.unwrap();
    assert!(matches!(fatal, replica::Fatal::Store(_)), "{fatal}");
    assert!(fatal.to_string().contains("the copy"), "{fatal}");
    timeout(PATIENCE, node.drain(PATIENCE)).await.unwrap();
}
