//! The state as the protocol library drives it.

use std::{io, sync::Arc};

use futures::{Stream, StreamExt as _};
use openraft::{
    OptionalSend, RaftSnapshotBuilder, Snapshot,
    storage::{EntryResponder, RaftStateMachine},
};

use super::{State, Table};
use crate::{
    error::Fatal,
    failure::Failed,
    machine::StateMachine,
    snapshot::{Content, Snapshots},
    types::{LogId, SnapshotMeta, StoredMembership, Types},
};

/// How many rows a snapshot writes for each entry that was applied since the one before it, at most.
const ROWS_AN_ENTRY: u64 = 4;
/// How many entries are applied and persisted at once, at most.
const BATCH: usize = 64;

/// Applies, persists and snapshots a group's state. Every error is fatal for the member.
pub(crate) struct Adapter<M> {
    pub(crate) group: u64,
    pub(crate) state: Arc<State<M>>,
    pub(crate) table: Table,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) failed: Failed,
}

/// A copy of the state, to be written out while the state goes on.
pub(crate) struct Builder<M> {
    state: Arc<State<M>>,
    snapshots: Arc<Snapshots>,
    failed: Failed,
    copy: Option<(Option<LogId>, StoredMembership, crate::rows::Rows)>,
}

type StoredSnapshot = openraft::alias::SnapshotOf<Types, Content>;

impl<M: StateMachine> Adapter<M> {
    fn broken(&self, what: impl std::fmt::Display) -> io::Error {
        self.failed.set(Fatal::State {
            group: self.group,
            what: what.to_string(),
        })
    }
}

impl<M: StateMachine> Adapter<M> {
    /// Whether enough was applied since the last snapshot for what one would write: a large state that changes much would
    /// be written again and again otherwise. The library asks again after another [`Options::snapshot_every`] entries.
    ///
    /// [`Options::snapshot_every`]: crate::Options::snapshot_every
    fn is_snapshot_due(&self) -> bool {
        let (applied, rows) = self.state.size();
        let covered = self.snapshots.last().map_or(0, |id| id.index);
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        applied.saturating_sub(covered) >= rows / ROWS_AN_ENTRY
    }
}

impl<M: StateMachine> RaftStateMachine<Types> for Adapter<M> {
    type SnapshotData = Content;
    type SnapshotBuilder = Builder<M>;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok(self.state.position())
    }

    async fn apply<S>(&mut self, entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        let mut batches = entries.ready_chunks(BATCH);
        while let Some(batch) = batches.next().await {
            let batch = batch.into_iter().collect::<Result<Vec<_>, _>>()?;
            let applied = self.state.apply(batch.iter().map(|(entry, _)| entry));
            let (replies, writes) = applied.map_err(|e| self.broken(e))?;
            let written = self.table.apply(writes).await;
            written.map_err(|e| self.failed.set(Fatal::Store(Arc::new(e))))?;
            self.state.publish();
            for ((_, responder), reply) in batch.into_iter().zip(replies) {
                if let Some(responder) = responder {
                    responder.send(reply);
                }
            }
        }
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<Builder<M>> {
        let wait = self.snapshots.is_being_read() || !self.is_snapshot_due();
        if !force && wait {
            return None;
        }
        Some(self.get_snapshot_builder().await)
    }

    async fn get_snapshot_builder(&mut self) -> Builder<M> {
        Builder {
            state: self.state.clone(),
            snapshots: self.snapshots.clone(),
            failed: self.failed.clone(),
            copy: Some(self.state.copy()),
        }
    }

    /// The machine first, so that rows it cannot read replace nothing on disk; then the snapshot's own place, which is
    /// what a crash falls back to; then the table.
    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        content: Content,
    ) -> Result<(), io::Error> {
        let rows = content.rows().await;
        let rows = rows.map_err(|e| self.failed.set(e.fatal(self.group)))?;
        let (last, membership) = (meta.last_log_id, &meta.last_membership);
        let restored = self.state.restore(rows.clone(), last, membership.clone());
        restored.map_err(|e| self.broken(e))?;
        let saved = self.snapshots.save(last, membership, &rows).await;
        saved.map_err(|e| self.failed.set(Fatal::Log(Arc::new(e))))?;
        let replaced = self.table.replace(&rows, last, membership).await;
        replaced.map_err(|e| self.failed.set(Fatal::Store(Arc::new(e))))?;
        self.snapshots.count_installed();
        self.state.publish();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<StoredSnapshot>, io::Error> {
        let current = self.snapshots.current();
        Ok(current.map(|(meta, stored)| Snapshot {
            meta,
            snapshot: Content::Stored(stored),
        }))
    }
}

impl<M: StateMachine> RaftSnapshotBuilder<Types> for Builder<M> {
    type SnapshotData = Content;

    async fn build_snapshot(&mut self) -> Result<StoredSnapshot, io::Error> {
        let copy = self.copy.take();
        let (last, membership, rows) = copy.unwrap_or_else(|| self.state.copy());
        let saved = self.snapshots.save(last, &membership, &rows).await;
        let (meta, stored) = saved.map_err(|e| self.failed.set(Fatal::Log(Arc::new(e))))?;
        self.snapshots.count_built();
        Ok(Snapshot {
            meta,
            snapshot: Content::Stored(stored),
        })
    }
}
