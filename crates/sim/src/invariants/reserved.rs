//! No more of a function runs than is reserved for it, and what has nothing reserved for it but 0 does not run.
//!
//! Every frontend holds to a reservation by itself: through one there is never more than that, through all of them together
//! never more than that for each. A frontend holds to it from the moment when its copy of the catalog has it: at once if it took
//! it, soon if the cluster is whole. A run whose frontend has lost sight of it may go on beside others, so only runs count
//! whose answer has come back.

use std::{collections::BTreeMap, time::Duration};

use model::Role;

use super::{Invariant, InvariantEntry};
use crate::{
    calls::{Invocation, Outcome},
    guest::{Execution, ledger},
    reserved::Reservation,
    world::World,
};

/// Within what time every frontend of a whole cluster holds to a reservation.
const SOON: Duration = Duration::from_secs(2);

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "reservations are held",
    make: || Box::new(AreHeld),
};

struct AreHeld;

impl Invariant for AreHeld {
    fn conclude(&mut self, world: &World) {
        let calls = world.calls.all();
        for reservation in world.reservations.all() {
            let bound: Vec<_> = calls
                .iter()
                .filter(|call| is_bound(world, &reservation, call))
                .collect();
            if let Some(limit) = reservation.limit
                && let Some(what) = broken(world, limit, &bound)
            {
                world.violated(ENTRY.name, format!("{what}; {reservation:?}"));
            }
            // What runs on a worker that has just died counts until its time is over.
            let calm = world.was_calm(reservation.since, reservation.until);
            let may_run = reservation.limit != Some(0);
            if calm && may_run && !bound.is_empty() && bound.iter().all(|call| is_throttled(call)) {
                let what = format!("all of {} calls were refused", bound.len());
                world.violated(ENTRY.name, format!("{what}; {reservation:?}"));
            }
        }
    }
}

/// Whether the frontend of a call certainly knew of a reservation.
fn is_bound(world: &World, reservation: &Reservation, call: &Invocation) -> bool {
    let Reservation { since, until, .. } = *reservation;
    let meant = call.function == reservation.function && call.sent >= since && call.ended <= until;
    let own = reservation.through.as_ref() == Some(&call.frontend);
    let settled = call.sent > since + SOON && world.was_calm(since, call.ended);
    meant && (own || settled)
}

/// What was wrong with the runs of these calls.
fn broken(world: &World, limit: u32, calls: &[&Invocation]) -> Option<String> {
    let mut all = Vec::new();
    let mut by_frontend: BTreeMap<&(String, u64), Vec<Execution>> = BTreeMap::new();
    for call in calls {
        let runs = world.ledger.executions_of(&call.id);
        if limit == 0 && !runs.is_empty() {
            return Some(format!("it ran although nothing may: {call:?}, {runs:?}"));
        }
        if let ([run], Outcome::Answered { .. }) = (runs.as_slice(), &call.outcome) {
            all.push(run.clone());
            by_frontend
                .entry(&call.frontend)
                .or_default()
                .push(run.clone());
        }
    }
    for (frontend, runs) in by_frontend {
        let peak = ledger::peak(&runs);
        if peak > limit {
            return Some(format!("{peak} ran at once through {frontend:?}, {runs:?}"));
        }
    }
    let frontends = u32::try_from(world.with_role(Role::Frontend).len()).unwrap_or(u32::MAX);
    let (peak, most) = (ledger::peak(&all), limit.saturating_mul(frontends));
    (peak > most).then(|| format!("{peak} ran at once, {most} at most: {all:?}"))
}

fn is_throttled(call: &Invocation) -> bool {
    matches!(&call.outcome, Outcome::Refused { status: 429, .. })
}
