//! Changes of the membership, on the leader only and one at a time.

use std::{collections::BTreeSet, time::Duration};

use model::NodeName;
use openraft::{
    ChangeMembers,
    async_runtime::WatchReceiver as _,
    error::{ChangeMembershipError, ClientWriteError, RaftError},
};
use tokio::time::{Instant, timeout_at};

use super::{Metrics, Replica, is_leader};
use crate::{
    error::MembershipError,
    identity::Identity,
    machine::StateMachine,
    types::{Member, Types},
};

/// How many entries a new member may be behind when it gets its vote. It goes on catching up.
const LAG_MAX: u64 = 64;
/// Between two tries while an earlier change is being committed.
const RETRY: Duration = Duration::from_millis(50);
/// How long the end of a half-finished change may take, before it is tried again.
const FINISH: Duration = Duration::from_secs(2);

type Change = ChangeMembers<u64, Member>;

impl<M: StateMachine> Replica<M> {
    /// Makes a node a voting member: it follows first, and votes once it has caught up. If the group knows the node's name
    /// under another incarnation, that member leaves in the same change; a known member only gets its new address.
    ///
    /// # Errors
    /// [`MembershipError`]; asking again is always safe.
    pub async fn add_controller(
        &self,
        identity: Identity,
        deadline: Duration,
    ) -> Result<(), MembershipError> {
        let deadline = Instant::now() + deadline;
        let _change = self.begin(deadline).await?;
        let id = identity.id;
        let member = Member::from(&identity);

        let metrics = self.metrics();
        let membership = metrics.membership_config.membership();
        match membership.get_node(&id) {
            Some(known) if *known == member => {}
            // The same storage at another address: the id stands for the same log, so this is safe.
            Some(_) => {
                let change = Change::SetNodes([(id, member)].into());
                self.change(change, deadline, "moving a member to its new address")
                    .await?;
            }
            None => {
                let change = Change::AddNodes([(id, member)].into());
                self.change(change, deadline, "adding a follower").await?;
            }
        }
        self.caught_up(id, deadline).await?;

        let metrics = self.metrics();
        let membership = metrics.membership_config.membership();
        let replaced: BTreeSet<u64> = membership
            .nodes()
            .filter(|(other, member)| **other != id && member.name == identity.name.as_str())
            .map(|(other, _)| *other)
            .collect();
        let voters: BTreeSet<u64> = membership.voter_ids().collect();
        let wanted: BTreeSet<u64> = voters.difference(&replaced).copied().chain([id]).collect();
        if wanted != voters {
            let change = Change::ReplaceAllVoters(wanted);
            self.change(change, deadline, "giving a new member its vote")
                .await?;
        }
        let left: BTreeSet<u64> = replaced.difference(&voters).copied().collect();
        if !left.is_empty() {
            self.change(Change::RemoveNodes(left), deadline, "removing a follower")
                .await?;
        }
        Ok(())
    }

    /// Takes a node out of the group, under every incarnation that the group knows. A leader that removes itself hands
    /// over.
    ///
    /// # Errors
    /// [`MembershipError`]; asking again is always safe.
    pub async fn remove_controller(
        &self,
        name: &NodeName,
        deadline: Duration,
    ) -> Result<(), MembershipError> {
        let deadline = Instant::now() + deadline;
        let _change = self.begin(deadline).await?;
        let metrics = self.metrics();
        let membership = metrics.membership_config.membership();
        let gone: BTreeSet<u64> = membership
            .nodes()
            .filter(|(_, member)| member.name == name.as_str())
            .map(|(id, _)| *id)
            .collect();
        if gone.is_empty() {
            return Err(MembershipError::NotFound(name.to_string()));
        }
        let voters: BTreeSet<u64> = membership.voter_ids().collect();
        let wanted: BTreeSet<u64> = voters.difference(&gone).copied().collect();
        if wanted.is_empty() {
            return Err(MembershipError::LastVoter(name.to_string()));
        }
        let learners: BTreeSet<u64> = gone.difference(&voters).copied().collect();
        if !learners.is_empty() {
            self.change(
                Change::RemoveNodes(learners),
                deadline,
                "removing a follower",
            )
            .await?;
        }
        if wanted != voters {
            let change = Change::ReplaceAllVoters(wanted);
            self.change(change, deadline, "removing a voter").await?;
        }
        Ok(())
    }

