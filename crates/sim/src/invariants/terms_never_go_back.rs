//! A controller never forgets the newest term that it has taken part in, restarts included (Raft, persistent state): with
//! the term it would forget whom it voted for.

use std::collections::BTreeMap;

use model::Role;

use super::{Invariant, InvariantEntry};
use crate::world::World;

/// Faults after which a controller begins anew, under another id.
const BEGINS_ANEW: [&str; 3] = ["lost-disk", "bit-rot", "membership"];

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "terms never go back",
    make: || Box::new(NeverBack::default()),
};

#[derive(Default)]
struct NeverBack {
    /// The newest term of each controller.
    terms: BTreeMap<usize, u64>,
}

impl Invariant for NeverBack {
    fn watch(&mut self, world: &World) {
        let faults = &world.tally.lock().faults;
        if BEGINS_ANEW.iter().any(|name| faults.contains_key(name)) {
            return;
        }
        for index in world.with_role(Role::Controller) {
            let node = world.nodes.get(index);
            let handle = node.and_then(|node| node.handle());
            let status = handle.and_then(|h| h.controller().map(controller::Controller::status));
            let (Some(node), Some(status)) = (node, status) else {
                continue;
            };
            let newest = self.terms.entry(index).or_default();
            if status.term < *newest {
                let what = format!("{} went from {newest} to {}", node.name, status.term);
                world.violated(ENTRY.name, what);
            }
            *newest = (*newest).max(status.term);
        }
    }
}
