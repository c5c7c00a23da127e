//! The composition root: puts the roles of one node together, and takes them apart again.
//!
//! [`start`] is the only code that sees the whole [`Host`]; every part gets the ports it uses. It is called with the
//! real adapters by the command line and can be called with others. All sockets are bound before any role starts.
//!
//! A drain goes: tell everybody that this node takes no new work → stop accepting → wait for requests under way → end
//! environments, hand leadership over, say goodbye to gossip → flush → stop.

pub mod announce;
mod count;
mod frontends;
mod handle;
mod observe;
mod supplies;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use catalog::{Controllers, ControllersOptions, LocalCopy};
use controller::{Controller, ControllerOptions, ControllerPorts};
use host::{
    Host,
    net::{
        Listener, PeerIdentity,
        channel::{Channels, Serving},
        serve,
    },
    task::Kind,
};
use model::{Incarnation, NodeName, Role, Roles};
use sandbox::Driver;
use tonic::service::Routes;
use worker::Worker;

use crate::{config::NodeConfig, machine, material::Material};

pub use handle::{Addresses, NodeHandle};

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket is refused.
    #[error("{key}: cannot listen on {address}; check that no other process does")]
    Bind {
        /// The configuration key.
        key: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A name has no address.
    #[error("listen.advertise_internal: {address} has no address")]
    Resolve {
        /// The name.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A directory cannot be made.
    #[error("directory {path} cannot be made; check node.data_dir")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The certificate is not for this node or not for its roles.
    #[error(
        "cluster.identity_dir: expected a certificate of node {node} [{roles}], got one of node {certificate} [{allowed}]; issue one with `dunlin ca issue`"
    )]
    Identity {
        /// The node's name.
        node: NodeName,
        /// What it is told to do.
        roles: Roles,
        /// The name in its certificate.
        certificate: NodeName,
        /// What its certificate allows.
        allowed: Roles,
    },
    /// A frontend without a master key.
    #[error("a frontend needs a master key; see secrets.master_keys")]
    NoMasterKey,
    /// Nobody could prove to be the object store.
    #[error(transparent)]
    ObjectStore(#[from] frontend::TrustError),
    /// A worker without a sandbox driver.
    #[error("a worker needs a sandbox driver")]
    NoDriver,
    /// The certificates cannot be used.
    #[error("cluster.identity_dir cannot be used")]
    Certificate(#[from] host::certificate::CertificateError),
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] host::log::LogError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] host::store::StoreError),
    /// Nobody could prove to be a registry of container images.
    #[error(transparent)]
    Registries(#[from] image::TrustError),
    /// The blobs cannot be opened.
    #[error(transparent)]
    Blobs(#[from] host::blobs::BlobError),
    /// The storage is not whole or not this node's.
    #[error(transparent)]
    Marker(#[from] replica::marker::MarkerError),
    /// Gossip does not start.
    #[error(transparent)]
    Gossip(host::membership::MembershipError),
    /// The machine confines less than the configuration asks for.
    #[error(transparent)]
    Driver(#[from] sandbox::linux::DriverError),
    /// The local copy of the catalog cannot be opened.
    #[error(transparent)]
    Copy(#[from] catalog::OpenError),
    /// The controller does not start.
    #[error(transparent)]
    Controller(#[from] replica::StartError),
    /// The worker does not start.
    #[error(transparent)]
    Worker(#[from] worker::StartError),
}

/// The parts that every role of one node shares.
#[derive(Clone)]
struct Shared {
    config: Arc<NodeConfig>,
    incarnation: Incarnation,
    channels: Arc<Channels>,
    controllers: Controllers,
    copy: LocalCopy,
}

/// Starts a node. Returns as soon as its roles run, before it has found its cluster; see [`NodeHandle::ready`].
///
/// # Errors
/// [`StartError`]; whatever was started until then stops with the host's tasks.
pub async fn start(
    config: NodeConfig,
    material: &Material,
    host: Host,
    driver: Option<Arc<dyn Driver>>,
) -> Result<NodeHandle, StartError> {
    let sockets = Sockets::bind(&config, &host).await?;
    let shared = share(config, &host).await?;
    let roles = shared.config.node.roles;
    let mut services = Routes::default();

    let controller = match roles.has(Role::Controller) {
        true => Some(start_controller(&shared, &host).await?),
        false => None,
    };
    if let Some(controller) = &controller {
        shared.copy.share_versions(controller.versions());
        services = controller.serve_in(services);
    }
    let worker = match (roles.has(Role::Worker), &driver) {
        (true, Some(driver)) => Some(start_worker(&shared, material, &host, driver.clone()).await?),
        (true, None) => return Err(StartError::NoDriver),
        (false, _) => None,
    };
    if let Some(worker) = &worker {
        services = services
            .add_service(worker.service())
            .add_service(worker.logs());
    }
    let frontend = match &sockets.public {
        Some(_) => Some(frontends::make(&shared, material, &host)?),
        None => None,
    };
    if let Some(frontend) = &frontend {
        services = services.add_service(frontend.gateway());
    }
    let internal = sockets.internal.local_addr();
    let here = serve_here(&shared, internal, services.clone());
    serve_nodes(&host, sockets.internal, services, here);
    shared.copy.follow(shared.controllers.clone(), &host.tasks);

    let addresses = Addresses {
        public: sockets.public.as_ref().map(|(p, _)| p.local_addr()),
        grpc: sockets.public.as_ref().map(|(_, g)| g.local_addr()),
        internal,
    };
    if let (Some(frontend), Some((public, grpc))) = (&frontend, sockets.public) {
        frontend.serve(public);
        frontend.serve_grpc(grpc);
    }
    announce::spawn(&shared.config, shared.incarnation, worker.as_ref(), &host);
    let observer = observe::Observer::start(
        &shared,
        &host,
        driver.as_deref(),
        controller.clone(),
        frontend.as_ref().map(|frontend| frontend.audit().clone()),
    );
    Ok(NodeHandle {
        addresses,
        observer,
        host,
        copy: shared.copy,
        controller,
        worker: worker.map(Arc::new),
        frontend,
    })
}

/// Everything a node listens on.
struct Sockets {
    internal: Arc<dyn Listener>,
    /// The AWS API and gRPC; on frontends.
    public: Option<(Arc<dyn Listener>, Arc<dyn Listener>)>,
}

impl Sockets {
    async fn bind(config: &NodeConfig, host: &Host) -> Result<Self, StartError> {
        let listen = &config.listen;
        let refused = |key, address| {
            move |source| StartError::Bind {
                key,
                address,
                source,
            }
        };
        let internal = host
            .network
            .bind_internal(listen.internal)
            .await
            .map_err(refused("listen.internal", listen.internal))?;
        let public = if config.node.roles.has(Role::Frontend) {
            let bind = |address| host.network.bind_public(address);
            let public = bind(listen.public)
                .await
                .map_err(refused("listen.public", listen.public))?;
            let grpc = bind(listen.grpc)
                .await
                .map_err(refused("listen.grpc", listen.grpc))?;
            Some((public, grpc))
        } else {
            None
        };
        Ok(Self { internal, public })
    }
}

async fn share(config: NodeConfig, host: &Host) -> Result<Shared, StartError> {
    let name = &config.node.name;
    let (log, store) = (host.log.clone(), host.store.clone());
    let incarnation = replica::marker::open(log, store, name, &*host.entropy).await?;
    let channels = Arc::new(Channels::new(host.network.clone()));
    let controls = config.node.roles.has(Role::Controller);
    let options = ControllersOptions {
        initial: config
            .cluster
            .initial_controllers
            .values()
            .cloned()
            .collect(),
        own: controls.then(|| config.listen.advertise_internal.clone()),
    };
    let controllers = Controllers::new(options, host.membership.clone(), channels.clone());
    let newest = config.cluster.newest_format;
    let copy = LocalCopy::open_up_to(host.store.clone(), newest).await?;
    Ok(Shared {
        config: Arc::new(config),
        incarnation,
        channels,
        controllers,
        copy,
    })
}

async fn start_controller(shared: &Shared, host: &Host) -> Result<Controller, StartError> {
    let config = &shared.config;
    let options = ControllerOptions {
        name: config.node.name.clone(),
        incarnation: shared.incarnation,
        address: config.listen.advertise_internal.clone(),
        zone: config.node.zone.clone(),
        initial: config.cluster.initial_controllers.clone(),
        newest_format: config.cluster.newest_format,
        raft: replica::Options {
            snapshot_every: config.raft.snapshot_every,
            snapshot_keep: config.raft.snapshot_keep,
            ..replica::Options::default()
        },
    };
    let ports = ControllerPorts {
        clock: host.clock.clone(),
        entropy: host.entropy.fork("controller"),
        log: host.log.clone(),
        store: host.store.clone(),
        blobs: host.blobs.clone(),
        membership: host.membership.clone(),
        channels: shared.channels.clone(),
        tasks: host.tasks.clone(),
    };
    Ok(Controller::start(options, ports).await?)
}

async fn start_worker(
    shared: &Shared,
    material: &Material,
    host: &Host,
    driver: Arc<dyn Driver>,
) -> Result<Worker, StartError> {
    let config = &shared.config;
    let told = &config.worker;
    let mut options = worker::Options::new(
        config.node.name.clone(),
        config.node.zone.clone(),
        config.node.data_dir.join("worker"),
    );
    options.limits = config.limits.clone();
    options.slots = told.slots;
    options.memory = told.memory.unwrap_or_else(three_quarters);
    options.cpu_millis = told.cpus.unwrap_or_else(all_cpus).saturating_mul(1000);
    options.idle_expiry = told.idle_expiry;
    options.code_cache = told.code_cache;
    options.image_store = told.image_store;
    options.nearest_runtime = told.nearest_runtime;
    options.zygotes = told.zygotes;
    options.interpreter_dirs = told.interpreter_dirs.clone();
    options.pack_dir = config.pack_dir();
    options.network = config.network.choices.clone();
    options.nodes = known_nodes(config);
    let supplies = supplies::Supplies {
        copy: shared.copy.clone(),
        controllers: shared.controllers.clone(),
        blobs: host.blobs.clone(),
    };
    let supplies = Arc::new(supplies);
    let ports = worker::Ports {
        driver,
        versions: supplies.clone(),
        code: supplies,
        membership: host.membership.clone(),
        network: host.network.clone(),
        images: images(material, host)?,
        clock: host.clock.clone(),
        entropy: host.entropy.clone(),
        tasks: host.tasks.clone(),
    };
    Ok(Worker::start(options, ports).await?)
}

/// A client of the registries that the node is told to ask.
fn images(material: &Material, host: &Host) -> Result<Option<image::Client>, StartError> {
    let told = material.registries.as_ref();
    let client = told.map(|registries| image::Client::new(registries, host.tasks.clone()));
    Ok(client.transpose()?)
}

/// Where nodes are that the configuration names.
fn known_nodes(config: &NodeConfig) -> Vec<String> {
    let own = [
        &config.listen.advertise_internal,
        &config.listen.advertise_public,
    ];
    let controllers = config.cluster.initial_controllers.values();
    let all = config.cluster.seeds.iter().chain(controllers).chain(own);
    all.cloned().collect()
}

/// What environments may have if nobody said.
fn three_quarters() -> model::ByteCount {
    let fallback = model::ByteCount::mib(4096);
    machine::memory().map_or(fallback, |all| model::ByteCount(all.0 / 4 * 3))
}

fn all_cpus() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores).unwrap_or(u32::MAX)
}

/// Has this node's own services answer what it asks of itself: the worker beside a frontend, the leader beside both.
fn serve_here(shared: &Shared, internal: SocketAddr, services: Routes) -> Serving {
    let NodeConfig { node, listen, .. } = &*shared.config;
    let own = PeerIdentity {
        node: node.name.clone(),
        roles: node.roles,
    };
    let address = listen.advertise_internal.clone();
    shared.channels.serve_here(address, own, internal, services)
}

/// Serves the other nodes until this one stops: during a drain it is still a voter, and still ends what it began.
fn serve_nodes(host: &Host, listener: Arc<dyn Listener>, services: Routes, here: Serving) {
    let server = serve::server(&*host.entropy).add_routes(services);
    // Connections are closed with the server only if it could be told to stop; otherwise they would outlive the node,
    // and this node's own connection to itself would keep its storage open.
    let stopped = host.tasks.stopped().cancelled_owned();
    let serving = server.serve_with_incoming_shutdown(serve::incoming(listener), stopped);
    host.tasks
        .spawn(Kind::Lasting, "internal server", async move {
            let _until_then = here;
            if let Err(error) = serving.await {
                tracing::error!(%error, "the server for other nodes ended");
            }
        });
}
