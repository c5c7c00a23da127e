//! Brings one invocation to a runtime, and its response back.
//!
//! Candidates are tried in the order of [`choose`](crate::choose) until a worker says that its runtime *accepted* the
//! invocation. A typed refusal, or a connection that cannot be made, moves on to the next candidate: nothing has run. A
//! connection that breaks and silence may hide that the runtime took it; another candidate is tried once more. After the
//! worker has said it the invocation is never sent elsewhere: a stream that breaks then is the caller's error.
//!
//! How long an attempt may take is told in two parts, because a cold start of many seconds is legitimate and a dead worker
//! must cost less than one. A worker opens its answer as soon as it has read the request, before it looks for an
//! environment; that must happen within [`RouterOptions::answer_max`](crate::RouterOptions::answer_max). From then on only
//! HTTP/2 keep-alive (seconds) and a generous limit for the start watch over it. An attempt that is given up is reset on
//! the wire, and a worker that sees the reset before its runtime has the invocation drops it; one that hands it over in
//! the same instant may run it besides the next candidate's, as any retry after a broken connection may.
//!
//! When a round of candidates gave nothing, [`patience`] decides whether to look again.

mod attempt;
mod patience;
mod role_key;

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use catalog::SecretError;
use model::{
    Architecture, ErrorKind, Failure, NodeName, RequestId, Runtime, function::StoredEnvironment,
};
use proto::internal as pb;
use seal::{Place, RoleKey, TextKey};
use tokio::time::Instant;
use tonic::Streaming;

use attempt::Others;
pub use attempt::{AttemptError, Newer};
pub(crate) use role_key::Told;

use crate::{
    Router,
    choose::{Explanation, Wanted},
    outstanding::Guard,
    resolve::Resolved,
};
use patience::{Next, Patience};

/// Candidates that are tried before looking at gossip again.
const ATTEMPTS_A_ROUND: usize = 3;

/// One invocation.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its id.
    pub request_id: RequestId,
    /// Its payload.
    pub payload: Bytes,
    /// The client context, decoded JSON; empty without one.
    pub client_context: String,
    /// The X-Ray trace header; empty without one.
    pub trace_id: String,
    /// Whether the end carries the tail of the log.
    pub log_tail: bool,
    /// The most bytes of a response that is passed on while the runtime makes it; `None` if it is to be collected.
    pub stream_max: Option<u64>,
}

/// What a worker is asked to do.
struct Asked<'a> {
    resolved: &'a Resolved,
    call: &'a Call,
    key: Option<&'a TextKey>,
    role_key: Option<&'a RoleKey>,
}

/// An accepted invocation: read its response with [`Dispatched::next`] to the end. Dropping it earlier tells the worker
/// that nobody listens.
#[derive(Debug)]
#[must_use = "the response is lost when this is dropped"]
pub struct Dispatched {
    accepted: Accepted,
    events: Streaming<pb::InvokeEvent>,
    deadline: Instant,
    patience: Duration,
    finished: bool,
    guard: Guard,
}

/// Where an invocation runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The worker.
    pub worker: NodeName,
    /// Whether an environment was started for it.
    pub cold: bool,
    /// The environment.
    pub environment_id: String,
    /// How many workers were asked.
    pub attempts: u32,
}

/// A piece of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseEvent {
    /// More of the response, in order.
    Chunk(Bytes),
    /// The end; nothing follows.
    Finished(Finished),
}

/// How an invocation ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// `None` on success; else AWS's word (`Unhandled`), and the chunks were the error document, unless that follows.
    pub function_error: Option<String>,
    /// The error document, where part of a response came before the error; else empty.
    pub error_document: Bytes,
    /// Content type that the runtime gave; empty without one.
    pub content_type: String,
    /// The tail of the log, if asked for.
    pub log_tail: Bytes,
    /// How long the function ran.
    pub duration: Duration,
    /// What is billed.
    pub billed: Duration,
    /// How long the environment initialised; zero if it was warm.
    pub init: Duration,
}

