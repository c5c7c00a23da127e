//! One Raft group: the log, the proposer, Raft snapshots, linearizable reads and changes of the membership, generic over a
//! state machine.
//!
//! [`Replica`] is a member's handle on its group. Commands and rows are opaque bytes here: what they mean is the
//! [`StateMachine`]'s business, who may propose them the caller's. The protocol comes from a library whose types stay
//! inside this crate; what is sent and persisted are the protobuf messages of `raft.proto`.
//!
//! Invariants:
//! - A command is acknowledged when a quorum has it on disk and this member has applied it.
//! - The log, votes and Raft snapshots go through the [`LogEngine`](host::LogEngine) and its disk barrier. The
//!   [`Store`](host::Store) holds the rows and may be behind after a crash: the log is replayed from where it stands.
//! - A member id is a node's name and the life of its storage ([`marker`]): a storage that lost a part is refused.
//! - The first error of the log or the store is fatal: [`Replica::failed`] resolves and the process must end.
//! - Every wait has a deadline. A leader without a quorum refuses at once.

mod client;
mod cluster;
mod error;
mod failure;
mod identity;
mod log_store;
mod machine;
pub mod marker;
mod options;
mod replica;
mod rows;
mod runtime;
mod service;
mod snapshot;
mod state;
#[cfg(test)]
mod testing;
mod types;
mod wire;

pub use error::{BootstrapError, Fatal, MembershipError, ProposeError, ReadError, StartError};
pub use identity::{ClusterId, Identity, InvalidClusterId};
pub use machine::{Applied, CorruptRow, RestoreError, RowChange, StateMachine, TooNew};
pub use options::Options;
pub use replica::{Ports, Proposed, Replica, Status};
pub use rows::Rows;
pub use service::Service;
pub use snapshot::{Counts as SnapshotCounts, Written};
