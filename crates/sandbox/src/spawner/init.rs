//! The init of a sandbox: pid 1 of its pid namespace, made by forking the spawner.
//!
//! It builds the sandbox from inside, gives up every right, and then does what the node orders: start the runtime
//! process, kill everything but itself, tell how the runtime ended; and it reaps what others leave. When it dies the
//! kernel kills everything in the namespace, and it dies with the spawner.
//!
//! It runs on a copy of the spawner's memory, so nothing here may be reached with two threads around; and it never
//! returns into the spawner's code.

use std::{
    ffi::CString,
    io,
    os::fd::{AsFd, OwnedFd},
    os::unix::ffi::OsStrExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{DumpableBehavior, Gid, Pid, Signal, Uid, WaitOptions, WaitStatus},
};

use super::{
    confine::{self, Filters},
    image,
    root::{self, Belongings},
    stage::{Parts, USER},
    sys::{self, Forked, ns},
    zygote::{FromFork, ToFork},
};
use crate::wire::{
    self, At as _, FromInit, News, Order, RawExit, Refusal, StepError, ToInit, Verb,
};

/// What an init is born with.
pub(crate) struct Birth<'a> {
    /// Orders from the node.
    pub(crate) control: OwnedFd,
    /// Mounts from the spawner; its end means the spawner is gone.
    pub(crate) setup: OwnedFd,
    /// Write end of the log pipe.
    pub(crate) log: OwnedFd,
    pub(crate) parts: Parts,
    pub(crate) filters: Option<&'a Filters>,
    pub(crate) landlock: bool,
    pub(crate) fresh_proc: bool,
    pub(crate) cgroup_namespace: bool,
    pub(crate) own_host_name: bool,
    pub(crate) drop_groups: bool,
}

/// Runs the whole life of an init.
pub(crate) fn live(birth: Birth<'_>) -> ! {
    let lived = catch_unwind(AssertUnwindSafe(|| run(birth)));
    sys::exit_now(if lived.is_ok() { 0 } else { 70 })
}

fn run(birth: Birth<'_>) {
    let mut birth = birth;
    let built = build(&mut birth);
    let (walls, waiting);
    let control = birth.control.as_fd();
    // The node's end of this socket may be gone; then so is everyone who would care.
    match built {
        Ok(Some(built)) => {
            drop(wire::send(control, &News::Ready, &[built.tmp.as_fd()]));
            (walls, waiting) = (built.walls, built.waiting);
        }
        Ok(None) => return,
        Err(error) => {
            drop(wire::send(control, &News::Failed(error), &[]));
            return;
        }
    }
    if let Ok(children) = sys::child_signals() {
        Init {
            control: birth.control,
            setup: birth.setup,
            log: birth.log,
            children,
            runtime: None,
            beside: Vec::new(),
            walls,
            waiting,
            expected: None,
        }
        .serve();
    }
}

/// A complete sandbox.
struct Built {
    tmp: OwnedFd,
    walls: Walls,
    /// Through which the fork of a zygote speaks that waits inside.
    waiting: Option<OwnedFd>,
}

/// What a process takes on that joins from outside.
struct Walls {
    pids_max: u32,
    nofile_max: u32,
    /// Landlock's rules about files.
    files: Option<OwnedFd>,
}

