//! Every copy of the catalog keeps the rules of its content: aliases name versions that exist, usage is what is used.

use super::{Invariant, InvariantEntry};
use crate::world::World;

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "the catalog holds together",
    make: || Box::new(HoldsTogether),
};

struct HoldsTogether;

impl Invariant for HoldsTogether {
    fn conclude(&mut self, world: &World) {
        for node in &world.nodes {
            let Some(handle) = node.handle() else {
                continue;
            };
            if let Err(violation) = handle.copy().read(state::check) {
                world.violated(ENTRY.name, format!("{}: {violation:?}", node.name));
            }
        }
    }
}
