//! One frontend, from its ports to its listeners.

use std::sync::Arc;

use audit::Recorder;
use catalog::{Controllers, DataKeys, LocalCopy};
use host::{
    Clock, Entropy, Membership, Tasks,
    net::{Channels, Listener},
    task::Kind,
};
use proto::internal::gateway_server::GatewayServer;
use routing::Router;
use tokio::sync::Semaphore;

use crate::{
    body::Budget,
    control::Control,
    figures::{Counters, FrontendFigures},
    gateway::Gateway,
    grpc, logs,
    objects::Objects,
    operations::Workbench,
    options::FrontendOptions,
    rates::Rates,
    server,
    stack::Edge,
    trail::AuditLog,
};

/// What a frontend gets from its node.
pub struct Ports {
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Randomness: request ids and idempotency keys.
    pub entropy: Arc<dyn Entropy>,
    /// Where connections and invocations run.
    pub tasks: Tasks,
    /// The node's copy of the catalog.
    pub copy: LocalCopy,
    /// The way to the controllers.
    pub controllers: Controllers,
    /// What seals and opens environment variables.
    pub keys: DataKeys,
    /// The way to the workers.
    pub router: Router,
    /// Who is there: the workers that have logs.
    pub membership: Arc<dyn Membership>,
    /// The way to them.
    pub channels: Arc<Channels>,
    /// The audit log.
    pub audit: Recorder,
    /// Where packages lie that callers name instead of sending; `None` if this cluster has no object store.
    pub objects: Option<Arc<dyn Objects>>,
    /// The way to registries of container images; `None` if this cluster asks none.
    pub images: Option<Arc<image::Client>>,
}

/// A frontend. Clones are the same one.
#[derive(Clone)]
pub struct Frontend {
    edge: Arc<Edge>,
    tasks: Tasks,
}

impl Frontend {
    /// A frontend that serves nothing yet.
    #[must_use]
    pub fn new(options: FrontendOptions, ports: Ports) -> Self {
        let entropy = ports.entropy.fork("frontend");
        let bench = Workbench {
            control: Control::new(ports.copy, ports.controllers, ports.keys, entropy.clone()),
            router: ports.router,
            objects: ports.objects,
            images: ports.images,
            limits: options.limits.clone(),
            rates: Rates::default(),
            code_urls: options.code_url_key.clone(),
            url_suffix: options.url_suffix.clone(),
            tasks: ports.tasks.clone(),
            clock: ports.clock,
            entropy,
            counters: Arc::new(Counters::default()),
        };
        let edge = Edge {
            logs: Arc::new(logs::Desk::new(ports.membership.watch(), ports.channels)),
            bodies: Budget::new(options.body_bytes_max.0),
            places: Arc::new(Semaphore::new(
                options.requests_max.min(Semaphore::MAX_PERMITS),
            )),
            audit: AuditLog {
                recorder: ports.audit,
                invocations: options.audit_invocations,
            },
            bench,
            options,
        };
        Self {
            edge: Arc::new(edge),
            tasks: ports.tasks,
        }
    }

    /// Serves the AWS API on a listener until the node drains: then no connection is accepted any more, and those that
    /// are open close after the requests that they brought.
    pub fn serve(&self, listener: Arc<dyn Listener>) {
        let accepting = server::accept(self.edge.clone(), listener, self.tasks.clone());
        self.tasks
            .spawn(Kind::Listener, "public-listener", accepting);
    }

    /// Serves the gRPC API on a listener of its own, with health and reflection, in the same way.
    pub fn serve_grpc(&self, listener: Arc<dyn Listener>) {
        let serving = grpc::serve(self.edge.clone(), listener, self.tasks.clone());
        // It ends by itself when the node drains, and the drain waits for its calls.
        self.tasks.spawn(Kind::Connection, "public-grpc", serving);
    }

    /// The service by which workers bring connections from inside environments.
    #[must_use]
    pub fn gateway(&self) -> GatewayServer<Gateway> {
        GatewayServer::new(Gateway::new(self.edge.clone(), self.tasks.clone()))
    }

    /// The audit log that this frontend writes.
    #[must_use]
    pub fn audit(&self) -> &Recorder {
        &self.edge.audit.recorder
    }

    /// What this frontend has counted.
    #[must_use]
    pub fn figures(&self) -> FrontendFigures {
        let max = self.edge.options.requests_max.min(Semaphore::MAX_PERMITS);
        let in_flight = max.saturating_sub(self.edge.places.available_permits());
        let bench = &self.edge.bench;
        bench.counters.figures(in_flight, bench.router.in_flight())
    }
}
