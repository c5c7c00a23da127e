use std::sync::Arc;

use host::net::Channels;
use model::{Role, Roles};
use proto::internal::{self as pb, raft_client::RaftClient};
use tonic::Code;

use crate::{
    testing::{Group, Node, fast},
    types::Vote,
    wire,
};

fn client(group: &Group, node: &Node, role: Role) -> RaftClient<host::net::channel::NodeChannel> {
    let roles = Roles::default().with(role);
    let network = group
        .links
        .network(&"x-0".parse().unwrap(), roles, "nowhere:1");
    RaftClient::new(Channels::new(Arc::clone(&network)).get(&node.address))
}

fn target(node: &Node) -> pb::RaftTarget {
    let cluster = node.replica.status().cluster;
    pb::RaftTarget {
        group: 0,
        member: node.id(),
        cluster: cluster.map(|c| c.to_string()).unwrap_or_default(),
    }
}

fn vote(target: pb::RaftTarget) -> pb::VoteRequest {
    pb::VoteRequest {
        target: Some(target),
        vote: Some(wire::vote(&Vote::new(1, 99))),
        last_log: None,
        leadership_transfer: false,
    }
}

#[tokio::test]
async fn only_messages_of_controllers_to_this_member_of_this_cluster_are_taken() {
    let group = Group::of(1, fast()).await;
    let node = group.leader().await;
    let right = target(node);
    let mut controller = client(&group, node, Role::Controller);
    // An old term: answered, with no.
    let answer = controller
        .vote(vote(right.clone()))
        .await
        .unwrap()
        .into_inner();
    assert!(!answer.granted);

    let wrong = [
        pb::RaftTarget {
            member: right.member + 1,
            ..right.clone()
        },
        pb::RaftTarget {
            group: 5,
            ..right.clone()
        },
        pb::RaftTarget {
            cluster: "00000000000000000000000000000008".into(),
            ..right.clone()
        },
        pb::RaftTarget {
            cluster: String::new(),
            ..right.clone()
        },
    ];
    for target in wrong {
        let message = pb::AppendRequest {
            target: Some(target.clone()),
            ..pb::AppendRequest::default()
        };
        let transfer = pb::TransferLeaderRequest {
            target: Some(target.clone()),
            ..pb::TransferLeaderRequest::default()
        };
        let chunk = pb::SnapshotChunk {
            target: Some(target.clone()),
            ..pb::SnapshotChunk::default()
        };
        let refusals = [
            controller.vote(vote(target.clone())).await.map(drop),
            controller.pre_vote(vote(target.clone())).await.map(drop),
            controller.append(message).await.map(drop),
            controller.transfer_leader(transfer).await.map(drop),
            controller
                .snapshot(tokio_stream::once(chunk))
                .await
                .map(drop),
        ];
        for refused in refusals {
            assert_eq!(
                refused.unwrap_err().code(),
                Code::FailedPrecondition,
                "{target:?}"
            );
        }
    }

    let mut worker = client(&group, node, Role::Worker);
    let message = pb::AppendRequest {
        target: Some(right.clone()),
        ..pb::AppendRequest::default()
    };
    let chunk = pb::SnapshotChunk {
        target: Some(right.clone()),
        ..pb::SnapshotChunk::default()
    };
    let refusals = [
        worker.vote(vote(right.clone())).await.map(drop),
        worker.pre_vote(vote(right.clone())).await.map(drop),
        worker.append(message).await.map(drop),
        worker
            .transfer_leader(pb::TransferLeaderRequest::default())
            .await
            .map(drop),
        worker.snapshot(tokio_stream::once(chunk)).await.map(drop),
    ];
    for refused in refusals {
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    }
    assert!(node.is_leader());
}

#[tokio::test]
async fn half_a_snapshot_is_no_snapshot() {
    let group = Group::of(1, fast()).await;
    let node = group.fresh("c-1").await;
    let mut controller = client(&group, &node, Role::Controller);
    let first = pb::SnapshotChunk {
        target: Some(target(&node)),
        vote: Some(wire::vote(&Vote::new_committed(5, 99))),
        header: Some(wire::header(
            None,
            &crate::types::StoredMembership::default(),
        )),
        rows: vec![pb::SnapshotRow {
            key: "a".into(),
            value: "1".into(),
        }],
        last: false,
    };
    let refused = controller.snapshot(tokio_stream::once(first)).await;
    assert_eq!(refused.unwrap_err().code(), Code::DataLoss);
    assert!(node.replica.rows().1.is_empty());
}
