//! The disk of a node is full.

use super::{Fault, FaultEntry};
use crate::{disk::DiskFault, hands::Hands};

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "disk-full",
    weight: 2,
    changes_leader: false,
    controllers_only: false,
    make: || Box::new(DiskFull::default()),
};

#[derive(Default)]
struct DiskFull {
    victim: Option<usize>,
}

impl Fault for DiskFull {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let victim = on.pick(&on.up())?;
        let fault = DiskFault::NoSpace;
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
