//! Writes and linearizable reads.

use std::time::Duration;

use openraft::{
    LinearizerOption,
    async_runtime::WatchReceiver as _,
    error::{ClientWriteError, ForwardReason, ForwardToLeader, LinearizableReadError, RaftError},
    raft::ClientWriteResponse,
};
use tokio::time::Instant;

use super::{Metrics, Proposed, Replica, is_leader};
use crate::{
    error::{ProposeError, ReadError},
    machine::StateMachine,
    types::{Command, Types},
};

/// A leader that has heard from no quorum for so long gives up what is under way.
const QUORUM_LOST: Duration = Duration::from_secs(1);
/// How often that is looked at.
const QUORUM_CHECK: Duration = Duration::from_millis(100);
/// Between two tries of a leader whose first heartbeat is not answered yet.
const RETRY: Duration = Duration::from_millis(20);

impl<M: StateMachine> Replica<M> {
    /// Replicates and applies a command, on the leader only.
    ///
    /// Fails at once without a quorum, and within about a second when it is lost on the way.
    ///
    /// # Errors
    /// [`ProposeError`]; after some the outcome is unknown, see [`ProposeError::is_outcome_unknown`].
    ///
    /// # Cancel safety
    /// The command may be replicated all the same.
    pub async fn propose(
        &self,
        command: Vec<u8>,
        deadline: Duration,
    ) -> Result<Proposed, ProposeError> {
        let options = &self.shared.options;
        if command.len() > options.command_bytes_max {
            return Err(ProposeError::TooLarge {
                got: command.len(),
                max: options.command_bytes_max,
            });
        }
        let Ok(_permit) = self.shared.proposals.try_acquire() else {
            return Err(ProposeError::Overloaded {
                max: options.proposals_max,
            });
        };
        let submitted = self.submit(Command(command.into()));
        tokio::time::timeout(deadline, submitted)
            .await
            .unwrap_or(Err(ProposeError::Deadline))
    }

    /// Confirms that this member leads and has applied all that was committed when this was called: what it reads from now
    /// on is linearizable. Concurrent callers share the round to the quorum. Returns the index that is covered.
    ///
    /// # Errors
    /// [`ReadError`], on followers with the leader's address.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn read_barrier(&self, deadline: Duration) -> Result<u64, ReadError> {
        tokio::time::timeout(deadline, self.confirm(deadline))
            .await
            .unwrap_or(Err(ReadError::Deadline))
    }

    async fn submit(&self, command: Command) -> Result<Proposed, ProposeError> {
        let give_up = Instant::now() + self.shared.options.election_max;
        loop {
            let write = self.shared.raft.client_write(command.clone());
            let written = tokio::select! {
                biased;
                written = write => written,
                () = self.quorum_lost() => return Err(ProposeError::Interrupted),
            };
            let error = match written {
                Ok(ClientWriteResponse { log_id, data, .. }) => {
                    return Ok(Proposed {
                        index: log_id.index,
                        reply: data.0,
                    });
                }
                Err(error) => error,
            };
            match error {
                RaftError::Fatal(_) => return Err(ProposeError::Stopped),
                RaftError::APIError(ClientWriteError::ForwardToLeader(to)) => {
                    if to.reason != ForwardReason::LeaseExpired {
                        let leader = self.leader_address(to);
                        return Err(ProposeError::NotLeader { leader });
                    }
                    if !self.awaits_quorum(give_up) {
                        return Err(ProposeError::NoQuorum);
                    }
                    tokio::time::sleep(RETRY).await;
                }
                // Membership and precondition errors do not come of commands.
                RaftError::APIError(
                    ClientWriteError::LogEntryDiscarded(_)
                    | ClientWriteError::ChangeMembershipError(_)
                    | ClientWriteError::PreconditionFailed(_),
                ) => return Err(ProposeError::Interrupted),
            }
        }
    }

    async fn confirm(&self, deadline: Duration) -> Result<u64, ReadError> {
        let give_up = Instant::now() + self.shared.options.election_max;
        loop {
            let wait = deadline.min(QUORUM_LOST);
            let option = LinearizerOption::new(Some(Duration::ZERO), true).with_wait_timeout(wait);
            match self.shared.raft.get_read_linearizer(option).await {
                Ok(linearizer) => {
                    let index = linearizer.read_log_id().log_id().index;
                    let ready = linearizer.await_ready(&self.shared.raft).await;
                    return ready.map(|_| index).map_err(|_| ReadError::Stopped);
                }
                Err(RaftError::Fatal(_)) => return Err(ReadError::Stopped),
                Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_))) => {
                    return Err(ReadError::NoQuorum);
                }
                Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(to))) => {
                    if to.reason != ForwardReason::LeaseExpired {
                        let leader = self.leader_address(to);
                        return Err(ReadError::NotLeader { leader });
                    }
                    if !self.awaits_quorum(give_up) {
                        return Err(ReadError::NoQuorum);
                    }
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Whether a leader that was refused for want of a quorum may still be about to hear from one: right after an
    /// election it has not yet.
    fn awaits_quorum(&self, give_up: Instant) -> bool {
        let watch = self.metrics_watch();
        let metrics = watch.borrow_watched();
        Instant::now() < give_up
            && is_leader(&metrics)
            && ack_age(&metrics).is_none_or(|age| age < self.shared.options.election_max)
    }

    /// Resolves when this member has not led with a quorum for [`QUORUM_LOST`].
    async fn quorum_lost(&self) {
        let watch = self.metrics_watch();
        let mut led = Instant::now();
        while led.elapsed() <= QUORUM_LOST {
            tokio::time::sleep(QUORUM_CHECK).await;
            let metrics = watch.borrow_watched();
            if !is_leader(&metrics) {
                continue;
            }
            let now = Instant::now();
            let is_alone = metrics.membership_config.voter_ids().eq([metrics.id]);
            led = match ack_age(&metrics) {
                _ if is_alone => now,
                Some(age) => led.max(now.checked_sub(age).unwrap_or(now)),
                None => led,
            };
        }
    }

    pub(super) fn leader_address(&self, to: ForwardToLeader<Types>) -> Option<String> {
        let is_other = to.leader_id.is_some_and(|id| id != self.shared.identity.id);
        to.leader_node
            .filter(|_| is_other)
            .map(|member| member.address)
    }
}

fn ack_age(metrics: &Metrics) -> Option<Duration> {
    metrics
        .last_quorum_acked
        .map(|at| openraft::Instant::elapsed(&*at))
}
