//! Bits flip on the disk of a node, which is then killed and must not believe what it reads.

use model::Role;

use super::{Fault, FaultEntry};
use crate::{
    disk::{Area, DiskFault, Loss},
    hands::Hands,
};

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "bit-rot",
    weight: 2,
    changes_leader: false,
    controllers_only: false,
    make: || Box::new(BitRot::default()),
};

#[derive(Default)]
struct BitRot {
    victim: Option<usize>,
}

impl Fault for BitRot {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        // Of controllers one at most may lose what it had, or a majority could forget.
        let unharmed = on.damage.wiped.is_empty() && on.damage.rotten.is_empty();
        let victim = on.pick(&on.up())?;
        let node = on.world.nodes.get(victim)?;
        if node.roles.has(Role::Controller) && !(unharmed && on.majority_without(&[victim])) {
            return None;
        }
        let area = match on.entropy.below(3) {
            0 => Area::Log,
            1 => Area::Store,
            _ => Area::Blobs,
        };
        on.kill(victim, Loss::Process);
        let now = on.now();
        on.damage.rotten.insert(victim, now);
        on.world
            .nodes
            .get(victim)?
            .disk
            .inject(DiskFault::FlipBit(area));
        self.victim = Some(victim);
        Some(format!("{}, {area:?}", on.names(&[victim])))
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        if let Some(victim) = self.victim {
            on.start(victim);
        }
    }
}
