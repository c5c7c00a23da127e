//! What can go wrong, by operation.

use std::sync::Arc;

use host::{log::LogError, store::StoreError};
use model::{ErrorKind, Failure};

use crate::{identity::ClusterId, machine::RestoreError, marker::MarkerError};

/// Why a command has no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Another member leads; nothing was done here.
    #[error("expected the leader of the group, got a follower; the leader is {}", leader.as_deref().unwrap_or("unknown"))]
    NotLeader {
        /// The leader's internal address, if known.
        leader: Option<String>,
    },
    /// This member leads but hears from no quorum; nothing was done.
    #[error("expected a quorum of controllers to answer, got fewer; nothing was changed")]
    NoQuorum,
    /// Too many proposals wait; nothing was done.
    #[error("expected fewer than {max} proposals at once")]
    Overloaded {
        /// The limit.
        max: usize,
    },
    /// The command is too large; nothing was done.
    #[error("expected a command of at most {max} bytes, got {got}")]
    TooLarge {
        /// Its size.
        got: usize,
        /// The limit.
        max: usize,
    },
    /// The deadline passed. The command may or may not take effect, now or later.
    #[error("the deadline passed before the command was committed; it may still take effect")]
    Deadline,
    /// Leadership or the quorum was lost with the command under way. It may or may not take effect, now or later.
    #[error("leadership was lost while the command was under way; it may still take effect")]
    Interrupted,
    /// This member has stopped.
    #[error("this member of the group has stopped")]
    Stopped,
}

impl ProposeError {
    /// Whether the command may take effect in spite of this error: a caller that repeats it needs an idempotency key.
    #[must_use]
    pub const fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Deadline | Self::Interrupted)
    }
}

impl Failure for ProposeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotLeader { .. } | Self::NoQuorum | Self::Interrupted | Self::Stopped => {
                ErrorKind::Unavailable
            }
            Self::Overloaded { .. } => ErrorKind::Throttled,
            Self::TooLarge { .. } => ErrorKind::Invalid,
            Self::Deadline => ErrorKind::Deadline,
        }
    }
}

/// Why a linearizable read is not possible here and now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Another member leads.
    #[error("expected the leader of the group, got a follower; the leader is {}", leader.as_deref().unwrap_or("unknown"))]
    NotLeader {
        /// The leader's internal address, if known.
        leader: Option<String>,
    },
    /// This member leads but hears from no quorum.
    #[error("expected a quorum of controllers to answer, got fewer")]
    NoQuorum,
    /// The deadline passed.
    #[error("the deadline passed before the read was confirmed")]
    Deadline,
    /// This member has stopped.
    #[error("this member of the group has stopped")]
    Stopped,
}

impl Failure for ReadError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotLeader { .. } | Self::NoQuorum | Self::Stopped => ErrorKind::Unavailable,
            Self::Deadline => ErrorKind::Deadline,
        }
    }
}

/// Why a member does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The storage is not this node's, or part of it was lost.
    #[error(transparent)]
    Marker(#[from] MarkerError),
    /// An option makes no sense.
    #[error("expected {expected}, got {got}")]
    Options {
        /// What would have been accepted.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record on disk is not readable.
    #[error(
        "a record of group {group} is damaged or was written by a newer build: {what}; replace this node by one with an empty data directory"
    )]
    Damaged {
        /// Which group.
        group: u64,
        /// Which record, and what is wrong with it.
        what: String,
    },
    /// The state is older than the log begins, and no stored snapshot closes the gap.
    #[error(
        "the state of group {group} ends at {applied} but its log begins after {purged}: part of the data directory was lost; empty it and let the node join again"
    )]
    StateLost {
        /// Which group.
        group: u64,
        /// The last entry that the state holds.
        applied: u64,
        /// The last entry that was taken away from the log.
        purged: u64,
    },
    /// The state is not readable by this build.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The storage failed while the member looked for where it stood.
    #[error(transparent)]
    Failed(#[from] Fatal),
    /// The protocol's core did not start.
    #[error("the raft core of group {group} did not start: {why}")]
    Core {
        /// Which group.
        group: u64,
        /// Why.
        why: String,
    },
}

/// Why a new cluster was not begun.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The group has members already.
    #[error(
        "expected a node without a cluster, got one that is a member already; nothing was changed"
    )]
    AlreadyMember,
    /// The storage belongs to another cluster.
    #[error(
        "expected a node of no cluster or of {wanted}, got one of {actual}; empty its data directory to begin a new one"
    )]
    OtherCluster {
        /// What was asked for.
        wanted: ClusterId,
        /// What the storage says.
        actual: ClusterId,
    },
    /// The storage failed.
    #[error(transparent)]
    Failed(#[from] Fatal),
    /// This member has stopped.
    #[error("this member of the group has stopped")]
    Stopped,
}

/// Why the membership is not as asked for. Asking again is always safe: a change that is half done is finished first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// Another member leads.
    #[error("expected the leader of the group, got a follower; the leader is {}", leader.as_deref().unwrap_or("unknown"))]
    NotLeader {
        /// The leader's internal address, if known.
        leader: Option<String>,
    },
    /// There is no member of this name.
    #[error("expected the name of a member, got {0}")]
    NotFound(String),
    /// The only voter cannot be removed.
    #[error("expected a group that keeps a voter, got the removal of {0}, its last one")]
    LastVoter(String),
    /// Another change is under way.
    #[error("another change of the membership is under way; try again")]
    Busy,
    /// The deadline passed, most likely because the new member does not answer or is far behind.
    #[error("the deadline passed while {step}; try again")]
    Deadline {
        /// What was under way.
        step: &'static str,
    },
    /// This member has stopped.
    #[error("this member of the group has stopped")]
    Stopped,
}

impl Failure for MembershipError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotLeader { .. } | Self::Stopped => ErrorKind::Unavailable,
            Self::NotFound(_) => ErrorKind::NotFound,
            Self::LastVoter(_) | Self::Busy => ErrorKind::Conflict,
            Self::Deadline { .. } => ErrorKind::Deadline,
        }
    }
}

/// Why a running member cannot go on. The node's process must end: after a failed write the state of the disk is unknown.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fatal {
    /// The log failed.
    #[error(transparent)]
    Log(#[from] Arc<LogError>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Arc<StoreError>),
    /// A record or a row is not readable, or the state machine broke its contract.
    #[error("group {group} cannot go on: {what}")]
    State {
        /// Which group.
        group: u64,
        /// What is wrong.
        what: String,
    },
    /// The protocol's core stopped by itself.
    #[error("the raft core of group {group} stopped: {why}")]
    Core {
        /// Which group.
        group: u64,
        /// Why.
        why: String,
    },
}
