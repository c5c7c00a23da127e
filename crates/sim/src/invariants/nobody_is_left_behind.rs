//! No running node is of a build that does not read what the cluster writes.
//!
//! It holds to the letter only while gossip shows every node to the leader, which is so in runs that upgrade nodes and break
//! nothing else: in others all nodes are of one build.

use model::NodeName;

use super::{Invariant, InvariantEntry};
use crate::world::World;

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "nobody is left behind",
    make: || Box::new(NobodyIsLeftBehind),
};

struct NobodyIsLeftBehind;

impl NobodyIsLeftBehind {
    /// Running nodes, and what each reads.
    fn readers(world: &World) -> Vec<(&NodeName, u32)> {
        let nodes = world.nodes.iter().filter(|node| node.handle().is_some());
        nodes
            .map(|node| (&node.name, node.process.lock().reads))
            .collect()
    }

    /// The newest format that a controller has applied.
    fn format(world: &World) -> Option<u32> {
        let handles = world.nodes.iter().filter_map(|node| node.handle());
        handles
            .filter_map(|handle| Some(handle.controller()?.status().format))
            .max()
    }
}

impl Invariant for NobodyIsLeftBehind {
    fn watch(&mut self, world: &World) {
        let Some(format) = Self::format(world) else {
            return;
        };
        for (name, reads) in Self::readers(world) {
            if reads < format {
                let what = format!("{name} reads up to {reads}, and the cluster writes {format}");
                world.violated(ENTRY.name, what);
            }
        }
    }
}
