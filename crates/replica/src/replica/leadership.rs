//! Handing over leadership, and stopping.

use std::time::Duration;

use openraft::async_runtime::WatchReceiver as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Replica, is_leader};
use crate::machine::StateMachine;

/// How long handing over may take before a member stops without it.
const HAND_OVER: Duration = Duration::from_secs(2);
/// How long the core may take to stop.
const STOP: Duration = Duration::from_secs(5);

impl<M: StateMachine> Replica<M> {
    /// As leader, hands over to the voter that has most of the log. Returns whether somebody else leads now, or this
    /// member did not lead at all.
    pub async fn transfer_leader(&self, deadline: Duration) -> bool {
        let deadline = Instant::now() + deadline;
        let mut watch = self.metrics_watch();
        let metrics = watch.borrow_watched().clone();
        if !is_leader(&metrics) {
            return true;
        }
        let matched = |id: &u64| {
            metrics
                .replication
                .as_ref()
                .and_then(|r| r.get(id).copied()?)
        };
        let others = metrics
            .membership_config
            .voter_ids()
            .filter(|id| *id != metrics.id);
        let Some(to) = others.max_by_key(matched) else {
            return false;
        };
        if self
            .shared
            .raft
            .trigger()
            .transfer_leader(to)
            .await
            .is_err()
        {
            return true;
        }
        loop {
            let metrics = watch.borrow_watched().clone();
            let other = metrics.current_leader.is_some_and(|id| id != metrics.id);
            if other || metrics.running_state.is_err() {
                return true;
            }
            if !matches!(timeout_at(deadline, watch.changed()).await, Ok(Ok(()))) {
                return false;
            }
        }
    }

    /// Stops this member for good: hands over leadership if it leads others, ends the core, and closes log and store
    /// cleanly. Proposals and reads fail from then on. Asking again does nothing.
    pub async fn shutdown(&self) {
        if !self.transfer_leader(HAND_OVER).await {
            tracing::debug!("stopping as leader: nobody else could take over");
        }
        match timeout(STOP, self.shared.raft.shutdown()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the raft core did not stop cleanly"),
            Err(_) => tracing::warn!("the raft core did not stop in time"),
        }
        if let Err(error) = self.shared.store.flush().await {
            tracing::warn!(%error, "the store was not flushed; the log will be replayed");
        }
        self.shared.log.close().await;
    }
}
