//! The decisions of the pool, without IO: which environment serves an invocation, when another may be started, which one
//! makes room, which ones are over.
//!
//! Invariants: an environment is handed out for its own key only, to one holder at a time, and not after its end; what is counted never
//! exceeds the bounds. An environment that leaves is counted until [`Table::removed`], except one that makes room for
//! another: its place is the newcomer's, who must wait until it is gone.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use model::{ByteCount, RevisionId, TenantId, Timestamp, VersionId, capacity::WarmKey};
use sandbox::NetworkPolicy;
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// What an environment is for: nothing of it is ever shared with another key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) version: VersionId,
    pub(crate) revision: RevisionId,
    /// Of a version that has tenants: whose environment it is.
    pub(crate) tenant: Option<TenantId>,
    /// What the environment may reach.
    pub(crate) network: NetworkPolicy,
}

/// An environment's place in the table. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Number(u64);

/// A stay of an environment among the idle ones. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stay {
    ticket: u64,
    pub(crate) since: Instant,
}

/// The most that may be counted at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) slots: u32,
    pub(crate) memory: ByteCount,
}

/// Where the next invocation of a key goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Checkout {
    /// To this one, which is now busy.
    Reuse(Number),
    /// To a new one, which is counted from now on, once the victims are gone.
    Start {
        number: Number,
        victims: Vec<Number>,
    },
    /// Nowhere.
    Refuse(Refusal),
}

/// Why the table has no environment to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("every slot, or the memory for another one, is in use")]
    NoCapacity,
    #[error("draining")]
    Draining,
}

/// One moment by both clocks: how long something was idle is told by the one, when credentials end by the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) monotonic: Instant,
    pub(crate) wall: Timestamp,
}

#[derive(Debug)]
pub(crate) struct Table {
    bounds: Bounds,
    entries: BTreeMap<Number, Entry>,
    /// Numbers of idle environments; those at the end are taken first. Its own order is nobody's.
    idle: HashMap<Arc<Key>, Vec<Number>>,
    memory: ByteCount,
    next: u64,
    draining: bool,
}

#[derive(Debug)]
struct Entry {
    key: Arc<Key>,
    memory: ByteCount,
    /// It is not handed out from here on.
    until: Option<Timestamp>,
    state: State,
}

impl Entry {
    fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Starting, or with an invocation.
    Busy,
    Idle {
        stay: Stay,
        warm: bool,
    },
    Leaving,
}

