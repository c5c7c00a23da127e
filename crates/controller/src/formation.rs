//! How a controller finds its cluster, or makes one with others.

use std::{sync::Arc, time::Duration};

use host::task::Kind;
use model::{NodeName, Role};
use proto::{
    TooOld, announced,
    internal::{self as pb, catalog_client::CatalogClient},
};
use replica::ClusterId;

use crate::Shared;

const ROUND: Duration = Duration::from_millis(200);
/// How long a cluster that was just begun takes to count its first member.
const SETTLE: Duration = Duration::from_millis(10);
const ASK_MAX: Duration = Duration::from_millis(800);
const JOIN_MAX: Duration = Duration::from_secs(30);
/// How long a controller that comes back waits for its leader before it asks others whether it was taken out meanwhile.
const UNHEARD: Duration = Duration::from_secs(3);

/// What a fresh controller learned from one other.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Peer {
    /// No answer.
    Silent,
    /// It is fresh, too.
    Fresh {
        /// The newest format that it reads.
        newest: u32,
    },
    /// It is a member of a cluster.
    Member {
        /// Where it is.
        address: String,
        /// The format that its cluster writes.
        format: u32,
    },
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Ask again later.
    Wait,
    /// Ask this member to be taken in.
    Join(String),
    /// Begin the cluster, with the newest format that all who form it read.
    Bootstrap {
        /// That format.
        format: u32,
    },
    /// This build does not read what the cluster writes.
    Refuse(TooOld),
}

/// Decides for a fresh controller. A cluster begins only when every initial controller is there and none has ever been in
/// one, and then by the one with the smallest name: a node that lost its disk finds the cluster among the others instead.
fn decide(own: &NodeName, reads: u32, initial: &[(NodeName, Peer)], gossiped: &[Peer]) -> Step {
    let known = initial.iter().map(|(_, p)| p).chain(gossiped);
    let mut lowest = reads;
    let mut all_fresh = true;
    for peer in known {
        match peer {
            Peer::Member { address, format } => {
                return match TooOld::check(reads, *format) {
                    Ok(()) => Step::Join(address.clone()),
                    Err(too_old) => Step::Refuse(too_old),
                };
            }
            Peer::Fresh { newest } => lowest = lowest.min(*newest),
            Peer::Silent => all_fresh = false,
        }
    }
    let first = initial.iter().map(|(name, _)| name).min();
    if all_fresh && first == Some(own) {
        Step::Bootstrap { format: lowest }
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
        let mut begun = None;
        while !shared.replica.status().votes() {
            if begun.is_some() {
                // It takes a moment until the first member counts itself.
                tokio::time::sleep(SETTLE).await;
                continue;
            }
            match shared.next_step().await {
                Step::Wait => tokio::time::sleep(ROUND).await,
                Step::Join(address) => shared.join(&address).await,
                Step::Bootstrap { format } => {
                    begun = shared.bootstrap(cluster).await.then_some(format);
                }
                Step::Refuse(too_old) => {
                    shared.too_old.send_replace(Some(too_old));
                    return;
                }
            }
        }
        if let Some(format) = begun {
            shared.begin_with_format(format).await;
            shared.beginning.send_replace(false);
        }
        let status = shared.replica.status();
        tracing::info!(cluster = ?status.cluster, "this controller is a member of the cluster");
        shared.come_back().await;
    });
}

impl Shared {
    /// Returns once this controller has heard of a leader. One that was taken out while it was down believes that it is a
    /// member still, and nobody tells it otherwise: after a while it asks to be taken in again, with the storage that it
    /// has. One that was taken out while it ran stays out until it is started again.
    async fn come_back(&self) {
        let mut waits = UNHEARD;
        while self.replica.status().leader.is_none() {
            if waits.is_zero() {
                if let Some(member) = self.left_out().await {
                    tracing::info!(at = %member, "this controller was taken out of the cluster; it asks to be taken in again");
                    self.join(&member).await;
                }
                waits = UNHEARD;
            }
            tokio::time::sleep(ROUND).await;
            waits = waits.saturating_sub(ROUND);
        }
    }

    /// Where there is a member of this controller's cluster that knows a leader, and does not know this controller.
    async fn left_out(&self) -> Option<String> {
        let own = self.replica.status();
        let cluster = own.cluster?.to_string();
        let initial = self.initial_others().map(|(_, address)| address.clone());
        let gossiped = self.gossiped_others();
        let addresses: Vec<String> = initial.chain(gossiped).collect();
        let asked = addresses.iter().map(|address| self.status_of(address));
        let answers = futures::future::join_all(asked).await;
        let left_out = |answer: &pb::StatusResponse| {
            answer.cluster_id == cluster
                && !answer.leader.is_empty()
                && answer.controllers.iter().all(|member| member.id != own.id)
        };
        let mut answers = addresses.iter().zip(answers);
        let found = answers.find(|(_, answer)| answer.as_ref().is_some_and(left_out));
        found.map(|(address, _)| address.clone())
    }

