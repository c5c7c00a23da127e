//! One sandbox of the Linux driver, as the node holds it.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use model::ByteCount;
use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream, unix::pipe},
    sync::OnceCell,
    time::timeout,
};

use super::{
    cgroup::{self, Group},
    link::{Link, Made},
    mailbox::{Closed, Mailbox, Record},
    processes::Processes,
};
use crate::{
    driver::{
        Beside, Command, ControlError, CreateError, Exit, InitCpu, Sandbox, Spec, StartError,
        Stats, Zygote,
    },
    ends::{Accept, Connection, Output, prompt},
    network::Resolver,
    wire::{self, News, Order, RawExit, Refusal, StepError, Verb},
};

/// How long a process may take from the order to its first instruction.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How long a zygote may take to fork before its program is started instead.
const FORK_LIMIT: Duration = Duration::from_secs(2);

/// How long a connection to the inside may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// Ends of processes beside the runtime that are remembered; there are ten at a time.
const ENDS_MAX: usize = 64;

/// Sockets that wait for whoever asked for them; one who gave up meanwhile leaves his.
const SOCKETS_MAX: usize = 16;

/// How long the freezer may take.
const FREEZE_LIMIT: Duration = Duration::from_secs(2);

/// How long all processes of a sandbox may take to die.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// What came from the init.
#[derive(Default)]
struct Diary {
    ready: Option<Result<OwnedFd, StepError>>,
    /// Orders that somebody waits for, with their outcome.
    orders: BTreeMap<u64, Option<Result<(), Refusal>>>,
    /// The order that started the runtime process last.
    started: Option<u64>,
    /// How the process of that order ended.
    ended: Option<(u64, RawExit)>,
    /// How processes beside the runtime ended.
    beside: BTreeMap<u64, RawExit>,
    /// Sockets that were asked for, until whoever asked takes them.
    sockets: BTreeMap<u64, OwnedFd>,
    /// The order whose process this side killed: its end is no one else's doing.
    killed: Option<u64>,
    /// Start orders that are under way, and memory kills counted when each was given.
    kills_before: BTreeMap<u64, u64>,
}

impl Record for Diary {
    type Message = News;

    fn take_in(&mut self, news: News, fds: Vec<OwnedFd>) {
        match news {
            News::Ready => {
                let tmp = fds.into_iter().next();
                self.ready = Some(
                    tmp.ok_or_else(|| StepError::new("hand over /tmp", rustix::io::Errno::BADF)),
                );
            }
            News::Failed(error) => self.ready = Some(Err(error)),
            News::Done { sequence } => {
                if self.kills_before.contains_key(&sequence) {
                    self.started = Some(sequence);
                    self.kills_before.retain(|order, _| *order >= sequence);
                }
                self.answer(sequence, Ok(()));
            }
            News::Refused { sequence, refusal } => {
                self.kills_before.remove(&sequence);
                self.answer(sequence, Err(refusal));
            }
            News::Exited { sequence, exit } => self.ended = Some((sequence, exit)),
            News::BesideExited { sequence, exit } => {
                self.beside.insert(sequence, exit);
                if self.beside.len() > ENDS_MAX {
                    self.beside.pop_first();
                }
            }
            News::Connected { sequence } => {
                let socket = fds.into_iter().next().map(|fd| (sequence, fd));
                self.sockets.extend(socket);
                if self.sockets.len() > SOCKETS_MAX {
                    self.sockets.pop_first();
                }
                self.answer(sequence, Ok(()));
            }
        }
    }
}

impl Diary {
    fn answer(&mut self, sequence: u64, outcome: Result<(), Refusal>) {
        if let Some(place) = self.orders.get_mut(&sequence) {
            *place = Some(outcome);
        }
    }

    /// Notes that what runs now, if anything does, is about to be killed by this side.
    fn note_kill(&mut self) {
        if self.last_exit().is_none() {
            self.killed = self.started;
        }
    }

