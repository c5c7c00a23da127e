//! `POST /2015-03-31/functions/{name}/invocations`: runs a function.
//!
//! The invocation runs in a task of its own, which holds its permit and reads its response to the end: a caller who goes
//! away does not stop a function, and does not leave its place empty before it is over.

mod pump;

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use lambda_api::{
    ApiError, Operation,
    invoke::{self, Call},
};
use model::{
    RequestId, Version,
    invocation::{InvocationType, LogType},
};
use routing::{Finished, ResponseEvent};

pub(crate) use pump::Running;

use super::{Received, Workbench};
use crate::{
    auth::Authorized,
    error::OperationError,
    respond::{Answer, Body},
    trace_id::TRACE_ID,
};

/// An invocation as either edge received it.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) call: Call,
    pub(crate) payload: Bytes,
    pub(crate) request_id: RequestId,
    pub(crate) trace_id: String,
    /// Whether the caller takes the response as it comes.
    pub(crate) streamed: bool,
}

/// What became of an invocation that was not refused.
pub(crate) enum Started {
    /// It could have run.
    DryRun,
    /// It runs.
    Running(Running),
}

/// Checks an invocation and starts it. Returns once a runtime has it.
pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<Invocation>,
) -> Result<Started, OperationError> {
    let (invocation, _) = authorized.take();
    let Invocation {
        call,
        payload,
        request_id,
        trace_id,
        streamed,
    } = invocation;
    let target = &call.target;
    let limits = bench.limits_of(target.function.account);
    let resolved = bench
        .router
        .resolve(
            &target.function,
            target.qualifier.as_ref(),
            call.tenant.as_ref(),
        )
        .await?;
    let payload = invoke::payload(payload, call.invocation_type, &limits)?;
    match call.invocation_type {
        InvocationType::RequestResponse => {}
        InvocationType::DryRun => return Ok(Started::DryRun),
        InvocationType::Event => return Err(no_events().into()),
    }
    let permit = bench
        .router
        .admit(&resolved)
        .inspect_err(|_| bench.counters.throttled())?;
    let call = routing::Call {
        request_id,
        payload,
        client_context: call.client_context.unwrap_or_default(),
        trace_id,
        log_tail: call.log_type == LogType::Tail,
        stream_max: streamed.then_some(limits.streamed_response.0),
    };
    let running = pump::start(bench, resolved, call, permit).await?;
    Ok(Started::Running(running))
}

fn no_events() -> ApiError {
    ApiError::InvalidParameterValue(
        "Asynchronous invocation is not available in this version of the cluster.".to_owned(),
    )
}

/// The whole of it over HTTP: the status depends on the end, so the response is collected first.
pub(crate) async fn over_http(
    bench: &Workbench,
    authorized: Authorized<Call>,
    received: Received,
) -> Result<Answer, OperationError> {
    let (call, grant) = authorized.take();
    let kind = call.invocation_type;
    let wants_log = call.log_type == LogType::Tail;
    let trace_id = received.trace_id;
    let invocation = Invocation {
        call,
        payload: received.body,
        request_id: received.request_id,
        trace_id: trace_id.clone(),
        streamed: false,
    };
    match run(bench, grant.of(invocation)).await? {
        Started::DryRun => Ok(Answer::empty(invoke::success_status(kind))),
        Started::Running(running) => {
            let version = running.version();
            let limit = bench.limits.response_payload.0;
            let (body, end) = collect(running, limit).await?;
            let request_id = received.request_id;
            let mut answer = shown(bench, request_id, version, &end, wants_log);
            answer.body = Body::Whole(body);
            if let Ok(trace_id) = HeaderValue::try_from(trace_id) {
                answer.headers.insert(TRACE_ID, trace_id);
            }
            Ok(answer)
        }
    }
}

fn shown(
    bench: &Workbench,
    request_id: RequestId,
    version: Version,
    end: &Finished,
    wants_log: bool,
) -> Answer {
    let mut answer = Answer::empty(Operation::Invoke.success());
    let told = invoke::Answer {
        request_id,
        executed_version: version,
        failed: end.function_error.is_some(),
        log: wants_log.then_some(&*end.log_tail),
    };
    answer.headers = invoke::answer_headers(&told, &bench.limits);
    answer
}

/// Reads a response to its end.
async fn collect(mut running: Running, limit: u64) -> Result<(Bytes, Finished), OperationError> {
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    loop {
        match running.next().await? {
            ResponseEvent::Chunk(chunk) => {
                let size = first.len().max(whole.len()) + chunk.len();
                if u64::try_from(size).unwrap_or(u64::MAX) > limit {
                    return Err(OperationError::ResponseTooLarge { limit });
                }
                if first.is_empty() && whole.is_empty() {
                    first = chunk;
                    continue;
                }
                if whole.is_empty() {
                    whole.extend_from_slice(&first);
                }
                whole.extend_from_slice(&chunk);
            }
            ResponseEvent::Finished(end) => {
                let body = if whole.is_empty() {
                    first
                } else {
                    whole.freeze()
                };
                return Ok((body, end));
            }
        }
    }
}
