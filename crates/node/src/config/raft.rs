//! The section `raft`.

use super::scope::Scope;

/// How the controllers keep the log of the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raft {
    /// How many entries are applied between two snapshots; at least 1.
    pub snapshot_every: u64,
    /// How many entries before a snapshot stay in the log.
    pub snapshot_keep: u64,
}

impl Default for Raft {
    fn default() -> Self {
        let group = replica::Options::default();
        Self {
            snapshot_every: group.snapshot_every,
            snapshot_keep: group.snapshot_keep,
        }
    }
}

pub(super) fn raft(scope: &Scope<'_>) -> Option<Raft> {
    let snapshot_every = scope.integer("snapshot_every");
    let snapshot_keep = scope.integer("snapshot_keep");
    if snapshot_every == Some(0) {
        scope.refuse("snapshot_every", "expected at least 1, got 0");
    }
    Some(Raft {
        snapshot_every: snapshot_every?,
        snapshot_keep: snapshot_keep?,
    })
}
