//! Workers that follow a script, and a router that knows them.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use catalog::{Controllers, ControllersOptions, DataKeys, LocalCopy};
use futures::{Stream, StreamExt};
use host::{
    Membership, SeededEntropy, SystemClock,
    membership::Members,
    net::{Channels, Network, PeerIdentity, PlainNetwork, serve},
    store::SledStore,
};
use model::{
    Architecture, ByteCount, Digest, Incarnation, NodeName, Revision, RevisionId, Role, Roles,
    Timestamp, Version, VersionId,
    capacity::{Capacity, Member, WarmKey},
    function::{Code, Config, FunctionVersion, Logging, State, TracingMode},
};
use proto::internal::{
    self as pb,
    invoke_event::Part,
    invoke_request,
    refused::Reason,
    worker_server::{Worker, WorkerServer},
};
use routing::{Call, DispatchError, Dispatched, Resolved, Router, RouterOptions, RouterPorts};
use seal::{KeyRing, MasterKey};
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

/// What a worker does with every invocation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Script {
    Echo,
    FunctionError,
    Refuse(Reason),
    /// Knows a newer revision than it is asked for, and runs that one.
    KnowsNewer,
    /// Does not open its answer.
    Silent,
    /// Opens its answer, and accepts later.
    SlowStart(Duration),
    FailTheCall,
    DieBeforeAccepting,
    DieAfterAccepting,
    NeverEnds,
}

struct FakeWorker {
    script: Script,
    heads: Arc<Mutex<Vec<pb::InvokeHead>>>,
}

type Events = Pin<Box<dyn Stream<Item = Result<pb::InvokeEvent, Status>> + Send>>;

fn event(part: Part) -> Result<pb::InvokeEvent, Status> {
    Ok(pb::InvokeEvent { part: Some(part) })
}

fn accepted() -> Part {
    Part::Accepted(pb::Accepted {
        cold: true,
        environment_id: "e1".to_owned(),
    })
}

#[tonic::async_trait]
impl Worker for FakeWorker {
    type InvokeStream = Events;

    async fn prepare_image(
        &self,
        _: Request<pb::PrepareImageRequest>,
    ) -> Result<Response<pb::PrepareImageResponse>, Status> {
        Err(Status::unimplemented("this worker has no images"))
    }

    async fn invoke(
        &self,
        request: Request<Streaming<pb::InvokeRequest>>,
    ) -> Result<Response<Events>, Status> {
        let mut parts = request.into_inner();
        let Some(pb::InvokeRequest {
            part: Some(invoke_request::Part::Head(head)),
        }) = parts.message().await?
        else {
            return Err(Status::invalid_argument("expected a head"));
        };
        let mut payload = head.payload.to_vec();
        let revision = head.revision_id.clone();
        self.heads.lock().unwrap().push(head);
        while let Some(pb::InvokeRequest {
            part: Some(invoke_request::Part::Payload(more)),
        }) = parts.message().await?
        {
            payload.extend_from_slice(&more);
        }
        let broken = || Err(Status::unavailable("died"));
        let end = || event(Part::Finished(pb::Finished::default()));
        let events: Vec<_> = match self.script {
            Script::Silent => std::future::pending().await,
            Script::FailTheCall => return Err(Status::internal("out of order")),
            Script::Refuse(reason) => vec![event(Part::Refused(pb::Refused {
                reason: reason.into(),
                ..Default::default()
            }))],
            Script::KnowsNewer if revision == newer().version.revision_id.to_string() => {
                vec![event(accepted()), end()]
            }
            Script::KnowsNewer => vec![event(Part::Refused(pb::Refused {
                reason: Reason::UnknownVersion.into(),
                newer: Some((&*newer().version).into()),
                newer_catalog_revision: newer().revision.0,
                ..Default::default()
            }))],
            Script::DieBeforeAccepting => vec![broken()],
            Script::DieAfterAccepting => {
                vec![event(accepted()), event(Part::Chunk("{".into())), broken()]
            }
            Script::NeverEnds => {
                let begin = futures::stream::iter([event(accepted())]);
                return Ok(Response::new(
                    begin.chain(futures::stream::pending()).boxed(),
                ));
            }
            Script::FunctionError => vec![
                event(accepted()),
                event(Part::Chunk("{\"errorType\":\"E\"}".into())),
                event(Part::Finished(pb::Finished {
                    function_error: "Unhandled".to_owned(),
                    ..Default::default()
                })),
            ],
            Script::Echo | Script::SlowStart(_) => {
                let chunks = payload
                    .chunks(100_000)
                    .map(|c| event(Part::Chunk(c.to_vec().into())));
                std::iter::once(event(accepted()))
                    .chain(chunks)
                    .chain([end()])
                    .collect()
            }
        };
        let events = futures::stream::iter(events);
        if let Script::SlowStart(wait) = self.script {
            let late =
                futures::stream::once(tokio::time::sleep(wait)).flat_map(move |()| events.clone());
            return Ok(Response::new(late.boxed()));
        }
        Ok(Response::new(events.boxed()))
    }
}

