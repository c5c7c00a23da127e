//! While nothing is broken every invocation is served: before anything broke and some seconds after it was mended. So it is
//! while nothing but controllers is broken (static stability), and while a worker is alive and no good.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Invariant, InvariantEntry};
use crate::{
    calls::{Invocation, Outcome},
    troubles::Reach,
    world::World,
};

/// For how long after it was first served a new function may be unknown to another frontend, or not ready there.
const NEW: Duration = Duration::from_secs(2);

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "calm means served",
    make: || Box::new(CalmMeansServed),
};

struct CalmMeansServed;

impl Invariant for CalmMeansServed {
    fn conclude(&mut self, world: &World) {
        let mut known = BTreeSet::new();
        let mut first_served = BTreeMap::new();
        for call in world.calls.all() {
            // A burst may well be throttled, and its function may be unknown to other frontends for a moment.
            let asked_too_much = call.function.starts_with("burst");
            // Without controllers a frontend serves what it knows. Aliases and versions come and go, so it may know nothing
            // of one that was there before.
            let name = (call.frontend.clone(), call.function.clone());
            let knows = known.contains(&name) && call.qualifier.is_none();
            if call.was_served() {
                known.insert(name);
                first_served
                    .entry(call.function.clone())
                    .or_insert(call.ended);
            }
            let is_new = first_served
                .get(&call.function)
                .is_none_or(|first| call.sent < *first + NEW);
            let despite: &[Reach] = match knows {
                true => &[Reach::Worker, Reach::Controllers],
                false => &[Reach::Worker],
            };
            let calm = world.troubles.was_calm(call.sent, call.ended, despite);
            let is_expected = is_expected(&call, is_new);
            if calm && !asked_too_much && !call.was_served() && !is_expected {
                world.violated(ENTRY.name, format!("{call:?}"));
            }
        }
    }
}

/// What a function may be refused for in the best of times.
fn is_expected(call: &Invocation, is_new: bool) -> bool {
    match &call.outcome {
        // Versions are deleted and aliases made meanwhile.
        Outcome::Refused { status: 404, .. } => call.qualifier.is_some(),
        // It is being created; what is published of one that is being updated waits for that.
        Outcome::Refused { status: 409, .. } => is_new || call.qualifier.is_some(),
        Outcome::Refused { status: 429, .. } => call.function.starts_with("reserved"),
        Outcome::FunctionFailed { .. } => call.told != "echo",
        Outcome::Refused { .. }
        | Outcome::Answered { .. }
        | Outcome::Failed { .. }
        | Outcome::NotSent
        | Outcome::Lost => false,
    }
}
