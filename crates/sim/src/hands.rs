//! What faults lay their hands on: processes, links, disks, clocks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use host::Entropy;
use model::Role;
use turmoil::Sim;

use crate::{
    disk::{Hit, Loss},
    troubles::Reach,
    world::World,
};

/// The most that a message takes on a link that nothing is wrong with.
pub(crate) const LATENCY: Duration = Duration::from_millis(4);
/// How long after its end a process is started again.
const RESTART_AFTER: Duration = Duration::from_millis(300);
/// Starts in a row that may fail on a disk with a flipped bit before its operator replaces it.
const PATIENCE: u32 = 3;

/// The state of all things that can be broken.
#[derive(Default)]
pub(crate) struct Damage {
    /// When a process that is down is started again; never, for those that a fault holds down.
    down: BTreeMap<usize, Option<Duration>>,
    /// How many faults cut a direction, by sender and receiver.
    cuts: BTreeMap<(usize, usize), u32>,
    /// Nodes whose disk holds wrong bits.
    pub(crate) rotten: BTreeMap<usize, Duration>,
    /// Nodes whose disk was lost or replaced, and when.
    pub(crate) wiped: BTreeMap<usize, Duration>,
    failures: BTreeMap<usize, u32>,
    /// Nodes that ended for what was wrong with their disk, and the trouble that this is.
    fallen: BTreeMap<usize, usize>,
    /// Links that are slower than usual.
    slow: BTreeSet<(usize, usize)>,
}

/// A moment in which no node runs and something can be done to them.
pub(crate) struct Hands<'a> {
    pub(crate) sim: &'a mut Sim<'static>,
    pub(crate) world: &'a Arc<World>,
    pub(crate) entropy: &'a Arc<dyn Entropy>,
    pub(crate) damage: &'a mut Damage,
}