impl Table {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            entries: BTreeMap::new(),
            idle: HashMap::new(),
            memory: ByteCount(0),
            next: 0,
            draining: false,
        }
    }

    /// Chooses for one invocation. The most recently used idle environment goes first; else a new one if there is room,
    /// or if idle environments of others can make room, those unused for longest first.
    pub(crate) fn checkout(
        &mut self,
        key: &Arc<Key>,
        memory: ByteCount,
        now: Timestamp,
    ) -> Checkout {
        if self.draining {
            return Checkout::Refuse(Refusal::Draining);
        }
        if let Some(number) = self.idle(key, now) {
            self.set(number, State::Busy);
            return Checkout::Reuse(number);
        }
        let Some(victims) = self.victims(memory) else {
            return Checkout::Refuse(Refusal::NoCapacity);
        };
        for number in &victims {
            self.set(*number, State::Leaving);
            self.removed(*number);
        }
        let number = self.number();
        self.memory.0 += memory.0;
        let entry = Entry {
            key: key.clone(),
            memory,
            until: None,
            state: State::Busy,
        };
        self.entries.insert(number, entry);
        debug_assert!(self.fits());
        Checkout::Start { number, victims }
    }

    /// Whether a checkout would be refused. Changes nothing.
    pub(crate) fn refusal(&self, key: &Key, memory: ByteCount, now: Timestamp) -> Option<Refusal> {
        if self.draining {
            return Some(Refusal::Draining);
        }
        if self.idle(key, now).is_some() || self.victims(memory).is_some() {
            return None;
        }
        Some(Refusal::NoCapacity)
    }

    /// Bounds the time in which an environment is handed out. What is busy then goes on.
    pub(crate) fn bound(&mut self, number: Number, until: Option<Timestamp>) {
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.until = until;
        }
    }

    /// A busy environment has no invocation any more. `warm`: its runtime is up. Answers `false` if it must go: it is then
    /// leaving.
    pub(crate) fn release(&mut self, number: Number, warm: bool, now: Instant) -> bool {
        if !matches!(self.state(number), Some(State::Busy)) {
            return false;
        }
        if self.draining {
            self.set(number, State::Leaving);
            return false;
        }
        self.next += 1;
        let stay = Stay {
            ticket: self.next,
            since: now,
        };
        self.set(number, State::Idle { stay, warm });
        true
    }

    /// An environment is over, whatever it was doing. Answers whether it was not leaving before.
    pub(crate) fn discard(&mut self, number: Number) -> bool {
        match self.state(number) {
            Some(State::Busy | State::Idle { .. }) => {
                self.set(number, State::Leaving);
                true
            }
            Some(State::Leaving) | None => false,
        }
    }

    /// Takes an environment out of its stay among the idle ones, to end it. `false` if that stay is over.
    pub(crate) fn take_idle(&mut self, number: Number, of: Stay) -> bool {
        self.stay(number) == Some(of) && self.discard(number)
    }

    /// An environment that was leaving is gone.
    pub(crate) fn removed(&mut self, number: Number) {
        if matches!(self.state(number), Some(State::Leaving))
            && let Some(entry) = self.entries.remove(&number)
        {
            self.memory.0 = self.memory.0.saturating_sub(entry.memory.0);
        }
    }

    /// The present stay of an environment among the idle ones.
    pub(crate) fn stay(&self, number: Number) -> Option<Stay> {
        match self.state(number) {
            Some(State::Idle { stay, .. }) => Some(stay),
            Some(State::Busy | State::Leaving) | None => None,
        }
    }

    /// Makes every environment leave that was idle for longer than `expiry` or is not handed out any more, or whose key is of
    /// no use any more.
    pub(crate) fn retire(
        &mut self,
        now: Now,
        expiry: Duration,
        is_current: impl Fn(&Key) -> bool,
    ) -> Vec<Number> {
        let stale: Vec<Arc<Key>> = self
            .idle
            .keys()
            .filter(|k| !is_current(k))
            .cloned()
            .collect();
        let over: Vec<Number> = self
            .entries
            .iter()
            .filter(|(_, e)| match e.state {
                State::Idle { stay, .. } => {
                    now.monotonic.saturating_duration_since(stay.since) >= expiry
                        || e.is_over(now.wall)
                        || stale.contains(&e.key)
                }
                State::Busy | State::Leaving => false,
            })
            .map(|(n, _)| *n)
            .collect();
        for number in &over {
            self.set(*number, State::Leaving);
        }
        over
    }

    /// Takes no new work from now on; the idle environments leave.
    pub(crate) fn drain(&mut self) -> Vec<Number> {
        self.draining = true;
        let entries = self.entries.iter();
        let idle: Vec<Number> = entries
            .filter(|(_, e)| matches!(e.state, State::Idle { .. }))
            .map(|(n, _)| *n)
            .collect();
        for number in &idle {
            self.set(*number, State::Leaving);
        }
        idle
    }

    /// Whether it takes no new work.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining
    }

    /// Environments that are counted.
    pub(crate) fn counted(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    /// What could still be started: free slots and memory, idle environments of others included as they make room.
    pub(crate) fn room(&self) -> (u32, ByteCount) {
        let (mut slots, mut memory) = (0u32, 0u64);
        for entry in self.entries.values() {
            if !matches!(entry.state, State::Idle { .. }) {
                slots += 1;
                memory += entry.memory.0;
            }
        }
        (
            self.bounds.slots.saturating_sub(slots),
            ByteCount(self.bounds.memory.0.saturating_sub(memory)),
        )
    }

    /// Memory of the environments that run something.
    pub(crate) fn busy_memory(&self) -> ByteCount {
        let busy = self.entries.values().filter(|e| e.state == State::Busy);
        ByteCount(busy.map(|e| e.memory.0).sum())
    }

    /// Idle environments whose runtime is up, by version and tenant.
    pub(crate) fn warm(&self) -> BTreeMap<WarmKey, u16> {
        let mut warm = BTreeMap::new();
        for entry in self.entries.values() {
            if matches!(entry.state, State::Idle { warm: true, .. }) {
                let Key {
                    version, tenant, ..
                } = &*entry.key;
                let key = WarmKey::of(version, tenant.as_ref());
                let count: &mut u16 = warm.entry(key).or_default();
                *count = count.saturating_add(1);
            }
        }
        warm
    }

    /// Idle environments that must go so that another one fits, those unused for longest first; `None` if even all of
    /// them would not do.
    fn victims(&self, memory: ByteCount) -> Option<Vec<Number>> {
        let mut slots = self.counted();
        let mut used = self.memory.0;
        let mut victims = Vec::new();
        let fits = |slots: u32, used: u64| {
            slots < self.bounds.slots && used.saturating_add(memory.0) <= self.bounds.memory.0
        };
        if fits(slots, used) {
            return Some(victims);
        }
        let mut idle: Vec<(Stay, Number, u64)> = self
            .entries
            .iter()
            .filter_map(|(n, e)| match e.state {
                State::Idle { stay, .. } => Some((stay, *n, e.memory.0)),
                State::Busy | State::Leaving => None,
            })
            .collect();
        idle.sort_by_key(|(stay, ..)| (stay.since, stay.ticket));
        for (_, number, memory) in idle {
            slots -= 1;
            used -= memory;
            victims.push(number);
            if fits(slots, used) {
                return Some(victims);
            }
        }
        None
    }

    /// The idle environment of a key that is taken first.
    fn idle(&self, key: &Key, now: Timestamp) -> Option<Number> {
        let usable = |n: &&Number| self.entries.get(n).is_some_and(|e| !e.is_over(now));
        self.idle.get(key)?.iter().rev().find(usable).copied()
    }

    fn state(&self, number: Number) -> Option<State> {
        self.entries.get(&number).map(|e| e.state)
    }

    /// The one place that changes a state: it keeps the index of idle ones.
    fn set(&mut self, number: Number, state: State) {
        let Some(entry) = self.entries.get_mut(&number) else {
            return;
        };
        let was = std::mem::replace(&mut entry.state, state);
        let key = entry.key.clone();
        if matches!(was, State::Idle { .. })
            && let Some(stack) = self.idle.get_mut(&key)
        {
            stack.retain(|n| *n != number);
            if stack.is_empty() {
                self.idle.remove(&key);
            }
        }
        if let State::Idle { warm, .. } = state {
            let stack = self.idle.entry(key).or_default();
            // Without a runtime it is no better than a new one: every other goes first.
            let at = if warm { stack.len() } else { 0 };
            stack.insert(at, number);
        }
    }

    fn number(&mut self) -> Number {
        self.next += 1;
        Number(self.next)
    }

    fn fits(&self) -> bool {
        self.counted() <= self.bounds.slots && self.memory <= self.bounds.memory
    }
}
