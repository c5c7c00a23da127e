//! The node's connection to one spawner process.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    net::Ipv4Addr,
    os::fd::{AsFd as _, OwnedFd},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::timeout;

use super::{
    cgroup::Layout,
    gate::Gate,
    mailbox::{Closed, Mailbox, Record},
};
use crate::{
    driver::Zygote,
    report::Report,
    wire::{self, Blueprint, Configuration, FromSpawner, StepError, ToSpawner},
};

/// How long a spawner may take to find out what the host lets it do.
const SURVEY_LIMIT: Duration = Duration::from_secs(10);

/// How many kinds of zygotes there may be; there are as many as runtimes.
const ZYGOTES_MAX: usize = 16;

/// How many zygotes may fail one after the other before none is tried any more.
const FORK_FAILURES_MAX: u32 = 5;

/// How long a spawner may take to end by itself once its socket is closed.
const END_LIMIT: Duration = Duration::from_secs(6);

/// How to start a spawner process: a program that calls [`crate::spawner::main`] when run with these arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpawnerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl Default for SpawnerCommand {
    /// This very binary with the hidden subcommand `__spawner`.
    fn default() -> Self {
        Self {
            program: "/proc/self/exe".into(),
            args: vec!["__spawner".into()],
        }
    }
}

/// Why there is no spawner.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("spawner program {program}")]
    Spawn {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the spawner ended before it answered; its last words are on standard error")]
    Ended,
    #[error("no answer from the spawner within {SURVEY_LIMIT:?}")]
    Deadline,
}

/// A sandbox as the spawner hands it out.
pub(crate) struct Made {
    pub(crate) slot: u64,
    pub(crate) cgroup: String,
    /// The process id of the init.
    pub(crate) init: u32,
    /// A fork of the zygote that was asked for waits inside.
    pub(crate) forked: bool,
    pub(crate) listener: OwnedFd,
    pub(crate) gateway: OwnedFd,
    pub(crate) log: OwnedFd,
    pub(crate) control: OwnedFd,
    /// Of one with a network policy: its address, and where it asks for names.
    pub(crate) names: Option<Names>,
}

/// Where a sandbox asks for names.
pub(crate) struct Names {
    pub(crate) address: Ipv4Addr,
    pub(crate) datagrams: OwnedFd,
    pub(crate) connections: OwnedFd,
}

/// What came from the spawner and has not been fetched.
#[derive(Default)]
struct Replies {
    hello: Option<(Report, Layout, String, Option<OwnedFd>)>,
    /// Requests that somebody waits for, with their answers.
    creations: BTreeMap<u64, Option<Result<Made, StepError>>>,
    /// Slots whose end somebody waits for; `true` when it has come.
    ends: BTreeMap<u64, bool>,
    /// Slots that came for nobody.
    orphans: Vec<u64>,
    zygotes: Zygotes,
}

/// The zygotes of this spawner.
#[derive(Default)]
struct Zygotes {
    known: BTreeMap<Zygote, u64>,
    states: BTreeMap<u64, ZygoteState>,
    /// Zygotes that failed since a fork went well.
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ZygoteState {
    /// It has not said that it can fork.
    Starting,
    Up,
    /// It never came up, and so will not.
    Impossible,
}

impl Zygotes {
    /// One that was up and is over may be raised again; one that never was would fail again.
    fn fallen(&mut self, number: u64) {
        match self.states.get_mut(&number) {
            Some(ZygoteState::Up) => {
                self.states.remove(&number);
                self.known.retain(|_, of| *of != number);
            }
            Some(state) => *state = ZygoteState::Impossible,
            None => {}
        }
    }
}

impl Record for Replies {
    type Message = FromSpawner;