/// Builds the sandbox; `None` if the spawner went away meanwhile.
fn build(birth: &mut Birth<'_>) -> Result<Option<Built>, StepError> {
    let keep: Vec<_> = [
        birth.control.as_fd(),
        birth.setup.as_fd(),
        birth.log.as_fd(),
    ]
    .into_iter()
    .chain(birth.parts.trees.iter().map(|(_, tree)| tree.as_fd()))
    .collect();
    sys::close_from_3_except(&keep).at("close descriptors")?;
    // The spawner has the null device there; its standard error belongs to the node.
    sys::duplicate_to(io::stdin().as_fd(), 2).at("close descriptors")?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let Some((ToInit::Go, _)) = wire::receive(birth.setup.as_fd()).at("wait for the spawner")?
    else {
        return Ok(None);
    };

    if birth.cgroup_namespace {
        sys::unshare(ns::CGROUP).at("make a cgroup namespace")?;
    }
    forbid_namespaces(birth.fresh_proc)?;
    become_user(birth.drop_groups)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).at("hide memory")?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .at("die with the spawner")?;

    let parts = std::mem::take(&mut birth.parts);
    let root = root::build(parts, birth.fresh_proc)?;
    wire::send(birth.setup.as_fd(), &FromInit::Built, &[]).at("tell the spawner")?;

    let Some((finish, mut fds)) = wire::receive(birth.setup.as_fd()).at("wait for the function")?
    else {
        return Ok(None);
    };
    let ToInit::Finish {
        mounts,
        hostname,
        memory_bytes,
        tmp_bytes,
        pids_max,
        nofile_max,
        forked,
    } = finish
    else {
        return Err(StepError::new("wait for the function", Errno::PROTO));
    };
    let waiting = if forked { fds.pop() } else { None };
    let mut readable = mounts.clone();
    let mounts = mounts.into_iter().zip(fds).collect();
    let hostname = birth.own_host_name.then_some(hostname);
    let belongings = Belongings {
        mounts,
        hostname,
        memory_bytes,
        tmp_bytes,
    };
    let tmp = root::complete(&root, belongings, birth.fresh_proc)?;
    if readable.iter().any(|path| path == Path::new(image::ROOT)) {
        readable = image::readable()?;
    }
    let files = confine::confine(
        birth.filters,
        birth.landlock,
        &readable,
        pids_max,
        nofile_max,
    )?;
    let walls = Walls {
        pids_max,
        nofile_max,
        files,
    };
    Ok(Some(Built {
        tmp,
        walls,
        waiting,
    }))
}

/// No user namespace below this one, and so none of any other kind, whatever the filter lets through. With a `/proc`
/// that is not ours the switch may be read-only; then the filter has to do.
fn forbid_namespaces(must: bool) -> Result<(), StepError> {
    let done =
        std::fs::write("/proc/sys/user/max_user_namespaces", "0").at("forbid user namespaces");
    if must { done } else { Ok(()) }
}

fn become_user(drop_groups: bool) -> Result<(), StepError> {
    let (_, id) = USER;
    if drop_groups {
        rustix::thread::set_thread_groups(&[]).at("drop groups")?;
    }
    let (gid, uid) = (Gid::from_raw(id), Uid::from_raw(id));
    rustix::thread::set_thread_res_gid(gid, gid, gid).at("become the sandbox's group")?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).at("become the sandbox's user")
}

/// An init whose sandbox is complete.
struct Init {
    control: OwnedFd,
    setup: OwnedFd,
    log: OwnedFd,
    children: OwnedFd,
    /// The runtime process, and the order that started it.
    runtime: Option<(Pid, u64)>,
    /// The processes beside it, and the orders that started them.
    beside: Vec<(Pid, u64)>,
    walls: Walls,
    /// Through which the fork of a zygote speaks that waits inside.
    waiting: Option<OwnedFd>,
    /// The fork of a zygote that is on its way to be the runtime.
    expected: Option<Expected>,
}

/// See [`Verb::Adopt`].
struct Expected {
    sequence: u64,
    channel: OwnedFd,
    env: Vec<(String, String)>,
    cwd: PathBuf,
}

