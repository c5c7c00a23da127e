//! One invocation in one environment.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use model::{RequestId, TenantId, VersionId, function::LogFormat};
use runtime_api::{
    Answer, Call, Ending, InitFailure, Invocation, Outcome, Part, Parts, Phase, ShutdownReason,
};
use tokio::time::Instant;

use super::{Environment, Fault, Lost};
use crate::logs::platform::{Event, Report, RuntimeDone, Status};

/// How long a runtime that was waiting may take to fetch an invocation.
const TAKE_MAX: Duration = Duration::from_millis(500);
/// How often the memory of a running function is looked at.
const MEMORY_WATCH: Duration = Duration::from_millis(50);

/// What a caller wants.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: RequestId,
    pub(crate) attempt: u32,
    pub(crate) version: VersionId,
    /// Whom it is for, if the version has tenants.
    pub(crate) tenant: Option<TenantId>,
    pub(crate) invoked_arn: String,
    pub(crate) client_context: String,
    pub(crate) trace_id: String,
    pub(crate) payload: Bytes,
    /// The most bytes of a response that the caller takes as it comes; `None` if it wants it whole.
    pub(crate) stream_max: Option<u64>,
}

/// Whoever waits for an invocation.
pub(crate) trait Caller: Send + Sync {
    /// From here on it can have had an effect. Called once.
    fn accepted(&self);

    /// More of a response that comes in parts. Waits until the caller has room for it, for a bounded time.
    fn part(&self, part: Bytes) -> impl Future<Output = ()> + Send;
}

/// How the runtime's part in an invocation ended.
pub(crate) struct Ended {
    how: How,
    duration: Duration,
    /// The runtime's process was started within the invocation.
    restarted: bool,
    /// The caller has part of a response.
    begun: bool,
    id: RequestId,
    begun_at: Instant,
    deadline: Instant,
    /// Bytes of the response.
    produced: u64,
    /// What went wrong after the answer.
    aftermath: Option<Fault>,
}

enum How {
    Answered(Outcome),
    /// The caller has all of it. Its content type.
    Streamed(String),
    Fault(Fault),
}

/// A response that comes in parts.
#[derive(Default)]
struct Stream {
    begun: AtomicBool,
    bytes: AtomicU64,
}

/// What the caller gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) body: Bytes,
    pub(crate) content_type: String,
    pub(crate) is_error: bool,
    /// The caller has part of a response already, and if this is no error, all of it.
    pub(crate) begun: bool,
}

/// The figures of an invocation, and its log.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) duration: Duration,
    pub(crate) billed_ms: u64,
    pub(crate) memory_used_mib: u64,
    pub(crate) log_tail: Bytes,
}

impl Environment {
    /// Runs one invocation.
    ///
    /// # Errors
    /// [`Lost`] if it had none: it may be run elsewhere. The environment must then be discarded.
    pub(crate) async fn run(&self, request: &Request, caller: &impl Caller) -> Result<Ended, Lost> {
        let restarted = !self.is_up();
        self.thaw().await?;
        let begun = Instant::now();
        let deadline = begun + self.version.config.timeout.duration();
        self.say(&Event::Start {
            id: request.id,
            version: self.version.id.version,
            tenant: request.tenant.as_ref(),
        });
        let mut call = self
            .api
            .invoke(self.invocation(request))
            .map_err(|_| Lost::Occupied)?;
        let stream = Stream::default();
        let how = if restarted {
            caller.accepted();
            match self.start(deadline).await {
                Ok(Ok(())) => {
                    self.wait(&mut call, deadline, true, (caller, &stream))
                        .await
                }
                Ok(Err(fault)) => How::Fault(fault),
                // Told as the function's fault: it was accepted, and its initialisation may have had effects before.
                Err(error) => {
                    tracing::warn!(environment = %self.id, %error, "a runtime could not be started again");
                    How::Fault(Fault::Exit(sandbox::Exit::Signal(9)))
                }
            }
        } else {
            self.wait_taken(&mut call, request.id).await?;
            caller.accepted();
            self.wait(&mut call, deadline, false, (caller, &stream))
                .await
        };
        if restarted && !matches!(how, How::Fault(_)) {
            self.sandbox.limit_cpu().await.ok();
            self.up.store(true, Ordering::Release);
            self.telemetry.opened();
        }
        if restarted
            && let How::Fault(fault) = &how
            && matches!(self.api.phase(), Phase::Starting | Phase::InitFailed)
        {
            self.log.drain();
            self.say(&Event::InitReport {
                took: begun.elapsed(),
                phase: "invoke",
                status: Some(fault.status()),
            });
        }
        *self.settle_by.lock() = deadline;
        let ended = Ended {
            duration: begun.elapsed(),
            restarted,
            begun: stream.has_begun(),
            id: request.id,
            begun_at: begun,
            deadline,
            produced: how.size().unwrap_or(stream.bytes.load(Ordering::Relaxed)),
            aftermath: None,
            how,
        };
        match &ended.how {
            How::Fault(fault) => self.say_runtime_done(&ended, Some(fault.status())),
            // The runtime is done when it asks for more, which is waited for.
            How::Answered(_) | How::Streamed(_) if self.has_extensions() => {}
            How::Answered(_) | How::Streamed(_) => self.say_runtime_done(&ended, None),
        }
        Ok(ended)
    }

