//! What a function did is what its caller was told: an answer comes from one run of the right code; what was refused never
//! ran; and nothing runs twice, unless a connection broke in the moment of the hand-over.

use super::{Invariant, InvariantEntry};
use crate::{
    calls::{Invocation, Outcome},
    world::World,
};

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "an invocation runs once",
    make: || Box::new(RunsOnce),
};

struct RunsOnce;

impl Invariant for RunsOnce {
    fn conclude(&mut self, world: &World) {
        for call in world.calls.all() {
            if let Some(what) = wrong(world, &call) {
                world.violated(ENTRY.name, format!("{what}: {call:?}"));
            }
        }
    }
}

fn wrong(world: &World, call: &Invocation) -> Option<String> {
    let runs = world.ledger.executions_of(&call.id);
    let calm = world.was_calm(call.sent, call.ended, false);
    match &call.outcome {
        Outcome::Answered { marker } => {
            if !runs.iter().any(|run| run.marker == *marker) {
                return Some(format!("no run of {marker} gave this answer, {runs:?}"));
            }
        }
        Outcome::FunctionFailed { .. } | Outcome::Failed { .. } | Outcome::Lost => {}
        Outcome::Refused { .. } | Outcome::NotSent => {
            if !runs.is_empty() && calm {
                return Some(format!("it was refused and ran, {runs:?}"));
            }
        }
    }
    if runs.len() > 1 && calm {
        return Some(format!("it ran {} times, {runs:?}", runs.len()));
    }
    None
}