impl Init {
    /// Serves until node or spawner is gone.
    fn serve(mut self) {
        loop {
            // Without a fork that is expected, the last one stands for itself.
            let channel = self.expected.as_ref().map_or(&self.control, |e| &e.channel);
            let mut ready = [&self.control, &self.setup, &self.children, channel]
                .map(|fd| PollFd::new(fd, PollFlags::IN));
            if poll(&mut ready, None).is_err_and(|e| e != Errno::INTR) {
                return;
            }
            let [control, setup, children, channel] = ready.map(|fd| !fd.revents().is_empty());
            if setup {
                return;
            }
            if children {
                let mut drained = [0_u8; 1024];
                while rustix::io::read(&self.children, &mut drained).is_ok() {}
                self.reap(WaitOptions::NOHANG);
            }
            if channel && let Some(expected) = self.expected.take() {
                self.hear(expected);
            }
            if control && !self.obey() {
                return;
            }
        }
    }

    /// Carries out one order; `false` if the node is gone.
    fn obey(&mut self) -> bool {
        let Ok(Some((Order { sequence, verb }, fds))) = wire::receive(self.control.as_fd()) else {
            return false;
        };
        let done = match verb {
            Verb::Start { argv, env, cwd } => self.start(sequence, &argv, &env, &cwd),
            Verb::Adopt { env, cwd } => {
                let channel = fds.into_iter().next().or_else(|| self.waiting.take());
                let refusal = match channel {
                    _ if self.runtime.is_some() || self.expected.is_some() => {
                        Refusal::AlreadyRunning
                    }
                    None => Refusal::Step(StepError::new(ADOPT, Errno::BADF)),
                    Some(channel) => {
                        self.expected = Some(Expected {
                            sequence,
                            channel,
                            env,
                            cwd,
                        });
                        return true;
                    }
                };
                Err(refusal)
            }
            Verb::StartBeside { argv, env, cwd } => {
                self.start_beside(sequence, &argv, &env, &cwd, fds)
            }
            Verb::Terminate => {
                if let Some((pid, _)) = self.runtime {
                    // It may be over already.
                    let _ = rustix::process::kill_process(pid, Signal::TERM);
                }
                Ok(())
            }
            Verb::Connect { port } => match connect(port) {
                Ok(socket) => {
                    let news = News::Connected { sequence };
                    return wire::send(self.control.as_fd(), &news, &[socket.as_fd()]).is_ok();
                }
                Err(error) => Err(Refusal::Step(error)),
            },
            Verb::Reset => {
                self.reset();
                Ok(())
            }
            Verb::Stop => {
                sys::signal_all(libc::SIGSTOP);
                Ok(())
            }
            Verb::Continue => {
                sys::signal_all(libc::SIGCONT);
                Ok(())
            }
        };
        self.tell(&match done {
            Ok(()) => News::Done { sequence },
            Err(refusal) => News::Refused { sequence, refusal },
        })
    }

    fn tell(&self, news: &News) -> bool {
        wire::send(self.control.as_fd(), news, &[]).is_ok()
    }

