//! One execution environment: a sandbox, the runtime inside it, its Runtime API and its log.
//!
//! Whoever holds the lease of an environment (see [`crate::pool`]) is the only one to start, invoke or reset it, so those
//! need no lock. Freezing is done by somebody else, the environment's supervisor, and is ordered against
//! [`Environment::thaw`] by a lock of its own.
//!
//! After a failed initialisation, a crash or a timeout every process is killed and `/tmp` stays; the next invocation
//! starts the runtime again, inside its own time.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use host::{Clock, Entropy, Tasks};
use model::{
    Limits, Timestamp,
    function::{Environment as Variables, FunctionVersion, LogFormat},
    runtime::Family,
};
use parking_lot::Mutex;
use runtime_api::{About, Phase, RuntimeApi, Setting, ShutdownReason, subscription::Subscriptions};
use sandbox::{
    Accept, Command, Connection, ControlError, CreateError, Driver, Exit, InitCpu, NetworkPolicy,
    Sandbox, StartError,
};
use seal::RoleKey;
use tokio::time::Instant;
use tokio_util::sync::DropGuard;

use crate::{
    gateway::{self, Gateway},
    logs::{
        Log,
        files::{Files, Name},
        level::Level,
        platform::{Event, Status},
    },
    network,
    runtimes::{Launch, Program},
    telemetry::{Inside, Paused, Telemetry},
};

pub(crate) mod contents;
pub(crate) mod credentials;
mod extensions;
pub(crate) mod fault;
pub(crate) mod invoke;
pub(crate) mod variables;
mod zygote;

use contents::{Contents, not_found};
use credentials::{Credentials, Endpoint};
use extensions::{Over, Programs};
use fault::Fault;

/// How long an answer may be on its way when its process is gone already.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// What every environment of a worker is made with.
pub(crate) struct Ground {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) files: Files,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tasks: Tasks,
    pub(crate) limits: Limits,
    /// Whether runtimes may be forked from one that has started already.
    pub(crate) zygotes: bool,
    pub(crate) gateway: Gateway,
    /// Where identifiers that code inside sees come from.
    pub(crate) entropy: Arc<dyn Entropy>,
}

/// What one environment is made of.
pub(crate) struct Plan {
    /// 32 hexadecimal digits.
    pub(crate) id: String,
    pub(crate) version: Arc<FunctionVersion>,
    /// What the owner set, in clear.
    pub(crate) variables: Option<Variables>,
    pub(crate) credentials: Credentials,
    pub(crate) contents: Contents,
    pub(crate) launch: Launch,
    /// What it may reach.
    pub(crate) network: NetworkPolicy,
}

pub(crate) struct Environment {
    id: String,
    version: Arc<FunctionVersion>,
    sandbox: Arc<dyn Sandbox>,
    api: Arc<RuntimeApi>,
    log: Log,
    clock: Arc<dyn Clock>,
    limits: Limits,
    /// What to start, the first of these that can be; or why there is nothing to start.
    commands: Result<Vec<Command>, Fault>,
    launch: Launch,
    /// The owner has the runtime started through a script of theirs.
    wrapped: bool,
    /// Until when it may be given invocations.
    good_until: Option<Timestamp>,
    /// Where code inside asks for its credentials, if it does.
    endpoint: Option<Arc<Endpoint>>,
    /// A runtime runs that has initialised.
    up: AtomicBool,
    frozen: tokio::sync::Mutex<Frozen>,
    programs: Programs,
    telemetry: Telemetry,
    log_stream: String,
    tasks: Tasks,
    /// Runtime and extensions were told that they end.
    winding_up: AtomicBool,
    over: Over,
    /// Until when a runtime that has answered must have asked for more.
    settle_by: Mutex<Instant>,
    contents: Contents,
    /// Keeps the way to the cluster open.
    _gateway: Option<gateway::Opened>,
    /// Keeps its names being answered.
    _names: Option<DropGuard>,
}

