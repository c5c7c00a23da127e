//! Controllers that have applied the same entries have the same rows, those that no follower is sent included: what was
//! answered to whom, above all. A controller that took over a snapshot has no other way to them.

use std::collections::BTreeMap;

use model::Role;
use replica::Rows;
use sha2::{Digest as _, Sha256};

use super::{Invariant, InvariantEntry};
use crate::world::World;

/// To read all rows costs more than a look at a status: every how many looks it is done.
const EVERY: u64 = 20;
/// Positions whose content is remembered.
const REMEMBERED: usize = 4096;

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "controllers agree",
    make: || Box::new(ControllersAgree::default()),
};

#[derive(Default)]
struct ControllersAgree {
    looks: u64,
    /// The digest of each position, and who showed it first.
    content: BTreeMap<u64, (String, String)>,
}

impl Invariant for ControllersAgree {
    fn watch(&mut self, world: &World) {
        self.looks += 1;
        if self.looks.is_multiple_of(EVERY) {
            self.look(world);
        }
    }

    fn conclude(&mut self, world: &World) {
        self.look(world);
    }
}

impl ControllersAgree {
    fn look(&mut self, world: &World) {
        for index in world.with_role(Role::Controller) {
            let node = world.nodes.get(index);
            let handle = node.and_then(|node| node.handle());
            let (Some(node), Some(handle)) = (node, handle) else {
                continue;
            };
            let Some((applied, rows)) = handle.controller().map(controller::Controller::rows)
            else {
                continue;
            };
            let (digest, name) = (digest(&rows), node.name.to_string());
            let first = self
                .content
                .entry(applied)
                .or_insert_with(|| (digest.clone(), name.clone()));
            if first.0 != digest {
                let what = format!("{} and {name} differ after entry {applied}", first.1);
                world.violated(ENTRY.name, what);
            }
            while self.content.len() > REMEMBERED {
                self.content.pop_first();
            }
        }
    }
}

fn digest(rows: &Rows) -> String {
    let mut digest = Sha256::new();
    for (key, value) in rows.iter() {
        for part in [key, value] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
    }
    hex::encode(digest.finalize())
}
