//! One sandbox as the spawner sees it: its init, its groups, and the ends that go to the node.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::PathBuf,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{SocketFlags, SocketType},
    pipe::{PipeFlags, pipe_with},
    process::{Pid, Signal},
};

use super::{
    egress::{Attached, Sockets},
    ground::Ground,
    init::{self, Birth},
    stage::USER,
    sys::{self, ns},
};
use crate::{
    driver::{GATEWAY_ADDRESS, LISTENER_ADDRESS},
    linux::{
        SUBUIDS,
        cgroup::{Group, Limits, Version},
    },
    wire::{self, At as _, Blueprint, FromInit, StepError, ToInit},
};

/// Connections that may wait for the worker to accept them.
const BACKLOG: i32 = 128;

/// How likely the kernel takes a sandbox first when the whole host is out of memory (-1000 to 1000).
const OOM_SCORE: &str = "500";

/// The kernel's own processes of a sandbox, besides what `pids_max` allows the function.
const OWN_PIDS: u64 = 1;

/// Where a slot is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The init runs.
    Alive,
    /// The init ended by itself; the node has not given up the sandbox yet.
    Lost,
    /// The init was killed, its end has not been seen.
    Dying,
    /// The init is reaped.
    Over,
}

/// The node's ends of a sandbox.
pub(crate) struct Ends {
    pub(crate) listener: OwnedFd,
    pub(crate) gateway: OwnedFd,
    pub(crate) log: OwnedFd,
    pub(crate) control: OwnedFd,
    /// Of one with a network policy.
    pub(crate) names: Option<Sockets>,
}

/// One sandbox.
pub(crate) struct Slot {
    pub(crate) pid: Pid,
    pub(crate) group: Group,
    pub(crate) phase: Phase,
    /// Whether the node waits to hear of the end.
    pub(crate) mourned: bool,
    pidfd: OwnedFd,
    setup: OwnedFd,
    ends: Option<Ends>,
    /// The empty sandbox stands.
    built: bool,
    /// The zygote of which a fork waits inside, and the init's end of the socket through which it speaks.
    fork: Option<(u64, OwnedFd)>,
    attached: Option<Attached>,
}

impl Slot {
    /// Makes everything that needs no function: groups, network, namespaces, and an init that builds the root while
    /// this returns.
    pub(crate) fn prepare(ground: &Ground, name: &str, number: u64) -> Result<Self, StepError> {
        let group = ground.layout.group(name);
        group.create().at("make cgroups")?;
        match Self::prepare_in(ground, group.clone(), number) {
            Ok(slot) => Ok(slot),
            Err(error) => {
                let _ = group.destroy(Duration::ZERO);
                Err(error)
            }
        }
    }

