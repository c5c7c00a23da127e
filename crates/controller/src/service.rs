//! The `Catalog` service: what nodes ask a controller.

use std::{pin::Pin, sync::Arc, time::Duration};

use catalog::codec;
use futures::Stream;
use host::net::serve::require_role;
use model::{ErrorKind, Failure, Incarnation, Mutation, Role};
use proto::{
    TooOld, announced,
    internal::{self as pb, catalog_server::Catalog},
};
use replica::{Identity, MembershipError, ProposeError, ReadError};
use tonic::{Request, Response, Status};

use crate::{
    Shared,
    finalize::{self, FinalizeError},
    proposals::{MutateError, PROPOSE_MAX},
    watch,
};

/// Answers for one controller.
pub(crate) struct CatalogService {
    shared: Arc<Shared>,
}

impl CatalogService {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

const JOIN_MAX: Duration = Duration::from_secs(30);

#[tonic::async_trait]
impl Catalog for CatalogService {
    async fn mutate(
        &self,
        request: Request<pb::MutateRequest>,
    ) -> Result<Response<pb::MutateResponse>, Status> {
        use pb::mutate_response::Result as Answer;
        require_role(request.extensions(), &[Role::Frontend, Role::Controller])?;
        let patience = patience(&request, PROPOSE_MAX);
        let message = request.into_inner();
        let key = codec::decode_key(&message.idempotency_key).map_err(invalid)?;
        let mutation: Mutation = message
            .mutation
            .ok_or_else(|| Status::invalid_argument("expected a mutation, got none"))?
            .try_into()
            .map_err(invalid)?;
        if matches!(
            mutation,
            Mutation::Settle { .. } | Mutation::Finalize { .. }
        ) {
            return Err(Status::permission_denied(
                "only the leader itself settles a function or finishes an upgrade",
            ));
        }
        self.begun(patience).await?;
        let answer = match self.shared.mutate(key, mutation, patience).await {
            Ok(outcome) => Answer::Outcome(outcome),
            Err(
                MutateError::Propose(ProposeError::NotLeader { leader })
                | MutateError::Read(ReadError::NotLeader { leader }),
            ) => Answer::NotLeader(hint(leader)),
            Err(MutateError::Unfinalized { needed, cluster }) => {
                Answer::Unfinalized(pb::Unfinalized { needed, cluster })
            }
            Err(MutateError::BlobMissing(digest)) => {
                Answer::BlobMissing(digest.as_bytes().to_vec().into())
            }
            Err(error) => return Err(status(&error)),
        };
        Ok(Response::new(pb::MutateResponse {
            result: Some(answer),
        }))
    }

