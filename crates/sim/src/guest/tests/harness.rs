//! A real worker with guests, in one task set without threads, and a caller.

use std::{
    collections::BTreeMap,
    io::{Cursor, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use host::{
    Clock, Entropy, Membership, SeededEntropy, Tasks,
    membership::Members,
    net::{PeerIdentity, PlainNetwork, serve::PeerInfo},
};
use model::{
    AccountId, Architecture, Digest, EphemeralMib, ErrorKind, FunctionId, MemoryMib, Region,
    RequestId, Revision, RevisionId, Role, Roles, TimeoutSeconds, Timestamp, Version, VersionId,
    capacity::Member,
    function::{Code, Config, FunctionVersion, Logging, State, TracingMode},
};
use parking_lot::Mutex;
use proto::internal::{
    self as pb, invoke_event::Part as Event, invoke_request::Part, worker_client::WorkerClient,
    worker_server::WorkerServer,
};
use serde_json::json;
use tokio::sync::watch;
use worker::{CodeSource, FetchError, Options, Ports, Service, Versions, Worker};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::guest::{Guests, Ledger};

/// Time since this was made, which tests pause.
pub(super) fn ledger() -> Ledger {
    let begin = tokio::time::Instant::now();
    Ledger::new(move || begin.elapsed())
}

/// Waits, in virtual time, until something holds.
pub(super) async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..100_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{what}");
}

/// No other node is there.
struct Nobody(watch::Sender<Members>);

#[async_trait]
impl Membership for Nobody {
    fn watch(&self) -> watch::Receiver<Members> {
        self.0.subscribe()
    }
    fn publish(&self, _own: Member) {}
    async fn leave(&self) {}
}

#[derive(Default)]
pub(super) struct World {
    versions: Mutex<BTreeMap<VersionId, Arc<FunctionVersion>>>,
    packages: Mutex<BTreeMap<Digest, Bytes>>,
}

#[async_trait]
impl Versions for World {
    fn current(&self, id: &VersionId) -> Option<(Arc<FunctionVersion>, Revision)> {
        let version = self.versions.lock().get(id).cloned()?;
        Some((version, Revision(1)))
    }

    fn network_tag(&self, _: &model::FunctionId) -> Option<String> {
        None
    }

    async fn wait_for(&self, _: Revision, limit: Duration) {
        tokio::time::sleep(limit).await;
    }
}

#[async_trait]
impl CodeSource for World {
    async fn fetch(&self, digest: Digest) -> Result<Bytes, FetchError> {
        let found = self.packages.lock().get(&digest).cloned();
        found.ok_or(FetchError {
            digest,
            reason: "nobody has it".into(),
            kind: ErrorKind::Unavailable,
        })
    }
}

struct PausedClock(tokio::time::Instant);

impl Clock for PausedClock {
    fn wall(&self) -> Timestamp {
        Timestamp(1_767_225_600_000).plus(self.0.elapsed())
    }
}

pub(super) struct Harness {
    pub(super) worker: Worker,
    pub(super) ledger: Ledger,
    pub(super) guests: Arc<Guests>,
    world: Arc<World>,
    client: WorkerClient<WorkerServer<Service>>,
    next: AtomicU64,
    dir: tempfile::TempDir,
}

/// What a caller got.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Got {
    pub(super) refused: Option<String>,
    pub(super) cold: bool,
    pub(super) environment: String,
    pub(super) body: Vec<u8>,
    pub(super) error: String,
    pub(super) log: String,
}

impl Got {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Harness {
    pub(super) async fn start(seed: u64, tune: impl FnOnce(&mut Options)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let entropy = SeededEntropy::new(seed);
        let ledger = ledger();
        let guests = Guests::new("w1", entropy.fork("guests"), ledger.clone());
        let world = Arc::new(World::default());
        let mut options = Options::new(
            "w1".parse().unwrap(),
            "local".parse().unwrap(),
            dir.path().join("worker"),
        );
        tune(&mut options);
        let clock = Arc::new(PausedClock(tokio::time::Instant::now()));
        let own = PeerIdentity {
            node: "w1".parse().unwrap(),
            roles: Roles::default().with(Role::Worker),
        };
        let ports = Ports {
            driver: guests.clone(),
            versions: world.clone(),
            code: world.clone(),
            membership: Arc::new(Nobody(watch::Sender::new(Arc::default()))),
            network: Arc::new(PlainNetwork::new(own)),
            images: None,
            clock,
            entropy: Arc::new(entropy),
            tasks: Tasks::in_place(),
        };
        let worker = Worker::start(options, ports).await.unwrap();
        Self {
            client: WorkerClient::new(worker.service()).max_decoding_message_size(64 << 20),
            worker,
            ledger,
            guests,
            world,
            next: AtomicU64::new(1),
            dir,
        }
    }

