//! The audit log of every frontend verifies, and names every change that the frontend answered with a success.

use audit::Walk;
use model::Role;

use super::{Invariant, InvariantEntry};
use crate::world::World;

/// A fault after which a disk lacks what it once had.
const LOSES_RECORDS: &str = "lost-disk";

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "the audit log tells everything",
    make: || Box::new(TellsEverything),
};

struct TellsEverything;

impl Invariant for TellsEverything {
    fn conclude(&mut self, world: &World) {
        let lost = world.tally.lock().faults.contains_key(LOSES_RECORDS);
        for node in &world.nodes {
            let content = node.disk.segments();
            let mut walk = Walk::new(None);
            for (number, bytes) in &content {
                walk.segment(*number, bytes);
            }
            let report = walk.finish();
            if let Some(found) = report.breaks.first() {
                let what = format!("{}: {} at {:?}", node.name, found.flaw, found.spot);
                world.violated(ENTRY.name, what);
            }
            if !node.roles.has(Role::Frontend) || lost {
                continue;
            }
            let log: Vec<u8> = content.into_values().flatten().collect();
            let log = String::from_utf8_lossy(&log);
            let changes = world.changes.lock();
            for id in changes.get(node.name.as_str()).into_iter().flatten() {
                if !log.contains(id.as_str()) {
                    let what = format!("{} answered request {id} and did not record it", node.name);
                    world.violated(ENTRY.name, what);
                }
            }
        }
    }
}
