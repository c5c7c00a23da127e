//! The HTTP shell of the lifecycle, and the handle by which a worker uses it.
//!
//! One accept loop and one task a connection run in the node's task set. All of them share one small lock that is never
//! held over an await. Every reset begins a new epoch: connections of an earlier epoch are closed, and a call that one of
//! them had under way is refused.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use model::RequestId;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot, watch};

use host::{Entropy, Tasks, task::Kind};

use crate::{
    Answer, Credentials, InitFailure, Invocation, Phase, Shutdown,
    extensions::{Event, ExtensionId, Extensions, Progress},
    http::extension::invoke_body,
    lifecycle::{Lifecycle, Offer, OfferError},
    subscription::Subscriptions,
};

mod accept;
mod calls;
mod connection;
mod extensions;
mod parts;
#[cfg(test)]
mod tests;

pub use accept::Accept;
pub(crate) use extensions::ExtensionCall;
pub use extensions::Launched;

/// What one environment may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A response or an error document, in bytes.
    pub response: usize,
    /// Request line and headers of one call, in bytes. Runtimes send causes of errors of up to 1 MiB in a header.
    pub head: usize,
    /// Connections at a time.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            response: 6_291_556,
            head: 1_310_720,
            connections: 64,
        }
    }
}

/// What the API of one environment is made with.
pub struct Setting {
    /// What the environment may send.
    pub limits: Limits,
    /// What the endpoint of credentials answers; without, there is none.
    pub credentials: Option<Arc<dyn Credentials>>,
    /// What extensions are told of the function.
    pub about: About,
    /// Where identifiers of extensions and events come from.
    pub identifiers: Arc<dyn Entropy>,
    /// Who keeps subscriptions to telemetry; without, there is no telemetry.
    pub subscriptions: Option<Arc<dyn Subscriptions>>,
}

/// What extensions are told of the function when they register.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub function_name: String,
    /// A number or `$LATEST`.
    pub function_version: String,
    /// Its handler; empty without one.
    pub handler: String,
    /// Its owner.
    pub account_id: String,
}

/// The Runtime API of one environment.
///
/// Dropping it closes the listener and every connection.
pub struct RuntimeApi {
    shared: Arc<Shared>,
    /// The same as the accept loop's: a reset discards who waits there.
    waiting: Arc<dyn accept::Waiting>,
}

/// An invocation that was offered.
#[derive(Debug)]
pub struct Call {
    taken: Option<oneshot::Receiver<()>>,
    answer: Option<oneshot::Receiver<Answer>>,
}

/// Why an invocation cannot be offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct InvokeError(#[from] pub OfferError);

struct Shared {
    inner: Mutex<Inner>,
    phase: watch::Sender<Phase>,
    /// How far extensions are.
    progress: watch::Sender<Progress>,
    epoch: watch::Sender<u64>,
    limits: Limits,
    /// How many connections are open.
    connections: watch::Sender<usize>,
    /// One body at a time is taken in: what code inside can make us hold is bounded by it.
    bodies: Semaphore,
    setting: Setting,
}

/// The epoch of a closed API: no connection belongs to it.
const CLOSED: u64 = u64::MAX;

#[derive(Default)]
struct Inner {
    machine: Lifecycle,
    epoch: u64,
    polls: u64,
    poll: Option<OpenPoll>,
    offered: Option<Invocation>,
    pending: Option<Pending>,
    init_failure: Option<InitFailure>,
    extensions: Extensions,
    extension_polls: BTreeMap<ExtensionId, extensions::OpenPoll>,
    /// What extensions are told of the present invocation.
    told_invocation: Option<Bytes>,
    shutdown: Option<Shutdown>,
}

struct OpenPoll {
    number: u64,
    reply: oneshot::Sender<Invocation>,
}

struct Pending {
    request_id: RequestId,
    attempt_id: String,
    stream_max: Option<u64>,
    taken: Option<oneshot::Sender<()>>,
    answer: oneshot::Sender<Answer>,
}

impl RuntimeApi {
    /// Serves on a listener until the value is dropped.
    #[must_use]
    pub fn serve<A: Accept>(listener: A, tasks: &Tasks, setting: Setting) -> Self {
        let limits = setting.limits;
        let listener = Arc::new(listener);
        let shared = Arc::new(Shared {
            inner: Mutex::default(),
            phase: watch::Sender::new(Phase::Starting),
            progress: watch::Sender::new(Progress::default()),
            epoch: watch::Sender::new(0),
            limits,
            connections: watch::Sender::new(0),
            bodies: Semaphore::new(1),
            setting,
        });
        let accept = connection::accept(listener.clone(), shared.clone(), tasks.clone());
        tasks.spawn(Kind::Environment, "runtime-api", accept);
        Self {
            shared,
            waiting: listener,
        }
    }

