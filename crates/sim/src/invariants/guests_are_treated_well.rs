//! Guests are given what is for them and nothing else, are never stopped in the middle of it, and end when nobody needs them.

use super::{Invariant, InvariantEntry};
use crate::world::World;

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "guests are treated well",
    make: || Box::new(TreatedWell),
};

struct TreatedWell;

impl Invariant for TreatedWell {
    fn conclude(&mut self, world: &World) {
        for run in world.ledger.misdelivered() {
            world.violated(ENTRY.name, format!("in a foreign environment: {run:?}"));
        }
        for run in world.ledger.frozen_while_running() {
            world.violated(ENTRY.name, format!("frozen while it ran: {run:?}"));
        }
        for sandbox in world.ledger.robbed_ones() {
            world.violated(
                ENTRY.name,
                format!("without its environment variables: {sandbox}"),
            );
        }
        // Nobody has asked for anything for longer than an idle environment is kept.
        for (node, alive) in world.ledger.alive() {
            for sandbox in alive {
                world.violated(ENTRY.name, format!("left over on {node}: {sandbox:?}"));
            }
        }
    }
}
