//! The way to the controllers: who leads, whom to ask next, when to give up.

mod blob;
mod snapshot;

pub use blob::chunks as blob_chunks;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use host::{
    Membership,
    net::channel::{Channels, NodeChannel},
};
use model::{
    ErrorKind, Failure, Mutation, Revision, Role,
    mutation::{Changed, Rejection},
};
use parking_lot::Mutex;
use proto::{
    InvalidMessage,
    internal::{self as pb, catalog_client::CatalogClient},
};
use state::IdempotencyKey;
use tokio::time::Instant;
use tonic::Code;

use crate::codec;

/// One attempt at one controller may take this long: a dead one must not eat the whole deadline.
const ATTEMPT_MAX: Duration = Duration::from_millis(800);
const RETRY_MIN: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_millis(200);

/// What an accepted or refused change gave, and where.
pub type Mutated = (Revision, Result<Changed, Rejection>);

/// How to reach the controllers.
pub struct ControllersOptions {
    /// Addresses that are tried as long as gossip knows no controller.
    pub initial: Vec<String>,
    /// The address of this node if it is a controller: it is asked first for what any controller can answer.
    pub own: Option<String>,
}

/// A client of the catalog service. Clones share what they learned about the leader.
#[derive(Clone)]
pub struct Controllers {
    shared: Arc<Shared>,
}

struct Shared {
    options: ControllersOptions,
    membership: Arc<dyn Membership>,
    channels: Arc<Channels>,
    leader: Mutex<Option<String>>,
    turn: AtomicUsize,
}

impl Shared {
    /// A channel to a controller: nobody else's certificate is accepted there.
    fn channel(&self, address: &str) -> NodeChannel {
        self.channels.get_to(address, Role::Controller)
    }
}

/// Why the controllers could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// No leader answered in time. A change may still happen; repeating it under the same key is safe.
    #[error(
        "no leader of the controllers answered within {0:?}; see the status of the controllers"
    )]
    NoLeader(Duration),
    /// The blob that a change names is not on a quorum of controllers.
    #[error("the code is not on a quorum of controllers")]
    BlobMissing,
    /// The change needs a newer format than the cluster writes before its upgrade is finished. Nothing was done.
    #[error(
        "expected a change of format {cluster} or older, got one of format {needed}; finish the upgrade with `dunlin cluster finalize`"
    )]
    Unfinalized {
        /// What the change needs.
        needed: u32,
        /// What the cluster writes.
        cluster: u32,
    },
    /// No controller has the blob, or none could keep it.
    #[error("no controller could be reached for blob {digest}")]
    Blob {
        /// The blob.
        digest: model::Digest,
        /// The last refusal, if there was one.
        #[source]
        source: Option<Box<tonic::Status>>,
    },
    /// A controller refused the request itself.
    #[error("a controller refused the request")]
    Refused(#[source] Box<tonic::Status>),
    /// An answer that this build cannot read.
    #[error("a controller sent an answer that this build cannot read")]
    Answer(#[from] InvalidMessage),
    /// A record that this build cannot read.
    #[error("a controller sent a record that this build cannot read")]
    Record(#[from] codec::CodecError),
}

impl Failure for ControllerError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoLeader(_) | Self::BlobMissing | Self::Blob { .. } => ErrorKind::Unavailable,
            Self::Unfinalized { .. } => ErrorKind::Conflict,
            Self::Refused(_) | Self::Answer(_) | Self::Record(_) => ErrorKind::Internal,
        }
    }
}

/// What one attempt at one controller came to.
enum Attempt<T> {
    Done(T),
    /// Ask there, or anybody if empty.
    Elsewhere(String),
}

