//! Zygotes: programs that have started already, and fork to become the runtime of a sandbox.
//!
//! A zygote runs beside the spawner, with its rights, in a root like a sandbox's, and holds nothing of any function: its
//! program and everything it has read are ours. The spawner tells it into which sandbox to fork; the fork takes the rest
//! from the sandbox's own init (see [`super::init`]) and gives up every right before it goes on as the function. It dies
//! with the spawner.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::CString,
    io,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use rustix::{
    io::Errno,
    process::{Pid, Signal},
};
use serde::{Deserialize, Serialize};

use super::{
    ground::Ground,
    mounts::{self, HOST_FILES},
    root,
    stage::{Parts, USER},
    sys,
    sys::{Forked, ns},
};
use crate::{
    driver::Zygote as Plan,
    wire::{self, At as _, StepError},
};

/// How likely the kernel takes it first when the host is out of memory: its forks inherit this.
const OOM_SCORE: &str = "500";

/// Spawner → zygote, once.
#[derive(Serialize)]
struct Setting {
    /// User and group that forks become.
    user: u32,
    drop_groups: bool,
    /// System call filters, an instruction a word.
    filters: Vec<Vec<u64>>,
}

/// Spawner → zygote: fork; beside it the pid descriptor of the sandbox's init, the socket of the fork, and the open
/// `cgroup.procs` of its groups.
#[derive(Serialize)]
struct Fork {
    /// Which namespaces of the init to enter.
    namespaces: i32,
}

/// Zygote → spawner.
#[derive(Deserialize)]
struct Ready {
    #[serde(rename = "ready")]
    _pid: i32,
}

/// A fork → the init of its sandbox: first its process id, then that it is confined.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FromFork {
    pub(crate) pid: Option<i32>,
    pub(crate) settled: bool,
}

/// The init of a sandbox → a fork; beside it the write end of the log, and the Landlock rules if there are any.
#[derive(Serialize)]
pub(crate) struct ToFork<'a> {
    pub(crate) env: &'a [(String, String)],
    pub(crate) cwd: &'a Path,
    pub(crate) limits: BTreeMap<&'static str, u64>,
}

/// One zygote as the spawner sees it.
pub(crate) struct Zygote {
    pub(crate) pid: Pid,
    pub(crate) orders: OwnedFd,
    ready: bool,
}

/// What was asked for last: sandboxes are prepared ahead for the same again.
#[derive(Default)]
pub(crate) struct Demand(VecDeque<Option<u64>>);

impl Demand {
    /// How many requests are remembered.
    const REMEMBERED: usize = 16;

    /// A sandbox was asked for, for a fork of this zygote if any.
    pub(crate) fn note(&mut self, zygote: Option<u64>) {
        if self.0.len() == Self::REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(zygote);
    }

    /// In how many of so many prepared sandboxes a fork of this zygote should wait.
    pub(crate) fn share(&self, zygote: u64, of: usize) -> usize {
        let count = self
            .0
            .iter()
            .filter(|asked| **asked == Some(zygote))
            .count();
        (count * of).div_ceil(self.0.len().max(1))
    }
}

/// What came from a zygote.
pub(crate) enum Heard {
    /// It can fork from now on.
    Ready,
    /// It is over, or says what it should not.
    Over,
}

impl Zygote {
    /// Starts one. It says by itself when it can fork.
    pub(crate) fn raise(ground: &mut Ground, plan: &Plan) -> Result<Self, StepError> {
        let setting = Setting {
            user: USER.1,
            drop_groups: ground.drop_groups,
            filters: ground.filters.as_ref().map_or_else(Vec::new, |f| f.words()),
        };
        let (orders, inside) = wire::pair().at("make sockets")?;
        let mut trees = vec![(
            Path::new("/var/runtime").to_owned(),
            ground.stage.runtime(&plan.runtime_dir)?,
        )];
        for path in &plan.binds {
            trees.push((path.clone(), mounts::copy(path, HOST_FILES)?));
        }
        let parts = ground.stage.parts()?;
        let program = Program::new(plan)?;
        // SAFETY: the spawner has one thread, and checks that when it starts.
        let forked = unsafe { sys::fork_into(ns::MOUNT) }.at("start a zygote")?;
        let pid = match forked {
            Forked::Child => {
                let error = become_it(&inside, parts, trees, &program);
                let text = format!("spawner: a zygote cannot start: {error}\n");
                let _ = rustix::io::write(io::stderr(), text.as_bytes());
                sys::exit_now(70)
            }
            Forked::Parent(pid, _pidfd) => pid,
        };
        let zygote = Self {
            pid,
            orders,
            ready: false,
        };
        if let Err(error) = wire::send(zygote.orders.as_fd(), &setting, &[]) {
            zygote.kill();
            return Err(error).at("set up a zygote");
        }
        Ok(zygote)
    }