    fn take_in(&mut self, message: FromSpawner, fds: Vec<OwnedFd>) {
        match message {
            FromSpawner::Hello {
                report,
                layout,
                life,
            } => self.hello = Some((report, layout, life, fds.into_iter().next())),
            FromSpawner::Created {
                request,
                slot,
                cgroup,
                init,
                forked,
                address,
            } => {
                let mut fds = fds.into_iter();
                let ends: Vec<OwnedFd> = fds.by_ref().take(4).collect();
                let ends = <[OwnedFd; 4]>::try_from(ends).ok();
                let names = match (address, fds.next(), fds.next()) {
                    (Some(address), Some(datagrams), Some(connections)) => Some(Names {
                        address,
                        datagrams,
                        connections,
                    }),
                    _ => None,
                };
                match (self.creations.get_mut(&request), ends) {
                    (Some(place), Some([listener, gateway, log, control])) => {
                        *place = Some(Ok(Made {
                            slot,
                            cgroup,
                            init,
                            forked,
                            listener,
                            gateway,
                            log,
                            control,
                            names,
                        }));
                    }
                    _ => self.orphans.push(slot),
                }
            }
            FromSpawner::NotCreated { request, error } => {
                if let Some(place) = self.creations.get_mut(&request) {
                    *place = Some(Err(error));
                }
            }
            FromSpawner::Raised { zygote } => {
                if let Some(state) = self.zygotes.states.get_mut(&zygote) {
                    *state = ZygoteState::Up;
                }
            }
            FromSpawner::Fallen { zygote } => self.zygotes.fallen(zygote),
            FromSpawner::Destroyed { slot } => {
                if let Some(over) = self.ends.get_mut(&slot) {
                    *over = true;
                }
            }
        }
    }
}

/// See the module.
pub(crate) struct Link {
    mailbox: Mailbox<Replies>,
    child: Mutex<Child>,
    requests: AtomicU64,
    pub(crate) report: Report,
    pub(crate) layout: Layout,
    /// Prefix of the names of all groups of this spawner.
    pub(crate) life: String,
    /// The way to the router's sets, if there is one.
    pub(crate) gate: Option<Arc<Gate>>,
}

impl Link {
    /// Starts a spawner and waits for its report. It makes nothing before [`begin`](Self::begin).
    pub(crate) async fn connect(
        command: &SpawnerCommand,
        configuration: Configuration,
    ) -> Result<Self, ConnectError> {
        let spawn = |source| ConnectError::Spawn {
            program: command.program.clone(),
            source,
        };
        let (ours, theirs) = wire::pair().map_err(|e| spawn(e.into()))?;
        let child = Command::new(&command.program)
            .args(&command.args)
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .map_err(spawn)?;
        let mailbox = Mailbox::new(ours, Replies::default()).map_err(spawn)?;
        let mut link = Self {
            mailbox,
            child: Mutex::new(child),
            requests: AtomicU64::new(0),
            report: Report::default(),
            layout: Layout::default(),
            life: String::new(),
            gate: None,
        };
        let greeted = timeout(SURVEY_LIMIT, async {
            link.mailbox
                .send(&ToSpawner::Configure(configuration))
                .await
                .map_err(|_| Closed)?;
            link.mailbox.until(|replies| replies.hello.take()).await
        });
        let (report, layout, life, gate) = greeted
            .await
            .map_err(|_| ConnectError::Deadline)?
            .map_err(|Closed| ConnectError::Ended)?;
        link.report = report;
        link.layout = layout;
        link.life = life;
        link.gate = gate.map(|socket| Arc::new(Gate::new(socket)));
        Ok(link)
    }

    /// Accepts the report.
    pub(crate) async fn begin(&self) -> io::Result<()> {
        self.mailbox.send(&ToSpawner::Begin).await
    }

    /// Asks for a sandbox. The outer error means that the spawner is gone.
    pub(crate) async fn create(&self, blueprint: Blueprint) -> io::Result<Result<Made, StepError>> {
        let request = self.requests.fetch_add(1, Ordering::Relaxed);
        self.mailbox
            .with(|replies| replies.creations.insert(request, None));
        let waiting = Waiting {
            link: self,
            request,
        };
        self.mailbox
            .send(&ToSpawner::Create { request, blueprint })
            .await?;
        let answer = self
            .mailbox
            .until(|replies| replies.creations.get_mut(&request).and_then(Option::take))
            .await;
        drop(waiting);
        self.release_orphans();
        answer.map_err(|Closed| io::ErrorKind::BrokenPipe.into())
    }

    /// Destroys a sandbox and waits until it is gone. An error means that the spawner is gone.
    pub(crate) async fn destroy(&self, slot: u64) -> io::Result<()> {
        self.mailbox
            .with(|replies| replies.ends.insert(slot, false));
        self.mailbox.send(&ToSpawner::Destroy { slot }).await?;
        let over = self
            .mailbox
            .until(|replies| replies.ends.get(&slot).copied().filter(|over| *over))
            .await;
        self.mailbox.with(|replies| replies.ends.remove(&slot));
        over.map(drop)
            .map_err(|Closed| io::ErrorKind::BrokenPipe.into())
    }

