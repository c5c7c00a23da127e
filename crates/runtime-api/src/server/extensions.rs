//! The calls of extensions, and what a worker does with them.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::sync::oneshot;

use super::{Inner, RuntimeApi, Shared, calls::Reply};
use crate::{
    extensions::{Event, Extension, ExtensionId, Extensions, Fault, Poll, Progress, Refusal},
    http::{
        self as wire,
        extension::{self, ExtensionFault, Shutdown, Told},
    },
    subscription::{Api, Closed},
};

/// What an extension may send in one call, in bytes.
const BODY_MAX: usize = 64 << 10;

/// A poll of an extension that waits.
pub(super) struct OpenPoll {
    number: u64,
    reply: oneshot::Sender<Told>,
}

/// The process of an extension, between a reset and the next.
#[derive(Clone, Debug)]
pub struct Launched {
    epoch: u64,
    name: String,
}

/// A call, as far as its path tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExtensionCall {
    Register,
    Next,
    InitError,
    ExitError,
    Subscribe(Api),
}

pub(super) async fn serve(
    shared: &Arc<Shared>,
    epoch: u64,
    call: ExtensionCall,
    request: Request<Incoming>,
) -> Result<Reply, wire::Fault> {
    if shared.inner.lock().epoch != epoch {
        return Err(wire::Fault::Closing);
    }
    let (head, body) = request.into_parts();
    let reply = match call {
        ExtensionCall::Next => next(shared, epoch, &head.headers).await,
        ExtensionCall::Register => {
            let body = collect(body).await;
            body.and_then(|body| register(shared, epoch, &head.headers, &body))
        }
        ExtensionCall::InitError | ExtensionCall::ExitError => {
            // What it says beside the type is for its own log.
            let _document = collect(body).await;
            failed(shared, epoch, call, &head.headers)
        }
        ExtensionCall::Subscribe(api) => match collect(body).await {
            Ok(body) => subscribe(shared, epoch, api, &head.headers, &body),
            Err(fault) => Err(fault),
        },
    };
    Ok(reply.unwrap_or_else(|fault| fault.response()))
}

async fn collect(body: Incoming) -> Result<Bytes, ExtensionFault> {
    let limited = Limited::new(body, BODY_MAX);
    let collected = limited.collect().await.map_err(|error| {
        ExtensionFault::InvalidFormat(format!(
            "expected a body of at most {BODY_MAX} bytes: {error}"
        ))
    })?;
    Ok(collected.to_bytes())
}

