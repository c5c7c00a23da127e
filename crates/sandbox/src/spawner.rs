//! The spawner: a small process with a single thread that makes and destroys sandboxes for a node.
//!
//! The node never forks: it has many threads and much memory. It starts the spawner once, by executing its own binary,
//! and asks it over a socket, which the spawner finds as its standard input. Everything made here hangs on the
//! spawner's life: inits die with it, and it destroys all of them and ends when the node's end of the socket closes.
//!
//! Sandboxes are prepared ahead up to the point where the function is needed, so that a new environment waits only for
//! its own mounts. The spawner waits for nobody: an init reports to the node directly.

mod confine;
mod egress;
mod ground;
mod image;
mod init;
mod mounts;
mod netlink;
mod root;
mod slot;
mod stage;
mod sys;
pub(crate) mod zygote;

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    process::ExitCode,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    io::Errno,
    process::{Resource, Rlimit, WaitOptions, getrlimit, setrlimit},
};

use self::{
    ground::Ground,
    slot::{Phase, Slot},
    zygote::{Demand, Heard, Zygote},
};
use crate::wire::{self, At as _, Blueprint, Configuration, FromSpawner, StepError, ToSpawner};

/// How long the spawner must be idle before it prepares another sandbox: the runtime just started needs the CPU more.
const QUIET: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// How often a group that still has dying processes is tried to be removed.
const RETRY: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 1_000_000,
};

/// How many rounds of [`RETRY`] the end waits for processes that do not die.
const LAST_ROUNDS: u32 = 5_000;

/// The whole program of a spawner process: serves the node on standard input until that closes.
///
/// Must be called before the process has a second thread.
#[must_use]
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "spawner: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), StepError> {
    if !sys::is_single_threaded().at("count threads")? {
        return Err(StepError::new(
            "expected a process with one thread",
            Errno::BUSY,
        ));
    }
    let node = take_node()?;
    let _ = rustix::process::setsid();
    sys::ignore_stop_signals();
    raise_file_limit();

    let Some((message, _)) = wire::receive(node.as_fd()).at("wait for the node")? else {
        return Ok(());
    };
    let ToSpawner::Configure(configuration) = message else {
        return Err(StepError::new("expected a configuration", Errno::PROTO));
    };
    let (report, layout, ground) = ground::survey(&configuration);
    let life = life()?;
    let sets = ground.as_ref().and_then(|g| g.egress.as_ref());
    let sets = sets.map(egress::Egress::sets).transpose()?;
    wire::send(
        node.as_fd(),
        &FromSpawner::Hello {
            report,
            layout: layout.clone(),
            life: life.clone(),
        },
        &sets.iter().map(OwnedFd::as_fd).collect::<Vec<_>>(),
    )
    .at("greet the node")?;
    drop(sets);
    let served = match (wire::receive(node.as_fd()).at("wait for the node")?, ground) {
        (Some((ToSpawner::Begin, _)), Some(ground)) => {
            // Only now: trials wait for their children by themselves.
            let children = sys::child_signals().at("watch children")?;
            Spawner {
                node,
                children,
                ground,
                configuration,
                life,
                made: 0,
                slots: BTreeMap::new(),
                zygotes: BTreeMap::new(),
                demand: Demand::default(),
                ready: VecDeque::new(),
                discouraged: false,
            }
            .serve()
        }
        (Some(_), _) => Err(StepError::new(
            "expected a node that begins only on firm ground",
            Errno::PROTO,
        )),
        (None, _) => Ok(()),
    };
    layout.remove();
    served
}

/// Takes the socket from standard input, and leaves the null device in its place and as standard output.
fn take_node() -> Result<OwnedFd, StepError> {
    let node = sys::take_stdin().at("take the socket")?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .at("open /dev/null")?;
    sys::duplicate_to(null.as_fd(), 0).at("take the socket")?;
    sys::duplicate_to(null.as_fd(), 1).at("take the socket")?;
    Ok(node)
}

/// Each sandbox holds some descriptors here: as many as the host lets this process have.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