    /// How the process that was started last ended, if it did.
    fn last_exit(&self) -> Option<RawExit> {
        self.ended
            .filter(|(sequence, _)| Some(*sequence) == self.started)
            .map(|(_, exit)| exit)
    }
}

/// How an order went wrong.
enum OrderError {
    Gone,
    Refused(Refusal),
    TooLarge(io::Error),
    Deadline,
}

impl From<OrderError> for StartError {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Gone => Self::Gone,
            OrderError::Deadline => Self::Deadline(START_LIMIT),
            OrderError::TooLarge(error) => Self::Invalid(error.to_string()),
            OrderError::Refused(Refusal::AlreadyRunning) => Self::AlreadyRunning,
            OrderError::Refused(Refusal::Step(error)) => Self::Exec {
                source: error.source(),
                step: error.step,
            },
        }
    }
}

/// Whether a command can work at all.
fn check(command: &Command) -> Result<(), StartError> {
    let program = command.argv.first();
    if !program.is_some_and(|program| program.starts_with('/')) {
        return Err(StartError::Invalid(
            "expected an absolute path as argv[0]".to_owned(),
        ));
    }
    let unusable = |(name, _): &&(String, String)| name.is_empty() || name.contains('=');
    match command.env.iter().find(unusable) {
        None => Ok(()),
        Some((name, _)) => Err(StartError::Invalid(format!(
            "expected a name without `=` for a variable, got `{name}`"
        ))),
    }
}

/// A listener as the spawner made it, for this node's tasks.
pub(super) fn take_over(listener: OwnedFd) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::from(listener);
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// One sandbox.
pub(crate) struct Shell {
    id: String,
    /// What may be forked instead of starting a program.
    zygote: Option<Zygote>,
    /// A fork of it waits inside.
    fork_waits: AtomicBool,
    link: Arc<Link>,
    slot: u64,
    group: Group,
    processes: Processes,
    /// Whether the group can be asked for the most memory that was in use.
    keeps_peak: bool,
    cpu_quota_us: u64,
    cpu_limited: AtomicBool,
    /// Processes are started without the quota.
    boosted: bool,
    mailbox: Mailbox<Diary>,
    listener: Option<TcpListener>,
    gateway: Option<TcpListener>,
    resolver: Option<Resolver>,
    log: Option<pipe::Receiver>,
    tmp: Mutex<Option<OwnedFd>>,
    sequences: AtomicU64,
    /// Decided once for each started process, because counters vanish with the sandbox.
    exits: Mutex<BTreeMap<u64, Exit>>,
    killed: OnceCell<()>,
}

impl Shell {
    /// Takes over what the spawner made of `spec` and waits until the inside is complete.
    pub(crate) async fn complete(
        spec: Spec,
        link: Arc<Link>,
        made: Made,
    ) -> Result<Self, CreateError> {
        let cpu_quota_us = cgroup::cpu_quota_us(spec.memory.get());
        let boosted = spec.init_cpu == InitCpu::Full;
        let Made {
            slot,
            cgroup,
            init,
            forked,
            listener,
            gateway,
            log,
            control,
            names: _,
        } = made;
        let group = link.layout.group(&cgroup);
        let abandon = Abandon { link: &link, slot };
        let setup = |step: &str, source| CreateError::Setup {
            step: step.to_owned(),
            source,
        };
        let listener = take_over(listener).map_err(|e| setup("take over the listener", e))?;
        let gateway = take_over(gateway).map_err(|e| setup("take over the gateway", e))?;
        let log = pipe::Receiver::from_owned_fd(log).map_err(|e| setup("take over the log", e))?;
        let mailbox =
            Mailbox::new(control, Diary::default()).map_err(|e| setup("talk to the init", e))?;
        let tmp = match mailbox.until(|diary| diary.ready.take()).await {
            Ok(Ok(tmp)) => tmp,
            Ok(Err(error)) => {
                return Err(CreateError::Setup {
                    source: error.source(),
                    step: error.step,
                });
            }
            Err(Closed) => {
                return Err(setup(
                    "wait for the init",
                    io::ErrorKind::UnexpectedEof.into(),
                ));
            }
        };
        std::mem::forget(abandon);
        Ok(Self {
            id: spec.id,
            zygote: spec.zygote,
            fork_waits: AtomicBool::new(forked),
            group,
            processes: Processes::of(init),
            keeps_peak: link.layout.keeps_peak(),
            link,
            slot,
            cpu_quota_us,
            cpu_limited: AtomicBool::new(!boosted),
            boosted,
            mailbox,
            listener: Some(listener),
            gateway: Some(gateway),
            resolver: None,
            log: Some(log),
            tmp: Mutex::new(Some(tmp)),
            sequences: AtomicU64::new(1),
            exits: Mutex::new(BTreeMap::new()),
            killed: OnceCell::new(),
        })
    }