/// No worker said that its runtime took the invocation. Nothing ran, but for [`DispatchError::Unknown`].
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// This node cannot open the environment variables of the version.
    #[error("the environment variables cannot be opened")]
    Sealed(#[source] SecretError),
    /// Every worker that was asked is full.
    #[error("no worker has capacity, {attempts} were asked")]
    NoCapacity {
        /// Workers asked.
        attempts: u32,
    },
    /// No live worker can run this.
    #[error(
        "no live worker offers {runtime} on {architecture}; see the members that the nodes report"
    )]
    NoWorker {
        /// The runtime.
        runtime: Runtime,
        /// The architecture.
        architecture: Architecture,
    },
    /// The workers that were asked could not be reached or could not run it.
    #[error("no worker took the invocation, {attempts} were asked")]
    Unavailable {
        /// Workers asked.
        attempts: u32,
        /// What the last one said.
        #[source]
        last: AttemptError,
    },
    /// A worker may have run it, and could not be heard; no other one took it.
    #[error("a worker may have run the invocation and could not be heard, {attempts} were asked")]
    Unknown {
        /// Workers asked.
        attempts: u32,
        /// What the last one said.
        #[source]
        last: AttemptError,
    },
}

impl Failure for DispatchError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Sealed(error) => error.kind(),
            Self::NoCapacity { .. } => ErrorKind::Throttled,
            Self::NoWorker { .. } | Self::Unavailable { .. } | Self::Unknown { .. } => {
                ErrorKind::Unavailable
            }
        }
    }
}

/// The response of an accepted invocation did not come to its end. The function may have run.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// The stream broke.
    #[error("the connection to worker {worker} broke during an invocation")]
    Broken {
        /// The worker.
        worker: NodeName,
        /// How.
        #[source]
        source: Box<tonic::Status>,
    },
    /// The stream ended without an end of the response.
    #[error("worker {worker} closed the response before its end")]
    Closed {
        /// The worker.
        worker: NodeName,
    },
    /// The worker did not keep the function's own timeout.
    #[error("worker {worker} gave no end of the response within {patience:?}")]
    Deadline {
        /// The worker.
        worker: NodeName,
        /// How long was waited.
        patience: Duration,
    },
}

impl Failure for Lost {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Broken { .. } | Self::Closed { .. } => ErrorKind::Unavailable,
            Self::Deadline { .. } => ErrorKind::Deadline,
        }
    }
}

/// Why a round ended without a worker.
enum Missed {
    /// A worker knows a newer revision, which is the one to run.
    ByRevision(Box<Resolved>),
    /// Nobody took it.
    ByAll(Explanation),
}

