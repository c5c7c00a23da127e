//! What clients saw of records that are nothing but a value can be explained, record by record, by one order of their calls.

use super::{Invariant, InvariantEntry};
use crate::world::World;

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "records are linearizable",
    make: || Box::new(Linearizable),
};

struct Linearizable;

impl Invariant for Linearizable {
    fn conclude(&mut self, world: &World) {
        match world.registers.check() {
            Ok(verdict) if verdict.undecided.is_empty() => {
                tracing::info!(?verdict, "records are linearizable");
            }
            Ok(undecided) => world.violated(ENTRY.name, format!("{undecided:?}")),
            Err(violation) => world.violated(ENTRY.name, violation),
        }
    }
}
