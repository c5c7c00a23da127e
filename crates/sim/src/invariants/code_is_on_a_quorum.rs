//! The code of every version that a controller knows is on the disks of a majority of the controllers.

use std::collections::BTreeSet;

use model::{Digest, Role};

use super::{Invariant, InvariantEntry};
use crate::world::World;

/// Faults after which a disk may lack what it once had.
const LOSES_CODE: [&str; 3] = ["lost-disk", "bit-rot", "membership"];

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "code is on a quorum",
    make: || Box::new(OnAQuorum::default()),
};

#[derive(Default)]
struct OnAQuorum {
    /// The newest revision that was looked at.
    seen: u64,
    /// Code from when the cluster had fewer controllers: those that joined later fetch it in their own time.
    early: BTreeSet<Digest>,
}

impl Invariant for OnAQuorum {
    fn watch(&mut self, world: &World) {
        let faults = &world.tally.lock().faults;
        if LOSES_CODE.iter().any(|name| faults.contains_key(name)) {
            return;
        }
        let controllers = world.with_role(Role::Controller);
        let nodes = controllers.iter().filter_map(|n| world.nodes.get(*n));
        let newest = nodes.clone().filter_map(|node| node.handle());
        let newest = newest.max_by_key(|handle| handle.copy().revision());
        let Some(newest) = newest else {
            return;
        };
        let copy = newest.copy();
        let members = newest.controller().map(|c| c.status().members.len());
        if members != Some(controllers.len()) {
            self.early
                .extend(copy.read(|catalog| catalog.blobs().collect::<Vec<_>>()));
            return;
        }
        if copy.revision().0 <= self.seen {
            return;
        }
        self.seen = copy.revision().0;
        let blobs: Vec<Digest> = copy.read(|catalog| catalog.blobs().collect());
        for digest in blobs.into_iter().filter(|d| !self.early.contains(d)) {
            let holders = nodes.clone().filter(|node| node.disk.holds(digest)).count();
            if holders * 2 <= controllers.len() {
                let at = self.seen;
                let what = format!("{holders} controllers have {digest} at revision {at}");
                world.violated(ENTRY.name, what);
            }
        }
    }
}
