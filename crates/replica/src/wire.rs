//! Between the protocol library's types and the messages that are sent and persisted.

use std::collections::{BTreeMap, BTreeSet};

use openraft::vote::RaftLeaderId as _;
use prost::Message as _;
use proto::internal as pb;

use crate::types::{
    Command, Entry, LeaderId, LogId, Member, Membership, Payload, SnapshotMeta, StoredMembership,
    Vote,
};

/// The format of records and messages that this build writes.
pub(crate) const FORMAT: u32 = 1;

/// A message or record that means nothing to this build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("expected a value in {0}, got none")]
    Missing(&'static str),
    #[error("expected format {FORMAT} or older, got {0}; finish the upgrade of this node")]
    Format(u32),
    #[error("expected a membership whose voters are all members")]
    Membership,
    #[error("expected a protobuf record, got {0}")]
    Bytes(#[from] prost::DecodeError),
}

fn check(format: u32) -> Result<(), Unreadable> {
    if format == 0 || format > FORMAT {
        return Err(Unreadable::Format(format));
    }
    Ok(())
}

pub(crate) fn log_id(id: LogId) -> pb::LogId {
    pb::LogId {
        term: id.leader_id.term,
        node: id.leader_id.node_id,
        index: id.index,
    }
}

pub(crate) fn to_log_id(id: pb::LogId) -> LogId {
    LogId::new(LeaderId::new(id.term, id.node), id.index)
}

pub(crate) fn vote(vote: &Vote) -> pb::RaftVote {
    pb::RaftVote {
        format: FORMAT,
        term: vote.leader_id.term,
        node: vote.leader_id.node_id,
        committed: vote.committed,
    }
}

pub(crate) fn to_vote(vote: Option<pb::RaftVote>) -> Result<Vote, Unreadable> {
    let vote = vote.ok_or(Unreadable::Missing("vote"))?;
    check(vote.format)?;
    Ok(Vote {
        leader_id: LeaderId::new(vote.term, vote.node),
        committed: vote.committed,
    })
}

fn membership(membership: &Membership) -> pb::RaftMembership {
    let voters = |ids: &BTreeSet<u64>| pb::raft_membership::Voters {
        ids: ids.iter().copied().collect(),
    };
    pb::RaftMembership {
        configs: membership.get_joint_config().iter().map(voters).collect(),
        nodes: membership
            .nodes()
            .map(|(id, member)| pb::RaftNode {
                id: *id,
                name: member.name.clone(),
                incarnation: member.incarnation,
                address: member.address.clone(),
                zone: member.zone.clone(),
            })
            .collect(),
    }
}

fn to_membership(message: pb::RaftMembership) -> Result<Membership, Unreadable> {
    let configs = message
        .configs
        .into_iter()
        .map(|voters| voters.ids.into_iter().collect())
        .collect();
    let nodes: BTreeMap<u64, Member> = message
        .nodes
        .into_iter()
        .map(|node| {
            let member = Member {
                name: node.name,
                incarnation: node.incarnation,
                address: node.address,
                zone: node.zone,
            };
            (node.id, member)
        })
        .collect();
    Membership::new(configs, nodes).map_err(|_| Unreadable::Membership)
}

pub(crate) fn entry(entry: &Entry) -> pb::RaftEntry {
    use pb::raft_entry::Payload as Wire;
    let payload = match &entry.payload {
        Payload::Blank => Wire::Blank(true),
        Payload::Normal(command) => Wire::Command(command.0.clone()),
        Payload::Membership(m) => Wire::Membership(membership(m)),
    };
    pb::RaftEntry {
        format: FORMAT,
        id: Some(log_id(entry.log_id)),
        payload: Some(payload),
    }
}

pub(crate) fn to_entry(message: pb::RaftEntry) -> Result<Entry, Unreadable> {
    use pb::raft_entry::Payload as Wire;
    check(message.format)?;
    let payload = match message
        .payload
        .ok_or(Unreadable::Missing("entry.payload"))?
    {
        Wire::Blank(_) => Payload::Blank,
        // Copied, so that a small command does not keep the whole message that it came in.
        Wire::Command(bytes) => Payload::Normal(Command(bytes::Bytes::copy_from_slice(&bytes))),
        Wire::Membership(m) => Payload::Membership(to_membership(m)?),
    };
    Ok(Entry {
        log_id: message
            .id
            .map(to_log_id)
            .ok_or(Unreadable::Missing("entry.id"))?,
        payload,
    })
}

pub(crate) fn decode_entry(bytes: &[u8]) -> Result<Entry, Unreadable> {
    to_entry(pb::RaftEntry::decode(bytes)?)
}

/// The header of a state or a snapshot.
pub(crate) fn header(last: Option<LogId>, stored: &StoredMembership) -> pb::SnapshotHeader {
    pb::SnapshotHeader {
        format: FORMAT,
        last: last.map(log_id),
        membership_log_id: stored.log_id().map(log_id),
        membership: Some(membership(stored.membership())),
    }
}

pub(crate) fn to_meta(header: Option<pb::SnapshotHeader>) -> Result<SnapshotMeta, Unreadable> {
    let header = header.ok_or(Unreadable::Missing("header"))?;
    check(header.format)?;
    let membership = header
        .membership
        .ok_or(Unreadable::Missing("header.membership"))?;
    Ok(SnapshotMeta {
        last_log_id: header.last.map(to_log_id),
        last_membership: StoredMembership::new(
            header.membership_log_id.map(to_log_id),
            to_membership(membership)?,
        ),
    })
}

pub(crate) fn decode_meta(bytes: &[u8]) -> Result<SnapshotMeta, Unreadable> {
    to_meta(Some(pb::SnapshotHeader::decode(bytes)?))
}

pub(crate) fn decode_vote(bytes: &[u8]) -> Result<Vote, Unreadable> {
    to_vote(Some(pb::RaftVote::decode(bytes)?))
}

pub(crate) fn decode_log_id(bytes: &[u8]) -> Result<LogId, Unreadable> {
    Ok(to_log_id(pb::LogId::decode(bytes)?))
}

/// A stored snapshot's record, its header still to be read with [`to_meta`].
pub(crate) fn decode_snapshot_record(bytes: &[u8]) -> Result<pb::SnapshotRecord, Unreadable> {
    let record = pb::SnapshotRecord::decode(bytes)?;
    check(record.format)?;
    Ok(record)
}

pub(crate) fn decode_marker(bytes: &[u8]) -> Result<pb::StorageMarker, Unreadable> {
    let marker = pb::StorageMarker::decode(bytes)?;
    check(marker.format)?;
    Ok(marker)
}
