//! The task that brings one invocation to its end, whether or not anybody still listens.

use std::{sync::Arc, time::Duration};

use host::task::Kind;
use model::{ErrorKind, Failure, Version};
use routing::{
    Call, DispatchError, Dispatched, Permit, Resolved, ResponseEvent, Router, dispatch::Lost,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tracing::Instrument;

use crate::{error::OperationError, figures::Counters, operations::Workbench};

/// Pieces of a response that wait for their reader. Beyond these the worker waits.
const WAITING_MAX: usize = 16;
/// How long a reader may take none of them before the rest is read without it.
const STALL_MAX: Duration = Duration::from_secs(60);

/// An invocation that a runtime has.
#[derive(Debug)]
pub(crate) struct Running {
    version: Version,
    events: mpsc::Receiver<Result<ResponseEvent, Lost>>,
}

impl Running {
    /// The version that runs.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// The next piece of the response; nothing may be asked for after the end.
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn next(&mut self) -> Result<ResponseEvent, OperationError> {
        match self.events.recv().await {
            Some(event) => Ok(event?),
            None => Err(OperationError::Stopping),
        }
    }
}

struct Pump {
    router: Router,
    counters: Arc<Counters>,
    resolved: Resolved,
    call: Call,
    permit: Permit,
}

/// Starts an invocation. Returns once a runtime has it.
pub(super) async fn start(
    bench: &Workbench,
    resolved: Resolved,
    call: Call,
    permit: Permit,
) -> Result<Running, OperationError> {
    let version = resolved.version.id.version;
    let pump = Pump {
        router: bench.router.clone(),
        counters: bench.counters.clone(),
        resolved,
        call,
        permit,
    };
    let (taken, is_taken) = oneshot::channel();
    let (events, received) = mpsc::channel(WAITING_MAX);
    let task = pump.run(taken, events).in_current_span();
    bench.tasks.spawn(Kind::Request, "invocation", task);
    is_taken.await.map_err(|_| OperationError::Stopping)??;
    Ok(Running {
        version,
        events: received,
    })
}

impl Pump {
    async fn run(
        self,
        taken: oneshot::Sender<Result<(), DispatchError>>,
        events: mpsc::Sender<Result<ResponseEvent, Lost>>,
    ) {
        let began = Instant::now();
        match self.router.dispatch(&self.resolved, &self.call).await {
            Ok(dispatched) => {
                self.counters.accepted(dispatched.accepted());
                tracing::debug!(accepted = ?dispatched.accepted(), "an invocation runs");
                // Who does not wait any more does not hear of it.
                drop(taken.send(Ok(())));
                self.read(dispatched, events, began).await;
            }
            Err(error) => {
                if error.kind() == ErrorKind::Throttled {
                    self.counters.throttled();
                }
                self.counters.not_accepted(attempts(&error));
                drop(taken.send(Err(error)));
            }
        }
        drop(self.permit);
    }

    /// Reads to the end; what nobody takes is dropped.
    async fn read(
        &self,
        mut dispatched: Dispatched,
        events: mpsc::Sender<Result<ResponseEvent, Lost>>,
        began: Instant,
    ) {
        let mut events = Some(events);
        loop {
            match dispatched.next().await {
                Ok(Some(event)) => {
                    if let ResponseEvent::Finished(end) = &event {
                        let failed = end.function_error.is_some();
                        self.counters.finished(failed, began.elapsed());
                    }
                    pass_on(&mut events, Ok(event)).await;
                }
                Ok(None) => return,
                Err(lost) => {
                    self.counters.lost();
                    pass_on(&mut events, Err(lost)).await;
                    return;
                }
            }
        }
    }
}

/// Hands a piece to the reader, if it is still there.
async fn pass_on(
    reader: &mut Option<mpsc::Sender<Result<ResponseEvent, Lost>>>,
    event: Result<ResponseEvent, Lost>,
) {
    let Some(events) = reader else { return };
    if events.send_timeout(event, STALL_MAX).await.is_err() {
        *reader = None;
    }
}

const fn attempts(error: &DispatchError) -> u32 {
    match error {
        DispatchError::NoCapacity { attempts }
        | DispatchError::Unavailable { attempts, .. }
        | DispatchError::Unknown { attempts, .. } => *attempts,
        DispatchError::NoWorker { .. } | DispatchError::Sealed(_) => 0,
    }
}