    fn initial_others(&self) -> impl Iterator<Item = (&NodeName, &String)> {
        let all = self.options.initial.iter();
        all.filter(|(name, _)| **name != self.options.name)
    }

    /// Addresses of controllers that only gossip knows.
    fn gossiped_others(&self) -> Vec<String> {
        let members = self.ports.membership.watch().borrow().clone();
        let unknown = members.values().filter(|m| {
            m.roles.has(Role::Controller)
                && m.name != self.options.name
                && !self.options.initial.contains_key(&m.name)
        });
        unknown.map(|m| m.address.clone()).collect()
    }

    async fn next_step(&self) -> Step {
        let others = self.initial_others();
        let mut initial: Vec<(NodeName, Peer)> = futures::future::join_all(
            others.map(|(name, address)| async { (name.clone(), self.ask(address).await) }),
        )
        .await;
        if self.options.initial.contains_key(&self.options.name) {
            let newest = self.options.newest_format;
            initial.push((self.options.name.clone(), Peer::Fresh { newest }));
        }
        let unknown = self.gossiped_others();
        let gossiped = futures::future::join_all(unknown.iter().map(|a| self.ask(a))).await;
        let reads = self.options.newest_format;
        decide(&self.options.name, reads, &initial, &gossiped)
    }

    async fn ask(&self, address: &str) -> Peer {
        match self.status_of(address).await {
            Some(answer) if answer.cluster_id.is_empty() => Peer::Fresh {
                newest: announced(answer.newest_format),
            },
            Some(answer) => Peer::Member {
                address: address.to_owned(),
                format: announced(answer.format),
            },
            None => Peer::Silent,
        }
    }

    async fn status_of(&self, address: &str) -> Option<pb::StatusResponse> {
        let mut client = CatalogClient::new(self.ports.channels.get_to(address, Role::Controller));
        let asked = tokio::time::timeout(ASK_MAX, client.status(pb::StatusRequest {})).await;
        asked.ok()?.ok().map(tonic::Response::into_inner)
    }

    async fn join(&self, member: &str) {
        let request = pb::JoinRequest {
            name: self.options.name.to_string(),
            incarnation: self.options.incarnation.0,
            address: self.options.address.clone(),
            zone: self.options.zone.to_string(),
            newest_format: self.options.newest_format,
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
        self.beginning.send_replace(true);
        match self.replica.bootstrap(cluster).await {
            Ok(()) => {
                tracing::info!(%cluster, "a new cluster begins here");
                true
            }
            Err(error) => {
                self.beginning.send_replace(false);
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

    const FRESH: Peer = Peer::Fresh { newest: 2 };

    fn member(format: u32) -> Peer {
        Peer::Member {
            address: "b:1".to_owned(),
            format,
        }
    }

    /// What a controller that reads formats up to 2 does.
    fn check(own: &str, initial: &[(&str, Peer)], gossiped: &[Peer], expected: &Step) {
        let initial: Vec<_> = initial
            .iter()
            .map(|(n, p)| (n.parse().unwrap(), p.clone()))
            .collect();
        assert_eq!(
            &decide(&own.parse().unwrap(), 2, &initial, gossiped),
            expected
        );
    }

    #[test]
    fn the_first_name_begins_once_everybody_is_there_and_fresh() {
        let fresh = [("a", FRESH), ("b", FRESH), ("c", FRESH)];
        check("a", &fresh, &[], &Step::Bootstrap { format: 2 });
        check("b", &fresh, &[], &Step::Wait);
        check(
            "a",
            &[("a", FRESH), ("b", Peer::Silent), ("c", FRESH)],
            &[],
            &Step::Wait,
        );
        check("a", &[("a", FRESH)], &[], &Step::Bootstrap { format: 2 });
    }

    #[test]
    fn a_cluster_begins_with_what_all_who_form_it_read() {
        let old = Peer::Fresh { newest: 1 };
        let mixed = [("a", FRESH), ("b", old), ("c", FRESH)];
        check("a", &mixed, &[], &Step::Bootstrap { format: 1 });
        let newer = Peer::Fresh { newest: 3 };
        let mixed = [("a", FRESH), ("b", newer)];
        check("a", &mixed, &[], &Step::Bootstrap { format: 2 });
    }

    #[test]
    fn a_lost_disk_joins_what_is_there() {
        let joins = Step::Join("b:1".to_owned());
        check(
            "a",
            &[("a", FRESH), ("b", member(2)), ("c", Peer::Silent)],
            &[],
            &joins,
        );
        check("d", &[("a", Peer::Silent)], &[member(1)], &joins);
        check("a", &[("a", FRESH)], &[Peer::Silent], &Step::Wait);
        check("d", &[], &[], &Step::Wait);
    }

    #[test]
    fn a_build_that_is_too_old_does_not_join() {
        let refuse = Step::Refuse(TooOld {
            newest: 2,
            cluster: 3,
        });
        check("a", &[("a", FRESH), ("b", member(3))], &[], &refuse);
        check("d", &[], &[member(3)], &refuse);
    }
}