    /// Writes the end of the invocation to the log and sums it up. `init`: what this environment's first start took, if
    /// this is its first invocation.
    pub(crate) fn conclude(
        &self,
        request: &Request,
        ended: &Ended,
        init: Option<Duration>,
    ) -> Figures {
        let id = request.id;
        self.log.drain();
        let figures = self.figures(ended, init);
        let fault = match &ended.how {
            How::Answered(_) | How::Streamed(_) if ended.aftermath.is_some() => {
                ended.aftermath.clone()
            }
            How::Fault(fault) => Some(fault.clone()),
            How::Answered(Outcome::TooLarge) => Some(self.too_large(request, ended.begun)),
            How::Answered(_) | How::Streamed(_) => None,
        };
        // In JSON the report says it; a line of text would be none.
        let in_text = self.version.config.logging.format == LogFormat::Text;
        if let Some(line) = fault
            .as_ref()
            .filter(|_| in_text)
            .and_then(|f| f.log_line(id, self.clock.wall()))
        {
            self.log.line(&line);
        }
        let report = Report {
            id,
            duration: figures.duration,
            billed_ms: figures.billed_ms,
            memory: self.version.config.memory,
            memory_used_mib: figures.memory_used_mib,
            init,
            trace_id: request.trace_id.clone(),
            status: fault.as_ref().map(Fault::status),
        };
        self.say(&Event::End { id });
        self.say(&Event::Report(&report));
        Figures {
            log_tail: self.log.take_tail().into(),
            ..figures
        }
    }

    /// The figures up to now, without the log.
    pub(crate) fn figures(&self, ended: &Ended, init: Option<Duration>) -> Figures {
        let used = self.sandbox.memory_peak();
        let most = u64::from(self.version.config.memory.get());
        let billed = ended.duration + init.unwrap_or_default();
        Figures {
            duration: ended.duration,
            billed_ms: u64::try_from(billed.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX),
            memory_used_mib: used.map_or(0, |b| b.0.div_ceil(1 << 20)).min(most),
            log_tail: Bytes::new(),
        }
    }

    /// What the caller gets.
    pub(crate) fn payload(&self, request: &Request, ended: &Ended) -> Payload {
        let error = |body| Payload {
            body,
            content_type: "application/json".to_owned(),
            is_error: true,
            begun: ended.begun,
        };
        match &ended.how {
            How::Streamed(content_type) => Payload {
                body: Bytes::new(),
                content_type: content_type.clone(),
                is_error: false,
                begun: true,
            },
            How::Answered(Outcome::Response { body, content_type }) => Payload {
                body: body.clone(),
                content_type: content_type.clone(),
                is_error: false,
                begun: false,
            },
            How::Answered(Outcome::Error { body, .. }) => error(body.clone()),
            How::Answered(Outcome::TooLarge) => {
                error(self.too_large(request, ended.begun).document(request.id))
            }
            How::Fault(fault) => error(fault.document(request.id)),
        }
    }

