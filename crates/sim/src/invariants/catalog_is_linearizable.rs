//! What clients saw of the catalog can be explained by one order of their calls (Herlihy and Wing 1990).

use super::{Invariant, InvariantEntry};
use crate::{history::Verdict, world::World};

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "the catalog is linearizable",
    make: || Box::new(Linearizable),
};

struct Linearizable;

impl Invariant for Linearizable {
    fn conclude(&mut self, world: &World) {
        match world.history.check() {
            Ok(Verdict::Linearizable(effort)) => tracing::info!(?effort, "linearizable"),
            Ok(undecided @ Verdict::Undecided { .. }) => {
                world.violated(ENTRY.name, format!("{undecided:?}"));
            }
            Err(violation) => world.violated(ENTRY.name, violation),
        }
    }
}
