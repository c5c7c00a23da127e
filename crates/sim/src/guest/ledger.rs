//! What guests did on all nodes of a world, and what must not have happened.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;

/// Executions that are written down; later ones are only counted.
pub const RECORDS_MAX: usize = 100_000;

/// What guests did. Clones share it. It outlives the nodes that write into it.
#[derive(Clone)]
pub struct Ledger {
    now: Arc<dyn Fn() -> Duration + Send + Sync>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    executions: Vec<Execution>,
    by_id: BTreeMap<String, Vec<usize>>,
    unrecorded: u64,
    /// Sandboxes by id.
    alive: BTreeMap<String, (String, Alive)>,
    fired: BTreeMap<&'static str, u64>,
    frozen_while_running: Vec<usize>,
    robbed: Vec<String>,
}

/// One run of a function's code for one invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// What the payload names the invocation.
    pub id: String,
    /// What the cluster names it; the same for every attempt at it.
    pub request_id: String,
    /// What the code that ran says it is.
    pub marker: String,
    /// The function that the environment was made for.
    pub function: String,
    /// Its version.
    pub version: String,
    /// What was invoked, as an ARN.
    pub invoked_arn: String,
    /// The sandbox.
    pub sandbox: String,
    /// The node.
    pub node: String,
    /// Which invocation of this process of the sandbox it was, from 1.
    pub count: u64,
    /// Since the beginning of the run.
    pub start: Duration,
    /// `None` while it runs.
    pub end: Option<(Duration, Ending)>,
}

/// How a run of a function's code ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Its answer was taken.
    Answered,
    /// It reported an error, which was taken.
    Failed,
    /// Its answer was not taken.
    Refused,
    /// The process ended by itself.
    Exited,
    /// The process was killed, with its sandbox or its node or alone. It may have answered just before.
    Killed,
}

/// Two invocations at once in one sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The one that began first.
    pub first: Execution,
    /// The one that began before the first had ended.
    pub second: Execution,
}

/// A sandbox that was made and has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alive {
    /// Its id.
    pub sandbox: String,
    /// The function and version whose code was started in it last.
    pub function: Option<(String, String)>,
    /// When it was made.
    pub since: Duration,
    /// Whether its processes are stopped.
    pub frozen: bool,
}

