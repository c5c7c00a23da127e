//! A run from its beginning to its verdict.
//!
//! Set-up: the cluster comes up and serves. Safety: clients work while faults begin and heal. Then everything is mended
//! and must recover: liveness. At the end everything that was seen is checked.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use host::Entropy;
use model::Role;
use tokio::task::JoinSet;
use tracing::Instrument;
use turmoil::{Builder, Sim};

use crate::{
    caller::Caller,
    clock::EPOCH_MS,
    disk::Loss,
    faults::{self, FaultEntry, Reach},
    hands::{Damage, Hands, LATENCY},
    invariants::{self, Invariant},
    judge,
    options::Options,
    plan::{self, Planned},
    process,
    trace::Trace,
    workloads,
    world::{Tally, Violation, World},
};

/// What all nodes do in turns, and how exact the network is; timers of a node are exact to the millisecond.
const TICK: Duration = Duration::from_millis(2);
/// How often, in ticks, faults go on and invariants look.
const LOOK_EVERY: u32 = 25;
/// How long the cluster may take to come up.
const SET_UP_MAX: Duration = Duration::from_secs(30);
/// How much longer than planned a fault goes on that has made no difference yet.
const UNFELT_MAX: Duration = Duration::from_secs(3);
/// How long what must come to an end may take on a cluster that is otherwise whole.
const FINISH_MAX: Duration = Duration::from_secs(15);
/// How long the last calls may take once clients shall stop.
const LAST_CALLS_MAX: Duration = Duration::from_secs(30);
/// How long the last attempt to make another controller lead takes.
const SECOND_TRY: Duration = Duration::from_secs(3);
/// How long the judge may take in all.
const JUDGE_MAX: Duration = Duration::from_secs(120);
/// Bytes of a host that may be on their way or unread, in segments.
const SEGMENTS: usize = 1 << 14;

/// What came out of a run.
#[derive(Debug)]
pub struct Report {
    /// The run.
    pub options: Options,
    /// What to make of it.
    pub verdict: Verdict,
    /// Virtual time that it took.
    pub elapsed: Duration,
    /// Lines of the trace, and their digest.
    pub trace: (u64, String),
    tally: Tally,
}

/// What to make of a run.
#[derive(Debug)]
pub enum Verdict {
    /// Everything that was checked holds.
    Held,
    /// Something does not.
    Violated(Vec<Violation>),
    /// Too little happened to say anything.
    Invalid(String),
}

/// Runs the cluster of a seed. It must be the only run of its process: what libraries draw for themselves is equal for
/// equal runs only from the beginning of a process.
///
/// # Errors
/// If the scratch directory cannot be made, the filter cannot be read, or an option names nothing.
pub fn run(
    options: Options,
    trace: &Trace,
    filter: &str,
) -> Result<Report, Box<dyn std::error::Error + Send + Sync>> {
    let whole = tempfile::Builder::new().prefix("dunlin-sim-").tempdir()?;
    let world = World::new(options, whole.path().to_owned());
    trace.install(filter, world.elapsed.clone())?;
    let mut course = Course::new(&world)?;
    course.set_up();
    if world.violations().is_empty() {
        course.suffer();
        course.recover();
    }
    let elapsed = course.sim.elapsed();
    course.conclude();
    drop(course);
    let violations = world.violations();
    let tally = world.tally.lock().clone();
    let verdict = match (violations.is_empty(), invalid(&tally)) {
        (false, _) => Verdict::Violated(violations),
        (true, Some(why)) => Verdict::Invalid(why),
        (true, None) => Verdict::Held,
    };
    trace.flush();
    Ok(Report {
        options: world.options.clone(),
        verdict,
        elapsed,
        trace: trace.digest(),
        tally,
    })
}

/// The run so far.
struct Course {
    sim: Sim<'static>,
    world: Arc<World>,
    entropy: Arc<dyn Entropy>,
    damage: Damage,
    invariants: Vec<Box<dyn Invariant>>,
    planned: Vec<Planned>,
    steps: u32,
}

impl Course {
    fn new(world: &Arc<World>) -> Result<Self, String> {
        let network = world.entropy.fork("network");
        let mut sim = Builder::new()
            .epoch(SystemTime::UNIX_EPOCH + Duration::from_millis(EPOCH_MS))
            .simulation_duration(Duration::from_secs(24 * 3600))
            .tick_duration(TICK)
            .min_message_latency(Duration::ZERO)
            .max_message_latency(LATENCY)
            .rng_seed(network.next_u64())
            .tcp_capacity(SEGMENTS)
            .udp_capacity(SEGMENTS)
            .enable_random_order()
            .build();
        for (index, node) in world.nodes.iter().enumerate() {
            let world = world.clone();
            sim.host(node.name.as_str(), move || {
                process::run(world.clone(), index)
            });
        }
        let entropy = world.entropy.fork("faults");
        let planned = plan::draw(&world.options, &*entropy)?;
        Ok(Self {
            sim,
            world: world.clone(),
            entropy,
            damage: Damage::default(),
            invariants: invariants::all().iter().map(|i| (i.make)()).collect(),
            planned,
            steps: 0,
        })
    }