    /// The number of a zygote that can fork. One that is not known is raised, and is there for later callers.
    pub(crate) fn zygote(&self, plan: &Zygote) -> Option<u64> {
        let (number, is_new) = self.mailbox.with(|replies| {
            let zygotes = &mut replies.zygotes;
            if zygotes.failures >= FORK_FAILURES_MAX {
                return (None, false);
            }
            if let Some(number) = zygotes.known.get(plan) {
                let up = zygotes.states.get(number) == Some(&ZygoteState::Up);
                return (up.then_some(*number), false);
            }
            if zygotes.known.len() >= ZYGOTES_MAX {
                return (None, false);
            }
            let number = self.requests.fetch_add(1, Ordering::Relaxed);
            zygotes.known.insert(plan.clone(), number);
            zygotes.states.insert(number, ZygoteState::Starting);
            (Some(number), true)
        });
        if let (Some(zygote), true) = (number, is_new) {
            let plan = plan.clone();
            let raise = ToSpawner::Raise { zygote, plan };
            if self.mailbox.try_send(&raise).is_err() {
                // As if it had never been asked for.
                self.mailbox.with(|replies| {
                    replies.zygotes.states.insert(zygote, ZygoteState::Up);
                    replies.zygotes.fallen(zygote);
                });
            }
            return None;
        }
        number
    }

    /// Notes how a fork went. A zygote that fails ends: another may do better, but not for ever.
    pub(crate) fn note_fork(&self, zygote: u64, went_well: bool) {
        let failures = self.mailbox.with(|replies| {
            let zygotes = &mut replies.zygotes;
            if went_well {
                zygotes.failures = 0;
            } else if zygotes.states.contains_key(&zygote) {
                // The first one to find out; others may have waited for it, too.
                zygotes.failures += 1;
                zygotes.fallen(zygote);
            } else {
                return 0;
            }
            zygotes.failures
        });
        if failures == FORK_FAILURES_MAX {
            tracing::error!(
                "zygotes do not fork here; every runtime is started anew. What failed is in the warnings before this"
            );
        }
        if !went_well {
            let _ = self.mailbox.try_send(&ToSpawner::Fell { zygote });
        }
    }

    /// Has a zygote fork into a sandbox. That `channel` closes says that it failed.
    pub(crate) async fn fork(&self, zygote: u64, slot: u64, channel: OwnedFd) -> io::Result<()> {
        let fork = ToSpawner::Fork { zygote, slot };
        self.mailbox.send_with(&fork, &[channel.as_fd()]).await
    }

    /// Asks for the end of a sandbox without waiting for it.
    pub(crate) fn abandon(&self, slot: u64) -> io::Result<()> {
        self.mailbox.try_send(&ToSpawner::Destroy { slot })
    }

    /// Destroys what came for callers that had gone.
    fn release_orphans(&self) {
        for slot in self
            .mailbox
            .with(|replies| std::mem::take(&mut replies.orphans))
        {
            let _ = self.abandon(slot);
        }
    }

    /// Whether the spawner process runs.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.child.lock().try_wait(), Ok(None))
    }

    /// The spawner's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.lock().id()
    }

    /// Waits until a spawner whose socket is closed is reaped, so that it is not taken for alive; it is dying.
    pub(crate) async fn wait_dead(&self) {
        let pause = Duration::from_millis(1);
        let mut left = Duration::from_secs(1);
        while self.is_alive() && !left.is_zero() {
            tokio::time::sleep(pause).await;
            left = left.saturating_sub(pause);
        }
        if self.is_alive() {
            let _ = self.child.lock().kill();
        }
    }

    /// Lets go of the router of a spawner that is gone, or about to go, whoever holds on to its sandboxes.
    pub(crate) fn shut_gate(&self) {
        if let Some(gate) = &self.gate {
            gate.shut();
        }
    }

    /// Makes the spawner destroy everything and end; kills it if it does not. Blocks.
    pub(crate) fn end(&self) {
        self.shut_gate();
        self.mailbox.shut();
        let pause = Duration::from_millis(2);
        let mut left = END_LIMIT;
        while self.is_alive() && !left.is_zero() {
            std::thread::sleep(pause);
            left = left.saturating_sub(pause);
        }
        let mut child = self.child.lock();
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Its socket closes with this; the process is reaped if it is quick, and else by init when the node ends.
        self.mailbox.shut();
        let _ = self.child.lock().try_wait();
    }
}

/// Somebody waits for an answer; what comes after it left is an orphan.
struct Waiting<'a> {
    link: &'a Link,
    request: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let left = self
            .link
            .mailbox
            .with(|replies| replies.creations.remove(&self.request));
        if let Some(Some(Ok(made))) = left {
            let _ = self.link.abandon(made.slot);
        }
    }
}
