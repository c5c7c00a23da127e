//! Everything that outlives a process in a simulated run: nodes with their disks and clocks, what guests did, what
//! clients saw, and what was found to be wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};

use host::{Entropy, SeededEntropy};
use model::{NodeName, Role, Roles, Zone};
use node::{compose::NodeHandle, config::Raft};
use parking_lot::Mutex;
use proto::FORMATS;
use tokio_util::sync::CancellationToken;

use crate::{
    calls::Calls,
    clock::{Elapsed, SimClock},
    disk::Disk,
    gossip::Register,
    guest::{Health, Ledger},
    history::{History, registers::Registers},
    options::Options,
    reserved::Reservations,
    seen::Seen,
    troubles::Troubles,
};

/// One run.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) elapsed: Elapsed,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) nodes: Vec<Node>,
    /// How the controllers keep their log: short, so that snapshots are made and needed.
    pub(crate) raft: Raft,
    pub(crate) register: Arc<Register>,
    pub(crate) ledger: Ledger,
    pub(crate) history: History,
    pub(crate) registers: Registers,
    pub(crate) calls: Calls,
    pub(crate) seen: Seen,
    pub(crate) reservations: Reservations,
    /// When something was wrong that a client may feel.
    pub(crate) troubles: Troubles,
    /// Cancelled when clients shall stop to ask for more.
    pub(crate) quiet: CancellationToken,
    pub(crate) tally: Mutex<Tally>,
    /// Requests that changed something and were answered with a success.
    pub(crate) changes: Mutex<Vec<Change>>,
    violations: Mutex<Vec<Violation>>,
    /// Where workers unpack code.
    pub(crate) scratch: PathBuf,
}

/// One node, over all its processes.
pub(crate) struct Node {
    pub(crate) name: NodeName,
    pub(crate) zone: Zone,
    pub(crate) roles: Roles,
    pub(crate) disk: Disk,
    pub(crate) clock: SimClock,
    /// Of its sandboxes, if it is a worker.
    pub(crate) health: Health,
    pub(crate) process: Mutex<Process>,
}

/// What is known of a node's process.
#[derive(Default)]
pub(crate) struct Process {
    /// How many there were.
    pub(crate) starts: u64,
    /// How many there were when its disk was replaced by an empty one.
    pub(crate) starts_before_loss: u64,
    /// The running node.
    pub(crate) handle: Weak<NodeHandle>,
    /// Why the process ended by itself, until somebody takes note.
    pub(crate) ended: Option<String>,
    /// Asks the process to end in order.
    pub(crate) terminate: CancellationToken,
    /// The newest format that the next process reads, if it is of an older build.
    pub(crate) held_back: Option<u32>,
    /// The newest format that the running node reads.
    pub(crate) reads: u32,
}

/// A change that a frontend answered with a success.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The frontend.
    pub(crate) frontend: String,
    /// How many processes it had had when it was asked.
    pub(crate) starts: u64,
    /// The id that the client was told.
    pub(crate) request_id: String,
}

/// What was found to be wrong.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The check that found it.
    pub check: String,
    /// What it saw, with virtual times.
    pub what: String,
    /// When, since the beginning of the run.
    pub at: Duration,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at {} ms: {}",
            self.check,
            self.at.as_millis(),
            self.what
        )
    }
}

/// What a run must have seen to say anything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Answers that were successes, by kind of call.
    pub(crate) done: BTreeMap<&'static str, u64>,
    /// All calls, by kind.
    pub(crate) calls: BTreeMap<&'static str, u64>,
    /// How often a fault was begun.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// How often a fault made a difference.
    pub(crate) felt: BTreeMap<&'static str, u64>,
    /// Faults that the run was to have.
    pub(crate) planned: BTreeSet<&'static str>,
    /// Leaders by term.
    pub(crate) leaders: BTreeMap<u64, NodeName>,
    /// Snapshots of the controllers' log.
    pub(crate) snapshots: Snapshots,
}

/// What became of the controllers' log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Snapshots {
    /// Snapshots of a controller's own state.
    pub(crate) built: u64,
    /// Snapshots taken over from a leader.
    pub(crate) installed: u64,
    /// How often the front of a log was seen to have gone.
    pub(crate) purges: u64,
}

impl fmt::Display for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            built,
            installed,
            purges,
        } = self;
        write!(
            f,
            "{built} snapshots built, {installed} installed, {purges} purges"
        )
    }
}

