//! Bits flip on the disk of a node, which is then killed and must not believe what it reads.

use model::Role;

use super::{Fault, FaultEntry, Reach};
use crate::{
    disk::{Area, DiskFault, Loss},
    hands::Hands,
};

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "bit-rot",
    weight: 2,
    changes_leader: false,
    reach: Reach::All,
    make: || Box::new(BitRot::default()),
};

#[derive(Default)]
struct BitRot {
    victim: Option<usize>,
    started: bool,
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
        // What is not there cannot rot. Whether what has rotted is read before it is purged is up to the node.
        let usage = node.disk.usage();
        let areas = [
            (Area::Log, usage.log),
            (Area::Store, usage.store),
            (Area::Blobs, usage.blobs),
        ];
        let areas: Vec<_> = areas.iter().filter(|(_, bytes)| *bytes > 0).collect();
        let chosen = usize::try_from(on.entropy.below(areas.len() as u64)).unwrap_or(0);
        let area = areas.get(chosen)?.0;
        self.victim = Some(victim);
        on.kill(victim, Loss::Process);
        let now = on.now();
        on.damage.rotten.insert(victim, now);
        on.world
            .nodes
            .get(victim)?
            .disk
            .inject(DiskFault::FlipBit(area));
        Some(format!("{}, {area:?}", on.names(&[victim])))
    }

    fn go_on(&mut self, on: &mut Hands<'_>) {
        // Wrong bits are met by who reads them.
        if !self.started
            && on.entropy.below(16) == 0
            && let Some(victim) = self.victim
        {
            self.started = true;
            on.start(victim);
        }
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        if let Some(victim) = self.victim {
            on.start(victim);
        }
    }
}
