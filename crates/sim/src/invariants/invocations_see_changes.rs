//! What invocations run is what was asked for: a change is seen at once through the process that took it and soon through
//! the others of a whole cluster, no process goes back, and nobody sees what was never there.

use std::time::Duration;

use super::{Invariant, InvariantEntry};
use crate::{
    history::freshness::{self, Owed},
    world::World,
};

/// Within what time every frontend of a whole cluster runs what was changed.
const SOON: Duration = Duration::from_secs(2);
/// Owed whatever is broken.
const ALWAYS: Owed = Owed {
    staleness_max: None,
    own_changes: true,
    never_back: true,
};
/// Owed besides while nothing is.
const WHOLE: Owed = Owed {
    staleness_max: Some(SOON),
    own_changes: false,
    never_back: false,
};

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "invocations see changes",
    make: || Box::new(SeeChanges),
};

struct SeeChanges;

impl Invariant for SeeChanges {
    fn conclude(&mut self, world: &World) {
        for (name, shown) in world.seen.all() {
            let mut in_calm = shown.glimpses.clone();
            in_calm.retain(|g| world.was_calm(g.begun.saturating_sub(SOON), g.ended));
            let mut stale = freshness::judge(&shown.changes, &shown.glimpses, ALWAYS);
            stale.extend(freshness::judge(&shown.changes, &in_calm, WHOLE));
            for one in stale {
                world.violated(ENTRY.name, format!("{name}: {one}"));
            }
        }
    }
}
