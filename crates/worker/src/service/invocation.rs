//! One invocation, from its arrival to the return of its environment.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use host::{Entropy, Tasks, task::Kind};
use model::{
    Architecture, Failure, Revision, VersionId,
    function::{Environment as Variables, FunctionVersion, StoredEnvironment},
};
use parking_lot::Mutex;
use prost::Message as _;
use proto::internal::{self as pb, EnvironmentVariables, InvokeEvent, refused::Reason};
use runtime_api::ShutdownReason;
use sandbox::NetworkPolicy;
use seal::{Place, TextKey};
use tokio::{sync::mpsc, time::Instant};

use super::message::{self, Head, Invoke};
use crate::{
    code::CodeCache,
    environment::{
        Environment, Ground, Init, Lost, Plan,
        contents::Contents,
        credentials::Credentials,
        invoke::{Caller, Ended, Request},
    },
    images::Images,
    meter::Meter,
    network::{Choices, Unfit},
    pool::{Checkout, Key, Lease, Pool, Refusal, Reservation},
    ports::Versions,
    runtimes::{Launch, Runtimes},
};

/// How long a catalog that is behind may take to catch up.
const CATCH_UP_MAX: Duration = Duration::from_millis(500);
/// How long a caller may take to read its answer.
const TELL_MAX: Duration = Duration::from_secs(60);
/// Environments that may turn out to be dead before another worker is asked.
const TRIES: u32 = 3;
/// How often the log names a function that cannot have its network.
const TELL_UNFIT_EVERY: Duration = Duration::from_secs(10);

/// Everything that invocations need.
pub(crate) struct Invoker {
    pub(crate) pool: Pool,
    pub(crate) code: CodeCache,
    pub(crate) images: Option<Images>,
    pub(crate) runtimes: Runtimes,
    pub(crate) versions: Arc<dyn Versions>,
    pub(crate) choices: Arc<Choices>,
    /// When the log last named a function that cannot have its network.
    pub(crate) unfit_told: Mutex<Option<Instant>>,
    pub(crate) ground: Ground,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) meter: Arc<Meter>,
}

/// Why nothing ran here.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Pool(#[from] Refusal),
    #[error("expected a version that this worker's catalog holds, got one that it does not")]
    UnknownVersion(Option<Newer>),
    #[error("expected {expected}, got code for {got}")]
    Architecture {
        expected: &'static str,
        got: Architecture,
    },
    #[error("{0} is not installed here")]
    Runtime(model::Runtime),
    #[error(transparent)]
    Network(#[from] Unfit),
    #[error("{0}")]
    Code(String),
    #[error("{0}")]
    Sandbox(String),
    #[error("the environment variables cannot be opened: {0}")]
    Sealed(String),
    #[error("expected a tenant where the version has tenants, and nowhere else")]
    Tenant,
    #[error("every environment was lost before it took the invocation")]
    Lost,
    #[error("the caller stopped waiting")]
    TooLate,
}

/// A version of which the caller knows an older revision only.
#[derive(Debug)]
struct Newer {
    version: Arc<FunctionVersion>,
    position: Revision,
}

impl Refused {
    fn told(&self) -> InvokeEvent {
        let mut told = pb::Refused {
            reason: self.reason().into(),
            detail: self.to_string(),
            newer: None,
            newer_catalog_revision: 0,
        };
        if let Self::UnknownVersion(Some(Newer { version, position })) = self {
            told.newer = Some((&**version).into());
            told.newer_catalog_revision = position.0;
        }
        message::refused(told)
    }

    fn reason(&self) -> Reason {
        match self {
            Self::Pool(Refusal::NoCapacity) => Reason::NoCapacity,
            Self::Pool(Refusal::Draining) => Reason::Draining,
            Self::UnknownVersion(_) => Reason::UnknownVersion,
            // As with a runtime: another worker may have it.
            Self::Architecture { .. } | Self::Runtime(_) | Self::Network(_) => {
                Reason::RuntimeMissing
            }
            Self::Code(_) => Reason::CodeUnavailable,
            Self::Sandbox(_) => Reason::SandboxFailed,
            Self::Sealed(_) => Reason::Sealed,
            Self::Tenant => Reason::Tenant,
            Self::Lost | Self::TooLate => Reason::EnvironmentLost,
        }
    }
}

/// An environment for one invocation.
struct Ready {
    lease: Lease,
    /// It was made for this invocation.
    cold: bool,
    /// What its first start took, if it went well.
    init: Option<Duration>,
}

