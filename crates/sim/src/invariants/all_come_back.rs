//! In the end every node runs, knows every other, follows the same catalog, and every controller votes again.

use std::collections::BTreeSet;

use model::Role;

use super::{Invariant, InvariantEntry};
use crate::world::World;

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "all come back",
    make: || Box::new(AllComeBack),
};

struct AllComeBack;

impl Invariant for AllComeBack {
    fn conclude(&mut self, world: &World) {
        let names: BTreeSet<String> = world.nodes.iter().map(|n| n.name.to_string()).collect();
        let mut controllers: Vec<String> = world
            .with_role(Role::Controller)
            .into_iter()
            .filter_map(|n| Some(world.nodes.get(n)?.name.to_string()))
            .collect();
        controllers.sort();
        let mut revisions = BTreeSet::new();
        for node in &world.nodes {
            let name = &node.name;
            let Some(handle) = node.handle() else {
                world.violated(ENTRY.name, format!("{name} does not run"));
                continue;
            };
            let status = handle.subject().status();
            if !status.readiness.ready {
                let why = status.readiness.reasons.join(", ");
                world.violated(ENTRY.name, format!("{name} is not ready: {why}"));
            }
            let known: BTreeSet<String> = status.members.iter().map(|m| m.name.clone()).collect();
            if known != names {
                let missing: Vec<_> = names.difference(&known).collect();
                world.violated(ENTRY.name, format!("{name} does not know {missing:?}"));
            }
            if let Some(controller) = handle.controller() {
                // A former life of a name, which nobody removed, is in the list, too.
                let mut members = controller.status().members;
                members.sort();
                if members != controllers {
                    let what = format!("{name} counts {members:?} as controllers");
                    world.violated(ENTRY.name, what);
                }
            }
            revisions.insert(handle.copy().revision().0);
        }
        if revisions.len() > 1 {
            let what = format!("copies of the catalog end at {revisions:?}");
            world.violated(ENTRY.name, what);
        }
    }
}
