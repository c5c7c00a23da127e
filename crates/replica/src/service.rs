//! Messages from the other members.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use host::net::require_role;
use model::Role;
use openraft::{
    Raft, Snapshot,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, VoteRequest,
        VoteResponse,
    },
};
use proto::internal::{self as pb, raft_server};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    client::MESSAGE_BYTES_MAX,
    cluster::{Cluster, JoinError},
    machine::StateMachine,
    snapshot::{self, Content},
    state::Adapter,
    types::Types,
    wire,
};

/// How long the next part of a snapshot may take.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers the other members of the group. Every request is checked: the peer must be a controller by its certificate,
/// and the message must be for this member of this cluster.
pub struct Service<M: StateMachine> {
    raft: Raft<Types, Adapter<M>>,
    cluster: Arc<Cluster>,
    snapshot_bytes_max: u64,
}

impl<M: StateMachine> Service<M> {
    pub(crate) fn server(
        raft: Raft<Types, Adapter<M>>,
        cluster: Arc<Cluster>,
        snapshot_bytes_max: u64,
    ) -> raft_server::RaftServer<Self> {
        let service = Self {
            raft,
            cluster,
            snapshot_bytes_max,
        };
        raft_server::RaftServer::new(service)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Checks a message of a leader and belongs to its cluster from now on.
    async fn follow(&self, target: Option<&pb::RaftTarget>) -> Result<(), Status> {
        match self.cluster.check(target)? {
            Some(cluster) if self.cluster.id().is_none() => self
                .cluster
                .join(cluster)
                .await
                .map_err(|error| match error {
                    JoinError::Other(_) => Status::failed_precondition(error.to_string()),
                    JoinError::Failed(_) => Status::internal(error.to_string()),
                }),
            _ => Ok(()),
        }
    }

    /// Collects the rows of a snapshot until its last message.
    async fn receive(
        &self,
        mut messages: Streaming<pb::SnapshotChunk>,
    ) -> Result<crate::rows::Rows, Status> {
        let mut rows: Vec<(Bytes, Bytes)> = Vec::new();
        let mut bytes = 0_u64;
        while let Some(message) = next(&mut messages).await? {
            for row in message.rows {
                let row = snapshot::own(&row);
                let size = row.0.len().saturating_add(row.1.len());
                bytes = bytes.saturating_add(u64::try_from(size).unwrap_or(u64::MAX));
                if bytes > self.snapshot_bytes_max {
                    return Err(Status::resource_exhausted(format!(
                        "expected a snapshot of at most {} bytes, got more",
                        self.snapshot_bytes_max
                    )));
                }
                rows.push(row);
            }
            if message.last {
                return Ok(rows.into_iter().collect());
            }
        }
        Err(Status::data_loss(
            "expected the end of the snapshot, got the end of the stream",
        ))
    }
}

/// The next message of a snapshot, which must come in time: what was received before it is held in memory.
async fn next(
    messages: &mut Streaming<pb::SnapshotChunk>,
) -> Result<Option<pb::SnapshotChunk>, Status> {
    tokio::time::timeout(CHUNK_TIMEOUT, messages.message())
        .await
        .unwrap_or_else(|_| {
            Err(Status::deadline_exceeded(format!(
                "expected a part of the snapshot within {CHUNK_TIMEOUT:?}, got none"
            )))
        })
}

fn authorize<T>(request: &Request<T>) -> Result<(), Status> {
    require_role(request.extensions(), &[Role::Controller]).map(drop)
}

fn unreadable(error: &wire::Unreadable) -> Status {
    Status::invalid_argument(error.to_string())
}

/// The core has stopped, or stops.
fn stopped(error: impl std::fmt::Display) -> Status {
    Status::unavailable(error.to_string())
}

fn to_vote_request(message: &pb::VoteRequest) -> Result<VoteRequest<Types>, Status> {
    Ok(VoteRequest {
        vote: wire::to_vote(message.vote).map_err(|e| unreadable(&e))?,
        last_log_id: message.last_log.map(wire::to_log_id),
        leadership_transfer: message.leadership_transfer,
    })
}

fn vote_response(answer: &VoteResponse<Types>) -> Response<pb::VoteResponse> {
    Response::new(pb::VoteResponse {
        vote: Some(wire::vote(&answer.vote)),
        granted: answer.vote_granted,
        last_log: answer.last_log_id.map(wire::log_id),
    })
}

#[tonic::async_trait]
impl<M: StateMachine> raft_server::Raft for Service<M> {
    async fn append(
        &self,
        request: Request<pb::AppendRequest>,
    ) -> Result<Response<pb::AppendResponse>, Status> {
        use pb::append_response::{PartialSuccess, Result as Answer};
        authorize(&request)?;
        let message = request.into_inner();
        self.follow(message.target.as_ref()).await?;
        let entries = message.entries.into_iter().map(wire::to_entry);
        let rpc = AppendEntriesRequest {
            vote: wire::to_vote(message.vote).map_err(|e| unreadable(&e))?,
            prev_log_id: message.previous.map(wire::to_log_id),
            entries: entries
                .collect::<Result<_, _>>()
                .map_err(|e| unreadable(&e))?,
            leader_commit: message.committed.map(wire::to_log_id),
        };
        let answer = self.raft.append_entries(rpc).await.map_err(stopped)?;
        if !matches!(answer, AppendEntriesResponse::HigherVote(_)) {
            self.cluster.hear();
        }
        let result = match answer {
            AppendEntriesResponse::Success => Answer::Success(true),
            AppendEntriesResponse::PartialSuccess(last) => Answer::PartialSuccess(PartialSuccess {
                last: last.map(wire::log_id),
            }),
            AppendEntriesResponse::Conflict => Answer::Conflict(true),
            AppendEntriesResponse::HigherVote(vote) => Answer::HigherVote(wire::vote(&vote)),
        };
        Ok(Response::new(pb::AppendResponse {
            result: Some(result),
        }))
    }

