//! An environment serves one invocation at a time, and a dead node none.

use super::{Invariant, InvariantEntry};
use crate::world::World;

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "one invocation at a time in an environment",
    make: || Box::new(OneAtATime),
};

struct OneAtATime;

impl Invariant for OneAtATime {
    fn conclude(&mut self, world: &World) {
        for overlap in world.ledger.overlaps() {
            world.violated(ENTRY.name, format!("{overlap:?}"));
        }
    }
}
