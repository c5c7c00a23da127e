//! The state of one group: the machine, its rows, and what watchers may still ask for.

mod adapter;
mod changes;
mod table;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use host::store::Write;
use parking_lot::RwLock;
use tokio::sync::watch;

use self::changes::Changes;
pub(crate) use self::{
    adapter::Adapter,
    table::{LoadError, Table},
};
use crate::{
    machine::{Applied, RestoreError, RowChange, StateMachine, TooNew},
    options::Options,
    rows::Rows,
    types::{Entry, LogId, Payload, Reply, StoredMembership},
};

/// A group's state in memory. All parts are of the same index.
pub(crate) struct State<M> {
    live: RwLock<Live<M>>,
    applied: watch::Sender<u64>,
}

struct Live<M> {
    machine: M,
    rows: Rows,
    applied: Option<LogId>,
    membership: StoredMembership,
    changes: Changes,
}

/// Why an entry was not applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// The machine panicked: its contract says that it never does.
    #[error("the state machine panicked at entry {0}")]
    Panicked(u64),
    #[error("entry {0}: {1}")]
    TooNew(u64, TooNew),
}

impl<M: StateMachine> State<M> {
    pub(crate) fn new(machine: M, options: &Options) -> Self {
        Self {
            live: RwLock::new(Live {
                machine,
                rows: Rows::default(),
                applied: None,
                membership: StoredMembership::default(),
                changes: Changes::new(options.changes_max, options.changes_bytes_max),
            }),
            applied: watch::Sender::new(0),
        }
    }

    /// Replaces everything.
    pub(crate) fn restore(
        &self,
        rows: Rows,
        applied: Option<LogId>,
        membership: StoredMembership,
    ) -> Result<(), RestoreError> {
        let mut live = self.live.write();
        live.machine.restore(rows.to_vec())?;
        live.rows = rows;
        live.applied = applied;
        live.membership = membership;
        live.changes.begin_after(index(applied));
        Ok(())
    }

    /// Applies entries in order. Returns their replies and what has to be written to the table for them.
    fn apply<'a>(
        &self,
        entries: impl Iterator<Item = &'a Entry>,
    ) -> Result<(Vec<Reply>, Vec<Write>), ApplyError> {
        let mut live = self.live.write();
        let mut replies = Vec::new();
        let mut writes = Vec::new();
        for entry in entries {
            replies.push(live.apply(entry, &mut writes)?);
        }
        writes.push(table::header(live.applied, &live.membership));
        Ok((replies, writes))
    }

    /// Tells waiters how far the state is.
    pub(crate) fn publish(&self) {
        let applied = index(self.live.read().applied);
        self.applied.send_if_modified(|current| {
            let changed = *current != applied;
            *current = applied;
            changed
        });
    }

    pub(crate) fn read<T>(&self, f: impl FnOnce(&M, u64) -> T) -> T {
        let live = self.live.read();
        f(&live.machine, index(live.applied))
    }

    pub(crate) fn position(&self) -> (Option<LogId>, StoredMembership) {
        let live = self.live.read();
        (live.applied, live.membership.clone())
    }

    fn copy(&self) -> (Option<LogId>, StoredMembership, Rows) {
        let live = self.live.read();
        (live.applied, live.membership.clone(), live.rows.clone())
    }

    /// The index of the last applied entry, and how many rows there are.
    pub(crate) fn size(&self) -> (u64, usize) {
        let live = self.live.read();
        (index(live.applied), live.rows.len())
    }

    pub(crate) fn rows(&self) -> (u64, Rows) {
        let live = self.live.read();
        (index(live.applied), live.rows.clone())
    }

    pub(crate) fn changes_after(&self, index: u64) -> Option<Vec<(u64, Arc<[RowChange]>)>> {
        self.live.read().changes.after(index)
    }

    pub(crate) fn applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }
}

impl<M: StateMachine> Live<M> {
    fn apply(&mut self, entry: &Entry, writes: &mut Vec<Write>) -> Result<Reply, ApplyError> {
        let index = entry.log_id.index;
        let reply = match &entry.payload {
            Payload::Blank => Reply::default(),
            Payload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership.clone());
                Reply::default()
            }
            Payload::Normal(command) => {
                let apply = || self.machine.apply(index, &command.0);
                let Applied { reply, changes } = catch_unwind(AssertUnwindSafe(apply))
                    .map_err(|_| ApplyError::Panicked(index))?
                    .map_err(|error| ApplyError::TooNew(index, error))?;
                for change in &changes {
                    table::row(&self.rows, change, writes);
                    self.rows.apply(std::slice::from_ref(change));
                }
                if !changes.is_empty() {
                    self.changes.push(index, changes.into());
                }
                Reply(reply)
            }
        };
        self.applied = Some(entry.log_id);
        Ok(reply)
    }
}

/// The index of a position; 0 before the first entry, which is never a command.
pub(crate) fn index(id: Option<LogId>) -> u64 {
    id.map_or(0, |id| id.index)
}
