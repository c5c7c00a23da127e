//! The end of an upgrade: the cluster begins to write a newer format, once everybody reads it.
//!
//! Controllers are asked one by one, because a controller that cannot read a command must not be in the group that commits
//! it. The others are known by gossip: one that gossip does not show now, and that comes back with an older build, is
//! refused by the watch stream.

use std::{collections::BTreeMap, time::Duration};

use model::{ErrorKind, Failure, Mutation, NodeName, Role};
use proto::{
    announced,
    internal::{self as pb, catalog_client::CatalogClient},
};
use replica::{Identity, ProposeError};
use state::IdempotencyKey;

use crate::{
    Shared,
    proposals::{MutateError, PROPOSE_MAX},
};

/// How long one controller may take to say what it reads.
const ASK_MAX: Duration = Duration::from_millis(800);
/// How long a cluster that was just begun waits before it tries again to write its format.
const AGAIN: Duration = Duration::from_millis(20);

/// Why the cluster still writes the format that it wrote.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FinalizeError {
    #[error("expected nodes that read format {format}, got {}", told(nodes))]
    Behind {
        format: u32,
        nodes: BTreeMap<NodeName, Reader>,
    },
    #[error("a controller is joining; try again when it has")]
    Joining,
    #[error(transparent)]
    Propose(#[from] MutateError),
}

impl Failure for FinalizeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Behind { .. } | Self::Joining => ErrorKind::Conflict,
            Self::Propose(e) => e.kind(),
        }
    }
}

/// A node, and the newest format that it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) roles: Vec<Role>,
    /// `None` if it did not say.
    pub(crate) newest: Option<u32>,
}

fn told(nodes: &BTreeMap<NodeName, Reader>) -> String {
    let node = |(name, reader): (&NodeName, &Reader)| match reader.newest {
        Some(newest) => format!("{name} that reads {newest}"),
        None => format!("{name} that does not answer"),
    };
    nodes.iter().map(node).collect::<Vec<_>>().join(", ")
}

impl Shared {
    /// The format that the cluster writes, as far as this controller has applied.
    pub(crate) fn format(&self) -> u32 {
        self.replica.read(|machine, _| machine.catalog().format())
    }

    /// As leader, lets the cluster write a format. Answers what it writes then.
    pub(crate) async fn finalize(&self, format: u32) -> Result<u32, FinalizeError> {
        let status = self.replica.status();
        if !status.is_leader {
            let leader = status.leader.map(|l| l.address);
            return Err(MutateError::from(ProposeError::NotLeader { leader }).into());
        }
        // No controller may come in between the question and the proposal.
        let _turn = self
            .members_change
            .try_lock()
            .map_err(|_| FinalizeError::Joining)?;
        if self.format() >= format {
            return Ok(self.format());
        }
        let nodes = behind(format, self.readers().await);
        if !nodes.is_empty() {
            return Err(FinalizeError::Behind { format, nodes });
        }
        self.write_format(format).await?;
        tracing::info!(format, "the upgrade is finished");
        Ok(format)
    }

    /// Lets a cluster that this controller has just begun write a format from its start.
    pub(crate) async fn begin_with_format(&self, format: u32) {
        while self.format() < format {
            match self.write_format(format).await {
                Ok(()) => return,
                Err(MutateError::Propose(ProposeError::Stopped)) => return,
                // It leads in a moment.
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    async fn write_format(&self, format: u32) -> Result<(), MutateError> {
        let finalize = Mutation::Finalize { format };
        // Without a key: doing it twice is harmless.
        self.propose(IdempotencyKey(0), finalize, PROPOSE_MAX)
            .await?;
        Ok(())
    }

    /// Every node that gossip shows, and what it says that it reads.
    pub(crate) fn announcements(&self) -> BTreeMap<NodeName, Reader> {
        let members = self.ports.membership.watch().borrow().clone();
        let reader = |m: &model::capacity::Member| Reader {
            roles: m.roles.iter().collect(),
            newest: Some(announced(m.newest_format)),
        };
        members
            .iter()
            .map(|(name, m)| (name.clone(), reader(m)))
            .collect()
    }

    /// Every node that gossip or the group knows; controllers of the group are asked.
    async fn readers(&self) -> BTreeMap<NodeName, Reader> {
        let status = self.replica.status();
        let group = status.voters.iter().chain(&status.learners);
        let asked = group.map(|member| async {
            let newest = match member.id == status.id {
                true => Some(self.options.newest_format),
                false => self.ask_newest(member).await,
            };
            let roles = vec![Role::Controller];
            (member.name.clone(), Reader { roles, newest })
        });
        let mut readers = self.announcements();
        readers.extend(futures::future::join_all(asked).await);
        readers
    }

    async fn ask_newest(&self, member: &Identity) -> Option<u32> {
        let channel = self
            .ports
            .channels
            .get_to(&member.address, Role::Controller);
        let mut client = CatalogClient::new(channel);
        let asked = client.status(pb::StatusRequest {});
        let answer = tokio::time::timeout(ASK_MAX, asked).await.ok()?.ok()?;
        Some(announced(answer.into_inner().newest_format))
    }
}

/// Those of the nodes that do not read a format, or did not say.
fn behind(format: u32, readers: BTreeMap<NodeName, Reader>) -> BTreeMap<NodeName, Reader> {
    let mut readers = readers;
    readers.retain(|_, reader| reader.newest.is_none_or(|newest| newest < format));
    readers
}

/// Nodes as a message.
pub(crate) fn messages(nodes: &BTreeMap<NodeName, Reader>) -> Vec<pb::NodeFormat> {
    let message = |(name, reader): (&NodeName, &Reader)| pb::NodeFormat {
        name: name.to_string(),
        roles: reader.roles.iter().map(ToString::to_string).collect(),
        newest: reader.newest.unwrap_or(0),
    };
    nodes.iter().map(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readers(of: &[(&str, Option<u32>)]) -> BTreeMap<NodeName, Reader> {
        let reader = |newest| Reader {
            roles: vec![Role::Worker],
            newest,
        };
        of.iter()
            .map(|(name, newest)| (name.parse().unwrap(), reader(*newest)))
            .collect()
    }

    #[test]
    fn whoever_reads_less_or_says_nothing_is_behind() {
        let all = readers(&[("a", Some(2)), ("b", Some(1)), ("c", None), ("d", Some(3))]);
        let late = behind(2, all.clone());
        assert_eq!(
            FinalizeError::Behind {
                format: 2,
                nodes: late
            }
            .to_string(),
            "expected nodes that read format 2, got b that reads 1, c that does not answer"
        );
        assert!(behind(1, readers(&[("a", Some(1))])).is_empty());
        let all_behind = behind(4, all);
        assert_eq!(all_behind.len(), 4);
    }
}