struct FakeMembership(Mutex<Option<watch::Sender<Members>>>);

#[async_trait::async_trait]
impl Membership for FakeMembership {
    fn watch(&self) -> watch::Receiver<Members> {
        self.0.lock().unwrap().as_ref().unwrap().subscribe()
    }
    fn publish(&self, _own: Member) {}
    async fn leave(&self) {}
}

/// Fake workers, and a router over them.
pub(crate) struct Cluster {
    router: Router,
    membership: Arc<FakeMembership>,
    heads: Vec<Arc<Mutex<Vec<pb::InvokeHead>>>>,
    _directory: tempfile::TempDir,
}

impl Cluster {
    pub(crate) async fn start(scripts: &[Script]) -> Self {
        Self::start_with(scripts, |_| {}).await
    }

    pub(crate) async fn start_with(
        scripts: &[Script],
        adjust: impl FnOnce(&mut RouterOptions),
    ) -> Self {
        let network: Arc<dyn Network> = Arc::new(PlainNetwork::new(PeerIdentity {
            node: "n".parse().unwrap(),
            roles: Roles::ALL,
        }));
        let mut members = BTreeMap::new();
        let mut heads = Vec::new();
        for (i, script) in scripts.iter().enumerate() {
            let seen = Arc::new(Mutex::default());
            heads.push(seen.clone());
            let fake = FakeWorker {
                script: *script,
                heads: seen,
            };
            let member = member(&format!("w{i}"), serve_worker(&*network, fake).await);
            members.insert(member.name.clone(), Arc::new(member));
        }
        let membership = Arc::new(FakeMembership(Mutex::new(Some(watch::Sender::new(
            Arc::new(members),
        )))));
        let directory = tempfile::tempdir().unwrap();
        let store = SledStore::open(directory.path()).await.unwrap();
        let copy = LocalCopy::open(Arc::new(store)).await.unwrap();
        let channels = Arc::new(Channels::new(network));
        let controllers = Controllers::new(
            ControllersOptions {
                initial: Vec::new(),
                own: None,
            },
            membership.clone(),
            channels.clone(),
        );
        let mut options = RouterOptions {
            zone: "a".parse().unwrap(),
            ..Default::default()
        };
        adjust(&mut options);
        let entropy = SeededEntropy::new(1);
        let master = ("m".parse().unwrap(), MasterKey::from_bytes([1; 32]));
        let ring = Arc::new(KeyRing::new(vec![master]).unwrap());
        let keys = DataKeys::new(copy.clone(), ring);
        let ports = RouterPorts {
            copy,
            controllers,
            keys,
            membership: membership.clone(),
            channels,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(entropy),
        };
        let router = Router::new(options, ports);
        Self {
            router,
            membership,
            heads,
            _directory: directory,
        }
    }

    pub(crate) fn resolved(&self) -> Resolved {
        resolved()
    }

