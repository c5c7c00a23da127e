//! Messages to the other members.

use std::{future::Future, sync::Arc, time::Duration};

use futures::Stream;
use host::net::{Channels, channel::NodeChannel};
use model::Role;
use openraft::{
    AnyError, RaftNetworkFactory, RaftNetworkV2,
    alias::SnapshotOf,
    error::{NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable},
    network::{RPCOption, RPCTypes},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
        TransferLeaderResponse, VoteRequest, VoteResponse,
    },
};
use proto::internal::{self as pb, raft_client::RaftClient};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use crate::{
    cluster::Cluster,
    snapshot::{self, Content},
    types::{Member, SnapshotMeta, Types, Vote},
    wire,
};

/// The largest message between members. Entries are cut well below it, see the log's own limits.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// How long a snapshot may take: a fixed part, and so much for each chunk of it.
const SNAPSHOT_BASE: Duration = Duration::from_secs(30);
const SNAPSHOT_PER_CHUNK: Duration = Duration::from_millis(250);
/// How many chunks of a snapshot are read ahead of the network.
const CHUNKS_AHEAD: usize = 4;

/// Makes clients for members. Instant: channels are made once an address and connect by themselves.
pub(crate) struct Peers {
    pub(crate) id: u64,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) channels: Arc<Channels>,
    pub(crate) append_timeout: Duration,
}

/// A client of one member.
pub(crate) struct Peer {
    id: u64,
    member: u64,
    cluster: Arc<Cluster>,
    channels: Arc<Channels>,
    address: String,
    append_timeout: Duration,
}

impl RaftNetworkFactory<Types> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, member: &Member) -> Peer {
        Peer {
            id: self.id,
            member: target,
            cluster: self.cluster.clone(),
            channels: self.channels.clone(),
            address: member.address.clone(),
            append_timeout: self.append_timeout,
        }
    }
}

impl Peer {
    fn client(&self) -> RaftClient<NodeChannel> {
        // Asked for each time: kept here, the way to a former life of this very node would keep its services, and so itself.
        RaftClient::new(self.channels.get_to(&self.address, Role::Controller))
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    fn target(&self) -> Option<pb::RaftTarget> {
        Some(self.cluster.target(self.member))
    }

    /// A snapshot that was overtaken is taken again from the start; one that cannot be read ends this member.
    fn unreadable(&self, error: snapshot::ReadError) -> NetworkError<Types> {
        match error {
            snapshot::ReadError::Replaced => NetworkError::new(&AnyError::error(error)),
            snapshot::ReadError::Log(_) | snapshot::ReadError::Damaged { .. } => {
                let why = error.to_string();
                self.cluster.fail(error);
                NetworkError::from_string(why)
            }
        }
    }

    /// Waits for an answer, at most so long.
    async fn call<T>(
        &self,
        action: RPCTypes,
        limit: Duration,
        call: impl Future<Output = Result<tonic::Response<T>, Status>>,
    ) -> Result<T, RPCError<Types>> {
        match tokio::time::timeout(limit, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) if status.code() != Code::DeadlineExceeded => Err(refused(&status)),
            Ok(Err(_)) | Err(_) => Err(RPCError::Timeout(Timeout {
                action,
                id: self.id,
                target: self.member,
                timeout: limit,
            })),
        }
    }

    fn vote_request(&self, rpc: &VoteRequest<Types>) -> pb::VoteRequest {
        pb::VoteRequest {
            target: self.target(),
            vote: Some(wire::vote(&rpc.vote)),
            last_log: rpc.last_log_id.map(wire::log_id),
            leadership_transfer: rpc.leadership_transfer,
        }
    }

    async fn send_snapshot(
        &self,
        vote: &Vote,
        meta: &SnapshotMeta,
        content: Content,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let Content::Stored(stored) = content else {
            let why = "expected a snapshot from disk, got one from memory";
            return Err(StreamingError::Network(NetworkError::from_string(why)));
        };
        let chunks = u32::try_from(stored.len()).unwrap_or(u32::MAX);
        let limit = SNAPSHOT_BASE.saturating_add(SNAPSHOT_PER_CHUNK.saturating_mul(chunks));
        let first = pb::SnapshotChunk {
            target: self.target(),
            vote: Some(wire::vote(vote)),
            header: Some(wire::header(meta.last_log_id, &meta.last_membership)),
            rows: Vec::new(),
            last: false,
        };
        let (queue, messages) = mpsc::channel(CHUNKS_AHEAD);
        // Reads ahead while the call sends; ends with it, since the call owns the receiver.
        let read = async move {
            let mut sent = queue.send(first).await;
            for chunk in 0..stored.len() {
                if sent.is_err() {
                    return Ok(());
                }
                let rows = stored.chunk(chunk).await?;
                let message = pb::SnapshotChunk {
                    rows,
                    ..pb::SnapshotChunk::default()
                };
                sent = queue.send(message).await;
            }
            let end = pb::SnapshotChunk {
                last: true,
                ..pb::SnapshotChunk::default()
            };
            // If the receiver has hung up, its answer says why.
            let _ = queue.send(end).await;
            Ok::<(), snapshot::ReadError>(())
        };
        let send = self.call(
            RPCTypes::InstallSnapshot,
            limit,
            stream(self.client(), ReceiverStream::new(messages)),
        );
        let (read, sent) = tokio::join!(read, send);
        read.map_err(|error| StreamingError::Network(self.unreadable(error)))?;
        let vote = wire::to_vote(sent?.vote);
        let vote = vote.map_err(|e| StreamingError::Network(NetworkError::new(&e)))?;
        Ok(SnapshotResponse::new(vote))
    }
}