impl Router {
    /// Sends an invocation to the best worker that takes it. Returns once a runtime has it.
    ///
    /// # Errors
    /// [`DispatchError`].
    ///
    /// # Cancel safety
    /// Dropping the future gives the present attempt up.
    pub async fn dispatch(
        &self,
        resolved: &Resolved,
        call: &Call,
    ) -> Result<Dispatched, DispatchError> {
        let mut resolved = resolved.clone();
        let mut changed = self.members_changed();
        let mut patience = Patience::new(&self.shared.options, Instant::now());
        loop {
            let key = self
                .environment_key(&resolved)
                .map_err(DispatchError::Sealed)?;
            let role_key = self.role_key(&resolved);
            let asked = Asked {
                resolved: &resolved,
                call,
                key: key.as_ref(),
                role_key: role_key.as_ref(),
            };
            let round = self.round(&asked, &mut patience).await;
            let explanation = match round {
                Ok(dispatched) => return Ok(*dispatched),
                Err(Missed::ByRevision(newer)) if !patience.is_over(Instant::now()) => {
                    resolved = *newer;
                    continue;
                }
                Err(Missed::ByRevision(_)) => Explanation::default(),
                Err(Missed::ByAll(explanation)) => explanation,
            };
            match patience.next(Instant::now()) {
                Next::GiveUp(reason) => {
                    tracing::debug!(request_id = %call.request_id, %explanation, "no worker took an invocation");
                    return Err(reason.into_error(&resolved.version.config, patience.attempts()));
                }
                Next::LookAgain(wait) => {
                    let wait = self.jittered(wait);
                    tokio::select! {
                        // New gossip may bring the worker that was missing. Gossip that has ended, as it has in a node
                        // that drains, brings nothing, and must not make this a loop without a pause.
                        Ok(()) = changed.changed() => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
            if let Some(newer) = self.shared.resolver.newer(&resolved) {
                resolved = newer;
            }
        }
    }

    /// What opens the environment of this very version, for the worker that starts it: it gets no key that opens more.
    fn environment_key(&self, resolved: &Resolved) -> Result<Option<TextKey>, SecretError> {
        let version = &resolved.version;
        match &version.config.environment {
            None | Some(StoredEnvironment::Clear(_)) => Ok(None),
            Some(StoredEnvironment::Sealed(sealed)) => {
                let place = Place::Environment(&version.id.function);
                self.shared.keys.text_key(place, sealed).map(Some)
            }
        }
    }

    /// Tries the best candidates once. A candidate that knows a newer revision than this node, which may have lost its way to
    /// the controllers, ends the round: the next begins with that one.
    async fn round(
        &self,
        asked: &Asked<'_>,
        patience: &mut Patience,
    ) -> Result<Box<Dispatched>, Missed> {
        let resolved = asked.resolved;
        let wanted = Wanted::of(&resolved.version, resolved.tenant.as_ref());
        let mut tried = BTreeSet::new();
        patience.begin_round();
        let mut last = Explanation::default();
        for _ in 0..ATTEMPTS_A_ROUND {
            last = self.choose(&wanted, &tried);
            let Some(best) = last.ranked.first().map(|r| r.member.clone()) else {
                break;
            };
            let others = if last.ranked.len() > 1 {
                Others::Some
            } else {
                Others::None
            };
            tried.insert(best.name.clone());
            let attempt = patience.count_attempt();
            match self.attempt(asked, &best, attempt, others).await {
                Ok(dispatched) => return Ok(dispatched),
                Err(error) => {
                    tracing::debug!(worker = %best.name, %error, request_id = %asked.call.request_id, "a worker did not take an invocation");
                    if error.is_the_workers_fault() {
                        let mut aside = self.shared.aside.lock();
                        aside.failed(&best.name, Instant::now());
                    }
                    let newer = error.newer_than(asked.resolved);
                    patience.note(error);
                    if let Some(newer) = newer {
                        return Err(Missed::ByRevision(Box::new(newer)));
                    }
                }
            }
            if patience.is_over(Instant::now()) {
                break;
            }
        }
        Err(Missed::ByAll(last))
    }

    /// Between half of it and all of it, so that callers that were refused together do not come back together.
    fn jittered(&self, wait: Duration) -> Duration {
        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(micros / 2 + self.shared.entropy.below(micros / 2 + 1))
    }
}

impl Dispatched {
    /// Where it runs.
    #[must_use]
    pub fn accepted(&self) -> &Accepted {
        &self.accepted
    }

    /// The next piece of the response; `None` after [`ResponseEvent::Finished`].
    ///
    /// # Errors
    /// [`Lost`] if there will be no end.
    ///
    /// # Cancel safety
    /// Safe: no piece is lost.
    pub async fn next(&mut self) -> Result<Option<ResponseEvent>, Lost> {
        use pb::invoke_event::Part;
        loop {
            if self.finished {
                return Ok(None);
            }
            let worker = || self.accepted.worker.clone();
            let message = tokio::time::timeout_at(self.deadline, self.events.message())
                .await
                .map_err(|_| Lost::Deadline {
                    worker: worker(),
                    patience: self.patience,
                })?
                .map_err(|status| Lost::Broken {
                    worker: worker(),
                    source: Box::new(status),
                })?;
            match message.map(|m| m.part) {
                Some(Some(Part::Chunk(bytes))) => return Ok(Some(ResponseEvent::Chunk(bytes))),
                Some(Some(Part::Finished(end))) => {
                    self.finished = true;
                    self.guard.returned();
                    return Ok(Some(ResponseEvent::Finished(end.into())));
                }
                // A worker of a newer version may say more than this build understands.
                Some(None | Some(Part::Accepted(_))) => {}
                Some(Some(Part::Refused(_))) | None => {
                    return Err(Lost::Closed { worker: worker() });
                }
            }
        }
    }
}

impl From<pb::Finished> for Finished {
    fn from(m: pb::Finished) -> Self {
        Self {
            function_error: (!m.function_error.is_empty()).then_some(m.function_error),
            error_document: m.error_document,
            content_type: m.content_type,
            log_tail: m.log_tail,
            duration: Duration::from_micros(m.duration_us),
            billed: Duration::from_millis(m.billed_ms),
            init: Duration::from_micros(m.init_us),
        }
    }
}