impl Ledger {
    /// An empty ledger. `now` answers the time since the beginning of the run, on and off nodes.
    #[must_use]
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            now: Arc::new(now),
            inner: Arc::default(),
        }
    }

    /// Every execution of the invocation that its payload names so, in order of their beginning.
    #[must_use]
    pub fn executions_of(&self, id: &str) -> Vec<Execution> {
        let inner = self.inner.lock();
        let of = inner.by_id.get(id).into_iter().flatten();
        of.filter_map(|n| inner.executions.get(*n).cloned())
            .collect()
    }

    /// Every execution, in order of their beginning.
    #[must_use]
    pub fn executions(&self) -> Vec<Execution> {
        self.inner.lock().executions.clone()
    }

    /// Executions beyond [`RECORDS_MAX`], of which nothing else is known.
    #[must_use]
    pub fn unrecorded(&self) -> u64 {
        self.inner.lock().unrecorded
    }

    /// Invocations that ran at once in one sandbox.
    #[must_use]
    pub fn overlaps(&self) -> Vec<Overlap> {
        let inner = self.inner.lock();
        let mut latest: BTreeMap<&str, &Execution> = BTreeMap::new();
        let mut overlaps = Vec::new();
        for second in &inner.executions {
            match latest.entry(&second.sandbox) {
                Entry::Vacant(place) => {
                    place.insert(second);
                }
                Entry::Occupied(mut place) => {
                    let first = *place.get();
                    if first.ends_after(second.start) {
                        overlaps.push(Overlap {
                            first: first.clone(),
                            second: second.clone(),
                        });
                    }
                    if second.end.is_none() || second.end >= first.end {
                        place.insert(second);
                    }
                }
            }
        }
        overlaps
    }

    /// Executions whose code is not what it should be, in the eyes of who knows.
    #[must_use]
    pub fn wrong_code(&self, is_right: impl Fn(&Execution) -> bool) -> Vec<Execution> {
        let inner = self.inner.lock();
        let wrong = inner.executions.iter().filter(|e| !is_right(e));
        wrong.cloned().collect()
    }

    /// Executions in the environment of another function than the one that was invoked.
    #[must_use]
    pub fn misdelivered(&self) -> Vec<Execution> {
        self.wrong_code(|e| {
            let mut rest = e.invoked_arn.split(":function:").skip(1);
            let name = rest.next().and_then(|r| r.split(':').next());
            name == Some(e.function.as_str())
        })
    }

    /// Executions in the middle of which their sandbox was frozen.
    #[must_use]
    pub fn frozen_while_running(&self) -> Vec<Execution> {
        let inner = self.inner.lock();
        let frozen = inner.frozen_while_running.iter();
        frozen
            .filter_map(|n| inner.executions.get(*n).cloned())
            .collect()
    }

    /// Sandboxes whose processes did not get the environment variables that their function was created with.
    #[must_use]
    pub fn robbed_ones(&self) -> Vec<String> {
        self.inner.lock().robbed.clone()
    }

    /// Sandboxes that are alive, by node and in order of their ids.
    #[must_use]
    pub fn alive(&self) -> BTreeMap<String, Vec<Alive>> {
        let mut by_node: BTreeMap<String, Vec<Alive>> = BTreeMap::new();
        for (node, alive) in self.inner.lock().alive.values() {
            by_node.entry(node.clone()).or_default().push(alive.clone());
        }
        by_node
    }

    /// What happened how often: `created`, `ended`, `started`, `init failed`, `frozen`, `thawed`, `killed`, `second answer
    /// refused`, `second answer taken`, and every order by its name in the payload.
    #[must_use]
    pub fn fired(&self) -> BTreeMap<&'static str, u64> {
        self.inner.lock().fired.clone()
    }

    /// A node's process is gone, and all that ran in it.
    pub fn node_died(&self, node: &str) {
        let at = (self.now)();
        let mut inner = self.inner.lock();
        inner.alive.retain(|_, (of, _)| of != node);
        let running = |e: &Execution| e.node == node && e.end.is_none();
        let left: Vec<usize> = (0..inner.executions.len())
            .filter(|n| inner.executions.get(*n).is_some_and(running))
            .collect();
        for number in left {
            inner.end(number, at, Ending::Killed);
        }
    }

    pub(super) fn fire(&self, what: &'static str) {
        *self.inner.lock().fired.entry(what).or_default() += 1;
    }

    pub(super) fn created(&self, node: &str, sandbox: &str) {
        let alive = Alive {
            sandbox: sandbox.to_owned(),
            function: None,
            since: (self.now)(),
            frozen: false,
        };
        self.fire("created");
        let mut inner = self.inner.lock();
        inner
            .alive
            .insert(sandbox.to_owned(), (node.to_owned(), alive));
    }

    pub(super) fn started(&self, sandbox: &str, function: &str, version: &str) {
        self.fire("started");
        if let Some((_, alive)) = self.inner.lock().alive.get_mut(sandbox) {
            alive.function = Some((function.to_owned(), version.to_owned()));
        }
    }

    /// A process did not get the environment variables of its function.
    pub(super) fn robbed(&self, sandbox: &str) {
        self.inner.lock().robbed.push(sandbox.to_owned());
    }

    pub(super) fn froze(&self, sandbox: &str, frozen: bool) {
        self.fire(if frozen { "frozen" } else { "thawed" });
        let mut inner = self.inner.lock();
        if let Some((_, alive)) = inner.alive.get_mut(sandbox) {
            alive.frozen = frozen;
        }
        if frozen {
            let mut latest = inner.executions.iter().enumerate().rev();
            let last = latest.find(|(_, e)| e.sandbox == sandbox);
            if let Some(number) = last.filter(|(_, e)| e.end.is_none()).map(|(n, _)| n) {
                inner.frozen_while_running.push(number);
            }
        }
    }

    /// A sandbox has ended. Once is enough.
    pub(super) fn ended(&self, sandbox: &str) {
        let was = self.inner.lock().alive.remove(sandbox).is_some();
        if was {
            self.fire("ended");
        }
    }

    /// An execution begins; `start` and `end` are filled in here.
    pub(super) fn begin(&self, mut execution: Execution) -> Running {
        execution.start = (self.now)();
        execution.end = None;
        let mut inner = self.inner.lock();
        let number = inner.executions.len();
        let recorded = number < RECORDS_MAX;
        if recorded {
            let of = inner.by_id.entry(execution.id.clone()).or_default();
            of.push(number);
            inner.executions.push(execution);
        } else {
            inner.unrecorded += 1;
        }
        Running {
            ledger: self.clone(),
            number: recorded.then_some(number),
        }
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner.lock();
        f.debug_struct("Ledger")
            .field("executions", &inner.executions.len())
            .field("alive", &inner.alive.len())
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// The first end stays.
    fn end(&mut self, number: usize, at: Duration, ending: Ending) {
        let Some(execution) = self.executions.get_mut(number) else {
            return;
        };
        if execution.end.is_some() {
            return;
        }
        execution.end = Some((at, ending));
    }
}

/// The most of these executions that there were at once. One that begins when another ends is not beside it.
#[must_use]
pub fn peak(executions: &[Execution]) -> u32 {
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum Step {
        End,
        Begin,
        /// Of one that took no time.
        EndAtOnce,
    }
    let mut steps = Vec::new();
    for execution in executions {
        steps.push((execution.start, Step::Begin));
        let end = execution.end.map(|(at, _)| at);
        steps.extend(end.map(|at| match at > execution.start {
            true => (at, Step::End),
            false => (at, Step::EndAtOnce),
        }));
    }
    steps.sort_unstable();
    let (mut now, mut peak) = (0_u32, 0);
    for (_, step) in steps {
        now = match step {
            Step::Begin => now.saturating_add(1),
            Step::End | Step::EndAtOnce => now.saturating_sub(1),
        };
        peak = peak.max(now);
    }
    peak
}

impl Execution {
    fn ends_after(&self, moment: Duration) -> bool {
        self.end.is_none_or(|(end, _)| end > moment)
    }
}

/// An execution under way. Dropped, it was killed.
#[derive(Debug)]
pub(super) struct Running {
    ledger: Ledger,
    number: Option<usize>,
}

impl Running {
    pub(super) fn end(mut self, ending: Ending) {
        self.finish(ending);
    }

    fn finish(&mut self, ending: Ending) {
        if let Some(number) = self.number.take() {
            let at = (self.ledger.now)();
            self.ledger.inner.lock().end(number, at, ending);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.finish(Ending::Killed);
    }
}