    /// Gives it a name server.
    pub(super) fn answer_names(&mut self, resolver: Resolver) {
        self.resolver = Some(resolver);
    }

    async fn order(&self, verb: Verb, limit: Duration) -> Result<(), OrderError> {
        self.order_with(verb, &[], limit).await.map(drop)
    }

    /// Gives an order with descriptors beside it. Answers its number.
    async fn order_with(
        &self,
        verb: Verb,
        fds: &[BorrowedFd<'_>],
        limit: Duration,
    ) -> Result<u64, OrderError> {
        let sequence = self.sequences.fetch_add(1, Ordering::Relaxed);
        let starts = matches!(verb, Verb::Start { .. } | Verb::Adopt { .. });
        let kills = self.group.oom_kills().unwrap_or(0);
        self.mailbox.with(|diary| {
            diary.orders.insert(sequence, None);
            if starts {
                diary.kills_before.insert(sequence, kills);
            }
        });
        let waiting = WaitingOrder {
            mailbox: &self.mailbox,
            sequence,
        };
        let order = Order { sequence, verb };
        let done = timeout(limit, async {
            self.mailbox
                .send_with(&order, fds)
                .await
                .map_err(|error| match error.kind() {
                    io::ErrorKind::InvalidInput => OrderError::TooLarge(error),
                    _ => OrderError::Gone,
                })?;
            let outcome = self
                .mailbox
                .until(|diary| diary.orders.get_mut(&sequence).and_then(Option::take))
                .await;
            outcome
                .map_err(|Closed| OrderError::Gone)?
                .map_err(OrderError::Refused)
        })
        .await;
        drop(waiting);
        done.unwrap_or(Err(OrderError::Deadline)).map(|()| sequence)
    }

    async fn control(
        &self,
        step: &'static str,
        verb: Verb,
        limit: Duration,
    ) -> Result<(), ControlError> {
        self.order(verb, limit).await.map_err(|error| match error {
            OrderError::Gone => ControlError::Gone,
            OrderError::Deadline => ControlError::Deadline { step, limit },
            OrderError::TooLarge(source) => ControlError::Io {
                step: step.to_owned(),
                source,
            },
            OrderError::Refused(Refusal::Step(error)) => ControlError::Io {
                source: error.source(),
                step: error.step,
            },
            OrderError::Refused(Refusal::AlreadyRunning) => ControlError::Io {
                step: step.to_owned(),
                source: io::ErrorKind::ResourceBusy.into(),
            },
        })
    }

    /// Has the init take in the fork of a zygote: the one that waits inside, or one that is made now. `None` without a zygote
    /// that can fork.
    async fn fork(&self, command: &Command) -> Option<Result<(), StartError>> {
        let zygote = self.zygote.as_ref()?;
        let order = Verb::Adopt {
            env: command.env.clone(),
            cwd: command.cwd.clone(),
        };
        if self.fork_waits.swap(false, Ordering::Relaxed) {
            return Some(self.order(order, FORK_LIMIT).await.map_err(Into::into));
        }
        if self.killed.initialized() {
            return None;
        }
        let number = self.link.zygote(zygote)?;
        // Short of descriptors a program of its own will hardly start either; it says so better.
        let (inside, outside) = wire::pair().ok()?;
        let fds = [inside.as_fd()];
        let adopted = self.order_with(order, &fds, FORK_LIMIT);
        // If this fails, the other end of the socket is closed, which the init takes for the answer.
        let forked = self.link.fork(number, self.slot, outside);
        let (adopted, _) = tokio::join!(adopted, forked);
        let adopted = adopted.map(drop).map_err(StartError::from);
        if !matches!(adopted, Err(StartError::AlreadyRunning | StartError::Gone)) {
            self.link.note_fork(number, adopted.is_ok());
        }
        Some(adopted)
    }

    async fn set_frozen(&self, frozen: bool) -> Result<(), ControlError> {
        let step = if frozen { "freeze" } else { "thaw" };
        if self.killed.initialized() {
            return Err(ControlError::Gone);
        }
        if self.group.freezer().is_none() {
            let verb = if frozen { Verb::Stop } else { Verb::Continue };
            return self.control(step, verb, FREEZE_LIMIT).await;
        }
        let group = self.group.clone();
        let done =
            tokio::task::spawn_blocking(move || group.set_frozen(frozen, FREEZE_LIMIT)).await;
        match done.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(ControlError::Deadline {
                step,
                limit: FREEZE_LIMIT,
            }),
            Err(error) => Err(self.io_error(step, error)),
        }
    }