impl Invoker {
    /// A refusal that needs no look at the payload.
    pub(super) fn refuse_early(&self, head: &Head) -> Option<InvokeEvent> {
        let refusal = if self.pool.is_draining() {
            Refusal::Draining
        } else {
            let id = &head.request.version;
            let (version, _) = self.versions.current(id)?;
            if version.revision_id != head.revision {
                return None;
            }
            let key = Key {
                version: id.clone(),
                revision: head.revision,
                tenant: head.request.tenant.clone(),
                network: self.network(id).ok()?,
            };
            let memory = version.config.memory.bytes();
            self.pool.refusal(&key, memory, self.ground.clock.wall())?
        };
        self.meter.refused();
        let refused = Refused::Pool(refusal);
        Some(refused.told())
    }

    pub(super) fn request_limit(&self) -> u64 {
        self.ground.limits.request_payload.0
    }

    pub(super) fn tasks(&self) -> &Tasks {
        &self.ground.tasks
    }

    /// Runs an invocation and tells `events` what happens. Goes on to the end whether or not anybody listens.
    pub(super) async fn invoke(&self, invoke: Invoke, events: mpsc::Sender<InvokeEvent>) {
        if let Err(refused) = self.try_invoke(&invoke, &events).await {
            self.meter.refused();
            let id = invoke.request.id;
            tracing::debug!(request_id = %id, function = %invoke.request.version.function.name, %refused, "refused");
            let told = refused.told();
            let _nobody_may_listen = events.send(told).await;
        }
    }

    async fn try_invoke(
        &self,
        invoke: &Invoke,
        events: &mpsc::Sender<InvokeEvent>,
    ) -> Result<(), Refused> {
        let until = Instant::now() + invoke.wait;
        let version = self.version(invoke).await?;
        // What a frontend resolved is not believed where tenants would meet.
        if version.config.has_tenants() != invoke.request.tenant.is_some() {
            return Err(Refused::Tenant);
        }
        let launch = self.launch(&version)?;
        let network = self.network(&version.id).inspect_err(|unfit| {
            self.tell_unfit(&version, unfit);
        })?;
        let key = Arc::new(Key {
            version: invoke.request.version.clone(),
            revision: invoke.revision,
            tenant: invoke.request.tenant.clone(),
            network: network.clone(),
        });
        for _ in 0..TRIES {
            let ready = match self
                .pool
                .checkout(
                    &key,
                    version.config.memory.bytes(),
                    self.ground.clock.wall(),
                )
                .await?
            {
                Checkout::Reuse(lease) => Ready {
                    lease,
                    cold: false,
                    init: None,
                },
                Checkout::Start(place) => {
                    let variables = variables(&version, invoke.environment_key.as_ref())?;
                    let own = (variables, self.credentials(&version, invoke));
                    self.cold_start(place, &version, own, (&launch, network.clone(), until))
                        .await?
                }
            };
            if let Some(key) = &invoke.role_key {
                ready.lease.environment().renew_credentials(key);
            }
            if events.is_closed() || Instant::now() >= until {
                // Nothing was handed over, and the environment is as good as before.
                ready.lease.release();
                return Err(Refused::TooLate);
            }
            match self.run(ready, invoke, events).await {
                Ok(()) => return Ok(()),
                // It keeps its place, and is asked again when it is done.
                Err(Lost::Unsettled) => {}
                Err(lost) => {
                    self.meter.lost();
                    tracing::warn!(function = %invoke.request.version.function.name, error = %lost, "an environment was lost");
                }
            }
        }
        Err(Refused::Lost)
    }

    async fn version(&self, invoke: &Invoke) -> Result<Arc<FunctionVersion>, Refused> {
        let look = || match self.versions.current(&invoke.request.version) {
            Some((version, _)) if version.revision_id == invoke.revision => Ok(version),
            // What the caller has not heard of yet: it may have lost its way to the controllers.
            Some((version, position)) if position > invoke.catalog => {
                Err(Some(Newer { version, position }))
            }
            Some(_) | None => Err(None),
        };
        match look() {
            Ok(version) => return Ok(version),
            Err(newer @ Some(_)) => return Err(Refused::UnknownVersion(newer)),
            Err(None) => {}
        }
        self.versions
            .wait_for(invoke.catalog, CATCH_UP_MAX.min(invoke.wait))
            .await;
        look().map_err(Refused::UnknownVersion)
    }

    fn launch(&self, version: &FunctionVersion) -> Result<Launch, Refused> {
        let config = &version.config;
        let own = Architecture::of_this_binary();
        if own != Some(config.architecture) {
            return Err(Refused::Architecture {
                expected: own.map_or("no architecture that functions know", Architecture::as_str),
                got: config.architecture,
            });
        }
        if config.image().is_some() && self.images.is_some() {
            return Ok(self.runtimes.launch_image(version.code.digest));
        }
        self.runtimes
            .launch(config.runtime)
            .ok_or(Refused::Runtime(config.runtime))
    }

