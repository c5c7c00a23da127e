//! Puts the parts of a worker together.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use host::{Clock, Entropy, Membership, Tasks, net::Network, task::Kind};
use model::{ByteCount, Limits, NodeName, Runtime, Zone};
use proto::internal::{logs_server::LogsServer, worker_server::WorkerServer};
use sandbox::Driver;
use tokio::{sync::watch, time::Instant};

use crate::{
    capacity::{self, Load},
    code::CodeCache,
    environment::Ground,
    gateway::Gateway,
    images::Images,
    logs::{
        files::{Files, Retention},
        service::LogService,
        shelf::Shelf,
    },
    meter::{Figures, Meter},
    network::{self, Choices},
    packs,
    pool::{Bounds, Idle, Pool},
    ports::{CodeSource, Versions},
    runtimes::{Runtimes, Search},
    service::{Service, invocation::Invoker},
};

/// How a worker is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The node it is part of.
    pub node: NodeName,
    /// Where it stands: frontends of this zone are nearer.
    pub zone: Zone,
    /// Directory that it owns: code, logs, runtimes.
    pub data_dir: PathBuf,
    /// Limits of invocations and packages.
    pub limits: Limits,
    /// Environments at a time.
    pub slots: u32,
    /// Memory of all environments together.
    pub memory: ByteCount,
    /// CPU of this machine in thousandths of a core; what is not in use is told to the cluster.
    pub cpu_millis: u32,
    /// How long an environment stays that nobody invokes.
    pub idle_expiry: Duration,
    /// How long an environment runs on after an invocation before it is stopped.
    pub freeze_after: Duration,
    /// Unpacked code that is kept on disk.
    pub code_cache: ByteCount,
    /// Unpacked layers of container images that are kept on disk.
    pub image_store: ByteCount,
    /// Logs that are kept on disk.
    pub logs: Retention,
    /// Run a function on the nearest installed version of its language if its own is missing. For development.
    pub nearest_runtime: bool,
    /// Directories with interpreters, beside those of `PATH`.
    pub interpreter_dirs: Vec<PathBuf>,
    /// Directory with packs; it need not exist.
    pub pack_dir: PathBuf,
    /// What functions may reach.
    pub network: Choices,
    /// Addresses of nodes, as `host:port`, that are known before anybody is heard of.
    pub nodes: Vec<String>,
    /// Whether runtimes may be forked from one that has started already.
    pub zygotes: bool,
}

impl Options {
    /// Options with the defaults: 100 environments in 4 GiB, two CPUs, ten minutes idle, stopped after 20 ms, 4 GiB of
    /// code, exact runtimes only, no network.
    #[must_use]
    pub fn new(node: NodeName, zone: Zone, data_dir: PathBuf) -> Self {
        Self {
            node,
            zone,
            pack_dir: data_dir.join("packs"),
            data_dir,
            limits: Limits::default(),
            slots: 100,
            memory: ByteCount::mib(4096),
            cpu_millis: 2000,
            idle_expiry: Duration::from_secs(600),
            freeze_after: Duration::from_millis(20),
            code_cache: ByteCount::mib(4096),
            image_store: ByteCount::mib(20 << 10),
            logs: Retention::default(),
            nearest_runtime: false,
            interpreter_dirs: Vec::new(),
            network: Choices::default(),
            nodes: Vec::new(),
            zygotes: true,
        }
    }
}

/// What a worker gets from its node.
pub struct Ports {
    /// Makes sandboxes.
    pub driver: Arc<dyn Driver>,
    /// The node's copy of the catalog.
    pub versions: Arc<dyn Versions>,
    /// Where packages come from.
    pub code: Arc<dyn CodeSource>,
    /// Who is there: the frontends that functions speak to.
    pub membership: Arc<dyn Membership>,
    /// The way to them.
    pub network: Arc<dyn Network>,
    /// Where container images come from; `None` if this worker is to run none.
    pub images: Option<image::Client>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Randomness: ids of environments, and keys of sessions.
    pub entropy: Arc<dyn Entropy>,
    /// Where everything runs.
    pub tasks: Tasks,
}