    /// Reaps what is over; answers whether any child is left.
    fn reap(&mut self, options: WaitOptions) -> bool {
        loop {
            match rustix::process::wait(options) {
                Ok(Some((pid, status))) => self.note_exit(pid, status),
                Ok(None) => return true,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    fn note_exit(&mut self, pid: Pid, status: WaitStatus) {
        let exit = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => RawExit::Code(code),
            (None, signal) => RawExit::Signal(signal.unwrap_or(libc::SIGKILL)),
        };
        if let Some((_, sequence)) = self.runtime.filter(|(runtime, _)| *runtime == pid) {
            self.runtime = None;
            self.tell(&News::Exited { sequence, exit });
        } else if let Some(at) = self.beside.iter().position(|(beside, _)| *beside == pid) {
            let (_, sequence) = self.beside.swap_remove(at);
            self.tell(&News::BesideExited { sequence, exit });
        }
    }

    /// What the fork of a zygote says. It is a stranger until it has confined itself.
    fn hear(&mut self, expected: Expected) {
        let sequence = expected.sequence;
        match self.receive_fork(&expected) {
            Ok(true) => drop(self.tell(&News::Done { sequence })),
            Ok(false) => self.expected = Some(expected),
            Err(error) => self.disown(&expected, error),
        }
    }

    /// Answers whether the fork is settled.
    fn receive_fork(&mut self, expected: &Expected) -> Result<bool, StepError> {
        let channel = expected.channel.as_fd();
        let heard = wire::receive::<FromFork>(channel).at(ADOPT)?;
        let Some((heard, _)) = heard else {
            return Err(StepError::new(ADOPT, Errno::PIPE));
        };
        let known = self.runtime.is_some();
        if heard.settled && known {
            return Ok(true);
        }
        let pid = heard.pid.and_then(Pid::from_raw).filter(|_| !known);
        let pid = pid.ok_or_else(|| StepError::new(ADOPT, Errno::PROTO))?;
        self.runtime = Some((pid, expected.sequence));
        let limits = confine::limits(self.walls.pids_max, self.walls.nofile_max);
        let orders = ToFork {
            env: &expected.env,
            cwd: &expected.cwd,
            limits: limits.map(|(_, name, most)| (name, most)).into(),
        };
        let fds: Vec<_> = [self.log.as_fd()]
            .into_iter()
            .chain(self.walls.files.as_ref().map(OwnedFd::as_fd))
            .collect();
        wire::send(channel, &orders, &fds).at(ADOPT)?;
        Ok(false)
    }

    /// Gives up on a fork.
    fn disown(&mut self, expected: &Expected, error: StepError) {
        let sequence = expected.sequence;
        if let Some((pid, _)) = self.runtime.take_if(|(_, by)| *by == sequence) {
            // It may be over already.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        let refusal = Refusal::Step(error);
        self.tell(&News::Refused { sequence, refusal });
    }

    fn reset(&mut self) {
        if let Some(expected) = self.expected.take() {
            self.disown(&expected, StepError::new(ADOPT, Errno::CANCELED));
        }
        loop {
            sys::signal_all(libc::SIGKILL);
            let mut left = self.reap(WaitOptions::NOHANG);
            if left {
                // Wait for one, then look again: a process that was just being forked must get the signal too.
                if let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::empty()) {
                    self.note_exit(pid, status);
                }
                left = self.reap(WaitOptions::NOHANG);
            }
            if !left {
                return;
            }
        }
    }

    fn start(
        &mut self,
        sequence: u64,
        argv: &[String],
        env: &[(String, String)],
        cwd: &Path,
    ) -> Result<(), Refusal> {
        if let Some(expected) = self.expected.take() {
            self.disown(&expected, StepError::new(ADOPT, Errno::CANCELED));
        }
        if self.runtime.is_some() {
            return Err(Refusal::AlreadyRunning);
        }
        let program = Program::new(argv, env, cwd).map_err(Refusal::Step)?;
        let pid = Self::spawn(&program, &self.log).map_err(Refusal::Step)?;
        self.runtime = Some((pid, sequence));
        Ok(())
    }

    fn start_beside(
        &mut self,
        sequence: u64,
        argv: &[String],
        env: &[(String, String)],
        cwd: &Path,
        fds: Vec<OwnedFd>,
    ) -> Result<(), Refusal> {
        let program = Program::new(argv, env, cwd).map_err(Refusal::Step)?;
        let log = fds.into_iter().next();
        let log = log.ok_or_else(|| StepError::new("take over a log", Errno::BADF));
        let log = log.map_err(Refusal::Step)?;
        let pid = Self::spawn(&program, &log).map_err(Refusal::Step)?;
        self.beside.push((pid, sequence));
        Ok(())
    }

    /// Forks and executes; an error of the child comes back over a pipe that exec closes.
    fn spawn(program: &Program, log: &OwnedFd) -> Result<Pid, StepError> {
        let (outcome, report) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).at("start a process")?;
        // SAFETY: an init has one thread.
        let Some(pid) = unsafe { sys::fork() }.at("start a process")? else {
            let (step, error) = program.become_it(log);
            let [a, b, c, d] = error.raw_os_error().unwrap_or(libc::EIO).to_le_bytes();
            let _ = rustix::io::write(&report, &[step, a, b, c, d]);
            sys::exit_now(127)
        };
        drop(report);
        let mut message = [0_u8; 5];
        let read =
            rustix::io::retry_on_intr(|| rustix::io::read(&outcome, &mut message)).unwrap_or(0);
        if read < message.len() {
            return Ok(pid);
        }
        let _ =
            rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(pid), WaitOptions::empty()));
        let [step, errno @ ..] = message;
        let step = match step {
            STEP_DIRECTORY => format!("enter {}", program.cwd.to_string_lossy()),
            STEP_EXECUTE => format!("execute {}", program.path.to_string_lossy()),
            _ => "start a process".to_owned(),
        };
        Err(StepError {
            step,
            errno: i32::from_le_bytes(errno),
        })
    }
}

