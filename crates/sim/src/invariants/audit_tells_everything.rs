//! The audit log of every frontend verifies, and names every change that the frontend answered with a success since it got
//! its disk.

use audit::Walk;

use super::{Invariant, InvariantEntry};
use crate::world::World;

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "the audit log tells everything",
    make: || Box::new(TellsEverything),
};

struct TellsEverything;

impl Invariant for TellsEverything {
    fn conclude(&mut self, world: &World) {
        let changes = world.changes.lock();
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
            let lost = node.process.lock().starts_before_loss;
            let log: Vec<u8> = content.into_values().flatten().collect();
            let log = String::from_utf8_lossy(&log);
            let own = changes
                .iter()
                .filter(|c| c.frontend == node.name.as_str() && c.starts > lost);
            for change in own {
                let id = &change.request_id;
                if id.is_empty() || !log.contains(id.as_str()) {
                    let what = format!("{} answered request {id:?} unrecorded", node.name);
                    world.violated(ENTRY.name, what);
                }
            }
        }
    }
}
