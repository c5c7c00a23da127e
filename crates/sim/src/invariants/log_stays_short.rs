//! The controllers' log stays short: snapshots are made, and what they hold is taken away from its front.

use std::collections::BTreeMap;

use model::Role;
use replica::SnapshotCounts;

use super::{Invariant, InvariantEntry};
use crate::world::World;

pub(crate) const ENTRY: InvariantEntry = InvariantEntry {
    name: "the log stays short",
    make: || Box::new(StaysShort::default()),
};

#[derive(Default)]
struct StaysShort {
    /// What each process of each controller told last: its snapshots, and where its log begins.
    told: BTreeMap<(usize, u64), (SnapshotCounts, u64)>,
}

impl Invariant for StaysShort {
    fn watch(&mut self, world: &World) {
        for index in world.with_role(Role::Controller) {
            let Some(node) = world.nodes.get(index) else {
                continue;
            };
            let (Some(handle), starts) = (node.handle(), node.process.lock().starts) else {
                continue;
            };
            let Some(status) = handle.controller().map(controller::Controller::status) else {
                continue;
            };
            let (now, purged) = (status.snapshots, status.purged);
            // What was purged before this process began is not its doing.
            let first = (SnapshotCounts::default(), purged);
            let (before, was) = self
                .told
                .insert((index, starts), (now, purged))
                .unwrap_or(first);
            let mut tally = world.tally.lock();
            tally.snapshots.built += now.built.saturating_sub(before.built);
            tally.snapshots.installed += now.installed.saturating_sub(before.installed);
            tally.snapshots.purges += u64::from(purged > was);
        }
    }

    fn conclude(&mut self, world: &World) {
        for index in world.with_role(Role::Controller) {
            let node = world.nodes.get(index);
            let handle = node.and_then(|node| node.handle());
            let told = handle.and_then(|h| h.controller().map(|c| (c.status(), c.rows().1.len())));
            let (Some(node), Some((status, rows))) = (node, told) else {
                continue;
            };
            // A snapshot is due when enough was applied for its size, which is looked at every so many entries; one may be
            // under way while the next is due.
            let every = world.raft.snapshot_every;
            let due = every + every.max(u64::try_from(rows / 4).unwrap_or(u64::MAX));
            let most = world.raft.snapshot_keep.saturating_add(2 * due);
            let entries = status.last_log.saturating_sub(status.purged);
            if entries > most {
                let what = format!("{} has {entries} entries, {most} at most", node.name);
                world.violated(ENTRY.name, what);
            }
        }
    }
}