/// A connection to a port of the loopback, which may be under way yet.
fn connect(port: u16) -> Result<OwnedFd, StepError> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType};
    const STEP: &str = "connect to the loopback";
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).at(STEP)?;
    let address = std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, port);
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(StepError::new(STEP, errno)),
    }
}

/// The step at which a fork gets lost.
const ADOPT: &str = "take in the fork of a zygote";

const STEP_PREPARE: u8 = 0;
const STEP_DIRECTORY: u8 = 1;
const STEP_EXECUTE: u8 = 2;

/// A command, ready to be executed without further allocation that could fail late.
struct Program {
    path: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
    cwd: CString,
}

impl Program {
    fn new(argv: &[String], env: &[(String, String)], cwd: &Path) -> Result<Self, StepError> {
        let string = |bytes: &[u8]| {
            CString::new(bytes).map_err(|_| StepError::new("start a process", Errno::INVAL))
        };
        let argv = argv
            .iter()
            .map(|a| string(a.as_bytes()))
            .collect::<Result<Vec<_>, _>>()?;
        let env = env
            .iter()
            .map(|(n, v)| string(format!("{n}={v}").as_bytes()))
            .collect::<Result<Vec<_>, _>>()?;
        let path = argv
            .first()
            .cloned()
            .ok_or_else(|| StepError::new("start a process", Errno::INVAL))?;
        Ok(Self {
            path,
            argv,
            env,
            cwd: string(cwd.as_os_str().as_bytes())?,
        })
    }

    /// In the child: becomes the program, or answers the step that failed and why.
    fn become_it(&self, log: &OwnedFd) -> (u8, io::Error) {
        if let Err(error) = Self::take_descriptors(log) {
            return (STEP_PREPARE, error);
        }
        if let Err(errno) = rustix::process::chdir(&self.cwd) {
            return (STEP_DIRECTORY, errno.into());
        }
        (
            STEP_EXECUTE,
            sys::execute(&self.path, &self.argv, &self.env),
        )
    }

    fn take_descriptors(log: &OwnedFd) -> io::Result<()> {
        let _ = rustix::process::setsid();
        sys::default_signals();
        let null = rustix::fs::open(
            "/dev/null",
            rustix::fs::OFlags::RDWR,
            rustix::fs::Mode::empty(),
        )?;
        sys::duplicate_to(null.as_fd(), 0)?;
        sys::duplicate_to(log.as_fd(), 1)?;
        sys::duplicate_to(log.as_fd(), 2)?;
        sys::close_on_exec_from_3()
    }
}

/// The other side of the fork that makes an init.
pub(crate) fn fork(namespaces: i32, birth: Birth<'_>) -> io::Result<(Pid, OwnedFd)> {
    // SAFETY: the spawner has one thread, and checks that when it starts.
    match unsafe { sys::fork_into(namespaces) }? {
        Forked::Child => live(birth),
        Forked::Parent(pid, pidfd) => Ok((pid, pidfd)),
    }
}