    /// Takes what has come; call when there is something.
    pub(crate) fn hear(&mut self) -> Heard {
        match wire::receive::<Ready>(self.orders.as_fd()) {
            Ok(Some(_)) if !self.ready => {
                self.ready = true;
                Heard::Ready
            }
            _ => Heard::Over,
        }
    }

    /// Has it fork into the namespaces of `init`. The fork speaks through `channel`; that this one closes says that it
    /// failed. Does not wait.
    pub(crate) fn fork(
        &self,
        namespaces: i32,
        init: BorrowedFd<'_>,
        channel: BorrowedFd<'_>,
        groups: &[std::fs::File],
    ) -> Result<(), StepError> {
        if !self.ready {
            return Err(StepError::new("fork a zygote", Errno::AGAIN));
        }
        let fds: Vec<BorrowedFd<'_>> = [init, channel]
            .into_iter()
            .chain(groups.iter().map(std::os::fd::AsFd::as_fd))
            .collect();
        // It may be busy, but never for long; a full socket is an error rather than a wait.
        let bytes = wire::encode(&Fork { namespaces }).at("fork a zygote")?;
        wire::send_bytes_now(self.orders.as_fd(), &bytes, &fds).at("fork a zygote")
    }

    pub(crate) const fn is_up(&self) -> bool {
        self.ready
    }

    pub(crate) fn kill(&self) {
        let _ = rustix::process::kill_process(self.pid, Signal::KILL);
    }
}

/// What to execute, without allocation that could fail late.
struct Program {
    path: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
}

impl Program {
    fn new(plan: &Plan) -> Result<Self, StepError> {
        let string = |text: &str| {
            CString::new(text).map_err(|_| StepError::new("start a zygote", Errno::INVAL))
        };
        let argv = plan
            .argv
            .iter()
            .map(|text| string(text))
            .collect::<Result<Vec<_>, _>>()?;
        let env = plan
            .env
            .iter()
            .map(|(name, value)| string(&format!("{name}={value}")))
            .collect::<Result<Vec<_>, _>>()?;
        let path = argv
            .first()
            .cloned()
            .ok_or_else(|| StepError::new("start a zygote", Errno::INVAL))?;
        Ok(Self { path, argv, env })
    }
}

/// In the child: becomes the zygote's program, or answers why not.
fn become_it(
    orders: &OwnedFd,
    parts: Parts,
    trees: Vec<(std::path::PathBuf, OwnedFd)>,
    program: &Program,
) -> StepError {
    let prepared = || -> Result<(), StepError> {
        let keep: Vec<BorrowedFd<'_>> = [orders.as_fd()]
            .into_iter()
            .chain(parts.trees.iter().map(|(_, tree)| tree.as_fd()))
            .chain(trees.iter().map(|(_, tree)| tree.as_fd()))
            .collect();
        sys::close_from_3_except(&keep).at("close descriptors")?;
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .at("die with the spawner")?;
        let _ = rustix::process::setsid();
        // Without privilege the kernel may keep it lower than it is, which is no harm.
        let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
        sys::default_signals();
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        root::build(parts, false)?;
        for (path, tree) in trees {
            std::fs::create_dir_all(&path).on("make", &path)?;
            mounts::attach(tree, &path)?;
        }
        sys::duplicate_to(orders.as_fd(), 0).at("hand over the socket")?;
        sys::close_on_exec_from_3().at("close descriptors")
    };
    match prepared() {
        Ok(()) => StepError {
            step: format!(
                "execute {}",
                Path::new(std::ffi::OsStr::from_bytes(program.path.as_bytes())).display()
            ),
            errno: sys::execute(&program.path, &program.argv, &program.env)
                .raw_os_error()
                .unwrap_or(libc::EIO),
        },
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_prepared_follows_what_was_asked_for() {
        let mut demand = Demand::default();
        assert_eq!(demand.share(1, 4), 0);
        demand.note(Some(1));
        assert_eq!((demand.share(1, 4), demand.share(2, 4)), (4, 0));
        demand.note(None);
        assert_eq!(demand.share(1, 4), 2);
        for _ in 0..Demand::REMEMBERED {
            demand.note(Some(2));
        }
        assert_eq!((demand.share(1, 4), demand.share(2, 4)), (0, 4));
    }
}
