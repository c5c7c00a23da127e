//! What a function did is what its caller was told: an answer comes from one run of the right code, a failure from a run;
//! what was refused never ran; nothing runs that nobody asked for; and nothing runs twice, unless a connection broke in the
//! moment of the hand-over.

use std::time::Duration;

use super::{Invariant, InvariantEntry};
use crate::{
    calls::{Invocation, Outcome},
    guest::{Ending, Execution},
    history::executions::{self, Allowed, Asked, Fate, Run},
    world::World,
};

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "an invocation runs once",
    make: || Box::new(RunsOnce),
};

/// How much later than a client its guest may hear that an answer was taken: the one goes on its way before the other.
const HEARD_LATER: Duration = Duration::from_millis(50);

/// How far the clocks of two hosts may be apart: hosts have their turns one after the other, a tick each.
const APART: Duration = Duration::from_millis(4);

struct RunsOnce;

impl Invariant for RunsOnce {
    fn conclude(&mut self, world: &World) {
        let allowed = Allowed {
            // A frontend tries once more when it does not hear whether the runtime has the invocation; where only answers
            // are lost, both tries run.
            disturbed_max: 2,
            fails_without_running: false,
        };
        let asked: Vec<Asked> = world.calls.all().iter().map(|c| asked(world, c)).collect();
        let runs: Vec<Run> = world
            .ledger
            .executions()
            .into_iter()
            .filter(|run| !world.calls.was_early(&run.id))
            .map(run)
            .collect();
        for mismatch in executions::judge(&asked, &runs, allowed) {
            world.violated(ENTRY.name, mismatch);
        }
    }
}

fn asked(world: &World, call: &Invocation) -> Asked {
    Asked {
        id: call.id.clone(),
        sent: call.sent.saturating_sub(APART),
        ended: call.ended,
        fate: match &call.outcome {
            Outcome::Answered { marker } => Fate::Answered {
                marker: marker.clone(),
            },
            Outcome::FunctionFailed { .. } => Fate::Failed,
            Outcome::Refused { .. } | Outcome::NotSent => Fate::Refused,
            Outcome::Failed { .. } | Outcome::Lost => Fate::Unknown,
        },
        is_disturbed: !world.was_calm(call.sent, call.ended),
    }
}

fn run(execution: Execution) -> Run {
    let answered = match execution.end {
        Some((at, Ending::Answered)) => Some(at.saturating_sub(HEARD_LATER).max(execution.start)),
        // It may have answered before it was killed; how long before is not known.
        Some((_, Ending::Killed)) => Some(execution.start),
        Some((_, Ending::Failed | Ending::Refused | Ending::Exited)) | None => None,
    };
    Run {
        id: execution.id,
        marker: execution.marker,
        begun: execution.start,
        answered,
    }
}
