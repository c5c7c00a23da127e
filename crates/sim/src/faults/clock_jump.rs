//! The wall clock of a node jumps, forward or back, and is set right later; either may happen while the node restarts.

use super::{Fault, FaultEntry, Reach};
use crate::{disk::Loss, hands::Hands};

/// How far at most; beyond this signatures are refused, as they should be.
const MOST_MS: u64 = 240_000;

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "clock-jump",
    weight: 3,
    changes_leader: false,
    reach: Reach::All,
    make: || Box::new(ClockJump::default()),
};

#[derive(Default)]
struct ClockJump {
    victim: Option<usize>,
    /// How often somebody had been misled before.
    before: u64,
}

impl ClockJump {
    fn misled(&self, on: &Hands<'_>) -> u64 {
        let node = self.victim.and_then(|n| on.world.nodes.get(n));
        node.map_or(0, |node| node.clock.misled())
    }
}

impl Fault for ClockJump {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let victim = on.pick(&on.up())?;
        let by = i64::try_from(on.entropy.below(2 * MOST_MS)).unwrap_or(0);
        let by = by - i64::try_from(MOST_MS).unwrap_or(0);
        self.victim = Some(victim);
        self.before = self.misled(on);
        on.world.nodes.get(victim)?.clock.jump(by);
        let restarts = on.entropy.below(2) == 0;
        if restarts {
            on.bounce(victim, Loss::Process);
        }
        let how = if restarts { ", with a restart" } else { "" };
        Some(format!("{} by {by} ms{how}", on.names(&[victim])))
    }

    fn is_felt(&self, on: &Hands<'_>) -> bool {
        self.misled(on) > self.before
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        if let Some(node) = self.victim.and_then(|n| on.world.nodes.get(n)) {
            node.clock.jump(0);
        }
        if let Some(victim) = self.victim
            && on.entropy.below(2) == 0
            && on.up().contains(&victim)
        {
            on.bounce(victim, Loss::Process);
        }
    }
}
