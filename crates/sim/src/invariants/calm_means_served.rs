//! While nothing is broken every invocation is served; while nothing but controllers is, too (static stability).

use std::collections::BTreeSet;

use super::{Invariant, InvariantEntry};
use crate::{
    calls::{Invocation, Outcome},
    world::World,
};

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "calm means served",
    make: || Box::new(CalmMeansServed),
};

struct CalmMeansServed;

impl Invariant for CalmMeansServed {
    fn conclude(&mut self, world: &World) {
        let mut known = BTreeSet::new();
        for call in world.calls.all() {
            // A burst may well be throttled, and its function may be unknown to other frontends for a moment.
            let asked_too_much = call.function.starts_with("burst");
            // Without controllers a frontend serves what it knows.
            let name = (call.frontend.clone(), call.function.clone());
            let knows = known.contains(&name);
            if call.was_served() {
                known.insert(name);
            }
            let calm = world.was_calm(call.sent, call.ended, knows);
            if calm && !asked_too_much && !call.was_served() && !is_expected(&call) {
                world.violated(ENTRY.name, format!("{call:?}"));
            }
        }
    }
}

/// What a function may be refused for in the best of times.
fn is_expected(call: &Invocation) -> bool {
    match &call.outcome {
        // The update of its code is under way.
        Outcome::Refused { status, .. } => *status == 409 || *status == 429,
        Outcome::FunctionFailed { .. } => call.told != "echo",
        Outcome::Answered { .. } | Outcome::Failed { .. } | Outcome::NotSent | Outcome::Lost => {
            false
        }
    }
}
