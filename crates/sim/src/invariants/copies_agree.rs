//! Two copies of the catalog at the same revision are equal, and a copy never goes back while its process lives.

use std::collections::BTreeMap;

use super::{Invariant, InvariantEntry};
use crate::world::World;

/// Revisions whose content is remembered.
const REMEMBERED: usize = 4096;

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "copies of the catalog agree",
    make: || Box::new(CopiesAgree::default()),
};

#[derive(Default)]
struct CopiesAgree {
    /// The digest of each revision, and who showed it first.
    content: BTreeMap<u64, (String, String)>,
    /// What each process showed last.
    shown: BTreeMap<(String, u64), u64>,
}

impl Invariant for CopiesAgree {
    fn watch(&mut self, world: &World) {
        for node in &world.nodes {
            let (Some(handle), starts) = (node.handle(), node.process.lock().starts) else {
                continue;
            };
            let name = node.name.to_string();
            let copy = handle.copy();
            let revision = copy.revision().0;
            let last = self.shown.insert((name.clone(), starts), revision);
            if last == Some(revision) {
                continue;
            }
            if last.is_some_and(|last| last > revision) {
                let what = format!("{name} went back from {last:?} to {revision}");
                world.violated(ENTRY.name, what);
            }
            let digest = copy.read(crate::digest::of);
            let first = self
                .content
                .entry(revision)
                .or_insert_with(|| (digest.clone(), name.clone()));
            if first.0 != digest {
                let what = format!("{} and {name} differ at revision {revision}", first.1);
                world.violated(ENTRY.name, what);
            }
            while self.content.len() > REMEMBERED {
                self.content.pop_first();
            }
        }
    }
}
