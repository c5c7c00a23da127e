//! The protocol library's types as this crate uses them. Nothing of it is visible outside.

use std::fmt;

use bytes::Bytes;
use model::Incarnation;
use openraft::alias::{EntryOf, LogIdOf, SnapshotMetaOf, StoredMembershipOf, VoteOf};

use crate::{identity::Identity, runtime::Runtime};

openraft::declare_raft_types!(
    pub(crate) Types:
        D = Command,
        R = Reply,
        NodeId = u64,
        Node = Member,
        AsyncRuntime = Runtime,
);

pub(crate) type LogId = LogIdOf<Types>;
pub(crate) type Vote = VoteOf<Types>;
pub(crate) type Entry = EntryOf<Types>;
pub(crate) type Payload = openraft::EntryPayload<Command, u64, Member>;
pub(crate) type Membership = openraft::Membership<u64, Member>;
pub(crate) type StoredMembership = StoredMembershipOf<Types>;
pub(crate) type SnapshotMeta = SnapshotMetaOf<Types>;
pub(crate) type LeaderId = <Types as openraft::RaftTypeConfig>::LeaderId;

/// A proposed command: opaque here.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Command(pub(crate) Bytes);

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the state machine answered; empty for entries that are not commands.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Reply(pub(crate) Vec<u8>);

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// A member as the membership carries it, beside its id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) incarnation: u64,
    pub(crate) address: String,
    pub(crate) zone: String,
}

impl Member {
    /// The identity, unless the membership was written by something that knows other names than we do.
    pub(crate) fn identity(&self, id: u64) -> Option<Identity> {
        Some(Identity {
            id,
            name: self.name.parse().ok()?,
            incarnation: Incarnation(self.incarnation),
            address: self.address.clone(),
            zone: self.zone.parse().ok()?,
        })
    }
}

impl From<&Identity> for Member {
    fn from(identity: &Identity) -> Self {
        Self {
            name: identity.name.as_str().to_owned(),
            incarnation: identity.incarnation.0,
            address: identity.address.clone(),
            zone: identity.zone.as_str().to_owned(),
        }
    }
}