    fn too_large(&self, request: &Request, begun: bool) -> Fault {
        let of_stream = request.stream_max.filter(|_| begun);
        Fault::TooLarge(of_stream.unwrap_or(self.limits.response_payload.0))
    }

    fn invocation(&self, request: &Request) -> Invocation {
        Invocation {
            request_id: request.id,
            deadline: self
                .clock
                .wall()
                .plus(self.version.config.timeout.duration()),
            invoked_arn: request.invoked_arn.clone(),
            trace_id: request.trace_id.clone(),
            client_context: request.client_context.clone(),
            attempt_id: format!("{}-{}", self.id, request.attempt),
            tenant_id: request
                .tenant
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            payload: request.payload.clone(),
            stream_max: request.stream_max,
        }
    }

    async fn wait_taken(&self, call: &mut Call, id: RequestId) -> Result<(), Lost> {
        tokio::select! {
            biased;
            taken = call.taken() => if taken { Ok(()) } else { Err(Lost::Stuck) },
            exit = self.sandbox.wait_exit() => Err(Lost::Exit(exit)),
            () = tokio::time::sleep(TAKE_MAX) => {
                if !self.api.withdraw(id) {
                    Ok(())
                } else if Instant::now() < self.settle_by() {
                    Err(Lost::Unsettled)
                } else {
                    Err(Lost::Stuck)
                }
            }
        }
    }

    /// Waits for the answer, and for everything that can come instead of it.
    async fn wait(
        &self,
        call: &mut Call,
        deadline: Instant,
        initialising: bool,
        (caller, stream): (&impl Caller, &Stream),
    ) -> How {
        let init_failure = async {
            if initialising && let Err(failure) = self.ready_again().await {
                return failure;
            }
            std::future::pending().await
        };
        let answer = async {
            match call.answer().await {
                Some(Answer::Whole(outcome)) => How::Answered(outcome),
                Some(Answer::Parts(parts)) => stream.pass_on(parts, caller).await,
                // Something else says why.
                None => std::future::pending().await,
            }
        };
        let end = {
            let mut answer = std::pin::pin!(answer);
            let exit = tokio::select! {
                biased;
                how = &mut answer => return self.or_exit(how).await,
                failure = init_failure => return How::Fault(Fault::Init(failure)),
                exit = self.sandbox.wait_exit() => exit,
                () = tokio::time::sleep_until(deadline) => {
                    return How::Fault(Fault::Timeout(self.version.config.timeout));
                }
                () = self.outgrown() => return How::Fault(Fault::Exit(sandbox::Exit::OutOfMemory)),
                fault = self.api.extension_fault() => return How::Fault(Fault::Extension(fault)),
            };
            // What it sent before it ended goes on to the caller, as fast as that one takes it.
            if stream.has_begun() {
                return match tokio::time::timeout_at(deadline, answer).await {
                    Ok(How::Fault(_)) | Err(_) => How::Fault(Fault::Exit(exit)),
                    Ok(how) => how,
                };
            }
            exit
        };
        self.last_words(call, end, initialising).await
    }

    /// A stream that broke because its process ended is told as the end of the process.
    async fn or_exit(&self, how: How) -> How {
        if !matches!(how, How::Fault(Fault::Truncated)) {
            return how;
        }
        match tokio::time::timeout(super::LAST_WORDS, self.sandbox.wait_exit()).await {
            Ok(exit) => How::Fault(Fault::Exit(exit)),
            Err(_) => how,
        }
    }

    /// Waits until a runtime that was started within an invocation is up. It has the CPU of a first start until then, but
    /// for no longer than a first start may take.
    async fn ready_again(&self) -> Result<(), InitFailure> {
        let boosted = tokio::time::timeout(self.limits.init_timeout, self.api.ready()).await;
        // What is gone already says so itself.
        self.sandbox.limit_cpu().await.ok();
        match boosted {
            Ok(ready) => ready,
            Err(_) => self.api.ready().await,
        }
    }