    /// Lets a client run until it is done.
    fn alone<F>(&mut self, name: &str, limit: Duration, work: F)
    where
        F: Future<Output = ()> + 'static,
    {
        self.sim.client(name, async move {
            work.await;
            Ok(())
        });
        let until = self.sim.elapsed() + limit;
        while !self.step() {
            if self.sim.elapsed() > until {
                self.world
                    .violated("clients end", format!("{name} has not within {limit:?}"));
                return;
            }
        }
    }

    fn set_up(&mut self) {
        let caller = Caller::new(self.world.clone(), "set-up");
        self.alone("setup", SET_UP_MAX, judge::set_up(caller));
        self.world.calls.forget();
    }

    /// Clients work, faults come and go.
    fn suffer(&mut self) {
        self.begin_work();
        let began = self.sim.elapsed();
        for one in &mut self.planned {
            one.begin += began;
            one.end += began;
            one.over = false;
        }
        self.go_on(self.world.options.duration());
        // Faults that have found nothing to break among what others had broken, or that nobody has felt, get it whole.
        let failed = |one: &Planned| !one.felt && one.fault.is_finished();
        if self.planned.iter().any(failed) {
            self.mend_begun();
            self.go_on(SECOND_TRY / 2);
            let now = self.sim.elapsed();
            for one in self.planned.iter_mut().filter(|one| failed(one)) {
                one.renew(now, now + SECOND_TRY);
            }
            self.go_on(SECOND_TRY + SECOND_TRY / 2);
        }
        // A fault that should have made another lead has met one that it could not have.
        for _ in 0..3 {
            if self.world.tally.lock().leaders.len() < 2 {
                self.mend_begun();
                self.go_on(SECOND_TRY);
                self.kill_leader();
            }
        }
        self.heal();
        self.world.quiet.cancel();
        let until = self.sim.elapsed() + LAST_CALLS_MAX;
        while !self.step() {
            if self.sim.elapsed() > until {
                let limit = LAST_CALLS_MAX;
                self.world
                    .violated("clients end", format!("one has not within {limit:?}"));
                return;
            }
        }
    }

    /// Lets the clients of the workloads begin.
    ///
    /// All are on one host: the network has a link between any two hosts, and every link and every host has its turn in
    /// every tick, whether or not anything happens there. No fault touches the links of clients.
    fn begin_work(&mut self) {
        let chosen = &self.world.options.workloads;
        let mut works = Vec::new();
        for entry in workloads::all() {
            if !chosen.is_empty() && !chosen.iter().any(|c| c == entry.name) {
                continue;
            }
            for n in 0..entry.clients {
                let name = format!("{}-{n}", entry.name);
                let caller = Caller::new(self.world.clone(), &name);
                let span = tracing::info_span!("client", name);
                works.push((entry.work)(caller, n).instrument(span));
            }
        }
        self.sim.client("clients", async move {
            let mut tasks = JoinSet::new();
            for work in works {
                tasks.spawn_local(work);
            }
            while let Some(ended) = tasks.join_next().await {
                ended?;
            }
            Ok(())
        });
    }

    fn kill_leader(&mut self) {
        let Some(leader) = self.hands().leader() else {
            return;
        };
        let entry = faults::all().into_iter().find(|f| f.changes_leader);
        let trouble = entry.map(|entry| self.trouble(&entry, &[]));
        self.hands().kill(leader, Loss::Process);
        self.go_on(SECOND_TRY);
        self.hands().start(leader);
        self.end_trouble(trouble);
    }

    fn go_on(&mut self, time: Duration) {
        let until = self.sim.elapsed() + time;
        while self.sim.elapsed() < until && self.world.violations().is_empty() {
            self.step();
        }
    }

    /// Mends everything.
    fn heal(&mut self) {
        for one in self.planned.iter_mut().filter(|one| !one.begun) {
            one.over = true;
        }
        self.mend_begun();
        let until = self.sim.elapsed() + FINISH_MAX;
        while self.planned.iter().any(|one| !one.over) && self.world.violations().is_empty() {
            if self.sim.elapsed() > until {
                let names = self.planned.iter().filter(|one| !one.over);
                let names: Vec<_> = names.map(|one| one.entry.name).collect();
                let what = format!("{names:?} have not within {FINISH_MAX:?}");
                self.world.violated("faults end", what);
            }
            self.step();
        }
    }

    /// Mends what faults have broken, as far as they are not in the middle of what must come to an end.
    fn mend_begun(&mut self) {
        tracing::info!("everything is mended");
        let mut planned = std::mem::take(&mut self.planned);
        let begun = planned.iter_mut().filter(|one| one.begun && !one.over);
        for one in begun.filter(|one| one.fault.is_finished()) {
            self.look_at(one);
            one.fault.heal(&mut self.hands());
            one.over = true;
            self.end_trouble(one.trouble);
        }
        self.planned = planned;
        self.hands().heal_all();
    }

    /// Takes note if somebody has felt a fault.
    fn look_at(&mut self, one: &mut Planned) {
        if one.begun && !one.felt && one.fault.is_felt(&self.hands()) {
            one.felt = true;
            let mut tally = self.world.tally.lock();
            *tally.felt.entry(one.entry.name).or_default() += 1;
        }
    }

