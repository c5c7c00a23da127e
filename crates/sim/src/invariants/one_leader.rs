//! In a term at most one controller leads (Raft, election safety).

use std::collections::BTreeMap;

use model::{NodeName, Role};

use super::{Invariant, InvariantEntry};
use crate::world::World;

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "one leader a term",
    make: || Box::new(OneLeader::default()),
};

#[derive(Default)]
struct OneLeader {
    led: BTreeMap<u64, NodeName>,
}

impl Invariant for OneLeader {
    fn watch(&mut self, world: &World) {
        for index in world.with_role(Role::Controller) {
            let Some(node) = world.nodes.get(index) else {
                continue;
            };
            let Some(handle) = node.handle() else {
                continue;
            };
            let Some(status) = handle.controller().map(controller::Controller::status) else {
                continue;
            };
            if status.leader != node.name.as_str() {
                continue;
            }
            let first = self
                .led
                .entry(status.term)
                .or_insert_with(|| node.name.clone());
            if *first != node.name {
                let term = status.term;
                let what = format!("{first} and {} both led in term {term}", node.name);
                world.violated(ENTRY.name, what);
            }
            world
                .tally
                .lock()
                .leaders
                .insert(status.term, node.name.clone());
        }
    }
}
