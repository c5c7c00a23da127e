//! The driver port: what a worker asks of whatever confines user code.
//!
//! A [`Driver`] makes [`Sandbox`]es. A sandbox is the outer shell of one execution environment: a private view of
//! files, processes and network with limits on memory, CPU and process count. What runs inside is started by
//! [`Sandbox::start`]; how that process talks to the worker is not the driver's business, beyond handing out a
//! listener that only code inside can reach.
//!
//! Life of a sandbox: `create` → (`start` → `freeze`/`thaw`… → `reset_processes`)… → `kill`. Every method takes
//! `&self` and may be called from several tasks at once. All of them are bounded by deadlines of the driver, except
//! [`Sandbox::wait_exit`]. A dropped sandbox is killed in the background; call [`Sandbox::kill`] to know when it is
//! over.

use std::{collections::BTreeSet, fmt, io, net::Ipv4Addr, path::PathBuf, time::Duration};

use async_trait::async_trait;
use model::{ByteCount, EphemeralMib, ErrorKind, Failure, MemoryMib, NetworkPolicyName};

use crate::{
    ends::{Accept, Connection, Output},
    network::Resolver,
    report::Report,
};

/// The address of the listener that [`Sandbox::take_listener`] hands out, as seen from inside the sandbox.
pub const LISTENER_ADDRESS: std::net::SocketAddrV4 =
    std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 9001);

/// The address of the listener that [`Sandbox::take_gateway`] hands out, as seen from inside the sandbox.
pub const GATEWAY_ADDRESS: std::net::SocketAddrV4 =
    std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 9000);

/// Where code inside asks for names, if the sandbox has a network policy.
pub const RESOLVER_ADDRESS: std::net::SocketAddrV4 =
    std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 53);

/// Makes sandboxes, and cleans up after a previous life of the node.
#[async_trait]
pub trait Driver: Send + Sync {
    /// A short constant name for logs and metrics, such as `linux`.
    fn name(&self) -> &'static str;

    /// What this driver enforces, and what it does not and why.
    fn report(&self) -> &Report;

    /// Whether interpreters of this machine can run in its sandboxes. One that cannot has only code that brings its own
    /// runtime.
    fn runs_interpreters(&self) -> bool {
        true
    }

    /// Whether a sandbox can have a [`Root::Layers`].
    fn runs_images(&self) -> bool {
        false
    }

    /// Makes a sandbox with nothing running in it; its listeners accept connections from inside at once.
    ///
    /// # Cancel safety
    /// If the future is dropped, the sandbox is destroyed in the background or at the next call.
    async fn create(&self, spec: Spec) -> Result<Box<dyn Sandbox>, CreateError>;

    /// Kills what a previous life of this node left behind (processes, limits, directories) and answers how many
    /// sandboxes that were. Sandboxes of this life are not touched.
    async fn sweep(&self) -> io::Result<usize>;

    /// Forbids addresses to every sandbox, whatever its network policy, from now on and for as long as the driver lives.
    /// Those of this machine are forbidden by themselves; a driver without networks has nothing to do.
    ///
    /// # Errors
    /// What the kernel says: an address may be reachable yet. To be tried again.
    fn forbid(&self, addresses: &BTreeSet<Ipv4Addr>) -> io::Result<()> {
        let _ = addresses;
        Ok(())
    }

    /// Kills every sandbox and stops the driver. Idempotent. `create` answers [`CreateError::Stopped`] afterwards.
    async fn shutdown(&self);
}

