//! How a controller finds its cluster, or makes one with others.

use std::{sync::Arc, time::Duration};

use host::task::Kind;
use model::{NodeName, Role};
use proto::internal::{self as pb, catalog_client::CatalogClient};
use replica::ClusterId;

use crate::Shared;

const ROUND: Duration = Duration::from_millis(200);
/// How long a cluster that was just begun takes to count its first member.
const SETTLE: Duration = Duration::from_millis(10);
const ASK_MAX: Duration = Duration::from_millis(800);
const JOIN_MAX: Duration = Duration::from_secs(30);

/// What a fresh controller learned from one other.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Peer {
    /// No answer.
    Silent,
    /// It is fresh, too.
    Fresh,
    /// It is a member of a cluster.
    Member { address: String },
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Ask again later.
    Wait,
    /// Ask this member to be taken in.
    Join(String),
    /// Begin the cluster.
    Bootstrap,
}

/// Decides for a fresh controller. A cluster begins only when every initial controller is there and none has ever been in
/// one, and then by the one with the smallest name: a node that lost its disk finds the cluster among the others instead.
fn decide(own: &NodeName, initial: &[(NodeName, Peer)], gossiped: &[Peer]) -> Step {
    let known = initial.iter().map(|(_, p)| p).chain(gossiped);
    if let Some(Peer::Member { address }) = known.clone().find(|p| matches!(p, Peer::Member { .. }))
    {
        return Step::Join(address.clone());
    }
    let all_fresh = initial.iter().all(|(_, p)| *p == Peer::Fresh)
        && gossiped.iter().all(|p| *p == Peer::Fresh);
    let first = initial.iter().map(|(name, _)| name).min();
    if all_fresh && first == Some(own) {
        Step::Bootstrap
    } else {
        Step::Wait
    }
}

/// Runs until this controller is a member.
pub(crate) fn spawn(shared: &Arc<Shared>) {
    let shared = shared.clone();
    let tasks = shared.ports.tasks.clone();
    // Drawn once: beginning again under the same id is safe.
    let cluster = ClusterId::new(shared.ports.entropy.next_u128());
    tasks.spawn(Kind::Background, "formation", async move {
        let mut begun = false;
        while !shared.is_member() {
            match shared.next_step().await {
                Step::Wait => tokio::time::sleep(ROUND).await,
                Step::Join(address) => shared.join(&address).await,
                // It takes a moment until the first member counts itself.
                Step::Bootstrap if begun => tokio::time::sleep(SETTLE).await,
                Step::Bootstrap => begun = shared.bootstrap(cluster).await,
            }
        }
        let status = shared.replica.status();
        tracing::info!(cluster = ?status.cluster, "this controller is a member of the cluster");
    });
}

impl Shared {
    fn is_member(&self) -> bool {
        let status = self.replica.status();
        status.voters.iter().any(|v| v.id == status.id)
    }

    async fn next_step(&self) -> Step {
        let others = self
            .options
            .initial
            .iter()
            .filter(|(name, _)| **name != self.options.name);
        let mut initial: Vec<(NodeName, Peer)> = futures::future::join_all(
            others.map(|(name, address)| async { (name.clone(), self.ask(address).await) }),
        )
        .await;
        if self.options.initial.contains_key(&self.options.name) {
            initial.push((self.options.name.clone(), Peer::Fresh));
        }
        let members = self.ports.membership.watch().borrow().clone();
        let unknown = members.values().filter(|m| {
            m.roles.has(Role::Controller)
                && m.name != self.options.name
                && !self.options.initial.contains_key(&m.name)
        });
        let gossiped = futures::future::join_all(unknown.map(|m| self.ask(&m.address))).await;
        decide(&self.options.name, &initial, &gossiped)
    }

    async fn ask(&self, address: &str) -> Peer {
        let mut client = CatalogClient::new(self.ports.channels.get_to(address, Role::Controller));
        match tokio::time::timeout(ASK_MAX, client.status(pb::StatusRequest {})).await {
            Ok(Ok(answer)) if answer.get_ref().cluster_id.is_empty() => Peer::Fresh,
            Ok(Ok(_)) => Peer::Member {
                address: address.to_owned(),
            },
            Ok(Err(_)) | Err(_) => Peer::Silent,
        }
    }

    async fn join(&self, member: &str) {
        let request = pb::JoinRequest {
            name: self.options.name.to_string(),
            incarnation: self.options.incarnation.0,
            address: self.options.address.clone(),
            zone: self.options.zone.to_string(),
        };
        let mut address = member.to_owned();
        // The member may hint at the leader; a leader may hint at a newer one.
        for _ in 0..3 {
            let mut client =
                CatalogClient::new(self.ports.channels.get_to(&address, Role::Controller));
            match tokio::time::timeout(JOIN_MAX, client.join(request.clone())).await {
                Ok(Ok(answer)) => match answer.into_inner().result {
                    Some(pb::join_response::Result::NotLeader(hint))
                        if !hint.address.is_empty() =>
                    {
                        address = hint.address
                    }
                    _ => break,
                },
                Ok(Err(status)) => {
                    tracing::warn!(at = %address, reason = status.message(), "joining the cluster was refused; trying again");
                    break;
                }
                Err(_) => break,
            }
        }
        tokio::time::sleep(ROUND).await;
    }

    async fn bootstrap(&self, cluster: ClusterId) -> bool {
        match self.replica.bootstrap(cluster).await {
            Ok(()) => {
                tracing::info!(%cluster, "a new cluster begins here");
                true
            }
            Err(error) => {
                tracing::warn!(error = %error, "the cluster could not be begun; trying again");
                tokio::time::sleep(ROUND).await;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(own: &str, initial: &[(&str, Peer)], gossiped: &[Peer], expected: &Step) {
        let initial: Vec<_> = initial
            .iter()
            .map(|(n, p)| (n.parse().unwrap(), p.clone()))
            .collect();
        assert_eq!(&decide(&own.parse().unwrap(), &initial, gossiped), expected);
    }

    #[test]
    fn the_first_name_begins_once_everybody_is_there_and_fresh() {
        let fresh = [("a", Peer::Fresh), ("b", Peer::Fresh), ("c", Peer::Fresh)];
        check("a", &fresh, &[], &Step::Bootstrap);
        check("b", &fresh, &[], &Step::Wait);
        check(
            "a",
            &[("a", Peer::Fresh), ("b", Peer::Silent), ("c", Peer::Fresh)],
            &[],
            &Step::Wait,
        );
        check("a", &[("a", Peer::Fresh)], &[], &Step::Bootstrap);
    }

    #[test]
    fn a_lost_disk_joins_what_is_there() {
        let member = Peer::Member {
            address: "b:1".to_owned(),
        };
        check(
            "a",
            &[
                ("a", Peer::Fresh),
                ("b", member.clone()),
                ("c", Peer::Silent),
            ],
            &[],
            &Step::Join("b:1".to_owned()),
        );
        check(
            "d",
            &[("a", Peer::Silent)],
            &[member],
            &Step::Join("b:1".to_owned()),
        );
        check("a", &[("a", Peer::Fresh)], &[Peer::Silent], &Step::Wait);
        check("d", &[], &[], &Step::Wait);
    }
}
