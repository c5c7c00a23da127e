//! Ends creations and updates: the leader checks what a version needs and says whether it can be invoked.
//!
//! A version whose runtime no worker offers fails. Gossip may be behind and a worker may be about to come back, so that this is
//! said only when it was so for a while; and when no worker is known at all, nothing is said of what they offer.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::StreamExt;
use host::membership::Members;
use model::{
    Mutation, RevisionId, Role, VersionId,
    capacity::Member,
    function::{FunctionVersion, Reason},
};
use state::IdempotencyKey;
use tokio::time::Instant;

use crate::{
    Shared,
    blobs::{self, Held},
    proposals::PROPOSE_MAX,
};

/// Versions that are settled at a time.
const TOGETHER: usize = 32;

/// How long no worker has offered a runtime before a version that needs it fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known from one round to the next: since when no worker offers what a version needs.
#[derive(Default)]
pub(super) struct Settling {
    unoffered: BTreeMap<VersionId, (RevisionId, Instant)>,
}

impl Settling {
    /// Settles every version that is ready, if this controller leads. What is not ready stays for the next round.
    pub(super) async fn run(&mut self, shared: &Arc<Shared>) {
        if !shared.replica.status().is_leader {
            self.unoffered.clear();
            return;
        }
        let open: Vec<Arc<FunctionVersion>> = shared
            .replica
            .read(|machine, _| machine.catalog().unsettled().cloned().collect());
        let members = shared.ports.membership.watch().borrow().clone();
        let verdicts = self.judge(open, &members, Instant::now());
        // Many at a time, or whoever creates functions faster than one change after the other is made waits for ever.
        let mut settled = futures::stream::iter(verdicts)
            .map(|(version, failure)| async move { settle(shared, &version, failure).await })
            .buffer_unordered(TOGETHER);
        while settled.next().await == Some(true) {}
    }

    /// Whether something is put off, so that it is worth looking again soon.
    pub(super) fn is_waiting(&self) -> bool {
        !self.unoffered.is_empty()
    }

    /// Those that can be settled now, each with why it can never be invoked, if it cannot.
    fn judge(
        &mut self,
        open: Vec<Arc<FunctionVersion>>,
        members: &Members,
        now: Instant,
    ) -> Vec<(Arc<FunctionVersion>, Option<Reason>)> {
        let before = std::mem::take(&mut self.unoffered);
        let judged = open.into_iter().filter_map(|version| {
            if is_offered(members, &version) {
                // An image has to be brought first.
                return version.config.image().is_none().then_some((version, None));
            }
            let since = before
                .get(&version.id)
                .filter(|(revision, _)| *revision == version.revision_id)
                .map_or(now, |(_, since)| *since);
            self.unoffered
                .insert(version.id.clone(), (version.revision_id, since));
            let reason = (now - since >= PATIENCE).then(|| unoffered(&version))?;
            Some((version, Some(reason)))
        });
        judged.collect()
    }
}

/// Ends the creation or update of one version, if its code is there. `false` if changes cannot be made at present.
pub(super) async fn settle(
    shared: &Arc<Shared>,
    version: &FunctionVersion,
    failure: Option<Reason>,
) -> bool {
    if !is_held(shared, version).await {
        tracing::warn!(version = ?version.id, "its code is not on a quorum of controllers yet");
        return true;
    }
    let settle = Mutation::Settle {
        version: version.id.clone(),
        revision: version.revision_id,
        failure,
    };
    // Without a key: settling twice is harmless, the second finds another revision.
    let settled = shared.mutate(IdempotencyKey(0), settle, PROPOSE_MAX).await;
    if let Err(error) = &settled {
        tracing::debug!(error = %error, "settling is put off");
    }
    settled.is_ok()
}

/// Whether everything that it runs is on a quorum of controllers.
async fn is_held(shared: &Arc<Shared>, version: &FunctionVersion) -> bool {
    for digest in version.blobs() {
        if blobs::held(shared, digest).await != Held::Quorum {
            return false;
        }
    }
    true
}

/// Whether a worker offers its runtime on its architecture, as far as this node knows. One that drains comes back as a rule, and
/// one that says nothing yet is about to start.
fn is_offered(members: &Members, version: &FunctionVersion) -> bool {
    let speaks =
        |member: &&Arc<Member>| member.roles.has(Role::Worker) && !member.runtimes.is_empty();
    let mut workers = members.values().filter(speaks).peekable();
    // A runtime of the customer's own is recorded, and refused by name when it is invoked.
    version.config.runtime.is_custom()
        || workers.peek().is_none()
        || workers.any(|worker| is_offered_by(worker, version))
}

pub(super) fn is_offered_by(worker: &Member, version: &FunctionVersion) -> bool {
    let wanted = version.config.runtime.offered_as();
    worker.architecture == Some(version.config.architecture)
        && worker.runtimes.iter().any(|offered| offered == wanted)
}