    async fn barrier(
        &self,
        request: Request<pb::BarrierRequest>,
    ) -> Result<Response<pb::BarrierResponse>, Status> {
        use pb::barrier_response::Result as Answer;
        require_role(request.extensions(), &Role::ALL)?;
        let answer = match self
            .shared
            .replica
            .read_barrier(patience(&request, PROPOSE_MAX))
            .await
        {
            Ok(revision) => Answer::Revision(revision),
            Err(ReadError::NotLeader { leader }) => Answer::NotLeader(hint(leader)),
            Err(error) => return Err(status(&error)),
        };
        Ok(Response::new(pb::BarrierResponse {
            result: Some(answer),
        }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<pb::WatchFrame, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<pb::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        require_role(request.extensions(), &Role::ALL)?;
        self.begun(PROPOSE_MAX).await?;
        let newest = announced(request.get_ref().newest_format);
        TooOld::check(newest, self.shared.format()).map_err(too_old)?;
        let frames = watch::stream(&self.shared, request.into_inner())?;
        Ok(Response::new(Box::pin(frames)))
    }

    async fn join(
        &self,
        request: Request<pb::JoinRequest>,
    ) -> Result<Response<pb::JoinResponse>, Status> {
        use pb::join_response::Result as Answer;
        let peer = require_role(request.extensions(), &[Role::Controller])?;
        let message = request.into_inner();
        if peer.node.as_str() != message.name {
            let text = format!(
                "expected node {} to join in its own name, got {}",
                peer.node, message.name
            );
            return Err(Status::permission_denied(text));
        }
        let node = Identity::new(
            message.name.parse().map_err(invalid)?,
            Incarnation(message.incarnation),
            message.address,
            message.zone.parse().map_err(invalid)?,
        );
        let newest = announced(message.newest_format);
        tracing::info!(node = %node.name, incarnation = node.incarnation.0, newest, "a controller asks to join");
        self.begun(JOIN_MAX).await?;
        let _turn = self.shared.members_change.lock().await;
        TooOld::check(newest, self.shared.format()).map_err(too_old)?;
        let answer = match self.shared.replica.add_controller(node, JOIN_MAX).await {
            Ok(()) => Answer::ClusterId(
                self.shared
                    .replica
                    .status()
                    .cluster
                    .map(|c| c.to_string())
                    .unwrap_or_default(),
            ),
            Err(MembershipError::NotLeader { leader }) => Answer::NotLeader(hint(leader)),
            Err(error) => return Err(status(&error)),
        };
        Ok(Response::new(pb::JoinResponse {
            result: Some(answer),
        }))
    }

    async fn leave(
        &self,
        request: Request<pb::LeaveRequest>,
    ) -> Result<Response<pb::LeaveResponse>, Status> {
        use pb::leave_response::Result as Answer;
        require_role(request.extensions(), &[Role::Controller])?;
        let name = request.into_inner().name.parse().map_err(invalid)?;
        tracing::info!(node = %name, "a controller is taken out");
        let answer = match self.shared.replica.remove_controller(&name, JOIN_MAX).await {
            Ok(()) => Answer::Done(true),
            Err(MembershipError::NotLeader { leader }) => Answer::NotLeader(hint(leader)),
            Err(error) => return Err(status(&error)),
        };
        Ok(Response::new(pb::LeaveResponse {
            result: Some(answer),
        }))
    }

    async fn finalize(
        &self,
        request: Request<pb::FinalizeRequest>,
    ) -> Result<Response<pb::FinalizeResponse>, Status> {
        use pb::finalize_response::Result as Answer;
        require_role(request.extensions(), &[Role::Controller])?;
        let format = announced(request.into_inner().format);
        tracing::info!(format, "an operator asks to finish an upgrade");
        let answer = match self.shared.finalize(format).await {
            Ok(format) => Answer::Format(format),
            Err(FinalizeError::Propose(MutateError::Propose(ProposeError::NotLeader {
                leader,
            }))) => Answer::NotLeader(hint(leader)),
            Err(FinalizeError::Behind { format, nodes }) => Answer::Behind(pb::NodesBehind {
                format,
                nodes: finalize::messages(&nodes),
            }),
            Err(error) => return Err(status(&error)),
        };
        Ok(Response::new(pb::FinalizeResponse {
            result: Some(answer),
        }))
    }

    async fn status(
        &self,
        request: Request<pb::StatusRequest>,
    ) -> Result<Response<pb::StatusResponse>, Status> {
        require_role(request.extensions(), &Role::ALL)?;
        let status = self.shared.replica.status();
        let describe = |m: &Identity, voter: bool| pb::ControllerStatus {
            id: m.id,
            name: m.name.to_string(),
            incarnation: m.incarnation.0,
            address: m.address.clone(),
            zone: m.zone.to_string(),
            voter,
        };
        let voters = status.voters.iter().map(|m| describe(m, true));
        let controllers = voters
            .chain(status.learners.iter().map(|m| describe(m, false)))
            .collect();
        Ok(Response::new(pb::StatusResponse {
            cluster_id: status.cluster.map(|c| c.to_string()).unwrap_or_default(),
            leader: status
                .leader
                .map(|l| l.name.to_string())
                .unwrap_or_default(),
            term: status.term,
            applied: status.applied,
            controllers,
            name: self.shared.options.name.to_string(),
            incarnation: self.shared.options.incarnation.0,
            newest_format: self.shared.options.newest_format,
            format: self.shared.format(),
            nodes: finalize::messages(&self.shared.announcements()),
        }))
    }
}

impl CatalogService {
    /// Waits while this controller begins a cluster: nobody sees one before its format is settled.
    async fn begun(&self, patience: Duration) -> Result<(), Status> {
        let mut beginning = self.shared.beginning.subscribe();
        match tokio::time::timeout(patience, beginning.wait_for(|b| !b)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Status::unavailable("the cluster is just being begun")),
        }
    }
}

/// What is left of the caller's own deadline (`grpc-timeout`), at most `max`.
fn patience<T>(request: &Request<T>, max: Duration) -> Duration {
    let header = request
        .metadata()
        .get("grpc-timeout")
        .and_then(|v| v.to_str().ok());
    header
        .and_then(parse_grpc_timeout)
        .map_or(max, |asked| asked.min(max))
}

/// gRPC over HTTP/2, "Timeout": at most 8 digits and a unit.
fn parse_grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let n: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(n * 3600)),
        "M" => Some(Duration::from_secs(n * 60)),
        "S" => Some(Duration::from_secs(n)),
        "m" => Some(Duration::from_millis(n)),
        "u" => Some(Duration::from_micros(n)),
        "n" => Some(Duration::from_nanos(n)),
        _ => None,
    }
}

fn hint(leader: Option<String>) -> pb::NotLeader {
    pb::NotLeader {
        address: leader.unwrap_or_default(),
    }
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn too_old(error: TooOld) -> Status {
    Status::failed_precondition(error.to_string())
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn invalid(error: impl std::fmt::Display) -> Status {
    Status::invalid_argument(error.to_string())
}

fn status(error: &impl Failure) -> Status {
    let text = error.to_string();
    match error.kind() {
        ErrorKind::Invalid => Status::invalid_argument(text),
        ErrorKind::Denied => Status::permission_denied(text),
        ErrorKind::NotFound => Status::not_found(text),
        ErrorKind::Conflict => Status::failed_precondition(text),
        ErrorKind::Throttled => Status::resource_exhausted(text),
        ErrorKind::Unavailable => Status::unavailable(text),
        ErrorKind::Deadline => Status::deadline_exceeded(text),
        ErrorKind::Internal => Status::internal(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_timeouts_are_read_in_every_unit() {
        for (text, expected) in [
            ("800m", Some(Duration::from_millis(800))),
            ("2S", Some(Duration::from_secs(2))),
            ("1H", Some(Duration::from_secs(3600))),
            ("1500000u", Some(Duration::from_millis(1500))),
            ("", None),
            ("5", None),
            ("x5S", None),
            ("123456789S", None),
        ] {
            assert_eq!(parse_grpc_timeout(text), expected, "{text}");
        }
    }
}