/// One sandbox.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// The id from the [`Spec`].
    fn id(&self) -> &str;

    /// The listener on [`LISTENER_ADDRESS`] of the sandbox's own network. Only code inside the sandbox can connect, so a
    /// connection accepted here *is* authenticated as this sandbox. It stays the same over
    /// [`reset_processes`](Self::reset_processes). `Some` once.
    fn take_listener(&mut self) -> Option<Box<dyn Accept>>;

    /// The listener on [`GATEWAY_ADDRESS`] of the sandbox's own network, under the same rules as
    /// [`take_listener`](Self::take_listener): what connects there wants to speak to the cluster. `None` as well if the driver
    /// has none.
    fn take_gateway(&mut self) -> Option<Box<dyn Accept>>;

    /// The name server of a sandbox with a network policy; somebody must [serve](Resolver::serve) it. `Some` once; `None`
    /// for [`NetworkPolicy::None`].
    fn take_resolver(&mut self) -> Option<Resolver> {
        None
    }

    /// What every process started here writes to stdout and stderr. It stays the same over
    /// [`reset_processes`](Self::reset_processes), and ends after [`kill`](Self::kill). It holds a bounded amount:
    /// when it is not read, the writers inside wait. `Some` once.
    fn take_logs(&mut self) -> Option<Box<dyn Output>>;

    /// Starts the runtime process. Returns when it runs the program of `command`, with stdin empty, stdout and stderr
    /// in the log pipe, no other file descriptor, exactly the given environment variables. With [`Spec::zygote`] it may be a
    /// fork of that one instead.
    ///
    /// # Errors
    /// [`StartError::AlreadyRunning`] while the previous one is not over (see
    /// [`reset_processes`](Self::reset_processes)).
    async fn start(&self, command: Command) -> Result<(), StartError>;

    /// Waits until the runtime process started last is over, and answers how. Before the first `start` it waits for
    /// one. For a process that was alive, a sandbox that was killed answers `Signal(9)`, and one that died
    /// otherwise `SandboxLost`.
    ///
    /// # Cancel safety
    /// Cancel safe; may be asked any number of times and answers the same until the next `start`.
    async fn wait_exit(&self) -> Exit;

    /// Starts a process beside the runtime, in the same way, but for a log of its own. There may be several; all of them end
    /// with [`reset_processes`](Self::reset_processes).
    ///
    /// # Errors
    /// [`StartError`]; [`StartError::Invalid`] as well from a driver that cannot do this.
    async fn start_beside(&self, command: Command) -> Result<Beside, StartError> {
        drop(command);
        let why = "this driver starts nothing beside the runtime";
        Err(StartError::Invalid(why.to_owned()))
    }

    /// Waits until a process of [`start_beside`](Self::start_beside) is over, and answers how, as
    /// [`wait_exit`](Self::wait_exit) does.
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn wait_beside(&self, number: u64) -> Exit {
        let _ = number;
        Exit::SandboxLost
    }

    /// Asks the runtime process to end (`SIGTERM`); nothing if there is none.
    async fn terminate(&self) -> Result<(), ControlError> {
        Ok(())
    }

    /// Connects to a listener that code inside has on its loopback.
    ///
    /// # Errors
    /// What the operating system says; [`io::ErrorKind::Unsupported`] from a driver that cannot do this.
    async fn connect(&self, port: u16) -> io::Result<Box<dyn Connection>> {
        let _ = port;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Stops every process inside from running. Ends the boost of [`InitCpu::Full`]. Idempotent.
    async fn freeze(&self) -> Result<(), ControlError>;

    /// Lets the processes run again. Idempotent.
    async fn thaw(&self) -> Result<(), ControlError>;

    /// Ends the boost of [`InitCpu::Full`]: from here on the CPU quota of the function's memory holds. Idempotent.
    async fn limit_cpu(&self) -> Result<(), ControlError>;

    /// What the sandbox uses now.
    async fn stats(&self) -> Result<Stats, ControlError>;

    /// [`Stats::memory_peak`] less what lies in `/tmp` now; cheap enough to be asked after every invocation. Told by every
    /// driver for whatever ran for a while, if less exactly where a piece is missing.
    fn memory_peak(&self) -> Option<ByteCount>;

    /// Memory of the processes themselves now, without `/tmp` and caches, and once for each page that several of them
    /// share; cheap enough to be watched. The limit of the kernel counts `/tmp` in, which a function may use beside its
    /// memory, so a caller that means the memory alone watches this; where the kernel has no limit it is the only one.
    fn memory_of_processes(&self) -> Option<ByteCount>;

    /// Kills every process inside (thawing first if need be), and keeps `/tmp`, the network and the listener, so that
    /// [`start`](Self::start) works again, with the boost of [`InitCpu::Full`] if the sandbox was made with it.
    async fn reset_processes(&self) -> Result<(), ControlError>;

    /// Ends the sandbox: when this returns every process is gone and mounts, limits and `/tmp` are released.
    /// Idempotent; works whether frozen or not, and whether or not the driver's helper process is alive.
    async fn kill(&self);
}