/// A name for this process that no other process of this boot has had: pid and start time.
fn life() -> Result<String, StepError> {
    let stat = std::fs::read_to_string("/proc/self/stat").at("read the start time")?;
    // After the program's name, which ends with the last parenthesis, the start time is the 20th field.
    let start = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.split(' ').nth(19))
        .unwrap_or("0");
    Ok(format!("{}-{start}", std::process::id()))
}

struct Spawner {
    node: OwnedFd,
    children: OwnedFd,
    ground: Ground,
    configuration: Configuration,
    life: String,
    made: u64,
    slots: BTreeMap<u64, Slot>,
    zygotes: BTreeMap<u64, Zygote>,
    demand: Demand,
    /// Prepared slots that nobody has asked for yet.
    ready: VecDeque<u64>,
    /// The last attempt to prepare ahead failed; a request that succeeds lifts this.
    discouraged: bool,
}

impl Spawner {
    /// Serves until the node closes the socket; then destroys everything.
    fn serve(mut self) -> Result<(), StepError> {
        loop {
            let timeout = if self.slots.values().any(|slot| slot.phase == Phase::Over) {
                Some(&RETRY)
            } else {
                (self.wants_ahead() || self.wants_fork().is_some()).then_some(&QUIET)
            };
            let sockets = self.zygotes.values().map(|zygote| &zygote.orders);
            let mut ready: Vec<PollFd<'_>> = [&self.node, &self.children]
                .into_iter()
                .chain(sockets)
                .map(|fd| PollFd::new(fd, PollFlags::IN))
                .collect();
            let count = match poll(&mut ready, timeout) {
                Err(Errno::INTR) => continue,
                other => other.at("poll")?,
            };
            let mut ready = ready.iter().map(|fd| !fd.revents().is_empty());
            let (node, children) = (ready.next() == Some(true), ready.next() == Some(true));
            let numbers = self.zygotes.keys().copied();
            let speaking: Vec<u64> = numbers
                .zip(ready)
                .filter_map(|(number, speaks)| speaks.then_some(number))
                .collect();
            if children {
                self.reap();
            }
            self.bury();
            for number in speaking {
                self.hear(number);
            }
            if node {
                match wire::receive::<ToSpawner>(self.node.as_fd()) {
                    Ok(Some((message, fds))) => self.obey(message, fds),
                    Ok(None) | Err(_) => break,
                }
            }
            if count == 0 && self.wants_ahead() {
                self.prepare_ahead();
            } else if count == 0
                && let Some(zygote) = self.wants_fork()
            {
                self.fork_ahead(zygote);
            }
        }
        self.end();
        Ok(())
    }

    fn obey(&mut self, message: ToSpawner, fds: Vec<OwnedFd>) {
        match message {
            ToSpawner::Create { request, blueprint } => {
                if let Err(error) = self.create(request, &blueprint) {
                    self.tell(&FromSpawner::NotCreated { request, error }, &[]);
                }
            }
            ToSpawner::Destroy { slot } => self.destroy(slot),
            ToSpawner::Raise { zygote, .. } if !self.ground.may_join => {
                self.tell(&FromSpawner::Fallen { zygote }, &[]);
            }
            ToSpawner::Raise { zygote, plan } => match Zygote::raise(&mut self.ground, &plan) {
                Ok(raised) => drop(self.zygotes.insert(zygote, raised)),
                Err(error) => {
                    let _ = writeln!(io::stderr(), "spawner: no zygote: {error}");
                    self.tell(&FromSpawner::Fallen { zygote }, &[]);
                }
            },
            ToSpawner::Fell { zygote } => {
                // The end of its socket is heard like that of any other.
                if let Some(zygote) = self.zygotes.get(&zygote) {
                    zygote.kill();
                }
            }
            ToSpawner::Fork { zygote, slot } => {
                // The end of the channel is the answer.
                if let Err(error) = self.fork(zygote, slot, fds) {
                    let _ = writeln!(io::stderr(), "spawner: {error}");
                }
            }
            ToSpawner::Configure(_) | ToSpawner::Begin => {}
        }
    }