    /// What the runtime is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.shared.phase.borrow()
    }

    /// Waits until the runtime has asked for its first invocation since it was started.
    ///
    /// # Errors
    /// [`InitFailure`] if it reports that it cannot initialise.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn ready(&self) -> Result<(), InitFailure> {
        let phase = self.wait_for(|p| p != Phase::Starting).await;
        if phase == Phase::InitFailed {
            let failure = self.shared.inner.lock().init_failure.clone();
            return Err(failure.unwrap_or_else(|| InitFailure {
                body: bytes::Bytes::new(),
                error_type: None,
            }));
        }
        Ok(())
    }

    /// Waits until the runtime waits for an invocation.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn idle(&self) {
        self.wait_for(|p| p == Phase::Idle).await;
    }

    /// Waits until no connection is open: what a dead process had sent is then dealt with. Connections that were not
    /// accepted yet do not count.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn quiet(&self) {
        let mut open = self.shared.connections.subscribe();
        // The sender lives in `self`.
        drop(open.wait_for(|open| *open == 0).await);
    }

    /// Offers an invocation: a runtime that waits gets it at once, another one with its next poll.
    ///
    /// # Errors
    /// [`InvokeError`] if there is one already, or the runtime could not initialise.
    pub fn invoke(&self, invocation: Invocation) -> Result<Call, InvokeError> {
        let (taken_tx, taken) = oneshot::channel();
        let (answer_tx, answer) = oneshot::channel();
        let mut inner = self.shared.inner.lock();
        let offer = inner.machine.offer(invocation.request_id)?;
        if !inner.extensions.all().is_empty() {
            inner.told_invocation = Some(invoke_body(&invocation));
            let now = inner.extensions.invoke();
            inner.tell_all(&now, Event::Invoke, &self.shared);
            self.shared.publish_extensions(&inner);
        }
        inner.pending = Some(Pending {
            request_id: invocation.request_id,
            attempt_id: invocation.attempt_id.clone(),
            stream_max: invocation.stream_max,
            taken: Some(taken_tx),
            answer: answer_tx,
        });
        match offer {
            Offer::Wait => inner.offered = Some(invocation),
            Offer::Deliver => {
                inner.mark_taken();
                // The receiver deregisters its poll under this lock before it goes away, so it is there.
                if let Some(poll) = inner.poll.take() {
                    let _delivered = poll.reply.send(invocation);
                }
                self.shared.publish(&inner);
            }
        }
        Ok(Call {
            taken: Some(taken),
            answer: Some(answer),
        })
    }

    /// Takes back an invocation that the runtime has not taken; answers whether it was so.
    #[must_use]
    pub fn withdraw(&self, id: RequestId) -> bool {
        let mut inner = self.shared.inner.lock();
        let was = inner.machine.withdraw(id);
        if was {
            inner.offered = None;
            inner.pending = None;
        }
        was
    }

    /// Forgets the process that was there: call it when that process is dead and before the next one is started. A call
    /// that waits for an answer gets none.
    pub fn reset(&self) {
        {
            let mut inner = self.shared.inner.lock();
            let epoch = inner.epoch.saturating_add(1).min(CLOSED - 1);
            let polls = inner.polls;
            *inner = Inner {
                epoch,
                polls,
                ..Inner::default()
            };
            self.shared.publish(&inner);
            self.shared.publish_extensions(&inner);
            self.shared.epoch.send_replace(epoch);
        }
        // Connections of the dead process that nobody has accepted yet.
        self.waiting.discard_waiting();
    }

    async fn wait_for(&self, wanted: impl Fn(Phase) -> bool) -> Phase {
        let mut phase = self.shared.phase.subscribe();
        let reached = phase.wait_for(|p| wanted(*p)).await.map(|now| *now);
        match reached {
            Ok(now) => now,
            // The sender lives in `self`.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        let mut inner = self.shared.inner.lock();
        *inner = Inner {
            epoch: CLOSED,
            ..Inner::default()
        };
        self.shared.epoch.send_replace(CLOSED);
    }
}

impl std::fmt::Debug for RuntimeApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuntimeApi")
            .field("phase", &self.phase())
            .finish_non_exhaustive()
    }
}

impl Call {
    /// Waits until the runtime has taken the invocation; `false` if it never will.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn taken(&mut self) -> bool {
        match self.taken.as_mut() {
            None => true,
            Some(taken) => {
                let was = taken.await.is_ok();
                if was {
                    self.taken = None;
                }
                was
            }
        }
    }

    /// Waits for the answer; `None` if there will be none (any more), because the environment was reset or dropped, could
    /// not initialise, or has answered already.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn answer(&mut self) -> Option<Answer> {
        let answer = self.answer.as_mut()?.await.ok();
        self.answer = None;
        answer
    }
}

impl Shared {
    fn publish(&self, inner: &Inner) {
        let now = inner.machine.phase();
        self.phase.send_if_modified(|phase| {
            let changed = *phase != now;
            *phase = now;
            changed
        });
    }
}

impl Inner {
    fn mark_taken(&mut self) {
        let taken = self.pending.as_mut().and_then(|p| p.taken.take());
        if let Some(taken) = taken {
            let _heard = taken.send(());
        }
    }
}