    /// Resolves when the processes have more memory than the function was given. The kernel's limit is the wall behind
    /// this: it also counts `/tmp`, which a function may fill beside its memory, so it stands as far away as `/tmp` is
    /// large.
    async fn outgrown(&self) {
        let limit = self.version.config.memory.bytes();
        loop {
            tokio::time::sleep(MEMORY_WATCH).await;
            if self
                .sandbox
                .memory_of_processes()
                .is_some_and(|used| used > limit)
            {
                return;
            }
        }
    }

    /// The process is over: what it sent last may still be on its way through the socket.
    async fn last_words(&self, call: &mut Call, exit: sandbox::Exit, initialising: bool) -> How {
        self.hear_last_words().await;
        let answered = tokio::time::timeout(Duration::ZERO, call.answer()).await;
        if let Ok(Some(Answer::Whole(outcome))) = answered {
            return How::Answered(outcome);
        }
        let failed = if initialising {
            self.init_failure().await
        } else {
            None
        };
        How::Fault(failed.unwrap_or(Fault::Exit(exit)))
    }
}

impl Ended {
    /// Whether the runtime can take the next invocation as it is.
    pub(crate) fn is_healthy(&self) -> bool {
        self.aftermath.is_none() && matches!(self.how, How::Answered(_) | How::Streamed(_))
    }

    /// When the function's time is over.
    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) const fn begun_at(&self) -> Instant {
        self.begun_at
    }

    /// Runtime and extensions are done with it, after this long.
    pub(super) fn settled(&mut self, duration: Duration, fault: Option<Fault>) {
        self.duration = duration;
        self.aftermath = fault;
    }

    /// What extensions are told when the runtime is done.
    pub(super) fn runtime_done(&self, status: Option<Status>) -> RuntimeDone {
        RuntimeDone {
            id: self.id,
            status,
            failed: matches!(self.how, How::Answered(Outcome::Error { .. })),
            duration: self.begun_at.elapsed(),
            produced: self.produced,
        }
    }

    /// Why the environment must begin anew, as its extensions are told.
    pub(crate) fn reason(&self) -> ShutdownReason {
        match (&self.how, &self.aftermath) {
            (How::Fault(Fault::Timeout(_)), _) | (_, Some(Fault::Timeout(_))) => {
                ShutdownReason::Timeout
            }
            _ => ShutdownReason::Failure,
        }
    }

    /// Whether the sandbox died around the function: this machine's fault, and not the function's.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(
            self.how,
            How::Fault(Fault::Exit(sandbox::Exit::SandboxLost))
        )
    }

    /// Whether the runtime was started within the invocation.
    pub(crate) fn restarted(&self) -> bool {
        self.restarted
    }
}

impl How {
    /// Bytes of an answer in one piece.
    fn size(&self) -> Option<u64> {
        let body = match self {
            Self::Answered(Outcome::Response { body, .. } | Outcome::Error { body, .. }) => body,
            Self::Answered(Outcome::TooLarge) | Self::Streamed(_) | Self::Fault(_) => return None,
        };
        Some(u64::try_from(body.len()).unwrap_or(u64::MAX))
    }
}

impl Stream {
    fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Hands a response over as it comes.
    async fn pass_on(&self, mut parts: Parts, caller: &impl Caller) -> How {
        self.begun.store(true, Ordering::Relaxed);
        loop {
            match parts.next().await {
                Some(Part::More(part)) => {
                    let size = u64::try_from(part.len()).unwrap_or(u64::MAX);
                    self.bytes.fetch_add(size, Ordering::Relaxed);
                    caller.part(part).await;
                }
                Some(Part::End(Ending::Done)) => {
                    return How::Streamed(parts.content_type().to_owned());
                }
                Some(Part::End(Ending::Error { body, error_type })) => {
                    return How::Answered(Outcome::Error {
                        body,
                        error_type: Some(error_type),
                    });
                }
                Some(Part::End(Ending::TooLarge)) => return How::Answered(Outcome::TooLarge),
                Some(Part::End(Ending::Truncated)) => return How::Fault(Fault::Truncated),
                // Something else says why.
                None => std::future::pending().await,
            }
        }
    }
}