    fn recover(&mut self) {
        let caller = Caller::new(self.world.clone(), "judge");
        self.alone("judge", JUDGE_MAX, judge::judge(caller));
    }

    fn conclude(&mut self) {
        for mut one in std::mem::take(&mut self.planned) {
            // What rotted is sometimes read late.
            self.look_at(&mut one);
            self.world.tally.lock().planned.insert(one.entry.name);
        }
        for invariant in &mut self.invariants {
            invariant.conclude(&self.world);
        }
    }

    fn hands(&mut self) -> Hands<'_> {
        Hands {
            sim: &mut self.sim,
            world: &self.world,
            entropy: &self.entropy,
            damage: &mut self.damage,
        }
    }

    /// A millisecond of everybody. Answers whether all clients are done.
    fn step(&mut self) -> bool {
        let done = match self.sim.step() {
            Ok(done) => done,
            Err(error) => {
                self.world.violated("processes go on", error);
                true
            }
        };
        self.world.elapsed.set(self.sim.elapsed());
        self.hands().look_after();
        self.steps += 1;
        if self.steps.is_multiple_of(LOOK_EVERY) {
            for invariant in &mut self.invariants {
                invariant.watch(&self.world);
            }
            self.break_things();
        }
        done
    }

    /// Takes note that something is broken from now on.
    fn trouble(&self, entry: &FaultEntry, lost: &[usize]) -> usize {
        let controllers = self.world.with_role(Role::Controller).into_iter();
        let apart = controllers
            .filter_map(|n| self.world.nodes.get(n))
            .all(|node| node.roles.iter().count() == 1);
        let reach = match entry.reach {
            Reach::Controllers if !apart => Reach::All,
            reach => reach,
        };
        self.world.troubles.begin(self.sim.elapsed(), reach, lost)
    }

    fn end_trouble(&self, index: Option<usize>) {
        if let Some(index) = index {
            self.world.troubles.end(index, self.sim.elapsed());
        }
    }

    fn break_things(&mut self) {
        let now = self.sim.elapsed();
        let mut planned = std::mem::take(&mut self.planned);
        for one in &mut planned {
            self.look_at(one);
            if one.over || one.begin > now {
                continue;
            }
            let is_due = one.end <= now && (one.felt || one.end + UNFELT_MAX <= now);
            if !one.begun {
                self.begin(one);
            } else if is_due && one.fault.is_finished() {
                tracing::info!(fault = one.entry.name, "a fault is mended");
                one.fault.heal(&mut self.hands());
                one.over = true;
                self.end_trouble(one.trouble);
            } else {
                one.fault.go_on(&mut self.hands());
            }
        }
        self.planned = planned;
    }

    fn begin(&mut self, one: &mut Planned) {
        let Some(what) = one.fault.begin(&mut self.hands()) else {
            return;
        };
        tracing::info!(fault = one.entry.name, what, "a fault begins");
        one.begun = true;
        one.trouble = Some(self.trouble(&one.entry, one.fault.lost()));
        let mut tally = self.world.tally.lock();
        *tally.faults.entry(one.entry.name).or_default() += 1;
    }
}

/// Why a run says nothing.
fn invalid(tally: &Tally) -> Option<String> {
    let (done, calls): (u64, u64) = (tally.done.values().sum(), tally.calls.values().sum());
    if done < 50 || done * 3 < calls {
        return Some(format!("{done} of {calls} calls succeeded"));
    }
    let mut unfelt = tally
        .planned
        .iter()
        .filter(|f| !tally.felt.contains_key(*f));
    if let Some(fault) = unfelt.next() {
        return Some(match tally.faults.contains_key(fault) {
            true => format!("nobody felt {fault}"),
            false => format!("{fault} never fired"),
        });
    }
    if tally.leaders.len() < 2 {
        return Some("no other controller ever led".to_owned());
    }
    None
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, calls): (u64, u64) = (
            self.tally.done.values().sum(),
            self.tally.calls.values().sum(),
        );
        let faults: Vec<_> = self
            .tally
            .felt
            .iter()
            .map(|(name, n)| format!("{name}×{n}"))
            .collect();
        write!(
            f,
            "seed {}: {} in {} ms of virtual time; {done} of {calls} calls succeeded; {} leaders; {}; faults: {}; trace {} {:.16}",
            self.options.seed,
            match &self.verdict {
                Verdict::Held => "held",
                Verdict::Violated(_) => "VIOLATED",
                Verdict::Invalid(_) => "INVALID",
            },
            self.elapsed.as_millis(),
            self.tally.leaders.len(),
            self.tally.snapshots,
            faults.join(" "),
            self.trace.0,
            self.trace.1,
        )?;
        match &self.verdict {
            Verdict::Held => Ok(()),
            Verdict::Invalid(why) => write!(f, "\n  {why}"),
            Verdict::Violated(violations) => violations
                .iter()
                .try_for_each(|violation| write!(f, "\n  {violation}")),
        }
    }
}