async fn stream(
    mut client: RaftClient<NodeChannel>,
    messages: impl Stream<Item = pb::SnapshotChunk> + Send + 'static,
) -> Result<tonic::Response<pb::SnapshotResponse>, Status> {
    client.snapshot(messages).await
}

impl RaftNetworkV2<Types> for Peer {
    type SnapshotData = Content;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        use pb::append_response::Result as Answer;
        // A heartbeat must not wait longer than until the next one; entries wait for the other side's disk.
        let limit = if rpc.entries.is_empty() {
            option.hard_ttl()
        } else {
            self.append_timeout
        };
        let request = pb::AppendRequest {
            target: self.target(),
            vote: Some(wire::vote(&rpc.vote)),
            previous: rpc.prev_log_id.map(wire::log_id),
            entries: rpc.entries.iter().map(wire::entry).collect(),
            committed: rpc.leader_commit.map(wire::log_id),
        };
        let mut client = self.client();
        let call = client.append(request);
        let answer = self.call(RPCTypes::AppendEntries, limit, call).await?;
        match answer.result {
            Some(Answer::Success(_)) => Ok(AppendEntriesResponse::Success),
            Some(Answer::PartialSuccess(partial)) => {
                let last = partial.last.map(wire::to_log_id);
                Ok(AppendEntriesResponse::PartialSuccess(last))
            }
            Some(Answer::Conflict(_)) => Ok(AppendEntriesResponse::Conflict),
            Some(Answer::HigherVote(vote)) => Ok(AppendEntriesResponse::HigherVote(
                wire::to_vote(Some(vote)).map_err(|e| unreadable(&e))?,
            )),
            None => Err(unreadable(&wire::Unreadable::Missing(
                "append_response.result",
            ))),
        }
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let mut client = self.client();
        let call = client.vote(self.vote_request(&rpc));
        let answer = self.call(RPCTypes::Vote, option.hard_ttl(), call).await?;
        to_vote_response(answer)
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let mut client = self.client();
        let call = client.pre_vote(self.vote_request(&rpc));
        let answer = self.call(RPCTypes::Vote, option.hard_ttl(), call).await?;
        to_vote_response(answer)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<Types, Content>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        tokio::select! {
            biased;
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = self.send_snapshot(&vote, &snapshot.meta, snapshot.snapshot) => sent,
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        let message = pb::TransferLeaderRequest {
            target: self.target(),
            from: Some(wire::vote(request.from_leader())),
            to: *request.to_node_id(),
            last_log: request.last_log_id().copied().map(wire::log_id),
        };
        let mut client = self.client();
        let call = client.transfer_leader(message);
        let answer = self
            .call(RPCTypes::TransferLeader, option.hard_ttl(), call)
            .await?;
        if !answer.accepted {
            let why = "the vote or the log moved on before leadership was handed over";
            return Err(RPCError::Network(NetworkError::from_string(why)));
        }
        Ok(Ok(()))
    }
}

fn to_vote_response(answer: pb::VoteResponse) -> Result<VoteResponse<Types>, RPCError<Types>> {
    Ok(VoteResponse {
        vote: wire::to_vote(answer.vote).map_err(|e| unreadable(&e))?,
        vote_granted: answer.granted,
        last_log_id: answer.last_log.map(wire::to_log_id),
    })
}

fn unreadable(error: &wire::Unreadable) -> RPCError<Types> {
    RPCError::Network(NetworkError::new(error))
}

/// Whatever the other side says, or whoever answers for it: back off before the next try.
fn refused(status: &Status) -> RPCError<Types> {
    RPCError::Unreachable(Unreachable::from_string(format!(
        "{:?}: {}",
        status.code(),
        status.message()
    )))
}
