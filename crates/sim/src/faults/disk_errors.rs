//! The disk of a node answers EIO.

use super::{Fault, FaultEntry};
use crate::{disk::DiskFault, hands::Hands};

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "disk-errors",
    weight: 2,
    changes_leader: false,
    controllers_only: false,
    make: || Box::new(DiskErrors::default()),
};

#[derive(Default)]
struct DiskErrors {
    victim: Option<usize>,
}

impl Fault for DiskErrors {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let victim = on.pick(&on.up())?;
        let fault = DiskFault::Eio;
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
