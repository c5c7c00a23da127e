//! No running node is of a build that does not read what the cluster writes. One that was told to end takes no new work and
//! has perhaps said goodbye already: it is on its way out.
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
    /// Nodes that run and are to go on, and what each reads.
    fn readers(world: &World) -> Vec<(&NodeName, u32)> {
        let nodes = world.nodes.iter();
        nodes
            .filter_map(|node| {
                let process = node.process.lock();
                let goes_on =
                    process.handle.strong_count() > 0 && !process.terminate.is_cancelled();
                goes_on.then_some((&node.name, process.reads))
            })
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