impl Controllers {
    /// A client that finds controllers by gossip and, before that, by the initial addresses.
    #[must_use]
    pub fn new(
        options: ControllersOptions,
        membership: Arc<dyn Membership>,
        channels: Arc<Channels>,
    ) -> Self {
        let shared = Shared {
            options,
            membership,
            channels,
            leader: Mutex::new(None),
            turn: AtomicUsize::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Proposes a change and waits for its outcome. Every attempt carries the same key: it is done at most once.
    ///
    /// # Errors
    /// [`ControllerError`]; after [`ControllerError::NoLeader`] the outcome is unknown.
    pub async fn mutate(
        &self,
        key: IdempotencyKey,
        mutation: &Mutation,
        patience: Duration,
    ) -> Result<Mutated, ControllerError> {
        let request = pb::MutateRequest {
            idempotency_key: codec::encode_key(key),
            mutation: Some(mutation.into()),
        };
        let outcome = self
            .at_leader(patience, |mut client, limit| {
                let mut call = tonic::Request::new(request.clone());
                call.set_timeout(limit);
                async move {
                    use pb::mutate_response::Result as Answer;
                    match client.mutate(call).await?.into_inner().result {
                        Some(Answer::Outcome(outcome)) => Ok(Attempt::Done(Ok(outcome))),
                        Some(Answer::BlobMissing(_)) => {
                            Ok(Attempt::Done(Err(ControllerError::BlobMissing)))
                        }
                        Some(Answer::Unfinalized(u)) => {
                            Ok(Attempt::Done(Err(ControllerError::Unfinalized {
                                needed: u.needed,
                                cluster: u.cluster,
                            })))
                        }
                        Some(Answer::NotLeader(hint)) => Ok(Attempt::Elsewhere(hint.address)),
                        None => Ok(Attempt::Elsewhere(String::new())),
                    }
                }
            })
            .await??;
        Ok(outcome.parse()?)
    }

    /// A revision that includes every change that was acknowledged before this call.
    ///
    /// # Errors
    /// [`ControllerError`].
    pub async fn barrier(&self, patience: Duration) -> Result<Revision, ControllerError> {
        self.at_leader(patience, |mut client, limit| {
            let mut call = tonic::Request::new(pb::BarrierRequest {});
            call.set_timeout(limit);
            async move {
                use pb::barrier_response::Result as Answer;
                match client.barrier(call).await?.into_inner().result {
                    Some(Answer::Revision(revision)) => Ok(Attempt::Done(Revision(revision))),
                    Some(Answer::NotLeader(hint)) => Ok(Attempt::Elsewhere(hint.address)),
                    None => Ok(Attempt::Elsewhere(String::new())),
                }
            }
        })
        .await
    }

    /// Asks the leader, following hints, until it answers or patience ends.
    async fn at_leader<T, F, Fut>(&self, patience: Duration, ask: F) -> Result<T, ControllerError>
    where
        F: Fn(CatalogClient<NodeChannel>, Duration) -> Fut,
        Fut: Future<Output = Result<Attempt<T>, tonic::Status>>,
    {
        let deadline = Instant::now() + patience;
        let mut wait = RETRY_MIN;
        let mut hinted = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ControllerError::NoLeader(patience));
            }
            if let Some(address) = self.leader_or_next() {
                let limit = left.min(ATTEMPT_MAX);
                let client = CatalogClient::new(self.shared.channel(&address))
                    .max_decoding_message_size(16 << 20);
                match tokio::time::timeout(limit, ask(client, limit)).await {
                    Ok(Ok(Attempt::Done(answer))) => {
                        *self.shared.leader.lock() = Some(address);
                        return Ok(answer);
                    }
                    Ok(Ok(Attempt::Elsewhere(hint))) => {
                        let useful = !hint.is_empty() && hint != address;
                        *self.shared.leader.lock() = useful.then_some(hint);
                        // A hint is followed at once, but two in a row may be two nodes that disagree.
                        if useful && !hinted {
                            hinted = true;
                            continue;
                        }
                    }
                    Ok(Err(status)) if is_final(&status) => {
                        return Err(ControllerError::Refused(Box::new(status)));
                    }
                    Ok(Err(_)) | Err(_) => *self.shared.leader.lock() = None,
                }
            }
            hinted = false;
            tokio::time::sleep(wait.min(deadline.saturating_duration_since(Instant::now()))).await;
            wait = (wait * 2).min(RETRY_MAX);
        }
    }

    fn leader_or_next(&self) -> Option<String> {
        let known = self.shared.leader.lock().clone();
        known.or_else(|| self.next_address())
    }

    /// The controllers that gossip knows, else the initial ones; this node's own first in every round.
    fn addresses(&self) -> Vec<String> {
        let members = self.shared.membership.watch().borrow().clone();
        let mut known: Vec<String> = members
            .values()
            .filter(|m| m.roles.has(Role::Controller))
            .map(|m| m.address.clone())
            .collect();
        for initial in &self.shared.options.initial {
            if !known.contains(initial) {
                known.push(initial.clone());
            }
        }
        known
    }

    fn next_address(&self) -> Option<String> {
        let addresses = self.addresses();
        let turn = self.shared.turn.fetch_add(1, Ordering::Relaxed);
        addresses.get(turn.checked_rem(addresses.len())?).cloned()
    }

    /// A controller to stream from: this node's own if it is one, else each in turn.
    pub(crate) fn next_to_watch(&self) -> Option<NodeChannel> {
        let own = self.shared.options.own.clone();
        own.or_else(|| self.next_address())
            .map(|address| self.shared.channel(&address))
    }
}

/// Whether asking another controller is useless.
fn is_final(status: &tonic::Status) -> bool {
    matches!(
        status.code(),
        Code::InvalidArgument
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented
    )
}
