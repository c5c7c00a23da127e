//! The disk of a node does not answer for a while.

use std::time::Duration;

use super::{Fault, FaultEntry};
use crate::{disk::DiskFault, hands::Hands};

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "disk-stall",
    weight: 2,
    changes_leader: false,
    controllers_only: false,
    make: || Box::new(DiskStall::default()),
};

#[derive(Default)]
struct DiskStall {
    victim: Option<usize>,
}

impl Fault for DiskStall {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let victim = on.pick(&on.up())?;
        let fault = DiskFault::Stall(Duration::from_millis(200 + on.entropy.below(3000)));
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