    /// Registers `$LATEST` of a function of this script, with a timeout of three seconds.
    pub(super) fn function(&self, name: &str, script: &serde_json::Value) -> Arc<FunctionVersion> {
        let package = package(script);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let version = version(name, &package, number);
        let digest = version.code.digest;
        self.world.packages.lock().insert(digest, package.into());
        let version = Arc::new(version);
        let mut versions = self.world.versions.lock();
        versions.insert(version.id.clone(), version.clone());
        version
    }

    pub(super) fn forget(&self, version: &FunctionVersion) {
        self.world.versions.lock().remove(&version.id);
    }

    /// A function that answers with the marker `m`.
    pub(super) fn plain(&self) -> Arc<FunctionVersion> {
        self.function("f", &json!({ "marker": "m", "init_ms": 50 }))
    }

    pub(super) async fn order(&self, of: &FunctionVersion, id: &str, act: &str, ms: u64) -> Got {
        let payload = json!({ "id": id, "do": act, "ms": ms }).to_string();
        self.invoke(of, payload.into()).await
    }

    pub(super) async fn invoke(&self, version: &FunctionVersion, payload: Bytes) -> Got {
        let number = u128::from(self.next.fetch_add(1, Ordering::Relaxed));
        let head = pb::InvokeHead {
            request_id: RequestId::from_random(number).to_string(),
            attempt: 1,
            function: Some((&version.id.function).into()),
            version: version.id.version.to_string(),
            revision_id: version.revision_id.to_string(),
            catalog_revision: 1,
            invoked_arn: version.id.function.arn(None).to_string(),
            wait_ms: 60_000,
            log_tail: true,
            payload_size: u64::try_from(payload.len()).unwrap(),
            payload,
            ..pb::InvokeHead::default()
        };
        let part = Some(Part::Head(head));
        let parts = futures::stream::iter([pb::InvokeRequest { part }]);
        let mut request = tonic::Request::new(parts);
        request.extensions_mut().insert(PeerInfo {
            peer: Some(PeerIdentity {
                node: "f1".parse().unwrap(),
                roles: Roles::default().with(Role::Frontend),
            }),
            remote: ([127, 0, 0, 1], 1).into(),
        });
        let call = async {
            let mut events = self.client.clone().invoke(request).await?.into_inner();
            let mut got = Got::default();
            while let Some(event) = events.message().await? {
                match event.part.unwrap() {
                    Event::Refused(refused) => got.refused = Some(refused.detail),
                    Event::Accepted(accepted) => {
                        got.cold = accepted.cold;
                        got.environment = accepted.environment_id;
                    }
                    Event::Chunk(chunk) => got.body.extend_from_slice(&chunk),
                    Event::Finished(finished) => {
                        got.error = finished.function_error;
                        got.log = String::from_utf8_lossy(&finished.log_tail).into_owned();
                    }
                }
            }
            Ok::<_, tonic::Status>(got)
        };
        let got = tokio::time::timeout(Duration::from_secs(60), call).await;
        got.expect("in time").unwrap()
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }
}

pub(super) fn package(script: &serde_json::Value) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("bootstrap", options).unwrap();
    zip.write_all(script.to_string().as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

fn version(name: &str, package: &[u8], number: u64) -> FunctionVersion {
    FunctionVersion {
        id: VersionId {
            function: FunctionId {
                account: AccountId::DEFAULT,
                region: Region::default(),
                name: name.parse().unwrap(),
            },
            version: Version::Latest,
        },
        config: Config {
            runtime: "provided.al2023".parse().unwrap(),
            handler: Some("bootstrap".to_owned()),
            role: "arn:aws:iam::000000000000:role/r".into(),
            description: String::new(),
            timeout: TimeoutSeconds::new(3).unwrap(),
            memory: MemoryMib::new(128).unwrap(),
            ephemeral: EphemeralMib::MIN,
            architecture: Architecture::of_this_binary().unwrap_or_default(),
            environment: None,
            tracing: TracingMode::PassThrough,
            logging: Logging::default(),
            optional: None,
        },
        code: Code {
            digest: Digest::of(package),
            size: u64::try_from(package.len()).unwrap(),
            unzipped: 0,
        },
        state: State::Active,
        last_update: None,
        last_modified: Timestamp(0),
        revision_id: RevisionId::from_random(u128::from(number)),
        touched: None,
    }
}
