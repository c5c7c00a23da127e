//! How well a node makes and runs sandboxes. A worker of bad health is gray: it is alive, and no good.

use std::{sync::Arc, time::Duration};

use host::Entropy;
use parking_lot::Mutex;

/// What is wrong with the sandboxes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Illness {
    /// One takes this much longer to make.
    SlowStarts(Duration),
    /// A guest takes this much longer for whatever it is asked to do.
    SlowGuests(Duration),
    /// So many of a hundred cannot be made.
    NoSandboxes(u64),
    /// So many of a hundred that were frozen are dead when they shall go on.
    DeadAfterFreezing(u64),
}

/// The health of a node, over all its processes. Clones are of the same node.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    illness: Option<Illness>,
    /// How often an illness made a difference.
    felt: u64,
}

impl Health {
    /// From now on something is wrong.
    pub fn sicken(&self, illness: Illness) {
        self.0.lock().illness = Some(illness);
    }

    /// From now on nothing is.
    pub fn recover(&self) {
        self.0.lock().illness = None;
    }

    /// How often an illness made a difference so far.
    #[must_use]
    pub fn felt(&self) -> u64 {
        self.0.lock().felt
    }

    /// How much longer a sandbox takes to make.
    pub(super) fn start_delay(&self) -> Duration {
        self.delay(|illness| match illness {
            Illness::SlowStarts(by) => Some(by),
            Illness::SlowGuests(_) | Illness::NoSandboxes(_) | Illness::DeadAfterFreezing(_) => {
                None
            }
        })
    }

    /// How much longer a guest takes to do what it is asked.
    pub(super) fn guest_delay(&self) -> Duration {
        self.delay(|illness| match illness {
            Illness::SlowGuests(by) => Some(by),
            Illness::SlowStarts(_) | Illness::NoSandboxes(_) | Illness::DeadAfterFreezing(_) => {
                None
            }
        })
    }

    /// Whether this sandbox cannot be made.
    pub(super) fn forbids(&self, entropy: &dyn Entropy) -> bool {
        self.strikes(entropy, |illness| match illness {
            Illness::NoSandboxes(percent) => Some(percent),
            Illness::SlowStarts(_) | Illness::SlowGuests(_) | Illness::DeadAfterFreezing(_) => None,
        })
    }

    /// Whether this sandbox, which was frozen, is dead.
    pub(super) fn has_killed(&self, entropy: &dyn Entropy) -> bool {
        self.strikes(entropy, |illness| match illness {
            Illness::DeadAfterFreezing(percent) => Some(percent),
            Illness::SlowStarts(_) | Illness::SlowGuests(_) | Illness::NoSandboxes(_) => None,
        })
    }

    fn delay(&self, of: impl Fn(Illness) -> Option<Duration>) -> Duration {
        let mut inner = self.0.lock();
        let Some(by) = inner.illness.and_then(of) else {
            return Duration::ZERO;
        };
        inner.felt += 1;
        by
    }

    fn strikes(&self, entropy: &dyn Entropy, of: impl Fn(Illness) -> Option<u64>) -> bool {
        let mut inner = self.0.lock();
        let struck = inner
            .illness
            .and_then(of)
            .is_some_and(|percent| entropy.below(100) < percent);
        inner.felt += u64::from(struck);
        struck
    }
}