    /// A node that no longer listens closes its end, which the next poll sees.
    fn tell(&self, message: &FromSpawner, fds: &[std::os::fd::BorrowedFd<'_>]) {
        let _ = wire::send(self.node.as_fd(), message, fds);
    }

    fn prepare(&mut self) -> Result<u64, StepError> {
        let number = self.made;
        self.made += 1;
        let slot = Slot::prepare(&self.ground, &format!("{}-{number}", self.life), number)?;
        self.slots.insert(number, slot);
        Ok(number)
    }

    fn wants_ahead(&self) -> bool {
        !self.discouraged && self.ready.len() < self.configuration.pool
    }

    fn prepare_ahead(&mut self) {
        match self.prepare() {
            Ok(number) => self.ready.push_back(number),
            Err(error) => {
                let _ = writeln!(
                    io::stderr(),
                    "spawner: prepare a sandbox ahead: {error}; waiting for a request"
                );
                self.discouraged = true;
            }
        }
    }

    /// The zygote of which one more fork should wait in a prepared sandbox.
    fn wants_fork(&self) -> Option<u64> {
        let waiting = |zygote| {
            let ready = self
                .ready
                .iter()
                .filter_map(|number| self.slots.get(number));
            ready.filter(|slot| slot.forked_from() == zygote).count()
        };
        if waiting(None) == 0 {
            return None;
        }
        let up = self.zygotes.iter().filter(|(_, zygote)| zygote.is_up());
        let mut wanted = up.map(|(number, _)| *number).filter(|number| {
            waiting(Some(*number)) < self.demand.share(*number, self.configuration.pool)
        });
        wanted.next()
    }

    /// Has a zygote fork into a prepared sandbox before anybody wants it.
    fn fork_ahead(&mut self, number: u64) {
        let Self {
            ready,
            slots,
            zygotes,
            ground,
            ..
        } = self;
        let Some(zygote) = zygotes.get(&number) else {
            return;
        };
        for name in ready {
            let Some(slot) = slots.get_mut(name) else {
                continue;
            };
            if slot.forked_from().is_some() || !slot.is_built() {
                continue;
            }
            let forked = wire::pair()
                .at("make sockets")
                .and_then(|(inside, outside)| {
                    fork_into(zygote, slot, ground, &outside)?;
                    Ok(inside)
                });
            match forked {
                Ok(inside) => slot.expect_fork(number, inside),
                Err(error) => {
                    let _ = writeln!(io::stderr(), "spawner: fork ahead: {error}");
                }
            }
            return;
        }
    }

    /// A prepared sandbox, rather one in which a fork of this zygote waits, and else one in which none does.
    fn take_ready(&mut self, zygote: Option<u64>) -> Option<u64> {
        let with = |wanted| {
            self.ready.iter().position(|number| {
                let slot = self.slots.get(number);
                slot.is_some_and(|slot| slot.forked_from() == wanted)
            })
        };
        let place = with(zygote).or_else(|| with(None)).unwrap_or(0);
        self.ready.remove(place)
    }

    fn create(&mut self, request: u64, blueprint: &Blueprint) -> Result<(), StepError> {
        self.demand.note(blueprint.zygote);
        let number = match self.take_ready(blueprint.zygote) {
            Some(number) => number,
            None => self.prepare()?,
        };
        let Some(slot) = self.slots.get_mut(&number) else {
            return Err(StepError::new("take a prepared sandbox", Errno::SRCH));
        };
        if slot.forked_from() != blueprint.zygote {
            slot.drop_fork();
        }
        let forked = slot.forked_from().is_some();
        match slot.finish(&mut self.ground, blueprint) {
            Ok(ends) => {
                self.discouraged = false;
                let message = FromSpawner::Created {
                    request,
                    slot: number,
                    cgroup: slot.group.name().to_owned(),
                    init: slot.pid.as_raw_nonzero().get().cast_unsigned(),
                    forked,
                    address: slot.address(),
                };
                let mut fds = vec![
                    ends.listener.as_fd(),
                    ends.gateway.as_fd(),
                    ends.log.as_fd(),
                    ends.control.as_fd(),
                ];
                if let Some(names) = &ends.names {
                    fds.extend([names.datagrams.as_fd(), names.connections.as_fd()]);
                }
                self.tell(&message, &fds);
                Ok(())
            }
            Err(error) => {
                slot.kill();
                Err(error)
            }
        }
    }

    fn fork(&self, zygote: u64, slot: u64, fds: Vec<OwnedFd>) -> Result<(), StepError> {
        let lacking = |errno| StepError::new("fork a zygote", errno);
        let channel = fds.into_iter().next().ok_or_else(|| lacking(Errno::BADF))?;
        let zygote = self
            .zygotes
            .get(&zygote)
            .ok_or_else(|| lacking(Errno::SRCH))?;
        let slot = self.slots.get(&slot).ok_or_else(|| lacking(Errno::SRCH))?;
        fork_into(zygote, slot, &self.ground, &channel)
    }

    /// What a zygote says.
    fn hear(&mut self, number: u64) {
        match self.zygotes.get_mut(&number).map(Zygote::hear) {
            None => {}
            Some(Heard::Ready) => self.tell(&FromSpawner::Raised { zygote: number }, &[]),
            Some(Heard::Over) => {
                if let Some(zygote) = self.zygotes.remove(&number) {
                    // It is reaped with the others.
                    zygote.kill();
                }
                self.tell(&FromSpawner::Fallen { zygote: number }, &[]);
            }
        }
    }

    fn destroy(&mut self, number: u64) {
        match self.slots.get_mut(&number) {
            Some(slot) => {
                slot.mourned = true;
                slot.kill();
            }
            None => self.tell(&FromSpawner::Destroyed { slot: number }, &[]),
        }
        self.bury();
    }

    /// Notes which inits are over.
    fn reap(&mut self) {
        let mut drained = [0_u8; 1024];
        while rustix::io::read(&self.children, &mut drained).is_ok() {}
        while let Ok(Some((pid, _))) = rustix::process::wait(WaitOptions::NOHANG) {
            if let Some((number, slot)) = self.slots.iter_mut().find(|(_, slot)| slot.pid == pid) {
                let number = *number;
                // Of a sandbox that the node has not given up, the counters are still of interest.
                slot.phase = if slot.phase == Phase::Alive && !self.ready.contains(&number) {
                    Phase::Lost
                } else {
                    Phase::Over
                };
                self.ready.retain(|waiting| *waiting != number);
            }
        }
    }

    /// Removes the groups of slots that are over, and tells the node.
    fn bury(&mut self) {
        let removed: Vec<u64> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.phase == Phase::Over && slot.group.remove().is_ok())
            .map(|(number, _)| *number)
            .collect();
        for number in removed {
            let slot = self.slots.remove(&number);
            if let Some(slot) = &slot {
                slot.disconnect(&mut self.ground);
            }
            if slot.is_some_and(|slot| slot.mourned) {
                self.tell(&FromSpawner::Destroyed { slot: number }, &[]);
            }
        }
    }

    fn end(&mut self) {
        for slot in self.slots.values_mut() {
            slot.kill();
        }
        for zygote in self.zygotes.values() {
            zygote.kill();
        }
        for _ in 0..LAST_ROUNDS {
            self.bury();
            if self.slots.is_empty() {
                return;
            }
            let mut children = [PollFd::new(&self.children, PollFlags::IN)];
            let _ = poll(&mut children, Some(&RETRY));
            self.reap();
        }
    }
}

/// Has a zygote fork into a sandbox that stands. The fork speaks through `channel`.
fn fork_into(
    zygote: &Zygote,
    slot: &Slot,
    ground: &Ground,
    channel: &OwnedFd,
) -> Result<(), StepError> {
    let groups = slot.group.doors().at("open cgroups")?;
    zygote.fork(
        ground.all_namespaces(),
        slot.init(),
        channel.as_fd(),
        &groups,
    )
}