/// Why a worker does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its directory cannot be used.
    #[error("worker directory {path}: check that it exists, is writable and has space")]
    Directory {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its cache of code cannot be used.
    #[error("worker directory {path}: {reason}")]
    CodeCache {
        /// Which one.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// What a previous life left behind could not be cleaned up.
    #[error("environments of a previous life could not be ended")]
    Sweep(#[source] io::Error),
}

/// A running worker.
pub struct Worker {
    service: Service,
    logs: LogService,
    pool: Pool,
    driver: Arc<dyn Driver>,
    files: Files,
    tasks: Tasks,
    load: watch::Receiver<Load>,
    meter: Arc<Meter>,
    runtimes: Vec<String>,
}

impl Worker {
    /// Starts a worker: cleans up after its previous life, looks for runtimes, and is ready for invocations.
    ///
    /// # Errors
    /// [`StartError`] if its directory or the driver cannot be used.
    pub async fn start(options: Options, ports: Ports) -> Result<Self, StartError> {
        let Ports {
            driver,
            versions,
            code,
            membership,
            network,
            images,
            clock,
            entropy,
            tasks,
        } = ports;
        let swept = driver.sweep().await.map_err(StartError::Sweep)?;
        if swept > 0 {
            tracing::info!(swept, "ended environments of a previous life");
        }
        let (files, code, runtimes) = prepare(&options, &*driver, code, &tasks).await?;
        let mut identifiers = runtimes.identifiers();
        let images = match images.filter(|_| driver.runs_images()) {
            Some(client) => Some(open_images(&options, client, &tasks).await?),
            None => None,
        };
        if images.is_some() {
            identifiers.push(Runtime::IMAGE.offered_as().to_owned());
        }

        let bounds = Bounds {
            slots: options.slots,
            memory: options.memory,
        };
        let idle = Idle {
            freeze_after: options.freeze_after,
            expiry: options.idle_expiry,
        };
        if options.network.reach_something() {
            network::guard(driver.clone(), &membership, options.nodes.clone(), &tasks).await;
        }
        let choices = Arc::new(options.network.clone());
        let (known, chosen) = (versions.clone(), choices.clone());
        let pool = Pool::start(bounds, idle, clock.clone(), tasks.clone(), move |key| {
            let tag = known.network_tag(&key.version.function);
            known
                .current(&key.version)
                .is_some_and(|(version, _)| version.revision_id == key.revision)
                && chosen.choose(tag.as_deref()).as_ref() == Ok(&key.network)
        });

        let (slots, cpu) = (options.slots, options.cpu_millis);
        let (sender, load) = watch::channel(capacity::measure(&pool, slots, cpu));
        let teller = capacity::follow(pool.clone(), slots, cpu, sender);
        tasks.spawn(Kind::Background, "capacity", teller);

        let gateway = Gateway::new(
            (options.node.clone(), options.zone.clone()),
            membership,
            network,
            &*entropy,
            tasks.clone(),
        );
        let ground = Ground {
            driver: driver.clone(),
            gateway,
            files: files.clone(),
            clock,
            tasks: tasks.clone(),
            limits: options.limits.clone(),
            zygotes: options.zygotes,
            entropy: entropy.fork("environments"),
        };
        let meter = Arc::new(Meter::default());
        let invoker = Invoker {
            meter: meter.clone(),
            pool: pool.clone(),
            code,
            images,
            runtimes,
            versions,
            choices,
            unfit_told: parking_lot::Mutex::new(None),
            ground,
            entropy: entropy.fork("worker"),
        };
        let service = Service::new(invoker, options.slots);
        let shelf = Shelf::new(logs_dir(&options.data_dir));
        let worker = Self {
            service,
            logs: LogService::new(shelf, files.clone(), tasks.clone()),
            pool,
            driver,
            files,
            tasks,
            load,
            meter,
            runtimes: identifiers,
        };
        worker.follow_drain();
        Ok(worker)
    }

    /// The service that frontends and controllers call.
    #[must_use]
    pub fn service(&self) -> WorkerServer<Service> {
        WorkerServer::new(self.service.clone())
    }

    /// The service by which frontends read the logs of functions.
    #[must_use]
    pub fn logs(&self) -> LogsServer<LogService> {
        LogsServer::new(self.logs.clone())
    }

    /// What is free and what is warm, as it changes.
    #[must_use]
    pub fn load(&self) -> watch::Receiver<Load> {
        self.load.clone()
    }

    /// The identifiers of the runtimes that it can start.
    #[must_use]
    pub fn runtimes(&self) -> &[String] {
        &self.runtimes
    }

    /// What it has done and has now.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let (all, warm) = self.pool.look(|table| {
            let warm = table.warm().into_values().map(u64::from).sum();
            (u64::from(table.counted()), warm)
        });
        self.meter.read(all, warm)
    }

    /// Takes no new work, waits at most `grace` for the invocations in hand, then ends every environment and stops the
    /// driver. Answers whether every invocation ended by itself.
    pub async fn drain(&self, grace: Duration) -> bool {
        self.pool.begin_drain();
        let until = Instant::now() + grace;
        let in_time = tokio::time::timeout_at(until, self.pool.empty())
            .await
            .is_ok();
        if !in_time {
            tracing::warn!("invocations were ended by the drain of this worker");
            self.pool.end_everything();
            let _bounded = tokio::time::timeout(Duration::from_secs(10), self.pool.empty()).await;
        }
        self.driver.shutdown().await;
        let files = self.files.clone();
        if let Err(error) = self.tasks.blocking(move || files.flush()).await {
            tracing::warn!(%error, "the last lines of the logs may be lost");
        }
        in_time
    }

    /// When the node drains, idle environments end at once and the others after their invocation: nothing is left that the
    /// node would have to wait for.
    fn follow_drain(&self) {
        let draining = self.tasks.draining();
        let pool = self.pool.clone();
        self.tasks
            .spawn(Kind::Environment, "worker-drain", async move {
                draining.cancelled().await;
                pool.begin_drain();
                pool.empty().await;
            });
    }
}

