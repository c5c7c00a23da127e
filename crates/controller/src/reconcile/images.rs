//! Ends creations and updates of functions that are container images: workers are told to bring the image, and one that has
//! it, or has learnt that it never will, ends the wait.
//!
//! The digest of the image stands in the version already, so that nothing that is learnt here has to be remembered: another
//! leader asks the same workers the same, and a worker that has the image says so at once. Which workers are asked first follows
//! from the digest.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::StreamExt as _;
use host::membership::Members;
use model::{
    Digest, RevisionId, Role, VersionId,
    capacity::Member,
    function::{FunctionVersion, Reason},
};
use proto::internal::{
    PrepareImageRequest, PrepareImageResponse, prepare_image_response::State,
    worker_client::WorkerClient,
};
use tokio::time::Instant;

use super::settle::{is_offered_by, settle};
use crate::Shared;

/// Versions that are asked about at a time.
const TOGETHER: usize = 16;
/// Workers that bring one image before it is in use; the others bring it when they need it.
const WORKERS: usize = 3;
/// How long a worker may take to answer.
const ASK_MAX: Duration = Duration::from_secs(2);
/// How long a registry or every worker may be in trouble before a version fails by it.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is known from one round to the next: since when nothing but trouble is heard of an image.
#[derive(Default)]
pub(super) struct Images {
    troubled: BTreeMap<VersionId, (RevisionId, Instant)>,
    waiting: bool,
}

/// What the workers say of one image.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    Ready,
    OnItsWay(String),
    Troubled(Reason),
    Failed(Reason),
}

impl Images {
    /// Asks about every image that something waits for, if this controller leads.
    pub(super) async fn run(&mut self, shared: &Arc<Shared>) {
        self.waiting = false;
        if !shared.replica.status().is_leader {
            self.troubled.clear();
            return;
        }
        let open: Vec<Arc<FunctionVersion>> = shared.replica.read(|machine, _| {
            let open = machine.catalog().unsettled();
            open.filter(|v| v.config.image().is_some())
                .cloned()
                .collect()
        });
        self.waiting = !open.is_empty();
        let members = shared.ports.membership.watch().borrow().clone();
        let words = futures::stream::iter(open)
            .map(|version| {
                let workers = workers(&members, &version);
                async move {
                    let word = ask_all(shared, &workers, &version).await;
                    (version, word)
                }
            })
            .buffer_unordered(TOGETHER)
            .collect::<Vec<_>>()
            .await;
        let before = std::mem::take(&mut self.troubled);
        for (version, word) in words {
            let failure = match word {
                // Nobody is there to ask.
                None => continue,
                Some(Word::Ready) => None,
                Some(Word::Failed(reason)) => Some(reason),
                Some(Word::OnItsWay(how_far)) => {
                    tracing::debug!(function = %version.id.function.name, %how_far, "an image is on its way");
                    continue;
                }
                Some(Word::Troubled(reason)) => {
                    let since = before
                        .get(&version.id)
                        .filter(|(revision, _)| *revision == version.revision_id)
                        .map_or_else(Instant::now, |(_, since)| *since);
                    tracing::warn!(function = %version.id.function.name, why = %reason.text, "an image does not come");
                    if since.elapsed() < PATIENCE {
                        let known = (version.revision_id, since);
                        self.troubled.insert(version.id.clone(), known);
                        continue;
                    }
                    Some(reason)
                }
            };
            if !settle(shared, &version, failure).await {
                return;
            }
        }
    }

    /// Whether something waits for an image, so that it is worth asking again soon.
    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting
    }
}

/// The workers that bring an image first: those of its architecture in an order of its digest.
fn workers(members: &Members, version: &FunctionVersion) -> Vec<Arc<Member>> {
    let able = members.values().filter(|member| {
        member.roles.has(Role::Worker) && !member.draining && is_offered_by(member, version)
    });
    let mut able: Vec<(Digest, Arc<Member>)> = able
        .map(|member| {
            let text = format!("{}{}", version.code.digest, member.name);
            (Digest::of(text.as_bytes()), member.clone())
        })
        .collect();
    able.sort_by_key(|(order, _)| *order);
    able.into_iter()
        .take(WORKERS)
        .map(|(_, member)| member)
        .collect()
}

/// What the workers say together; `None` if there are none.
async fn ask_all(
    shared: &Shared,
    workers: &[Arc<Member>],
    version: &FunctionVersion,
) -> Option<Word> {
    let words =
        futures::future::join_all(workers.iter().map(|worker| ask(shared, worker, version)));
    together(words.await)
}

/// One that has it is enough, and one that will not get it speaks for the others: they ask the same registry for the same.
fn together(words: Vec<Word>) -> Option<Word> {
    let rank = |word: &Word| match word {
        Word::Ready => 0,
        Word::Failed(_) => 1,
        Word::OnItsWay(_) => 2,
        Word::Troubled(_) => 3,
    };
    words.into_iter().min_by_key(rank)
}

async fn ask(shared: &Shared, worker: &Member, version: &FunctionVersion) -> Word {
    let troubled = |text: String| {
        Word::Troubled(Reason {
            code: "InternalError".to_owned(),
            text,
        })
    };
    let Some(image) = version.config.image() else {
        return Word::Ready;
    };
    let channel = shared.ports.channels.get_to(&worker.address, Role::Worker);
    let request = PrepareImageRequest {
        uri: image.uri.clone(),
        digest: version.code.digest.as_bytes().to_vec().into(),
    };
    let mut client = WorkerClient::new(channel);
    match tokio::time::timeout(ASK_MAX, client.prepare_image(request)).await {
        Ok(Ok(answer)) => word(answer.into_inner()),
        Ok(Err(status)) => troubled(format!(
            "Worker {} cannot be asked for the image: {}",
            worker.name,
            status.message()
        )),
        Err(_) => troubled(format!(
            "Worker {} does not say whether it has the image.",
            worker.name
        )),
    }
}

fn word(answer: PrepareImageResponse) -> Word {
    let state = answer.state();
    let reason = Reason {
        code: answer.code,
        text: answer.text,
    };
    match state {
        State::Ready => Word::Ready,
        State::OnItsWay => Word::OnItsWay(reason.text),
        State::Failed => Word::Failed(reason),
        State::Troubled | State::Unspecified => Word::Troubled(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_that_has_it_is_enough() {
        let reason = || Reason {
            code: "c".to_owned(),
            text: "t".to_owned(),
        };
        let on_its_way = || Word::OnItsWay("1 of 2".to_owned());
        assert_eq!(together(vec![]), None);
        assert_eq!(
            together(vec![Word::Failed(reason()), Word::Ready]),
            Some(Word::Ready)
        );
        assert_eq!(
            together(vec![Word::Troubled(reason()), on_its_way()]),
            Some(on_its_way())
        );
        assert_eq!(
            together(vec![on_its_way(), Word::Failed(reason())]),
            Some(Word::Failed(reason()))
        );
    }

    #[test]
    fn answers_of_workers_are_read() {
        let answer = |state: State| PrepareImageResponse {
            state: state.into(),
            code: "InvalidImage".to_owned(),
            text: "t".to_owned(),
        };
        let reason = Reason {
            code: "InvalidImage".to_owned(),
            text: "t".to_owned(),
        };
        assert_eq!(word(answer(State::Ready)), Word::Ready);
        assert_eq!(word(answer(State::Failed)), Word::Failed(reason.clone()));
        assert_eq!(word(answer(State::Unspecified)), Word::Troubled(reason));
    }
}
