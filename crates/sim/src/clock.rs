//! Wall clocks of simulated nodes: virtual time since one epoch, plus what a fault added to a single one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use host::Clock;
use model::Timestamp;

/// When every run begins: 2026-01-01T00:00:00Z, in milliseconds since the Unix epoch.
pub(crate) const EPOCH_MS: u64 = 1_767_225_600_000;

/// The virtual time of this process, for what asks the operating system for it.
static VIRTUAL: AtomicU64 = AtomicU64::new(EPOCH_MS);

/// Virtual time of the run of this process, in milliseconds since the Unix epoch.
#[must_use]
pub fn virtual_millis() -> u64 {
    VIRTUAL.load(Ordering::Relaxed)
}

/// Virtual time since the beginning of the run, also where no node is running.
#[derive(Clone, Debug, Default)]
pub(crate) struct Elapsed(Arc<AtomicU64>);

impl Elapsed {
    /// Tells it how far the run is, at a moment when no node runs.
    pub(crate) fn set(&self, elapsed: Duration) {
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.0.store(millis, Ordering::Relaxed);
        VIRTUAL.store(EPOCH_MS.saturating_add(millis), Ordering::Relaxed);
    }

    /// To the millisecond; within a node to what its timers show.
    pub(crate) fn now(&self) -> Duration {
        turmoil::sim_elapsed()
            .unwrap_or_else(|| Duration::from_millis(self.0.load(Ordering::Relaxed)))
    }
}

/// The clock of one node.
#[derive(Clone, Debug)]
pub(crate) struct SimClock {
    elapsed: Elapsed,
    /// Milliseconds that it is ahead.
    ahead: Arc<AtomicI64>,
    /// How often somebody looked while it was wrong.
    misled: Arc<AtomicU64>,
}

impl SimClock {
    pub(crate) fn new(elapsed: Elapsed) -> Self {
        Self {
            elapsed,
            ahead: Arc::default(),
            misled: Arc::default(),
        }
    }

    /// Lets it jump to this many milliseconds ahead of the others; behind, if negative.
    pub(crate) fn jump(&self, ahead_ms: i64) {
        self.ahead.store(ahead_ms, Ordering::Relaxed);
    }

    /// How often somebody looked at it so far while it was wrong.
    pub(crate) fn misled(&self) -> u64 {
        self.misled.load(Ordering::Relaxed)
    }
}

impl Clock for SimClock {
    fn wall(&self) -> Timestamp {
        let millis = u64::try_from(self.elapsed.now().as_millis()).unwrap_or(u64::MAX);
        let ahead = self.ahead.load(Ordering::Relaxed);
        self.misled
            .fetch_add(u64::from(ahead != 0), Ordering::Relaxed);
        Timestamp(EPOCH_MS.saturating_add(millis).saturating_add_signed(ahead))
    }
}

#[cfg(test)]
mod tests;
