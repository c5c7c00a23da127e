//! The disk of a node is slow.

use std::time::Duration;

use super::{Fault, FaultEntry, Reach};
use crate::{
    disk::{DiskFault, Hit},
    hands::Hands,
};

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "disk-slow",
    weight: 2,
    changes_leader: false,
    reach: Reach::All,
    make: || Box::new(DiskSlow::default()),
};

#[derive(Default)]
struct DiskSlow {
    victim: Option<usize>,
    /// Operations that had met this before.
    before: u64,
}

impl Fault for DiskSlow {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let victim = on.pick(&on.up_that_write())?;
        let fault = DiskFault::Slow(Duration::from_millis(5 + on.entropy.below(100)));
        on.world.nodes.get(victim)?.disk.inject(fault);
        self.victim = Some(victim);
        self.before = on.hits(self.victim, Hit::Slow);
        Some(format!("{}, {fault:?}", on.names(&[victim])))
    }

    fn is_felt(&self, on: &Hands<'_>) -> bool {
        on.hits(self.victim, Hit::Slow) > self.before
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        if let Some(node) = self.victim.and_then(|n| on.world.nodes.get(n)) {
            node.disk.heal();
        }
    }
}
