//! From a request to a committed command.

use std::time::Duration;

use catalog::codec;
use model::{ErrorKind, Failure, Mutation};
use prost::Message;
use proto::internal as pb;
use replica::{ProposeError, ReadError};
use state::{Command, IdempotencyKey, Stamp};

use crate::{
    Shared,
    blobs::{self, Held},
};

/// How long a proposal may take in all; its caller has less patience than this.
pub(crate) const PROPOSE_MAX: Duration = Duration::from_secs(2);

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MutateError {
    #[error(transparent)]
    Propose(#[from] ProposeError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("expected a mutation of format {cluster} or older, got one of format {needed}")]
    Unfinalized { needed: u32, cluster: u32 },
    #[error("blob {0} is not on a quorum of controllers; put it first")]
    BlobMissing(model::Digest),
    #[error("the reply of the state machine is not an outcome")]
    Reply(#[from] prost::DecodeError),
}

impl Failure for MutateError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Propose(e) => e.kind(),
            Self::Read(e) => e.kind(),
            Self::BlobMissing(_) | Self::Unfinalized { .. } => ErrorKind::Conflict,
            Self::Reply(_) => ErrorKind::Internal,
        }
    }
}

impl Shared {
    /// Stamps and proposes a change; the outcome comes when it is applied here.
    pub(crate) async fn mutate(
        &self,
        key: IdempotencyKey,
        mutation: Mutation,
        patience: Duration,
    ) -> Result<pb::Outcome, MutateError> {
        let status = self.replica.status();
        if !status.is_leader {
            return Err(ProposeError::NotLeader {
                leader: status.leader.map(|l| l.address),
            }
            .into());
        }
        self.check_format(&mutation, patience).await?;
        if let Some(code) = mutation.code() {
            match blobs::held(self, code.digest).await {
                Held::Quorum => {}
                Held::Missing => return Err(MutateError::BlobMissing(code.digest)),
                Held::Unknown => return Err(ProposeError::NoQuorum.into()),
            }
        }
        self.propose(key, mutation, patience).await
    }

    /// Refuses what a build that may be in the group would not read. Nobody is refused because this leader is new and has
    /// not applied yet that the upgrade was finished.
    async fn check_format(
        &self,
        mutation: &Mutation,
        patience: Duration,
    ) -> Result<(), MutateError> {
        let needed = mutation.format();
        if needed <= self.format() {
            return Ok(());
        }
        self.replica.read_barrier(patience).await?;
        let cluster = self.format();
        if needed <= cluster {
            Ok(())
        } else {
            Err(MutateError::Unfinalized { needed, cluster })
        }
    }

    /// Stamps and proposes a change that was looked at.
    pub(crate) async fn propose(
        &self,
        key: IdempotencyKey,
        mutation: Mutation,
        patience: Duration,
    ) -> Result<pb::Outcome, MutateError> {
        let stamp = Stamp {
            at: self.ports.clock.wall(),
            seed: self.ports.entropy.next_u128(),
        };
        let command = codec::encode_command(&Command {
            stamp,
            key,
            mutation,
        });
        let proposed = self.replica.propose(command, patience).await?;
        Ok(pb::Outcome::decode(&*proposed.reply)?)
    }
}

#[cfg(test)]
mod tests;
