//! `POST /2021-11-15/functions/{name}/response-streaming-invocations`: runs a function and passes its response on as it comes.
//!
//! The invocation is the one of [`invoke`]; only what the caller sees of it differs: messages of an event stream, each made
//! when the caller has taken the one before. Not more of a response is in memory than waits between the two, and a caller
//! who goes away drops the stream, which leaves the invocation to its own task.

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderValue};
use lambda_api::{
    Operation,
    event_stream::{self, InvokeComplete},
    invoke::{self as wire, Call},
};
use model::{Limits, RequestId, Version, invocation::LogType};
use routing::{Finished, ResponseEvent};

use super::{
    Received, Workbench,
    invoke::{self, Invocation, Running, Started},
};
use crate::{
    auth::Authorized,
    error::OperationError,
    respond::{self, Answer, Body},
    trace_id::TRACE_ID,
};

/// The error document of a function is repeated at the end, unless it is longer than this.
const DETAILS_MAX: usize = 256 << 10;

/// How a response that became too long ends.
const TOO_LARGE: &str = "Function.ResponseSizeTooLarge";

pub(crate) async fn over_http(
    bench: &Workbench,
    authorized: Authorized<Call>,
    received: Received,
) -> Result<Answer, OperationError> {
    let (call, grant) = authorized.take();
    let kind = call.invocation_type;
    let limits = bench.limits_of(call.target.function.account).into_owned();
    let wants_log = call.log_type == LogType::Tail;
    let trace_id = received.trace_id;
    let invocation = Invocation {
        call,
        payload: received.body,
        request_id: received.request_id,
        trace_id: trace_id.clone(),
        streamed: true,
    };
    let mut running = match invoke::run(bench, grant.of(invocation)).await? {
        Started::DryRun => return Ok(Answer::empty(wire::success_status(kind))),
        Started::Running(running) => running,
    };
    // The first piece is waited for: what goes wrong before it can still be told by a status.
    let first = running.next().await?;
    let headers = headers(received.request_id, running.version(), trace_id);
    let messages = Messages {
        running,
        waiting: Some(first),
        limits,
        wants_log,
        passed_on: 0,
        document: Document::default(),
    };
    Ok(Answer {
        status: Operation::InvokeWithResponseStream.success(),
        headers,
        body: Body::Pieces(Box::pin(stream::unfold(Some(messages), Messages::next))),
        refusal: None,
    })
}

fn headers(request_id: RequestId, version: Version, trace_id: String) -> HeaderMap {
    let mut headers = wire::streamed_headers(request_id, version);
    if let Ok(trace_id) = HeaderValue::try_from(trace_id) {
        headers.insert(TRACE_ID, trace_id);
    }
    headers
}

/// What makes the messages of one response.
struct Messages {
    running: Running,
    /// A piece that has come already.
    waiting: Option<ResponseEvent>,
    limits: Limits,
    wants_log: bool,
    /// Bytes of the response that the caller has.
    passed_on: u64,
    document: Document,
}

/// The beginning of a response, in case it turns out to be the error document of the function.
#[derive(Default)]
struct Document {
    pieces: Vec<Bytes>,
    size: usize,
}

impl Messages {
    /// The next message, and what makes those after it.
    async fn next(messages: Option<Self>) -> Option<(Bytes, Option<Self>)> {
        let mut messages = messages?;
        loop {
            let event = match messages.waiting.take() {
                Some(event) => Ok(event),
                None => messages.running.next().await,
            };
            let last = match event {
                Ok(ResponseEvent::Chunk(chunk)) if chunk.is_empty() => continue,
                Ok(ResponseEvent::Chunk(chunk)) => match messages.pass_on(&chunk) {
                    Some(message) => return Some((message, Some(messages))),
                    None => event_stream::invoke_complete(&messages.too_large()),
                },
                Ok(ResponseEvent::Finished(end)) => {
                    event_stream::invoke_complete(&messages.complete(end))
                }
                Err(error) => broken_off(error),
            };
            return Some((last.into(), None));
        }
    }

    /// The messages for a piece of the response; none if it does not fit any more.
    fn pass_on(&mut self, chunk: &Bytes) -> Option<Bytes> {
        let size = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.passed_on = self.passed_on.saturating_add(size);
        if self.passed_on > self.limits.streamed_response.0 {
            return None;
        }
        self.document.keep(chunk);
        let messages: Vec<Vec<u8>> = event_stream::payload_chunks(chunk).collect();
        Some(messages.concat().into())
    }

    fn complete(&self, end: Finished) -> InvokeComplete {
        let log = self.wants_log.then_some(&end.log_tail);
        let details = || match &*end.error_document {
            [] => self.document.text(),
            document => String::from_utf8(document.to_vec()).ok(),
        };
        InvokeComplete {
            error_details: end.function_error.as_ref().and_then(|_| details()),
            error_code: end.function_error,
            log_result: log.map(|log| wire::log_result(log, &self.limits)),
        }
    }

    fn too_large(&self) -> InvokeComplete {
        let limit = self.limits.streamed_response.0;
        InvokeComplete {
            error_code: Some(TOO_LARGE.to_owned()),
            error_details: Some(format!(
                "Response payload size exceeded maximum allowed payload size ({limit} bytes)."
            )),
            log_result: None,
        }
    }
}

/// The message that ends a response of which the rest will not come.
fn broken_off(error: OperationError) -> Vec<u8> {
    respond::log(&error);
    let error = respond::api_error(error);
    event_stream::exception(error.name(), &error.to_string())
}

impl Document {
    fn keep(&mut self, chunk: &Bytes) {
        self.size = self.size.saturating_add(chunk.len());
        if self.size > DETAILS_MAX {
            self.pieces = Vec::new();
        } else {
            self.pieces.push(chunk.clone());
        }
    }

    /// All of it, if it is text and not too long.
    fn text(&self) -> Option<String> {
        let whole = (self.size <= DETAILS_MAX).then(|| self.pieces.concat())?;
        String::from_utf8(whole).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_kept_up_to_its_limit() {
        let mut document = Document::default();
        assert_eq!(document.text().as_deref(), Some(""));
        document.keep(&Bytes::from_static(b"{\"a\":"));
        document.keep(&Bytes::from_static(b"1}"));
        assert_eq!(document.text().as_deref(), Some("{\"a\":1}"));
        document.keep(&Bytes::from(vec![b' '; DETAILS_MAX - 7]));
        assert_eq!(document.text().map(|text| text.len()), Some(DETAILS_MAX));
        document.keep(&Bytes::from_static(b" "));
        assert_eq!(document.text(), None);
        assert!(document.pieces.is_empty());
    }
}