/// The store of images, opened on a thread of its own.
async fn open_images(
    options: &Options,
    client: image::Client,
    tasks: &Tasks,
) -> Result<Images, StartError> {
    let dir = options.data_dir.join("images");
    let told = image::Options {
        dir: dir.clone(),
        capacity: options.image_store,
    };
    let own = tasks.clone();
    let opened = tasks.blocking(move || image::Store::open(told, client, own));
    let failed = |source| StartError::Directory { path: dir, source };
    match opened.await {
        Ok(Ok(store)) => Ok(Images::new(store)),
        Ok(Err(error)) => Err(failed(error)),
        Err(panicked) => Err(failed(io::Error::other(panicked))),
    }
}

fn logs_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("logs")
}

async fn prepare(
    options: &Options,
    driver: &dyn Driver,
    source: Arc<dyn CodeSource>,
    tasks: &Tasks,
) -> Result<(Files, CodeCache, Runtimes), StartError> {
    let dir = options.data_dir.clone();
    let search = driver
        .runs_interpreters()
        .then(|| Search::of_process(options.interpreter_dirs.clone(), options.nearest_runtime));
    let shelf = packs::Shelf::new(options.pack_dir.clone());
    let (limits, capacity, logs) = (options.limits.clone(), options.code_cache, options.logs);
    let own = tasks.clone();
    let work = move || {
        let failed = |path: PathBuf| move |source| StartError::Directory { path, source };
        std::fs::create_dir_all(&dir).map_err(failed(dir.clone()))?;
        let place = logs_dir(&dir);
        let files = Files::start(place.clone(), logs, &own).map_err(failed(place))?;
        let path = dir.join("code");
        let code =
            CodeCache::open(path.clone(), capacity, &limits, source, own).map_err(|error| {
                StartError::CodeCache {
                    path,
                    reason: error.to_string(),
                }
            })?;
        let place = dir.join("runtimes");
        let runtimes = match &search {
            Some(search) => Runtimes::detect(search, &shelf, &place),
            None => Runtimes::without_interpreters(&place),
        };
        let runtimes = runtimes.map_err(failed(place))?;
        Ok((files, code, runtimes))
    };
    match tasks.blocking(work).await {
        Ok(prepared) => prepared,
        Err(panicked) => Err(StartError::Directory {
            path: options.data_dir.clone(),
            source: io::Error::other(panicked),
        }),
    }
}