fn unoffered(version: &FunctionVersion) -> Reason {
    let config = &version.config;
    if config.image().is_some() {
        return Reason {
            code: "InvalidConfiguration".to_owned(),
            text: format!(
                "No worker of this cluster runs container images on {}. Add one whose kernel has overlayfs, as `dunlin doctor` \
                 shows, then update or create the function again.",
                config.architecture
            ),
        };
    }
    Reason {
        code: "InvalidRuntime".to_owned(),
        text: format!(
            "No worker of this cluster offers {} on {}. Add a pack for it to a worker with `dunlin runtime add NAME --from DIR \
             --config FILE`, start that node again, then update or create the function again.",
            config.runtime, config.architecture
        ),
    }
}

#[cfg(test)]
mod tests {
    use model::{
        AccountId, Architecture, Digest, EphemeralMib, FunctionId, MemoryMib, Region,
        TimeoutSeconds, Timestamp, Version,
        function::{Code, Config, Logging, State, TracingMode},
    };

    use super::*;

    fn version(runtime: &str, revision: u128) -> Arc<FunctionVersion> {
        Arc::new(FunctionVersion {
            id: VersionId {
                function: FunctionId {
                    account: AccountId::DEFAULT,
                    region: Region::default(),
                    name: "hello".parse().unwrap(),
                },
                version: Version::Latest,
            },
            config: Config {
                runtime: runtime.parse().unwrap(),
                handler: Some("app.handler".to_owned()),
                role: "arn:aws:iam::000000000000:role/r".into(),
                description: String::new(),
                timeout: TimeoutSeconds::new(3).unwrap(),
                memory: MemoryMib::new(128).unwrap(),
                ephemeral: EphemeralMib::MIN,
                architecture: Architecture::Arm64,
                environment: None,
                tracing: TracingMode::PassThrough,
                logging: Logging::default(),
                optional: None,
            },
            code: Code {
                digest: Digest::of(b""),
                size: 0,
                unzipped: 0,
            },
            state: State::Pending,
            last_update: None,
            last_modified: Timestamp(0),
            revision_id: RevisionId::from_random(revision),
            touched: None,
        })
    }

    fn members(workers: &[(&str, Architecture, &[&str])]) -> Members {
        let all = workers.iter().map(|(name, architecture, runtimes)| {
            let mut member = host::membership::contract::worker(name, 1);
            member.architecture = Some(*architecture);
            member.runtimes = runtimes.iter().map(|r| (*r).to_owned()).collect();
            (member.name.clone(), Arc::new(member))
        });
        Arc::new(all.collect())
    }

    /// The code of the reason, if it is settled now.
    fn judged(
        settling: &mut Settling,
        version: &Arc<FunctionVersion>,
        members: &Members,
        at: Instant,
    ) -> Option<Option<String>> {
        let verdicts = settling.judge(vec![version.clone()], members, at);
        verdicts
            .into_iter()
            .next()
            .map(|(_, reason)| reason.map(|r| r.code))
    }

    #[test]
    fn a_runtime_that_nobody_offers_fails_after_a_while() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let invalid = Some(Some("InvalidRuntime".to_owned()));
        let mut settling = Settling::default();
        let java = version("java21", 1);
        let without = members(&[
            ("a", Architecture::Arm64, &["python3.13"]),
            ("b", Architecture::X86_64, &["java21"]),
        ]);
        let with = members(&[("a", Architecture::Arm64, &["python3.13", "java21"])]);
        assert_eq!(judged(&mut settling, &java, &without, at(0)), None);
        assert!(settling.is_waiting());
        assert_eq!(judged(&mut settling, &java, &without, at(9)), None);
        // Another revision of it has its own time.
        assert_eq!(
            judged(&mut settling, &version("java21", 2), &without, at(9)),
            None
        );
        assert_eq!(
            judged(&mut settling, &version("java21", 2), &without, at(18)),
            None
        );
        // A worker came with it, and went again.
        assert_eq!(
            judged(&mut settling, &version("java21", 2), &with, at(19)),
            Some(None)
        );
        assert!(!settling.is_waiting());
        assert_eq!(
            judged(&mut settling, &version("java21", 3), &without, at(19)),
            None
        );
        assert_eq!(
            judged(&mut settling, &version("java21", 3), &without, at(29)),
            invalid
        );
    }

    #[test]
    fn nothing_is_said_of_workers_that_nobody_knows() {
        let mut settling = Settling::default();
        let java = version("java21", 1);
        let now = Instant::now();
        assert_eq!(judged(&mut settling, &java, &members(&[]), now), Some(None));
        let starting = members(&[("a", Architecture::Arm64, &[])]);
        assert_eq!(judged(&mut settling, &java, &starting, now), Some(None));
    }

    #[test]
    fn runtimes_of_customers_are_recorded() {
        let workers = members(&[("a", Architecture::X86_64, &["python3.11"])]);
        let own = version("custom", 1);
        let verdict = judged(&mut Settling::default(), &own, &workers, Instant::now());
        assert_eq!(verdict, Some(None));
    }
}