    /// What the files in `/tmp` take.
    fn tmp_bytes(&self) -> Option<ByteCount> {
        let tmp = self.tmp.lock();
        let tmp = rustix::fs::fstatfs(tmp.as_ref()?).ok()?;
        let used = tmp.f_blocks.saturating_sub(tmp.f_bfree);
        Some(ByteCount(
            used.saturating_mul(u64::try_from(tmp.f_bsize).unwrap_or(0)),
        ))
    }

    fn io_error(&self, step: &str, source: io::Error) -> ControlError {
        let gone =
            source.kind() == io::ErrorKind::NotFound || source.raw_os_error() == Some(libc::ENODEV);
        if gone {
            ControlError::Gone
        } else {
            ControlError::Io {
                step: step.to_owned(),
                source,
            }
        }
    }

    /// The exit of the process started last, if it is over; `init_gone`: it is over with the init. The first decision
    /// about a process stays.
    fn exit_now(&self, init_gone: bool) -> Option<Exit> {
        let (started, told, before, killed) = self.mailbox.with(|diary| {
            let started = diary.started?;
            let told = diary.last_exit();
            if told.is_none() && !init_gone {
                return None;
            }
            let before = diary.kills_before.get(&started).copied().unwrap_or(0);
            Some((started, told, before, diary.killed == Some(started)))
        })?;
        let starved = || !killed && self.group.oom_kills().unwrap_or(0) > before;
        let exit = match told {
            Some(RawExit::Code(code)) => Exit::Code(code),
            Some(RawExit::Signal(libc::SIGKILL)) | None if starved() => Exit::OutOfMemory,
            Some(RawExit::Signal(signal)) => Exit::Signal(signal),
            None if killed => Exit::Signal(libc::SIGKILL),
            None => Exit::SandboxLost,
        };
        Some(*self.exits.lock().entry(started).or_insert(exit))
    }

    /// Before this side kills: what is over already is decided while the counters tell, the rest is this side's doing.
    async fn expect_end(&self) {
        let _ = timeout(Duration::ZERO, self.mailbox.until(|_| None::<()>)).await;
        let _ = self.exit_now(false);
        self.mailbox.with(Diary::note_kill);
    }