    /// What a version's environments may reach.
    fn network(&self, id: &VersionId) -> Result<NetworkPolicy, Unfit> {
        let tag = self.versions.network_tag(&id.function);
        self.choices.choose(tag.as_deref())
    }

    fn tell_unfit(&self, version: &FunctionVersion, unfit: &Unfit) {
        let now = Instant::now();
        let mut told = self.unfit_told.lock();
        if told.is_none_or(|at| now - at >= TELL_UNFIT_EVERY) {
            *told = Some(now);
            tracing::warn!(function = %version.id.function.name, %unfit, "a function cannot have the network that it names, and is not run");
        }
    }

    fn credentials(&self, version: &FunctionVersion, invoke: &Invoke) -> Credentials {
        let key = invoke.role_key.as_ref();
        Credentials::new(version, key, &self.ground.clock, &self.entropy)
    }

    /// What a version is made of, brought here if need be.
    async fn contents(
        &self,
        version: &FunctionVersion,
        until: Instant,
    ) -> Result<Contents, Refused> {
        if let (Some(found), Some(images)) = (version.config.image(), &self.images) {
            let wait = until.saturating_duration_since(Instant::now());
            let image = images.get(&found.uri, version.code.digest, wait).await;
            return match image {
                Ok(image) => Ok(Contents::Image {
                    image,
                    overrides: found.overrides.clone(),
                }),
                Err(error) => {
                    let text = error.text();
                    tracing::warn!(function = %version.id.function.name, error = %text, "an image is not available");
                    Err(Refused::Code(text))
                }
            };
        }
        let get = async |digest| {
            self.code.get(digest).await.map_err(|error| {
                tracing::warn!(function = %version.id.function.name, %error, kind = ?error.kind(), "code is not available");
                Refused::Code(describe(&error))
            })
        };
        let layers = version.config.layers().iter();
        let layers = layers.map(|layer| get(layer.content.digest));
        let (code, layers) = tokio::try_join!(
            get(version.code.digest),
            futures::future::try_join_all(layers)
        )?;
        Ok(Contents::Package { code, layers })
    }

    async fn cold_start(
        &self,
        place: Reservation,
        version: &Arc<FunctionVersion>,
        (variables, credentials): (Option<Variables>, Credentials),
        (launch, network, until): (&Launch, NetworkPolicy, Instant),
    ) -> Result<Ready, Refused> {
        let contents = self.contents(version, until).await?;
        let plan = Plan {
            id: format!("{:032x}", self.entropy.next_u128()),
            version: version.clone(),
            variables,
            credentials,
            contents,
            launch: launch.clone(),
            network,
        };
        let sandbox_failed = |error: &dyn std::error::Error| {
            let text = describe(error);
            tracing::error!(function = %version.id.function.name, error = %text, "no environment could be made");
            Refused::Sandbox(text)
        };
        let environment = Environment::create(plan, &self.ground)
            .await
            .map_err(|e| sandbox_failed(&e))?;
        let lease = place.fill(environment);
        let init = lease
            .environment()
            .initialise()
            .await
            .map_err(|e| sandbox_failed(&e))?;
        let init = match init {
            Init::Ready(took) => Some(took),
            Init::Failed => None,
        };
        self.meter.started(init);
        Ok(Ready {
            lease,
            cold: true,
            init,
        })
    }

    async fn run(
        &self,
        ready: Ready,
        invoke: &Invoke,
        events: &mpsc::Sender<InvokeEvent>,
    ) -> Result<(), Lost> {
        let Ready { lease, cold, init } = ready;
        let request: &Request = &invoke.request;
        let environment = lease.environment();
        let listener = Listener {
            events,
            cold,
            environment: environment.id(),
            gone: AtomicBool::new(false),
        };
        let ended = match environment.run(request, &listener).await {
            Ok(ended) => ended,
            Err(Lost::Unsettled) => {
                self.release_settled(lease);
                return Err(Lost::Unsettled);
            }
            Err(lost) => return Err(lost),
        };
        if ended.is_healthy() && environment.has_extensions() {
            self.run_watched((lease, ended, init), invoke, events).await;
            return Ok(());
        }
        let payload = environment.payload(request, &ended);
        let figures = environment.conclude(request, &ended, init);
        if ended.is_lost() {
            // The stream ends without an answer: an error of the cluster, which clients repeat, and none of the function's.
            self.meter.lost();
            tracing::error!(request_id = %request.id, environment = environment.id(), "a sandbox died under an invocation");
            return Ok(());
        }
        self.meter.invoked(payload.is_error, figures.billed_ms);
        let init = init.filter(|_| !ended.restarted());
        let answer = message::answer(payload, figures, init, invoke.wants_tail);
        if ended.is_healthy() {
            // Before the caller hears of the end: its next invocation must find this environment.
            lease.release();
            tell(events, answer).await;
        } else {
            let reason = ended.reason();
            tokio::join!(tell(events, answer), start_over(lease, reason));
        }
        Ok(())
    }

