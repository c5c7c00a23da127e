//! In the end the group has the members that it should have: every controller of the world votes, in the life that its storage
//! has now, nobody else is counted in any way, and no change of the voters is half done.

use model::Role;

use super::{Invariant, InvariantEntry};
use crate::world::World;

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "the group is whole",
    make: || Box::new(GroupIsWhole),
};

struct GroupIsWhole;

impl Invariant for GroupIsWhole {
    fn conclude(&mut self, world: &World) {
        let nodes = world.with_role(Role::Controller).into_iter();
        let nodes: Vec<_> = nodes.filter_map(|n| world.nodes.get(n)).collect();
        let mut expected: Vec<String> = nodes.iter().map(|n| n.name.to_string()).collect();
        expected.sort();
        for node in &nodes {
            let handle = node.handle();
            let status = handle.and_then(|h| h.controller().map(controller::Controller::status));
            // That it runs is demanded elsewhere.
            let Some(status) = status else { continue };
            let name = &node.name;
            let mut members = status.members.clone();
            members.sort();
            if members != expected {
                let what = format!("{name} counts {members:?}, expected {expected:?}");
                world.violated(ENTRY.name, what);
            }
            let learners = members.len().saturating_sub(status.voters);
            if learners > 0 || !status.votes {
                let votes = status.votes;
                let what = format!("{name} knows {learners} that only follow; it votes: {votes}");
                world.violated(ENTRY.name, what);
            }
            if status.is_changing {
                world.violated(ENTRY.name, format!("{name} is in the middle of a change"));
            }
        }
    }
}
