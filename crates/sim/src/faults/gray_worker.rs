//! A worker is alive and no good: its sandboxes or its guests take long, or many of its sandboxes cannot be made or are
//! found dead. Its gossip looks as it always does. Nobody may feel it, but by waiting: whatever fails there fails before a
//! guest has it, so another worker is asked.

use std::time::Duration;

use model::Role;

use super::{Fault, FaultEntry, Reach};
use crate::{guest::Illness, hands::Hands};

/// How much longer a guest takes at least, and at most so much more: with this the longest order of a client still ends
/// within the time of its function.
const GUESTS_MS: (u64, u64) = (200, 1_500);
/// How much longer a sandbox takes to make: with the invocation, less than a client waits.
const STARTS_MS: (u64, u64) = (500, 2_500);

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "gray-worker",
    weight: 3,
    changes_leader: false,
    reach: Reach::Worker,
    make: || Box::new(GrayWorker::default()),
};

#[derive(Default)]
struct GrayWorker {
    victim: Option<usize>,
    /// How often illness had made a difference there before.
    before: u64,
}

impl GrayWorker {
    fn felt(&self, on: &Hands<'_>) -> u64 {
        let node = self.victim.and_then(|n| on.world.nodes.get(n));
        node.map_or(0, |node| node.health.felt())
    }
}

impl Fault for GrayWorker {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let victim = on.pick(&on.up_with(Role::Worker))?;
        let millis = |(least, more)| Duration::from_millis(least + on.entropy.below(more));
        let illness = match on.entropy.below(4) {
            0 => Illness::SlowStarts(millis(STARTS_MS)),
            1 => Illness::SlowGuests(millis(GUESTS_MS)),
            2 => Illness::NoSandboxes(50 + on.entropy.below(51)),
            _ => Illness::DeadAfterFreezing(50 + on.entropy.below(51)),
        };
        self.victim = Some(victim);
        self.before = self.felt(on);
        on.world.nodes.get(victim)?.health.sicken(illness);
        Some(format!("{}, {illness:?}", on.names(&[victim])))
    }

    fn is_felt(&self, on: &Hands<'_>) -> bool {
        self.felt(on) > self.before
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        if let Some(node) = self.victim.and_then(|n| on.world.nodes.get(n)) {
            node.health.recover();
        }
    }
}