/// Whether the processes are stopped.
enum Frozen {
    No,
    /// No telemetry is sent to them meanwhile.
    Yes(#[expect(dead_code, reason = "held, not read")] Option<Paused>),
}

/// How the first start of a runtime went.
#[derive(Debug)]
pub(crate) enum Init {
    /// It is up, after this long.
    Ready(Duration),
    /// It is not; the first invocation tries again inside its own time.
    Failed,
}

/// The environment is of no use any more, through no fault of the function's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("the environment does not do what it is told")]
    Control(#[from] ControlError),
    #[error("the runtime could not be started")]
    Start(#[from] StartError),
    #[error("the runtime ended while it was idle: {0:?}")]
    Exit(Exit),
    #[error("the runtime did not take the invocation in time")]
    Stuck,
    #[error("the runtime is not done with its last invocation")]
    Unsettled,
    #[error("the environment has an invocation already")]
    Occupied,
}

impl Environment {
    /// Makes the sandbox. Nothing runs in it yet.
    pub(crate) async fn create(plan: Plan, ground: &Ground) -> Result<Self, CreateError> {
        let Plan {
            id,
            version,
            variables,
            credentials,
            contents,
            launch,
            network,
        } = plan;
        let mut spec = contents.spec(&id, &launch);
        spec.memory = version.config.memory;
        spec.ephemeral = version.config.ephemeral;
        spec.network = network;
        spec.init_cpu = InitCpu::Full;
        let wrapper = wrapper(&version, variables.as_ref());
        if ground.zygotes && wrapper.is_none() {
            spec.zygote = zygote::of(&launch, &version, variables.as_ref());
        }
        let mut sandbox = ground.driver.create(spec).await?;

        let setup = |step: &str| {
            let step = step.to_owned();
            move |source| CreateError::Setup { step, source }
        };
        let missing = || io::Error::other("the driver gave none");
        let listener = sandbox
            .take_listener()
            .ok_or_else(missing)
            .map_err(setup("take the listener"))?;
        let way_out = sandbox.take_gateway();
        let names = sandbox
            .take_resolver()
            .map(|resolver| network::answer_names(resolver, &ground.entropy, &ground.tasks));
        let output = sandbox
            .take_logs()
            .ok_or_else(missing)
            .map_err(setup("take the log"))?;
        let response = usize::try_from(ground.limits.response_payload.0).unwrap_or(usize::MAX);
        let limits = runtime_api::Limits {
            response,
            ..runtime_api::Limits::default()
        };
        let endpoint = credentials.endpoint().cloned();
        let asked = endpoint
            .clone()
            .map(|e| e as Arc<dyn runtime_api::Credentials>);
        let sandbox: Arc<dyn Sandbox> = sandbox.into();
        let inside: Arc<dyn Inside> = Arc::new(sandbox.clone());
        let telemetry = Telemetry::new(inside, ground.clock.clone(), ground.tasks.clone());
        let function = &version.id.function;
        let setting = Setting {
            limits,
            credentials: asked,
            about: About {
                function_name: function.name.to_string(),
                function_version: version.id.version.to_string(),
                handler: version.config.handler.clone().unwrap_or_default(),
                account_id: function.account.to_string(),
            },
            identifiers: ground.entropy.clone(),
            subscriptions: Some(Arc::new(telemetry.clone()) as Arc<dyn Subscriptions>),
        };
        let api = RuntimeApi::serve(Entrance(listener), &ground.tasks, setting);

        let at = ground.clock.wall();
        let files = ground.files.open(Name {
            function: version.id.function.clone(),
            group: version.config.logging.group.clone(),
            version: version.id.version,
            at,
            environment: id.clone(),
            least: Level::least_of(&version.config.logging),
        });
        let tail = usize::try_from(ground.limits.log_tail.0).unwrap_or(usize::MAX);
        let tap = (telemetry.clone(), version.config.logging.format);
        let log = Log::new(files, tail, ground.clock.clone(), tap);
        log.follow(output, &ground.tasks);

        let stream = variables::log_stream(&version, at, &id);
        let around = variables::Around {
            credentials: &credentials,
            log_stream: &stream,
            runtime: &launch.environment,
            image: contents.environment(),
            has_gateway: way_out.is_some(),
        };
        let environment = variables::of(&version, variables.as_ref(), &around);
        let programs = Programs::new(contents.extensions(), &environment);
        let gateway = way_out.map(|listener| ground.gateway.open(listener, id.clone()));
        Ok(Self {
            wrapped: wrapper.is_some(),
            commands: contents.commands(wrapper, environment, version.config.memory, &launch),
            id,
            version,
            sandbox,
            api: Arc::new(api),
            programs,
            telemetry,
            log_stream: stream,
            tasks: ground.tasks.clone(),
            winding_up: AtomicBool::new(false),
            over: Over::default(),
            log,
            clock: ground.clock.clone(),
            limits: ground.limits.clone(),
            good_until: credentials.good_until(),
            endpoint,
            launch,
            up: AtomicBool::new(false),
            frozen: tokio::sync::Mutex::new(Frozen::No),
            settle_by: Mutex::new(Instant::now()),
            contents,
            _gateway: gateway,
            _names: names,
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Until when it may be given invocations; `None`: for as long as it lives.
    pub(crate) const fn good_until(&self) -> Option<Timestamp> {
        self.good_until
    }

    /// An invocation brought a key of its role.
    pub(crate) fn renew_credentials(&self, key: &Arc<RoleKey>) {
        if let Some(endpoint) = &self.endpoint {
            endpoint.renew(key.clone());
        }
    }

    /// Whether a runtime runs that has initialised.
    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    /// Whether the runtime waits for an invocation, so that nothing is lost if it is stopped.
    pub(crate) fn is_waiting(&self) -> bool {
        self.api.phase() == Phase::Idle
    }

    /// Waits until the runtime waits for an invocation.
    pub(crate) async fn wait_waiting(&self) {
        self.api.idle().await;
    }

    /// When a runtime that still does not wait for an invocation is taken for stuck.
    pub(crate) fn settle_by(&self) -> Instant {
        *self.settle_by.lock()
    }

    /// Waits until a runtime that is not done with its last invocation is; answers whether it was in time.
    pub(crate) async fn has_settled(&self) -> bool {
        let limit = self.settle_by();
        tokio::select! {
            biased;
            () = self.wait_waiting() => true,
            _ = self.wait_end() => false,
            () = tokio::time::sleep_until(limit) => false,
        }
    }

    /// Starts the runtime for the first time and waits until it is up or has failed.
    pub(crate) async fn initialise(&self) -> Result<Init, Lost> {
        let arn = format!(
            "arn:{}:lambda:{}::runtime:{}",
            self.version.id.function.region.partition(),
            self.version.id.function.region,
            self.launch.fingerprint
        );
        let start = Event::InitStart {
            runtime: &self.launch.label,
            runtime_arn: &arn,
            version: &self.version.id,
            log_stream: &self.log_stream,
            memory: self.version.config.memory,
        };
        self.say(&start);
        if let Some(remark) = &self.launch.remark {
            self.log.line(remark);
        }
        let begun = Instant::now();
        let until = begun + self.limits.init_timeout;
        let status = match self.start(until).await? {
            Err(fault) => fault.status(),
            Ok(()) => {
                tokio::select! {
                    biased;
                    ready = self.all_ready() => match ready {
                        Ok(()) => {
                            let took = begun.elapsed();
                            self.sandbox.limit_cpu().await?;
                            self.up.store(true, Ordering::Release);
                            self.say_extensions();
                            self.say(&Event::InitReport {
                                took,
                                phase: "init",
                                status: None,
                            });
                            self.telemetry.opened();
                            return Ok(Init::Ready(took));
                        }
                        Err(fault) => fault.status(),
                    },
                    exit = self.sandbox.wait_exit() => {
                        self.hear_last_words().await;
                        self.init_failure().await.unwrap_or(Fault::Exit(exit)).status()
                    }
                    () = tokio::time::sleep_until(until) => Status::Timeout,
                }
            }
        };
        let took = begun.elapsed();
        self.log.drain();
        if self.api.phase() == Phase::Starting {
            self.say(&Event::InitRuntimeDone {
                phase: "init",
                status: Some(status.clone()),
            });
        }
        self.say_extensions();
        self.say(&Event::InitReport {
            took,
            phase: "init",
            status: Some(status),
        });
        self.sandbox.limit_cpu().await?;
        self.reset(ShutdownReason::Failure).await?;
        Ok(Init::Failed)
    }

    /// Waits until the runtime has asked for its first invocation, and every extension for its first event.
    async fn all_ready(&self) -> Result<(), Fault> {
        tokio::select! {
            biased;
            ready = self.api.ready() => ready.map_err(Fault::Init)?,
            fault = self.api.extension_fault() => return Err(Fault::Extension(fault)),
        }
        self.say(&Event::InitRuntimeDone {
            phase: "init",
            status: None,
        });
        self.api.extensions_ready().await.map_err(Fault::Extension)
    }

    /// Kills every process and keeps `/tmp`: the next invocation starts the runtime again.
    pub(crate) async fn reset(&self, reason: ShutdownReason) -> Result<(), Lost> {
        self.up.store(false, Ordering::Release);
        self.wind_up(reason).await;
        self.sandbox.reset_processes().await?;
        self.api.reset();
        self.telemetry.reset();
        self.winding_up.store(false, Ordering::Release);
        *self.frozen.lock().await = Frozen::No;
        Ok(())
    }

    /// Stops every process, if `still_idle` holds once nobody can be thawing it.
    pub(crate) async fn freeze(&self, still_idle: impl Fn() -> bool) -> Result<(), ControlError> {
        let mut frozen = self.frozen.lock().await;
        if matches!(*frozen, Frozen::No) && still_idle() {
            let paused = self.telemetry.pause().await;
            // Whoever came while that was waited for waits for its end now, and thaws.
            if still_idle() {
                self.sandbox.freeze().await?;
                *frozen = Frozen::Yes(paused);
            }
        }
        Ok(())
    }

    /// Lets the processes run.
    pub(crate) async fn thaw(&self) -> Result<(), ControlError> {
        let mut frozen = self.frozen.lock().await;
        if matches!(*frozen, Frozen::Yes(_)) {
            self.sandbox.thaw().await?;
            *frozen = Frozen::No;
        }
        Ok(())
    }

    /// Waits until the runtime's process or that of an extension is over while it is idle, and says how.
    pub(crate) async fn wait_end(&self) -> String {
        extensions::end_text(tokio::select! {
            biased;
            exit = self.sandbox.wait_exit() => Ok(exit),
            fault = self.api.extension_fault() => Err(fault),
        })
    }

    /// Ends it, with what its extensions are promised before. Idempotent.
    pub(crate) async fn kill(&self) {
        if self.is_up() {
            self.wind_up(ShutdownReason::Spindown).await;
        }
        self.sandbox.kill().await;
    }

    /// Starts extensions and then the process; extensions may take until `until` to register. The inner error is the
    /// function's fault, the outer one is ours.
    async fn start(&self, until: Instant) -> Result<Result<(), Fault>, Lost> {
        if self.programs.are_some()
            && let Err(fault) = self.start_extensions(until).await?
        {
            return Ok(Err(fault));
        }
        let commands = match &self.commands {
            Ok(commands) => commands,
            Err(fault) => return Ok(Err(fault.clone())),
        };
        let mut started = Err(StartError::Invalid("there is nothing to start".to_owned()));
        let mut program = String::new();
        for command in commands {
            program = command.argv.first().cloned().unwrap_or_default();
            started = self.sandbox.start(command.clone()).await;
            if !started.as_ref().is_err_and(is_elsewhere) {
                break;
            }
        }
        match started {
            Ok(()) => Ok(Ok(())),
            Err(StartError::Exec { step, .. }) if self.is_image() && step.starts_with("enter ") => {
                let directory = step.trim_start_matches("enter ");
                let why = format!("the working directory doesn't exist: {directory}");
                Ok(Err(Fault::WorkingDirectory(why)))
            }
            // It was looked for in more than one place.
            Err(error) if commands.len() > 1 && is_elsewhere(&error) => {
                let name = program.rsplit('/').next().unwrap_or_default();
                Ok(Err(Fault::Entrypoint(not_found(name))))
            }
            Err(StartError::Exec { source, .. }) if self.has_own_program() => {
                let why = format!("fork/exec {program}: {}", reason(&source));
                Ok(Err(Fault::Entrypoint(why)))
            }
            Err(StartError::Exec { .. }) if self.wrapped => Ok(Err(Fault::Exit(Exit::Code(127)))),
            Err(error) => Err(error.into()),
        }
    }

    /// After the end of the process: deals with what it had sent before.
    async fn hear_last_words(&self) {
        // A child of it may hold a connection open.
        let _heard = tokio::time::timeout(LAST_WORDS, self.api.quiet()).await;
    }

    /// What the runtime reported instead of becoming ready, if it did.
    async fn init_failure(&self) -> Option<Fault> {
        match tokio::time::timeout(Duration::ZERO, self.api.ready()).await {
            Ok(Err(failure)) => Some(Fault::Init(failure)),
            Ok(Ok(())) | Err(_) => None,
        }
    }

    const fn is_image(&self) -> bool {
        matches!(self.contents, Contents::Image { .. })
    }

    fn has_own_program(&self) -> bool {
        self.launch.program == Program::Bootstrap
    }

    fn say(&self, event: &Event<'_>) {
        let logging = &self.version.config.logging;
        let wanted =
            logging.format == LogFormat::Text || event.level() >= Level::system_of(logging);
        if wanted && let Some(line) = event.render(logging.format, self.clock.wall()) {
            self.log.line(&line);
        }
        if self.telemetry.is_listening() {
            let record = event.record();
            self.telemetry
                .platform(record.only, record.kind, &record.record);
        }
    }
}

/// Where the runtime comes in.
struct Entrance(Box<dyn Accept>);

impl runtime_api::Accept for Entrance {
    type Stream = Box<dyn Connection>;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Stream>> {
        self.0.poll_accept(cx)
    }

    fn discard_waiting(&self) {
        self.0.discard_waiting();
    }
}

/// The program of a runtime that brings its own: the package's, or else the one of the last layer that has one.
fn bootstrap(code: &Path, layers: &[&Path]) -> Option<&'static str> {
    // The link itself: where it leads is for the sandbox to see.
    let found = |dir: &Path| std::fs::symlink_metadata(dir.join("bootstrap")).ok();
    if found(code).is_some_and(|f| !f.is_dir()) {
        return Some("/var/task/bootstrap");
    }
    // A later layer covers an earlier one, also with a directory.
    let covering = layers.iter().rev().find_map(|layer| found(layer))?;
    (!covering.is_dir()).then_some("/opt/bootstrap")
}

/// The script that the owner wants to start managed runtimes through.
fn wrapper(version: &FunctionVersion, variables: Option<&Variables>) -> Option<String> {
    if matches!(
        version.config.runtime.family(),
        Family::Provided | Family::Image
    ) {
        return None;
    }
    variables?
        .0
        .get("AWS_LAMBDA_EXEC_WRAPPER")
        .filter(|w| !w.is_empty())
        .cloned()
}

/// Whether a program is not where it was looked for, so that another place may have it.
fn is_elsewhere(error: &StartError) -> bool {
    let StartError::Exec { step, source } = error else {
        return false;
    };
    let absent = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    step.starts_with("execute ") && absent.contains(&source.kind())
}

/// What the kernel says, without the number.
fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(2) => "no such file or directory".to_owned(),
        Some(8) => "exec format error".to_owned(),
        Some(13) => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bootstrap_is_the_packages_or_the_last_layers() {
        let place = tempfile::tempdir().unwrap();
        let dir = |name: &str| {
            let path = place.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        let (with, without, covered) = (dir("with"), dir("without"), dir("covered"));
        std::fs::write(with.join("bootstrap"), "").unwrap();
        std::fs::create_dir(covered.join("bootstrap")).unwrap();
        let check = |code: &Path, layers: &[&Path], expected: Option<&str>| {
            assert_eq!(bootstrap(code, layers), expected, "{code:?} {layers:?}");
        };
        check(&with, &[], Some("/var/task/bootstrap"));
        check(&with, &[&with], Some("/var/task/bootstrap"));
        check(&without, &[], None);
        check(&without, &[&with, &without], Some("/opt/bootstrap"));
        check(&covered, &[&with], Some("/opt/bootstrap"));
        check(&without, &[&with, &covered], None);
        check(&without, &[&covered, &with], Some("/opt/bootstrap"));
    }
}