    /// Waits for its turn, and finishes a change that was left half done.
    async fn begin(
        &self,
        deadline: Instant,
    ) -> Result<tokio::sync::MutexGuard<'_, ()>, MembershipError> {
        let turn = self.shared.change.try_lock();
        let turn = turn.map_err(|_| MembershipError::Busy)?;
        let metrics = self.metrics();
        if !is_leader(&metrics) {
            return Err(self.not_leader(&metrics));
        }
        if is_joint(&metrics) {
            self.change(nothing(), deadline, "finishing an earlier change")
                .await?;
        }
        Ok(turn)
    }

    /// As leader, ends a change of the membership that a former leader began.
    pub(super) async fn finish_change(&self) {
        let Ok(_turn) = self.shared.change.try_lock() else {
            return;
        };
        // It is looked at again with the next news of the group.
        let _ = self
            .change(
                nothing(),
                Instant::now() + FINISH,
                "finishing an earlier change",
            )
            .await;
    }

    async fn change(
        &self,
        change: Change,
        deadline: Instant,
        step: &'static str,
    ) -> Result<(), MembershipError> {
        loop {
            let changed = self.shared.raft.change_membership(change.clone(), false);
            let changed = timeout_at(deadline, changed).await;
            let error = match changed {
                Err(_) => return Err(MembershipError::Deadline { step }),
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => error,
            };
            match error {
                RaftError::Fatal(_) => return Err(MembershipError::Stopped),
                RaftError::APIError(
                    ClientWriteError::ForwardToLeader(to) | ClientWriteError::LogEntryDiscarded(to),
                ) => {
                    let leader = self.leader_address(to);
                    if leader.is_some() || !is_leader(&self.metrics()) {
                        return Err(MembershipError::NotLeader { leader });
                    }
                }
                RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => {
                    if !is_transient(&error) {
                        tracing::warn!(%error, step, "change of the membership refused");
                        return Err(MembershipError::Busy);
                    }
                }
                RaftError::APIError(ClientWriteError::PreconditionFailed(_)) => {
                    return Err(MembershipError::Busy);
                }
            }
            // An earlier change is not committed yet, or the leader has just been elected.
            if timeout_at(deadline, tokio::time::sleep(RETRY))
                .await
                .is_err()
            {
                return Err(MembershipError::Deadline { step });
            }
        }
    }

    /// Waits until a follower has nearly all of the log.
    async fn caught_up(&self, id: u64, deadline: Instant) -> Result<(), MembershipError> {
        if id == self.shared.identity.id {
            return Ok(());
        }
        let target = self
            .metrics()
            .last_log_index
            .unwrap_or(0)
            .saturating_sub(LAG_MAX);
        let mut watch = self.metrics_watch();
        loop {
            let metrics = watch.borrow_watched().clone();
            if !is_leader(&metrics) {
                return Err(self.not_leader(&metrics));
            }
            let matched = metrics
                .replication
                .as_ref()
                .and_then(|r| r.get(&id).copied());
            if matched.flatten().is_some_and(|at| at.index >= target) {
                return Ok(());
            }
            match timeout_at(deadline, watch.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(MembershipError::Stopped),
                Err(_) => {
                    return Err(MembershipError::Deadline {
                        step: "waiting for the new member to catch up",
                    });
                }
            }
        }
    }

    fn not_leader(&self, metrics: &Metrics) -> MembershipError {
        if metrics.running_state.is_err() {
            return MembershipError::Stopped;
        }
        let leader = metrics.current_leader.filter(|id| *id != metrics.id);
        let leader = leader.and_then(|id| metrics.membership_config.get_node(&id).cloned());
        MembershipError::NotLeader {
            leader: leader.map(|member| member.address),
        }
    }
}

/// A change that changes nothing ends a joint membership.
const fn nothing() -> Change {
    Change::AddVoterIds(BTreeSet::new())
}

/// Whether a change of the voters is half done.
pub(super) fn is_joint(metrics: &Metrics) -> bool {
    metrics.membership_config.get_joint_config().len() > 1
}

const fn is_transient(
    error: &ChangeMembershipError<openraft::alias::CommittedLeaderIdOf<Types>, u64>,
) -> bool {
    matches!(
        error,
        ChangeMembershipError::InProgress(_) | ChangeMembershipError::UncommittedLeaderLog(_)
    )
}