    fn prepare_in(ground: &Ground, group: Group, number: u64) -> Result<Self, StepError> {
        let (control, control_inside) = wire::pair().at("make sockets")?;
        let (setup, setup_inside) = wire::pair().at("make sockets")?;
        let (log, log_inside) = pipe_with(PipeFlags::CLOEXEC).at("make a pipe")?;
        rustix::io::ioctl_fionbio(&log, true).at("make a pipe")?;
        let birth = Birth {
            control: control_inside,
            setup: setup_inside,
            log: log_inside,
            parts: ground.stage.parts()?,
            filters: ground.filters.as_ref(),
            landlock: ground.landlock,
            fresh_proc: ground.fresh_proc,
            cgroup_namespace: ground.cgroup_namespace,
            own_host_name: ground.own_host_name,
            drop_groups: ground.drop_groups,
        };
        let (listener, gateway, (pid, pidfd)) = in_new_network(ground.network.as_fd(), || {
            let listener = listen(LISTENER_ADDRESS).at("listen inside")?;
            let gateway = listen(GATEWAY_ADDRESS).at("listen inside")?;
            let forked = init::fork(ground.namespaces, birth).at("make namespaces")?;
            Ok((listener, gateway, forked))
        })?;
        let mut slot = Self {
            pid,
            group,
            phase: Phase::Alive,
            mourned: false,
            pidfd,
            setup,
            ends: Some(Ends {
                listener: listener.into(),
                gateway: gateway.into(),
                log,
                control,
                names: None,
            }),
            built: false,
            fork: None,
            attached: None,
        };
        match slot.adopt(ground, number) {
            Ok(()) => Ok(slot),
            Err(error) => {
                slot.kill();
                let _ = rustix::io::retry_on_intr(|| {
                    rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty())
                });
                Err(error)
            }
        }
    }

    /// Maps the ids of a new init, limits it and lets it go.
    fn adopt(&self, ground: &Ground, number: u64) -> Result<(), StepError> {
        let (_, inside) = USER;
        let offset = u32::try_from(number % u64::from(SUBUIDS)).unwrap_or_default();
        let outside = ground.subuid_base.map_or(0, |base| base + offset);
        let process = PathBuf::from(format!("/proc/{}", self.pid.as_raw_nonzero()));
        let map = format!("{inside} {outside} 1");
        let files = [
            ("oom_score_adj", OOM_SCORE),
            ("uid_map", &map),
            ("gid_map", &map),
        ];
        for (name, value) in files {
            let path = process.join(name);
            std::fs::write(&path, value).on("write", &path)?;
        }
        self.group.attach(self.pid).at("enter cgroups")?;
        wire::send(self.setup.as_fd(), &ToInit::Go, &[]).at("let the init go")
    }

    /// Gives the slot to a function: limits and mounts. The init completes the sandbox and tells the node.
    pub(crate) fn finish(
        &mut self,
        ground: &mut Ground,
        blueprint: &Blueprint,
    ) -> Result<Ends, StepError> {
        let limits = Limits {
            memory_bytes: blueprint.memory_bytes + blueprint.tmp_bytes,
            cpu_quota_us: blueprint.cpu_limited.then_some(blueprint.cpu_quota_us),
            pids_max: u64::from(blueprint.pids_max) + OWN_PIDS,
        };
        self.group.limit(&limits).at("set limits")?;

        let names = match blueprint.network {
            Some(policy) => Some(self.connect(ground, policy)?),
            None => None,
        };
        let (paths, trees) = match &blueprint.image {
            Some(layers) => {
                let tree = ground.stage.image(layers)?;
                (vec![PathBuf::from(super::image::ROOT)], vec![tree])
            }
            None => belongings(ground, blueprint)?,
        };
        let finish = ToInit::Finish {
            mounts: paths,
            hostname: blueprint.hostname.clone(),
            memory_bytes: blueprint.memory_bytes,
            tmp_bytes: blueprint.tmp_bytes,
            pids_max: blueprint.pids_max,
            nofile_max: blueprint.nofile_max,
            forked: self.fork.is_some(),
        };
        let channel = self.fork.take().map(|(_, channel)| channel);
        let fds: Vec<BorrowedFd<'_>> = trees.iter().chain(&channel).map(OwnedFd::as_fd).collect();
        wire::send(self.setup.as_fd(), &finish, &fds).at("hand over mounts")?;
        self.ends
            .take()
            .map(|ends| Ends { names, ..ends })
            .ok_or_else(|| StepError::new("give a sandbox away twice", rustix::io::Errno::ALREADY))
    }

    /// The init's descriptor.
    pub(crate) fn init(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Whether the empty sandbox stands. Does not wait.
    pub(crate) fn is_built(&mut self) -> bool {
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut setup = [PollFd::new(&self.setup, PollFlags::IN)];
        if !self.built && poll(&mut setup, Some(&now)) == Ok(1) {
            self.built = matches!(
                wire::receive(self.setup.as_fd()),
                Ok(Some((FromInit::Built, _)))
            );
        }
        self.built
    }

    /// The zygote of which a fork waits inside.
    pub(crate) fn forked_from(&self) -> Option<u64> {
        self.fork.as_ref().map(|(zygote, _)| *zygote)
    }

    /// A fork of this zygote is on its way, which speaks through the other end of `channel`.
    pub(crate) fn expect_fork(&mut self, zygote: u64, channel: OwnedFd) {
        self.fork = Some((zygote, channel));
    }

    /// Nobody wants the fork that waits inside: it ends when it sees that.
    pub(crate) fn drop_fork(&mut self) {
        self.fork = None;
    }

    /// Gives it a way to other machines, as its network policy lets it.
    fn connect(&mut self, ground: &mut Ground, policy: u8) -> Result<Sockets, StepError> {
        let none = || StepError::new("connect to a network", rustix::io::Errno::OPNOTSUPP);
        let egress = ground.egress.as_mut().ok_or_else(none)?;
        let (attached, sockets) = egress.attach(self.pid, policy)?;
        self.attached = Some(attached);
        Ok(sockets)
    }

    /// Its address among sandboxes with a network policy.
    pub(crate) fn address(&self) -> Option<Ipv4Addr> {
        self.attached.map(|attached| attached.address)
    }

    /// Takes that way away. Nothing runs in it any more.
    pub(crate) fn disconnect(&self, ground: &mut Ground) {
        if let (Some(attached), Some(egress)) = (self.attached, ground.egress.as_mut()) {
            egress.detach(attached);
        }
    }

    /// Kills everything inside: the kernel does it when the init dies. Returns at once.
    pub(crate) fn kill(&mut self) {
        match self.phase {
            Phase::Alive => self.phase = Phase::Dying,
            Phase::Lost => self.phase = Phase::Over,
            Phase::Dying | Phase::Over => {}
        }
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        if self.group.freezer() == Some(Version::V1) {
            // What this version froze dies only when it is thawed.
            let _ = self.group.set_frozen(false, Duration::ZERO);
        }
    }
}

/// The mounts that a function of a package brings, and where they go.
fn belongings(
    ground: &mut Ground,
    blueprint: &Blueprint,
) -> Result<(Vec<PathBuf>, Vec<OwnedFd>), StepError> {
    let mut paths = vec![PathBuf::from("/var/task"), PathBuf::from("/var/runtime")];
    let code = ground
        .stage
        .directories(std::slice::from_ref(&blueprint.code_dir))?;
    let mut trees: Vec<OwnedFd> = code
        .into_iter()
        .chain([ground.stage.runtime(&blueprint.runtime_dir)?])
        .collect();
    if let Some(layers) = ground.stage.directories(&blueprint.layers)? {
        paths.push("/opt".into());
        trees.push(layers);
    }
    for path in &blueprint.extra_binds {
        trees.push(super::mounts::copy(path, super::mounts::HOST_FILES)?);
        paths.push(path.clone());
    }
    Ok((paths, trees))
}

/// Does something in a new network namespace with its loopback up, and comes back.
fn in_new_network<T>(
    home: BorrowedFd<'_>,
    body: impl FnOnce() -> Result<T, StepError>,
) -> Result<T, StepError> {
    sys::unshare(ns::NET).at("make a network namespace")?;
    let done = sys::loopback_up()
        .at("bring up loopback")
        .and_then(|()| body());
    if sys::enter(home, ns::NET).is_err() {
        // Staying would put the next sandbox into this one's network.
        sys::exit_now(71);
    }
    done
}

pub(super) fn listen(address: SocketAddrV4) -> io::Result<TcpListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        SocketType::STREAM,
        flags,
        None,
    )?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}
