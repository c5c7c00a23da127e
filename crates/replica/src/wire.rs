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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    fn member(id: u64) -> (u64, Member) {
        let member = Member {
            name: format!("c-{id}"),
            incarnation: id,
            address: format!("h{id}:1"),
            zone: "z".into(),
        };
        (id, member)
    }

    fn joint() -> Membership {
        let configs = vec![BTreeSet::from([1]), BTreeSet::from([1, 2])];
        let nodes: BTreeMap<_, _> = (1..=3).map(member).collect();
        Membership::new(configs, nodes).unwrap()
    }

    fn entry_with(payload: Payload) -> Entry {
        Entry {
            log_id: LogId::new(LeaderId::new(2, 3), 300),
            payload,
        }
    }

    fn check(record: &impl prost::Message, expected: &str) {
        assert_eq!(hex(&record.encode_to_vec()), expected.replace(' ', ""));
    }

    /// What is on the disks of clusters that run: these bytes must always be readable.
    #[test]
    fn the_records_of_format_1_stay_as_they_are() {
        let command = entry_with(Payload::Normal(Command("set".into())));
        check(
            &entry(&entry_with(Payload::Blank)),
            "0801 1207 0802 1003 18ac02 1801",
        );
        check(&entry(&command), "0801 1207 0802 1003 18ac02 2203736574");
        check(&vote(&Vote::new_committed(5, 6)), "0801 1005 1806 2001");
        let empty = header(Some(command.log_id), &StoredMembership::default());
        check(&empty, "0801 1207 0802 1003 18ac02 2200");
        check(
            &entry(&entry_with(Payload::Membership(joint()))),
            "0801 1207 0802 1003 18ac02 2a47 0a03 0a0101 0a04 0a020102 \
             1212 0801 1203632d31 1801 220468313a31 2a017a \
             1212 0802 1203632d32 1802 220468323a31 2a017a \
             1212 0803 1203632d33 1803 220468333a31 2a017a",
        );
        let marker = pb::StorageMarker {
            format: FORMAT,
            name: "c".into(),
            incarnation: 9,
            cluster: "ab".into(),
            confirmed: true,
        };
        check(&marker, "0801 120163 1809 22026162 2801");
        let record = pb::SnapshotRecord {
            format: FORMAT,
            header: Some(empty),
            slot: 1,
            chunks: 2,
        };
        check(
            &record,
            "0801 120d 0801 1207 0802 1003 18ac02 2200 1801 2002",
        );
        let rows = pb::StoredRows {
            last: Some(log_id(command.log_id)),
            rows: vec![pb::SnapshotRow {
                key: "k".into(),
                value: "v".into(),
            }],
        };
        check(&rows, "0a07 0802 1003 18ac02 1206 0a016b 120176");
    }

    #[test]
    fn a_newer_format_is_refused_and_so_is_nonsense() {
        let mut message = entry(&entry_with(Payload::Blank));
        message.format = FORMAT + 1;
        assert_eq!(to_entry(message.clone()), Err(Unreadable::Format(2)));
        message.format = 0;
        assert_eq!(to_entry(message), Err(Unreadable::Format(0)));
        assert!(decode_entry(b"\xff").is_err());
        assert!(to_meta(None).is_err());
        assert_eq!(to_vote(None), Err(Unreadable::Missing("vote")));
        let nobody = pb::RaftMembership {
            configs: vec![pb::raft_membership::Voters { ids: vec![1] }],
            nodes: Vec::new(),
        };
        assert_eq!(to_membership(nobody), Err(Unreadable::Membership));
    }

    proptest! {
        #[test]
        fn entries_round_trip(term: u64, node: u64, index: u64, bytes: Vec<u8>, kind in 0..3) {
            let payload = match kind {
                0 => Payload::Blank,
                1 => Payload::Normal(Command(bytes.into())),
                _ => Payload::Membership(joint()),
            };
            let written = Entry { log_id: LogId::new(LeaderId::new(term, node), index), payload };
            let read = decode_entry(&entry(&written).encode_to_vec());
            prop_assert_eq!(read, Ok(written));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = (decode_entry(&bytes), decode_vote(&bytes), decode_meta(&bytes));
            let _ = (decode_marker(&bytes), decode_snapshot_record(&bytes), decode_log_id(&bytes));
        }
    }
}