    /// Gives an environment back when it is done with its last invocation; one that is not in time ends.
    fn release_settled(&self, lease: Lease) {
        let wait = async move {
            if lease.environment().has_settled().await {
                lease.release();
            }
        };
        self.tasks()
            .spawn(Kind::Environment, "environment-settle", wait);
    }

    /// What comes after the answer of an environment with extensions: the caller has it at once, unless it wants the log,
    /// and the environment is held until they are done, too.
    async fn run_watched(
        &self,
        (lease, mut ended, init): (Lease, Ended, Option<Duration>),
        invoke: &Invoke,
        events: &mpsc::Sender<InvokeEvent>,
    ) {
        let request: &Request = &invoke.request;
        let environment = lease.environment();
        let payload = environment.payload(request, &ended);
        let is_error = payload.is_error;
        let shown = init.filter(|_| !ended.restarted());
        if invoke.wants_tail {
            environment.settle(&mut ended).await;
            let figures = environment.conclude(request, &ended, init);
            self.meter.invoked(is_error, figures.billed_ms);
            tell(events, message::answer(payload, figures, shown, true)).await;
        } else {
            let figures = environment.figures(&ended, init);
            let answer = message::answer(payload, figures, shown, false);
            tokio::join!(tell(events, answer), environment.settle(&mut ended));
            let figures = environment.conclude(request, &ended, init);
            self.meter.invoked(is_error, figures.billed_ms);
        }
        if ended.is_healthy() {
            lease.release();
        } else {
            start_over(lease, ended.reason()).await;
        }
    }
}

/// The caller at the other end of the events.
struct Listener<'a> {
    events: &'a mpsc::Sender<InvokeEvent>,
    cold: bool,
    environment: &'a str,
    /// It takes nothing any more.
    gone: AtomicBool,
}

impl Caller for Listener<'_> {
    fn accepted(&self) {
        // There is room: it is the first event.
        let told = message::accepted(self.cold, self.environment);
        let _nobody_may_listen = self.events.try_send(told);
    }

    async fn part(&self, part: Bytes) {
        for chunk in message::chunks(part) {
            if self.gone.load(Ordering::Relaxed) {
                return;
            }
            if self.events.send_timeout(chunk, TELL_MAX).await.is_err() {
                self.gone.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// The environment variables that a version is started with. They are in memory from here to the end of the environment
/// that gets them, and nowhere else.
fn variables(
    version: &FunctionVersion,
    key: Option<&TextKey>,
) -> Result<Option<Variables>, Refused> {
    let sealed = match &version.config.environment {
        None => return Ok(None),
        Some(StoredEnvironment::Clear(variables)) => return Ok(Some(variables.clone())),
        Some(StoredEnvironment::Sealed(sealed)) => sealed,
    };
    let key = key.ok_or_else(|| Refused::Sealed("no key came with the invocation".to_owned()))?;
    let place = Place::Environment(&version.id.function);
    let text =
        seal::open_with(key, place, sealed).map_err(|error| Refused::Sealed(error.to_string()))?;
    let message = EnvironmentVariables::decode(text.as_slice())
        .map_err(|error| Refused::Sealed(error.to_string()))?;
    Ok(Some(message.into()))
}

/// Sends the answer, as fast as the caller takes it. It holds no environment any more that would wait for that.
async fn tell(events: &mpsc::Sender<InvokeEvent>, answer: impl Iterator<Item = InvokeEvent>) {
    let all = async {
        for event in answer {
            if events.send(event).await.is_err() {
                return;
            }
        }
    };
    if tokio::time::timeout(TELL_MAX, all).await.is_err() {
        tracing::warn!("a caller does not take its answer; it is dropped");
    }
}

/// After a fault of the function: kills its processes and gives the environment back.
async fn start_over(lease: Lease, reason: ShutdownReason) {
    match lease.environment().reset(reason).await {
        Ok(()) => lease.release(),
        // Dropping the lease ends the environment.
        Err(error) => {
            let environment = lease.environment().id();
            tracing::warn!(environment, error = %describe(&error), "an environment could not be reset");
        }
    }
}

/// An error with its causes, which is all that another node or the log will ever see of it.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