impl Hands<'_> {
    pub(crate) fn now(&self) -> Duration {
        self.sim.elapsed()
    }

    fn name(&self, index: usize) -> String {
        self.world
            .nodes
            .get(index)
            .map(|node| node.name.to_string())
            .unwrap_or_default()
    }

    /// The names of nodes, for what is said about a fault.
    pub(crate) fn names(&self, nodes: &[usize]) -> String {
        let names: Vec<_> = nodes.iter().map(|n| self.name(*n)).collect();
        names.join(" ")
    }

    /// How many processes a node has had.
    pub(crate) fn starts(&self, index: usize) -> u64 {
        let node = self.world.nodes.get(index);
        node.map_or(0, |node| node.process.lock().starts)
    }

    /// How often something hit an operation of a node's disk so far.
    pub(crate) fn hits(&self, index: Option<usize>, hit: Hit) -> u64 {
        let node = index.and_then(|n| self.world.nodes.get(n));
        node.and_then(|node| node.disk.fired().get(&hit).copied())
            .unwrap_or_default()
    }

    /// How often nodes have told each other who is there, over these directions so far. Whatever else they say, they say this,
    /// so a direction that is broken is felt at the latest when this grows.
    pub(crate) fn told(&self, directions: &[(usize, usize)]) -> u64 {
        let node = |n: usize| self.world.nodes.get(n).map(|node| &node.name);
        let each = directions.iter().filter_map(|(from, to)| {
            let told = self.world.register.told(node(*from)?, node(*to)?);
            Some(told)
        });
        each.sum()
    }

    /// Nodes whose process runs.
    pub(crate) fn up(&self) -> Vec<usize> {
        (0..self.world.nodes.len())
            .filter(|n| !self.damage.down.contains_key(n))
            .collect()
    }

    /// Running nodes that write to their disk as they work: controllers their log, frontends what they are asked to change.
    pub(crate) fn up_that_write(&self) -> Vec<usize> {
        let mut up = self.up_with(Role::Controller);
        up.extend(self.up_with(Role::Frontend));
        up.sort_unstable();
        up.dedup();
        up
    }

    /// Running nodes of a role.
    pub(crate) fn up_with(&self, role: Role) -> Vec<usize> {
        let mut up = self.up();
        up.retain(|n| self.world.nodes.get(*n).is_some_and(|x| x.roles.has(role)));
        up
    }

    /// Nodes of one zone, chosen by chance.
    pub(crate) fn a_zone(&self) -> Vec<usize> {
        let all: Vec<usize> = (0..self.world.nodes.len()).collect();
        let zone = self
            .pick(&all)
            .and_then(|n| self.world.nodes.get(n))
            .map(|n| &n.zone);
        all.into_iter()
            .filter(|n| self.world.nodes.get(*n).map(|x| &x.zone) == zone)
            .collect()
    }

    /// All nodes but these.
    pub(crate) fn others(&self, nodes: &[usize]) -> Vec<usize> {
        (0..self.world.nodes.len())
            .filter(|n| !nodes.contains(n))
            .collect()
    }

    /// What a crash loses, by chance.
    pub(crate) fn a_loss(&self) -> Loss {
        match self.entropy.below(2) {
            0 => Loss::Process,
            _ => Loss::Power,
        }
    }

    /// One by chance.
    pub(crate) fn pick(&self, from: &[usize]) -> Option<usize> {
        let chosen = self.entropy.below(from.len() as u64);
        from.get(usize::try_from(chosen).ok()?).copied()
    }

    /// The controller that most running controllers believe to lead, if it runs.
    pub(crate) fn leader(&self) -> Option<usize> {
        let mut votes: BTreeMap<(u64, String), u32> = BTreeMap::new();
        for n in self.up_with(Role::Controller) {
            let handle = self.world.nodes.get(n).and_then(|node| node.handle());
            let status = handle.and_then(|h| h.controller().map(controller::Controller::status));
            if let Some(status) = status.filter(|s| !s.leader.is_empty()) {
                *votes.entry((status.term, status.leader)).or_default() += 1;
            }
        }
        let ((_, name), _) = votes.into_iter().next_back()?;
        self.up()
            .into_iter()
            .find(|n| self.name(*n) == name.as_str())
    }

    /// Whether so many controllers would still run without these that they are a majority.
    pub(crate) fn majority_without(&self, nodes: &[usize]) -> bool {
        let all = self.world.with_role(Role::Controller).len();
        let mut left = self.up_with(Role::Controller);
        left.retain(|n| !nodes.contains(n));
        left.len() * 2 > all
    }

    /// Kills a process; it stays down until [`start`](Self::start).
    pub(crate) fn kill(&mut self, index: usize, loss: Loss) {
        let name = self.name(index);
        let Some(node) = self.world.nodes.get(index) else {
            return;
        };
        tracing::info!(node = name, ?loss, "killed");
        self.sim.crash(name.as_str());
        node.disk.crash(loss);
        self.world.ledger.node_died(&name);
        node.process.lock().handle = std::sync::Weak::new();
        self.damage.down.insert(index, None);
    }

    /// Kills a process and lets whoever looks after it start it again soon.
    pub(crate) fn bounce(&mut self, index: usize, loss: Loss) {
        self.kill(index, loss);
        let at = self.now() + RESTART_AFTER;
        self.damage.down.insert(index, Some(at));
    }

    /// Starts a process that is down.
    pub(crate) fn start(&mut self, index: usize) {
        if self.damage.down.remove(&index).is_some() {
            if let Some(place) = self.damage.fallen.remove(&index) {
                self.world.troubles.end(place, self.now());
            }
            let name = self.name(index);
            tracing::info!(node = name, "started again");
            self.sim.bounce(name);
        }
    }

    /// Keeps a process down that is to be started again by itself.
    pub(crate) fn hold(&mut self, index: usize) {
        if let Some(at) = self.damage.down.get_mut(&index) {
            *at = None;
        }
    }

    /// Tells a process to end in order; it is started again when it has.
    pub(crate) fn terminate(&mut self, index: usize) {
        if let Some(node) = self.world.nodes.get(index) {
            tracing::info!(node = %node.name, "told to end");
            node.process.lock().terminate.cancel();
        }
    }

    /// Nodes whose next process is of an older build.
    pub(crate) fn held_back(&self) -> Vec<usize> {
        let nodes = self.world.nodes.iter().enumerate();
        nodes
            .filter(|(_, node)| node.process.lock().held_back.is_some())
            .map(|(n, _)| n)
            .collect()
    }

    /// Ends the older build of a node in order; what starts next is today's.
    pub(crate) fn upgrade(&mut self, index: usize) {
        if let Some(node) = self.world.nodes.get(index) {
            node.process.lock().held_back = None;
        }
        self.terminate(index);
    }

    /// Cuts a direction. As many mendings as cuts restore it.
    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        let count = self.damage.cuts.entry((from, to)).or_default();
        *count += 1;
        if *count == 1 {
            let (from, to) = (self.name(from), self.name(to));
            self.sim.partition_oneway(from, to);
        }
    }

    /// Mends one cut of a direction.
    pub(crate) fn mend(&mut self, from: usize, to: usize) {
        if let Some(count) = self.damage.cuts.get_mut(&(from, to)) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.damage.cuts.remove(&(from, to));
                let (from, to) = (self.name(from), self.name(to));
                self.sim.repair_oneway(from, to);
            }
        }
    }

    /// Both directions of every link between two groups.
    pub(crate) fn between(one: &[usize], other: &[usize]) -> Vec<(usize, usize)> {
        let mut both = pairs(one, other);
        both.extend(pairs(other, one));
        both
    }

    /// Cuts every link between two groups, both ways.
    pub(crate) fn separate(&mut self, one: &[usize], other: &[usize]) {
        for (a, b) in pairs(one, other) {
            self.cut(a, b);
            self.cut(b, a);
        }
    }

    /// Mends what [`separate`](Self::separate) cut.
    pub(crate) fn join(&mut self, one: &[usize], other: &[usize]) {
        for (a, b) in pairs(one, other) {
            self.mend(a, b);
            self.mend(b, a);
        }
    }

    /// Lets bytes between two nodes take up to this long, both ways.
    pub(crate) fn delay(&mut self, a: usize, b: usize, most: Duration) {
        self.damage.slow.insert((a, b));
        let (a, b) = (self.name(a), self.name(b));
        self.sim.set_link_max_message_latency(a, b, most);
    }

    /// Lets a link be as quick as usual.
    pub(crate) fn hasten(&mut self, a: usize, b: usize) {
        if self.damage.slow.remove(&(a, b)) {
            let (a, b) = (self.name(a), self.name(b));
            self.sim.set_link_max_message_latency(a, b, LATENCY);
        }
    }

    /// Looks after processes: reaps those that ended, starts those that are due.
    pub(crate) fn look_after(&mut self) {
        for index in 0..self.world.nodes.len() {
            let Some(node) = self.world.nodes.get(index) else {
                continue;
            };
            let ended = node.process.lock().ended.take();
            let Some(why) = ended else { continue };
            let failed = !why.starts_with("it was told to");
            self.bounce(index, Loss::Process);
            // A flipped bit may be met long after its fault was mended.
            if failed && self.damage.rotten.contains_key(&index) {
                let place = self.world.troubles.begin(self.now(), Reach::All, &[index]);
                self.damage.fallen.insert(index, place);
            }
            let failures = self.damage.failures.entry(index).or_default();
            *failures = if failed { *failures + 1 } else { 0 };
            if *failures >= PATIENCE && self.damage.rotten.remove(&index).is_some() {
                tracing::info!(node = self.name(index), "its operator replaces its disk");
                self.wipe(index);
            }
        }
        let now = self.now();
        let due = self.damage.down.iter();
        let due: Vec<usize> = due
            .filter(|(_, at)| at.is_some_and(|at| at <= now))
            .map(|(n, _)| *n)
            .collect();
        for index in due {
            self.start(index);
        }
    }

    /// Empties the disk of a process that is down.
    pub(crate) fn wipe(&mut self, index: usize) {
        if let Some(node) = self.world.nodes.get(index) {
            node.disk.wipe();
            let mut process = node.process.lock();
            process.starts_before_loss = process.starts;
            drop(process);
            let now = self.now();
            self.damage.wiped.insert(index, now);
            self.damage.failures.remove(&index);
        }
    }

    /// Restores everything that can be broken.
    pub(crate) fn heal_all(&mut self) {
        let cut: Vec<_> = self.damage.cuts.keys().copied().collect();
        for (from, to) in cut {
            self.damage.cuts.insert((from, to), 1);
            self.mend(from, to);
        }
        for (a, b) in self.damage.slow.clone() {
            self.hasten(a, b);
        }
        for node in &self.world.nodes {
            node.disk.heal();
            node.clock.jump(0);
        }
        let down: Vec<usize> = self.damage.down.keys().copied().collect();
        for index in down {
            self.start(index);
        }
    }
}

pub(crate) fn pairs(one: &[usize], other: &[usize]) -> Vec<(usize, usize)> {
    let each = one.iter().flat_map(|a| other.iter().map(move |b| (*a, *b)));
    each.collect()
}
