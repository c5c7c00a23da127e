//! While one zone is down and nothing else is broken, the frontends of the other zones serve the functions that they know,
//! from the first moment on: an invocation that was sent to a worker that is gone is tried at another one in time.

use std::{collections::BTreeMap, time::Duration};

use super::{Invariant, InvariantEntry};
use crate::{
    calls::{Invocation, Outcome},
    troubles::Reach,
    world::World,
};

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "a lost zone is survived",
    make: || Box::new(LostZoneIsSurvived),
};

/// What a frontend has served was known to it from then on. The clocks of two hosts may be so far apart.
const APART: Duration = Duration::from_millis(4);

struct LostZoneIsSurvived;

impl Invariant for LostZoneIsSurvived {
    fn conclude(&mut self, world: &World) {
        let mut known: BTreeMap<_, Duration> = BTreeMap::new();
        for call in world.calls.all() {
            let name = (call.frontend.clone(), call.function.clone());
            let since = known.get(&name);
            let knows = since.is_some_and(|since| *since + APART < call.sent);
            if call.was_served() {
                known.entry(name).or_insert(call.ended);
            }
            let lost = world.troubles.lost_zone(
                call.sent,
                call.ended,
                &[Reach::Worker, Reach::Controllers],
            );
            let lives = lost.is_some_and(|lost| !is_among(world, &call, &lost));
            if lives
                && knows
                && call.qualifier.is_none()
                && !call.was_served()
                && !is_expected(&call)
            {
                world.violated(ENTRY.name, format!("{call:?}"));
            }
        }
    }
}

/// Whether the frontend that was asked is one of these nodes.
fn is_among(world: &World, call: &Invocation, nodes: &[usize]) -> bool {
    let mut nodes = nodes.iter().filter_map(|n| world.nodes.get(*n));
    nodes.any(|node| node.name.as_str() == call.frontend.0)
}

/// What has nothing to do with the zone.
fn is_expected(call: &Invocation) -> bool {
    match &call.outcome {
        // A burst is deleted meanwhile, and what is reserved is asked for more than it may have; both may be throttled.
        Outcome::Refused { status, .. } => {
            let comes_and_goes = ["burst", "reserved"]
                .iter()
                .any(|name| call.function.starts_with(name));
            comes_and_goes && matches!(status, 404 | 409 | 429)
        }
        Outcome::FunctionFailed { .. } => call.told != "echo",
        Outcome::Answered { .. } | Outcome::Failed { .. } | Outcome::NotSent | Outcome::Lost => {
            false
        }
    }
}