    async fn vote(
        &self,
        request: Request<pb::VoteRequest>,
    ) -> Result<Response<pb::VoteResponse>, Status> {
        authorize(&request)?;
        let message = request.into_inner();
        self.cluster.check(message.target.as_ref())?;
        let answer = self.raft.vote(to_vote_request(&message)?).await;
        Ok(vote_response(&answer.map_err(stopped)?))
    }

    async fn pre_vote(
        &self,
        request: Request<pb::VoteRequest>,
    ) -> Result<Response<pb::VoteResponse>, Status> {
        authorize(&request)?;
        let message = request.into_inner();
        self.cluster.check(message.target.as_ref())?;
        let answer = self.raft.pre_vote(to_vote_request(&message)?).await;
        Ok(vote_response(&answer.map_err(stopped)?))
    }

    async fn snapshot(
        &self,
        request: Request<Streaming<pb::SnapshotChunk>>,
    ) -> Result<Response<pb::SnapshotResponse>, Status> {
        authorize(&request)?;
        let mut messages = request.into_inner();
        let first = next(&mut messages).await?;
        let first = first.ok_or_else(|| Status::invalid_argument("expected a header, got none"))?;
        self.follow(first.target.as_ref()).await?;
        let vote = wire::to_vote(first.vote).map_err(|e| unreadable(&e))?;
        let meta = wire::to_meta(first.header).map_err(|e| unreadable(&e))?;
        let rows = self.receive(messages).await?;
        let snapshot = Snapshot {
            meta,
            snapshot: Content::Rows(rows),
        };
        let answer = self.raft.install_full_snapshot(vote, snapshot).await;
        Ok(Response::new(pb::SnapshotResponse {
            vote: Some(wire::vote(&answer.map_err(stopped)?.vote)),
        }))
    }

    async fn transfer_leader(
        &self,
        request: Request<pb::TransferLeaderRequest>,
    ) -> Result<Response<pb::TransferLeaderResponse>, Status> {
        authorize(&request)?;
        let message = request.into_inner();
        self.cluster.check(message.target.as_ref())?;
        let from = wire::to_vote(message.from).map_err(|e| unreadable(&e))?;
        let last = message.last_log.map(wire::to_log_id);
        let rpc = TransferLeaderRequest::new(from, message.to, last);
        let answer = self
            .raft
            .handle_transfer_leader(rpc)
            .await
            .map_err(stopped)?;
        Ok(Response::new(pb::TransferLeaderResponse {
            accepted: answer.is_ok(),
        }))
    }
}