impl World {
    /// The world of one seed.
    pub(crate) fn new(options: Options, scratch: PathBuf) -> Arc<Self> {
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(options.seed));
        let elapsed = Elapsed::default();
        let held_back = options.begins_old().then_some(FORMATS.oldest);
        let nodes = topology(&*entropy.fork("topology"))
            .into_iter()
            .map(|(name, zone, roles)| Node {
                disk: Disk::new(&name, entropy.fork(&format!("disk of {name}"))),
                clock: SimClock::new(elapsed.clone()),
                health: Health::default(),
                name: known(&name),
                zone: known(zone),
                roles,
                process: Mutex::new(Process {
                    held_back,
                    ..Process::default()
                }),
            })
            .collect();
        let times = elapsed.clone();
        let raft = short_log(&*entropy.fork("raft"));
        Arc::new(Self {
            options,
            elapsed,
            entropy,
            nodes,
            raft,
            register: Arc::default(),
            ledger: Ledger::new(move || times.now()),
            history: History::new(),
            registers: Registers::default(),
            calls: Calls::default(),
            seen: Seen::default(),
            reservations: Reservations::default(),
            troubles: Troubles::default(),
            quiet: CancellationToken::new(),
            tally: Mutex::default(),
            changes: Mutex::default(),
            violations: Mutex::default(),
            scratch,
        })
    }

    /// Nodes that have a role, by index.
    pub(crate) fn with_role(&self, role: Role) -> Vec<usize> {
        let all = self.nodes.iter().enumerate();
        all.filter(|(_, node)| node.roles.has(role))
            .map(|(n, _)| n)
            .collect()
    }

    /// Takes note of something wrong. The run goes on to its end, so that later checks can say more.
    pub(crate) fn violated(&self, check: &str, what: impl fmt::Display) {
        let at = self.elapsed.now();
        let what = what.to_string();
        tracing::error!(check, what, "VIOLATION");
        let mut violations = self.violations.lock();
        if violations.len() < 20 {
            violations.push(Violation {
                check: check.to_owned(),
                what,
                at,
            });
        }
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.violations.lock().clone()
    }

    /// Whether nothing at all was broken from a while before until a moment.
    pub(crate) fn was_calm(&self, from: Duration, to: Duration) -> bool {
        self.troubles.was_calm(from, to, &[])
    }

    /// Counts a call of a client. Looking at the end says nothing about how much was done.
    pub(crate) fn count(&self, kind: &'static str, done: bool) {
        if self.quiet.is_cancelled() {
            return;
        }
        let mut tally = self.tally.lock();
        *tally.calls.entry(kind).or_default() += 1;
        if done {
            *tally.done.entry(kind).or_default() += 1;
        }
    }
}

impl Node {
    /// The running node, if there is one.
    pub(crate) fn handle(&self) -> Option<Arc<NodeHandle>> {
        self.process.lock().handle.upgrade()
    }
}

/// A log that is short enough for a run to go through several snapshots.
fn short_log(entropy: &dyn Entropy) -> Raft {
    let snapshot_every = 20 + entropy.below(181);
    Raft {
        snapshot_every,
        snapshot_keep: entropy.below(snapshot_every / 2),
    }
}

/// Which nodes there are: three zones always, roles together or apart.
fn topology(entropy: &dyn Entropy) -> Vec<(String, &'static str, Roles)> {
    const ZONES: [&str; 3] = ["a", "b", "c"];
    let only = |role| Roles::default().with(role);
    let mut nodes = Vec::new();
    match entropy.below(3) {
        0 => {
            for zone in ZONES {
                nodes.push((format!("{zone}1"), zone, Roles::ALL));
            }
        }
        1 => {
            for zone in ZONES {
                let both = only(Role::Controller).with(Role::Frontend);
                nodes.push((format!("{zone}1"), zone, both));
                nodes.push((format!("{zone}2"), zone, only(Role::Worker)));
            }
        }
        _ => {
            for zone in ZONES {
                nodes.push((format!("{zone}1"), zone, only(Role::Controller)));
                nodes.push((format!("{zone}2"), zone, only(Role::Worker)));
                nodes.push((format!("{zone}3"), zone, only(Role::Frontend)));
            }
        }
    }
    nodes
}

/// A name that this file made up.
#[expect(
    clippy::expect_used,
    reason = "letters and digits are a name; a run without its nodes is none"
)]
pub(crate) fn known<T: std::str::FromStr<Err: fmt::Debug>>(name: &str) -> T {
    name.parse().expect("letters and digits are a name")
}