/// A program that starts ahead and becomes runtimes by forking. It must be of the platform's own making: what it forks
/// into holds no rights, but itself does. The sandbox crate's `spawner::zygote` says what it is told and must answer.
///
/// The first sandbox that names one has it raised, and does not wait for it: it, and every other while the zygote is not up,
/// starts the program of its command instead. Drivers without zygotes always do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Zygote {
    /// Program and arguments; absolute path first.
    pub argv: Vec<String>,
    /// All variables it is started with. Forks have their own.
    pub env: Vec<(String, String)>,
    /// Directory that becomes `/var/runtime`, as in [`Spec`].
    pub runtime_dir: PathBuf,
    /// Further host directories, as [`Spec::extra_binds`].
    pub binds: Vec<PathBuf>,
}

/// What to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Names the sandbox in logs and errors; 1 to 64 of `[A-Za-z0-9_-]`, unique on this node.
    pub id: String,
    /// Memory of the function. It also decides the CPU quota: 1769 MiB is one CPU.
    pub memory: MemoryMib,
    /// Size of `/tmp`.
    pub ephemeral: EphemeralMib,
    /// Directory that becomes `/var/task`, read-only. Its files must be readable by everyone (modes 0755/0644).
    pub code_dir: PathBuf,
    /// Directory that becomes `/var/runtime`, read-only; same modes.
    pub runtime_dir: PathBuf,
    /// Directories merged to `/opt`, read-only; a later one covers an earlier one. Empty: `/opt` is empty.
    pub layers: Vec<PathBuf>,
    /// Further host directories, read-only at the same absolute path; such as an interpreter outside `/usr`.
    pub extra_binds: Vec<PathBuf>,
    /// What the root is.
    pub root: Root,
    /// Host name inside; 1 to 63 of `[A-Za-z0-9.-]`.
    pub hostname: String,
    /// Most processes and threads.
    pub pids_max: u32,
    /// Most open files of one process.
    pub nofile_max: u32,
    /// What the sandbox may reach.
    pub network: NetworkPolicy,
    /// CPU until [`Sandbox::limit_cpu`].
    pub init_cpu: InitCpu,
    /// What [`Sandbox::start`] may fork instead of starting a program anew: a fork of it must be as good.
    pub zygote: Option<Zygote>,
}

impl Spec {
    /// A spec with AWS's limits (1024 processes, 1024 files), no layers, no network, the quota from the start.
    #[must_use]
    pub fn new(
        id: impl Into<String>,
        code_dir: impl Into<PathBuf>,
        runtime_dir: impl Into<PathBuf>,
    ) -> Self {
        Self {
            id: id.into(),
            memory: MemoryMib::default(),
            ephemeral: EphemeralMib::default(),
            code_dir: code_dir.into(),
            runtime_dir: runtime_dir.into(),
            layers: Vec::new(),
            extra_binds: Vec::new(),
            root: Root::Host,
            hostname: "sandbox".to_owned(),
            pids_max: 1024,
            nofile_max: 1024,
            network: NetworkPolicy::None,
            init_cpu: InitCpu::Quota,
            zygote: None,
        }
    }
}

/// What a sandbox has for a root.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Root {
    /// Programs and libraries of the host.
    #[default]
    Host,
    /// The layers of a container image, the lowest first, read-only: directories whose whiteouts are those of overlayfs with
    /// `userxattr`. `code_dir` and `runtime_dir` are not used then, and there are no `layers` and no `extra_binds`.
    Layers(Vec<PathBuf>),
}

/// What a sandbox may reach over the network.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum NetworkPolicy {
    /// Its own loopback only.
    #[default]
    None,
    /// What the policy of this name lets through, of those that the driver was started with.
    Named(NetworkPolicyName),
}

/// How much CPU a sandbox gets while its function initialises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum InitCpu {
    /// The function's quota from the start.
    #[default]
    Quota,
    /// As much as the host has, until [`Sandbox::limit_cpu`] or [`Sandbox::freeze`]; after
    /// [`Sandbox::reset_processes`] again.
    Full,
}

/// A process to start inside.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// Program (absolute path inside the sandbox) and arguments; not empty.
    pub argv: Vec<String>,
    /// The whole environment. Values are secrets: never logged.
    pub env: Vec<(String, String)>,
    /// Working directory, inside the sandbox.
    pub cwd: PathBuf,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Command")
            .field("argv", &self.argv)
            .field("env", &names)
            .field("cwd", &self.cwd)
            .finish()
    }
}