    async fn end(&self) {
        self.tmp.lock().take();
        self.expect_end().await;
        match timeout(KILL_LIMIT, self.link.destroy(self.slot)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                tracing::warn!(sandbox = self.id, %error, "spawner is gone; killing the sandbox without it")
            }
            Err(_) => {
                tracing::warn!(sandbox = self.id, limit = ?KILL_LIMIT, "spawner is slow to kill; helping")
            }
        }
        let group = self.group.clone();
        let done = tokio::task::spawn_blocking(move || group.destroy(KILL_LIMIT)).await;
        if let Err(error) = done.unwrap_or_else(|error| Err(io::Error::other(error))) {
            tracing::error!(sandbox = self.id, group = self.group.name(), %error, "sandbox does not die; sweep it later");
        }
    }
}

#[async_trait]
impl Sandbox for Shell {
    fn id(&self) -> &str {
        &self.id
    }

    fn take_listener(&mut self) -> Option<Box<dyn Accept>> {
        Some(Box::new(self.listener.take()?))
    }

    fn take_gateway(&mut self) -> Option<Box<dyn Accept>> {
        Some(Box::new(self.gateway.take()?))
    }

    fn take_resolver(&mut self) -> Option<Resolver> {
        self.resolver.take()
    }

    fn take_logs(&mut self) -> Option<Box<dyn Output>> {
        Some(Box::new(self.log.take()?))
    }

    async fn start(&self, command: Command) -> Result<(), StartError> {
        check(&command)?;
        match self.fork(&command).await {
            None => {}
            Some(Ok(())) => return Ok(()),
            Some(Err(error @ (StartError::AlreadyRunning | StartError::Gone))) => {
                return Err(error);
            }
            Some(Err(error)) => {
                tracing::warn!(sandbox = %self.id, %error, "a zygote did not fork; its program is started instead");
            }
        }
        let Command { argv, env, cwd } = command;
        let order = Verb::Start { argv, env, cwd };
        Ok(self.order(order, START_LIMIT).await?)
    }

    async fn start_beside(&self, command: Command) -> Result<Beside, StartError> {
        check(&command)?;
        let invalid = |error: io::Error| StartError::Invalid(format!("no log for it: {error}"));
        let (read, write) = std::io::pipe().map_err(invalid)?;
        let read = OwnedFd::from(read);
        rustix::io::ioctl_fionbio(&read, true).map_err(|e| invalid(e.into()))?;
        let output = pipe::Receiver::from_owned_fd(read).map_err(invalid)?;
        let Command { argv, env, cwd } = command;
        let order = Verb::StartBeside { argv, env, cwd };
        let number = self
            .order_with(order, &[write.as_fd()], START_LIMIT)
            .await?;
        Ok(Beside {
            number,
            output: Box::new(output),
        })
    }

    async fn wait_beside(&self, number: u64) -> Exit {
        let over = self
            .mailbox
            .until(|diary| diary.beside.get(&number).copied());
        match over.await {
            Ok(RawExit::Code(code)) => Exit::Code(code),
            Ok(RawExit::Signal(signal)) => Exit::Signal(signal),
            Err(Closed) if self.killed.initialized() => Exit::Signal(libc::SIGKILL),
            Err(Closed) => Exit::SandboxLost,
        }
    }

    async fn terminate(&self) -> Result<(), ControlError> {
        self.control("ask the runtime to end", Verb::Terminate, KILL_LIMIT)
            .await
    }

    async fn connect(&self, port: u16) -> io::Result<Box<dyn Connection>> {
        let connected = self.order_with(Verb::Connect { port }, &[], CONNECT_LIMIT);
        let number = connected.await.map_err(|error| match error {
            OrderError::Gone => io::ErrorKind::NotConnected.into(),
            OrderError::Deadline => io::ErrorKind::TimedOut.into(),
            OrderError::TooLarge(error) => error,
            OrderError::Refused(Refusal::AlreadyRunning) => io::ErrorKind::ResourceBusy.into(),
            OrderError::Refused(Refusal::Step(error)) => error.source(),
        })?;
        let socket = self.mailbox.with(|diary| diary.sockets.remove(&number));
        let socket = socket.ok_or(io::ErrorKind::NotConnected)?;
        let stream = TcpStream::from_std(std::net::TcpStream::from(socket))?;
        timeout(CONNECT_LIMIT, stream.writable()).await??;
        match stream.take_error()? {
            None => prompt(stream),
            Some(error) => Err(error),
        }
    }

