//! A node comes back with an empty disk: its volume was lost.

use model::Role;

use super::{Fault, FaultEntry, Reach};
use crate::{disk::Loss, hands::Hands};

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "lost-disk",
    weight: 2,
    changes_leader: false,
    reach: Reach::All,
    make: || Box::new(LostDisk::default()),
};

#[derive(Default)]
struct LostDisk {
    victim: Option<usize>,
}

impl Fault for LostDisk {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        // Of controllers one at most may lose what it had, or a majority could forget.
        let unharmed = on.damage.wiped.is_empty() && on.damage.rotten.is_empty();
        let victim = on.pick(&on.up())?;
        let node = on.world.nodes.get(victim)?;
        if node.roles.has(Role::Controller) && !(unharmed && on.majority_without(&[victim])) {
            return None;
        }
        on.kill(victim, Loss::Power);
        on.wipe(victim);
        self.victim = Some(victim);
        Some(on.names(&[victim]))
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        if let Some(victim) = self.victim {
            on.start(victim);
        }
    }
}