/// A process beside the runtime.
#[derive(Debug)]
pub struct Beside {
    /// What [`Sandbox::wait_beside`] knows it by.
    pub number: u64,
    /// What it prints. It holds a bounded amount: when it is not read, the process waits.
    pub output: Box<dyn Output>,
}

/// How the runtime process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this status.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// The kernel killed it because the sandbox was out of memory.
    OutOfMemory,
    /// The sandbox around it is gone without having been killed: its init ended, or the driver did.
    SandboxLost,
}

/// What a sandbox uses. A field is `None` if the piece that measures it is missing (see [`Driver::report`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stats {
    /// Memory in use now, pages of `/tmp` included.
    pub memory_now: Option<ByteCount>,
    /// The most memory that was ever in use, pages of `/tmp` included.
    pub memory_peak: Option<ByteCount>,
    /// How many processes the kernel killed for want of memory.
    pub oom_kills: Option<u64>,
    /// Processes and threads now, the driver's own one included.
    pub pids: Option<u64>,
    /// Bytes used in `/tmp`.
    pub tmp_bytes: Option<ByteCount>,
    /// CPU time used since creation.
    pub cpu_usage: Option<Duration>,
}

/// Why there is no new sandbox.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The spec can never work.
    #[error("sandbox spec: {field}: {reason}")]
    Invalid {
        /// The member of the spec.
        field: &'static str,
        /// What was expected and what came.
        reason: String,
    },
    /// It cannot have the network that it should have, and gets no weaker one.
    #[error("network policy `{policy}`: {reason}: {remedy}")]
    Network {
        /// The policy.
        policy: NetworkPolicyName,
        /// What is wrong.
        reason: String,
        /// What the operator can do.
        remedy: String,
    },
    /// One step of the set-up failed.
    #[error("sandbox set-up stopped at {step}")]
    Setup {
        /// The step, such as `mount /var/task`.
        step: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The driver's helper process is gone and could not be started again.
    #[error("the spawner process is gone")]
    SpawnerLost(#[source] io::Error),
    /// No answer in time.
    #[error("no sandbox within {0:?}; is the host overloaded?")]
    Deadline(Duration),
    /// The driver was shut down.
    #[error("the sandbox driver is shut down")]
    Stopped,
}

impl Failure for CreateError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid { .. } | Self::Network { .. } => ErrorKind::Invalid,
            Self::Setup { .. } => ErrorKind::Internal,
            Self::SpawnerLost(_) | Self::Stopped => ErrorKind::Unavailable,
            Self::Deadline(_) => ErrorKind::Deadline,
        }
    }
}

/// Why the runtime process does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The command can never work.
    #[error("command: {0}")]
    Invalid(String),
    /// The previous runtime process is not over.
    #[error("a runtime process is already running; reset the processes first")]
    AlreadyRunning,
    /// The program could not be executed: it is missing, not executable, or of another architecture.
    #[error("{step}")]
    Exec {
        /// What was tried, such as `execute /var/runtime/bootstrap`.
        step: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The sandbox is gone.
    #[error("the sandbox is gone")]
    Gone,
    /// No answer in time.
    #[error("the process did not start within {0:?}")]
    Deadline(Duration),
}

impl Failure for StartError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) | Self::Exec { .. } => ErrorKind::Invalid,
            Self::AlreadyRunning => ErrorKind::Conflict,
            Self::Gone => ErrorKind::Unavailable,
            Self::Deadline(_) => ErrorKind::Deadline,
        }
    }
}

/// Why a sandbox did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The sandbox is gone.
    #[error("the sandbox is gone")]
    Gone,
    /// The host refused.
    #[error("{step}")]
    Io {
        /// What was tried.
        step: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// No answer in time.
    #[error("{step} took longer than {limit:?}")]
    Deadline {
        /// What was tried.
        step: &'static str,
        /// How long was waited.
        limit: Duration,
    },
}

impl Failure for ControlError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Gone => ErrorKind::Unavailable,
            Self::Io { .. } => ErrorKind::Internal,
            Self::Deadline { .. } => ErrorKind::Deadline,
        }
    }
}