    async fn wait_exit(&self) -> Exit {
        let over = self.mailbox.until(|diary| diary.last_exit()).await;
        match self.exit_now(over.is_err()) {
            Some(exit) => exit,
            None => Exit::SandboxLost,
        }
    }

    async fn freeze(&self) -> Result<(), ControlError> {
        self.limit_cpu().await?;
        self.set_frozen(true).await
    }

    async fn thaw(&self) -> Result<(), ControlError> {
        self.set_frozen(false).await
    }

    async fn limit_cpu(&self) -> Result<(), ControlError> {
        if self.cpu_limited.load(Ordering::Relaxed) {
            return Ok(());
        }
        let limited = self.group.limit_cpu(Some(self.cpu_quota_us));
        limited.map_err(|e| self.io_error("limit the CPU", e))?;
        self.cpu_limited.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn stats(&self) -> Result<Stats, ControlError> {
        if self.killed.initialized() {
            return Err(ControlError::Gone);
        }
        let tmp_bytes = self.tmp_bytes();
        let peak_of_processes = || Some(self.processes.peak()? + tmp_bytes.unwrap_or_default().0);
        let memory_peak = self.group.memory_peak().or_else(peak_of_processes);
        Ok(Stats {
            memory_now: self.group.memory_now().map(ByteCount),
            memory_peak: memory_peak.map(ByteCount),
            oom_kills: self.group.oom_kills(),
            pids: self.group.pids(),
            tmp_bytes,
            cpu_usage: self.group.cpu_usage(),
        })
    }

    fn memory_peak(&self) -> Option<ByteCount> {
        let Some(peak) = self.group.memory_peak() else {
            return self.processes.peak().map(ByteCount);
        };
        let in_tmp = self.tmp_bytes().unwrap_or_default().0;
        Some(ByteCount(peak.saturating_sub(in_tmp)))
    }

    fn memory_of_processes(&self) -> Option<ByteCount> {
        let Some(told) = self.group.memory_of_processes() else {
            return self.processes.anonymous().map(ByteCount);
        };
        if !self.keeps_peak {
            // Noted while it is watched: afterwards there may be nobody left to look at.
            self.processes.peak();
        }
        Some(ByteCount(told))
    }

    async fn reset_processes(&self) -> Result<(), ControlError> {
        self.expect_end().await;
        self.set_frozen(false).await?;
        self.control("kill the processes", Verb::Reset, KILL_LIMIT)
            .await?;
        if self.boosted && self.cpu_limited.swap(false, Ordering::Relaxed) {
            let boosted = self.group.limit_cpu(None);
            boosted.map_err(|e| self.io_error("lift the limit of the CPU", e))?;
        }
        Ok(())
    }

    async fn kill(&self) {
        self.killed.get_or_init(|| self.end()).await;
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if !self.killed.initialized()
            && let Err(error) = self.link.abandon(self.slot)
        {
            tracing::warn!(sandbox = self.id, %error, "spawner did not take the order to kill a dropped sandbox");
        }
    }
}

/// A sandbox that is not complete; dropped, it is destroyed.
struct Abandon<'a> {
    link: &'a Link,
    slot: u64,
}

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        let _ = self.link.abandon(self.slot);
    }
}

/// Somebody waits for the outcome of an order.
struct WaitingOrder<'a> {
    mailbox: &'a Mailbox<Diary>,
    sequence: u64,
}

impl Drop for WaitingOrder<'_> {
    fn drop(&mut self) {
        self.mailbox
            .with(|diary| diary.orders.remove(&self.sequence));
    }
}

/// The largest environment and arguments that [`Sandbox::start`] takes, together, in bytes of JSON.
pub const COMMAND_BYTES_MAX: usize = wire::MESSAGE_BYTES_MAX;
