//! Whoever has led in a term does not lead in it again once another controller has.
//!
//! The protocol library orders leaders by term and then by the id of the member, so that a term can have several, each above
//! the one before it: an election within a term is lost to a greater id only. One that was overtaken may believe for a moment
//! that it still leads, as a leader of an earlier term may; it decides nothing.

use std::collections::BTreeMap;

use model::{NodeName, Role};

use super::{Invariant, InvariantEntry};
use crate::world::World;

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "leaders take turns",
    make: || Box::new(LeadersTakeTurns::default()),
};

#[derive(Default)]
struct LeadersTakeTurns {
    /// Who began to lead in a term, in this order.
    led: BTreeMap<u64, Vec<NodeName>>,
    /// Who led at the last look, and in which term.
    leading: BTreeMap<NodeName, u64>,
}

impl Invariant for LeadersTakeTurns {
    fn watch(&mut self, world: &World) {
        let mut leading = BTreeMap::new();
        for index in world.with_role(Role::Controller) {
            let Some(node) = world.nodes.get(index) else {
                continue;
            };
            let Some(handle) = node.handle() else {
                continue;
            };
            let Some(status) = handle.controller().map(controller::Controller::status) else {
                continue;
            };
            if status.leader != node.name.as_str() {
                continue;
            }
            let term = status.term;
            leading.insert(node.name.clone(), term);
            if self.leading.get(&node.name) != Some(&term)
                && let Some(between) = begin(self.led.entry(term).or_default(), &node.name)
            {
                let name = &node.name;
                let what = format!("{name} leads in term {term} again, after {between} has");
                world.violated(ENTRY.name, what);
            }
            world.tally.lock().leaders.insert(term, node.name.clone());
        }
        self.leading = leading;
    }
}

/// Notes that a controller begins to lead; answers who led last if that is another one and the controller led before.
fn begin(led: &mut Vec<NodeName>, name: &NodeName) -> Option<NodeName> {
    if !led.contains(name) {
        led.push(name.clone());
        return None;
    }
    led.last().filter(|last| *last != name).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_comes_back_after_another() {
        let name = |n: &str| n.parse::<NodeName>().unwrap();
        let mut led = Vec::new();
        for fine in ["a", "a", "b", "b", "c"] {
            assert_eq!(begin(&mut led, &name(fine)), None, "{fine}");
        }
        assert_eq!(begin(&mut led, &name("a")), Some(name("c")));
        assert_eq!(begin(&mut led, &name("c")), None);
    }
}