    pub(crate) async fn dispatch(&self, call: &Call) -> Result<Dispatched, DispatchError> {
        let resolved = resolved();
        let call = self.router.dispatch(&resolved, call);
        tokio::time::timeout(Duration::from_secs(20), call)
            .await
            .expect("an answer in time")
            .map_err(|error| {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                eprintln!("{error}: {source:?}");
                error
            })
    }

    /// The heads that a worker has seen.
    pub(crate) fn heads(&self, worker: usize) -> Vec<pb::InvokeHead> {
        self.heads[worker].lock().unwrap().clone()
    }

    /// Makes a worker the only warm one.
    pub(crate) fn prefer(&self, worker: usize) {
        self.members_change(|members| {
            let member = members
                .get_mut(&format!("w{worker}").parse::<NodeName>().unwrap())
                .unwrap();
            Arc::make_mut(member)
                .warm
                .insert(WarmKey::of(&resolved().version.id, None), 9);
        });
    }

    pub(crate) fn members_change(&self, change: impl FnOnce(&mut BTreeMap<NodeName, Arc<Member>>)) {
        let membership = self.membership.0.lock().unwrap();
        let sender = membership.as_ref().unwrap();
        sender.send_modify(|members| change(Arc::make_mut(members)));
    }

    /// Ends gossip, as a node that drains does.
    pub(crate) fn gossip_ends(&self) {
        *self.membership.0.lock().unwrap() = None;
    }
}

#[allow(clippy::disallowed_methods, reason = "ends with the test's runtime")]
async fn serve_worker(network: &dyn Network, fake: FakeWorker) -> String {
    let listener = network
        .bind_internal(([127, 0, 0, 1], 0).into())
        .await
        .unwrap();
    let address = listener.local_addr().to_string();
    let server = serve::server(&SeededEntropy::new(1)).add_service(WorkerServer::new(fake));
    tokio::spawn(server.serve_with_incoming(serve::incoming(listener)));
    address
}

fn member(name: &str, address: String) -> Member {
    Member {
        name: name.parse().unwrap(),
        incarnation: Incarnation(1),
        generation: 1,
        roles: Roles::default().with(Role::Worker),
        zone: "a".parse().unwrap(),
        address,
        public_address: String::new(),
        architecture: Some(Architecture::X86_64),
        draining: false,
        capacity: Capacity {
            slots_free: 10,
            slots: 10,
            memory_free: ByteCount::mib(10_240),
            cpu_free_millis: 4000,
        },
        warm: BTreeMap::new(),
        runtimes: vec!["python3.13".to_owned()],
        newest_format: 2,
    }
}

/// The same version after a change that the router has not heard of.
fn newer() -> Resolved {
    let mut newer = resolved();
    Arc::make_mut(&mut newer.version).revision_id = RevisionId::from_random(2);
    newer.revision = Revision(6);
    newer
}

fn resolved() -> Resolved {
    let function = model::FunctionId {
        account: model::AccountId::DEFAULT,
        region: model::Region::default(),
        name: "hello".parse().unwrap(),
    };
    let config = Config {
        runtime: "python3.13".parse().unwrap(),
        handler: Some("h.h".to_owned()),
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        description: String::new(),
        timeout: model::TimeoutSeconds::new(1).unwrap(),
        memory: model::MemoryMib::default(),
        ephemeral: model::EphemeralMib::default(),
        architecture: Architecture::X86_64,
        environment: None,
        tracing: TracingMode::PassThrough,
        logging: Logging::default(),
        optional: None,
    };
    let version = FunctionVersion {
        id: VersionId {
            function: function.clone(),
            version: Version::Latest,
        },
        config,
        code: Code {
            digest: Digest::of(b"zip"),
            size: 3,
            unzipped: 0,
        },
        state: State::Active,
        last_update: None,
        last_modified: Timestamp(1),
        revision_id: RevisionId::from_random(1),
        touched: None,
    };
    Resolved {
        version: Arc::new(version),
        revision: Revision(5),
        invoked: function.arn(None),
        reserved: None,
        tenant: None,
    }
}