fn register(
    shared: &Shared,
    epoch: u64,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Reply, ExtensionFault> {
    let wanted = extension::registration(headers, body)?;
    let id = ExtensionId::from_random(shared.setting.identifiers.next_u128());
    let mut inner = shared.inner.lock();
    inner.check_epoch(epoch)?;
    inner.extensions.register(&wanted.name, wanted.events, id)?;
    shared.publish_extensions(&inner);
    let about = &shared.setting.about;
    Ok(extension::registered(id, about, wanted.wants_account))
}

fn failed(
    shared: &Shared,
    epoch: u64,
    call: ExtensionCall,
    headers: &HeaderMap,
) -> Result<Reply, ExtensionFault> {
    let id = extension::identifier(headers)?;
    let error_type = extension::error_type(headers)?;
    let mut inner = shared.inner.lock();
    inner.check_epoch(epoch)?;
    if call == ExtensionCall::InitError {
        inner.extensions.init_error(id, &error_type)?;
    } else {
        inner.extensions.exit_error(id, &error_type)?;
    }
    shared.publish_extensions(&inner);
    Ok(wire::accepted())
}

fn subscribe(
    shared: &Shared,
    epoch: u64,
    api: Api,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Reply, ExtensionFault> {
    let id = extension::identifier(headers)?;
    let name = {
        let inner = shared.inner.lock();
        inner.check_epoch(epoch)?;
        inner.extensions.name(id)?.to_owned()
    };
    let Some(subscriptions) = shared.setting.subscriptions.as_ref() else {
        return Ok(api.not_supported());
    };
    Ok(match api.parse(body) {
        Ok(wanted) => match subscriptions.subscribe(&name, wanted) {
            Ok(()) => api.subscribed(),
            Err(Closed) => api.closed(),
        },
        Err(invalid) => api.invalid(&invalid),
    })
}

async fn next(
    shared: &Arc<Shared>,
    epoch: u64,
    headers: &HeaderMap,
) -> Result<Reply, ExtensionFault> {
    let id = extension::identifier(headers)?;
    let mut poll = {
        let mut inner = shared.inner.lock();
        inner.check_epoch(epoch)?;
        let step = inner.extensions.poll(id)?;
        shared.publish_extensions(&inner);
        match step {
            Poll::Deliver(event) => {
                let told = inner.tell(event, shared);
                return Ok(extension::told(&told));
            }
            Poll::Hold => {
                let (reply, receiver) = oneshot::channel();
                inner.polls = inner.polls.wrapping_add(1);
                let number = inner.polls;
                inner.extension_polls.insert(id, OpenPoll { number, reply });
                HeldPoll {
                    shared: shared.clone(),
                    epoch,
                    id,
                    number,
                    receiver,
                }
            }
        }
    };
    match (&mut poll.receiver).await {
        Ok(told) => Ok(extension::told(&told)),
        Err(_) => {
            let name = shared.inner.lock().extensions.name(id).map(str::to_owned);
            Err(Refusal::InvalidState {
                from: "Ready",
                to: "Ready",
                name: name.unwrap_or_default(),
            }
            .into())
        }
    }
}

/// A poll that waits. If its connection goes away, what was sent to it meanwhile waits for the next one.
struct HeldPoll {
    shared: Arc<Shared>,
    epoch: u64,
    id: ExtensionId,
    number: u64,
    receiver: oneshot::Receiver<Told>,
}

impl Drop for HeldPoll {
    fn drop(&mut self) {
        let mut inner = self.shared.inner.lock();
        if inner.epoch != self.epoch {
            return;
        }
        let open = inner.extension_polls.get(&self.id);
        if open.is_some_and(|p| p.number == self.number) {
            inner.extension_polls.remove(&self.id);
            inner.extensions.poll_lost(self.id);
        } else if let Ok(told) = self.receiver.try_recv()
            && inner.extensions.undelivered(self.id, told.event)
        {
            inner.tell_all(&[self.id], told.event, &self.shared);
        }
        self.shared.publish_extensions(&inner);
    }
}

impl Inner {
    fn check_epoch(&self, epoch: u64) -> Result<(), ExtensionFault> {
        if self.epoch == epoch {
            Ok(())
        } else {
            // Its connection is about to be closed.
            Err(Refusal::UnknownIdentifier.into())
        }
    }

    fn tell(&self, event: Event, shared: &Shared) -> Told {
        let body = match event {
            Event::Invoke => self.told_invocation.clone(),
            Event::Shutdown => self.shutdown.map(extension::shutdown_body),
        };
        Told {
            event,
            id: ExtensionId::from_random(shared.setting.identifiers.next_u128()),
            body: body.unwrap_or_default(),
        }
    }

    /// Tells those whose polls are open.
    pub(super) fn tell_all(&mut self, whom: &[ExtensionId], event: Event, shared: &Shared) {
        for id in whom {
            let told = self.tell(event, shared);
            if let Some(poll) = self.extension_polls.remove(id)
                && poll.reply.send(told).is_err()
            {
                // No other poll is open: this one was, until a moment ago.
                let _none = self.extensions.undelivered(*id, event);
            }
        }
    }
}

impl Shared {
    pub(super) fn publish_extensions(&self, inner: &Inner) {
        let now = inner.extensions.progress();
        self.progress.send_if_modified(|progress| {
            let changed = *progress != now;
            *progress = now;
            changed
        });
    }
}

impl RuntimeApi {
    /// Expects the process of an extension, which is about to be started, to register.
    ///
    /// # Errors
    /// [`Refusal::TooMany`].
    pub fn launch_extension(&self, name: &str) -> Result<Launched, Refusal> {
        let mut inner = self.shared.inner.lock();
        inner.extensions.launch(name)?;
        self.shared.publish_extensions(&inner);
        Ok(Launched {
            epoch: inner.epoch,
            name: name.to_owned(),
        })
    }

    /// The program of an extension could not be started.
    pub fn extension_not_launched(&self, launched: &Launched, error_type: &str, why: &str) {
        self.of(launched, |e| {
            e.not_launched(&launched.name, error_type, why)
        });
    }

    /// The process of an extension is over.
    pub fn extension_exited(&self, launched: &Launched, how: &str) {
        self.of(launched, |e| e.exited(&launched.name, how));
    }

    fn of(&self, launched: &Launched, change: impl FnOnce(&mut Extensions)) {
        let mut inner = self.shared.inner.lock();
        if inner.epoch == launched.epoch {
            change(&mut inner.extensions);
            self.shared.publish_extensions(&inner);
        }
    }

    /// The extensions that there are, in the order in which they came.
    #[must_use]
    pub fn extensions(&self) -> Vec<Extension> {
        self.shared.inner.lock().extensions.all().to_vec()
    }

    /// Whether there is any.
    #[must_use]
    pub fn has_extensions(&self) -> bool {
        !self.shared.inner.lock().extensions.all().is_empty()
    }

    /// Waits until the process of every external extension is over.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn extensions_over(&self) {
        let mut progress = self.shared.progress.subscribe();
        // An error means that the API is gone, and they with it.
        drop(progress.wait_for(|p| p.over).await);
    }

    /// Waits until every process that was started has registered.
    ///
    /// # Errors
    /// [`Fault`] if one never will.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn extensions_registered(&self) -> Result<(), Fault> {
        self.progress(|p| p.registered).await
    }

    /// Waits until every extension has asked for an event.
    ///
    /// # Errors
    /// [`Fault`] if one never will.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn extensions_ready(&self) -> Result<(), Fault> {
        self.progress(|p| p.ready).await
    }

    /// Waits until no extension is busy with an invocation.
    ///
    /// # Errors
    /// [`Fault`] if one failed.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn extensions_idle(&self) -> Result<(), Fault> {
        self.progress(|p| p.idle).await
    }

    /// Waits until an extension has failed.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn extension_fault(&self) -> Fault {
        match self.progress(|_| false).await {
            Err(fault) => fault,
            Ok(()) => std::future::pending().await,
        }
    }

    /// Tells extensions that the environment ends.
    pub fn shut_down(&self, shutdown: Shutdown) {
        let mut inner = self.shared.inner.lock();
        inner.shutdown = Some(shutdown);
        let now = inner.extensions.shut_down();
        inner.tell_all(&now, Event::Shutdown, &self.shared);
        self.shared.publish_extensions(&inner);
    }

    /// Waits until what is wanted holds or an extension has failed.
    async fn progress(&self, wanted: impl Fn(&Progress) -> bool) -> Result<(), Fault> {
        let mut progress = self.shared.progress.subscribe();
        let reached = progress.wait_for(|p| p.fault.is_some() || wanted(p)).await;
        let fault = reached.map(|now| now.fault.clone());
        match fault {
            Ok(Some(fault)) => Err(fault),
            Ok(None) => Ok(()),
            // The sender lives in `self`.
            Err(_) => std::future::pending().await,
        }
    }
}
