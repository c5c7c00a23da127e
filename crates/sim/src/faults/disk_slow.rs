//! The disk of a node is slow.

use std::time::Duration;

use super::{Fault, FaultEntry};
use crate::{disk::DiskFault, hands::Hands};

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "disk-slow",
    weight: 2,
    changes_leader: false,
    controllers_only: false,
    make: || Box::new(DiskSlow::default()),
};

#[derive(Default)]
struct DiskSlow {
    victim: Option<usize>,
}

impl Fault for DiskSlow {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let victim = on.pick(&on.up())?;
        let fault = DiskFault::Slow(Duration::from_millis(5 + on.entropy.below(100)));
        on.world.nodes.get(victim)?.disk.inject(fault);
        self.victim = Some(victim);
        Some(format!("{}, {fault:?}", on.names(&[victim])))
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        if let Some(node) = self.victim.and_then(|n| on.world.nodes.get(n)) {
            node.disk.heal();
        }
    }
}
