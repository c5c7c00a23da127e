//! The calls of a runtime, one function each.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use model::RequestId;
use tokio::sync::oneshot;

use super::{OpenPoll, Shared, extensions, parts};
use crate::{
    Answer, InitFailure, Invocation, Outcome,
    http::{self as wire, Endpoint, Fault, ResponseMode},
    lifecycle::{Next, Refusal},
};

pub(super) type Reply = Response<Full<Bytes>>;

pub(super) async fn serve(shared: Arc<Shared>, epoch: u64, request: Request<Incoming>) -> Reply {
    let endpoint = Endpoint::of(request.method(), request.uri().path());
    let reply = match endpoint {
        Endpoint::Next => next(&shared, epoch).await,
        Endpoint::Response(id) => answer(&shared, epoch, id, request, false).await,
        Endpoint::Error(id) => answer(&shared, epoch, id, request, true).await,
        Endpoint::InitError => init_error(&shared, epoch, request).await,
        Endpoint::Credentials => credentials(&shared, request.headers()),
        Endpoint::Extension(call) => extensions::serve(&shared, epoch, call, request).await,
        Endpoint::Ping => Ok(wire::pong()),
        Endpoint::UnknownPath => Err(Fault::UnknownPath),
        Endpoint::WrongMethod => Err(Fault::WrongMethod),
    };
    reply.unwrap_or_else(Fault::response)
}

fn credentials(shared: &Shared, headers: &HeaderMap) -> Result<Reply, Fault> {
    let source = shared
        .setting
        .credentials
        .as_ref()
        .ok_or(Fault::UnknownPath)?;
    let authorization = headers.get(header::AUTHORIZATION);
    let document = authorization.and_then(|token| source.document(token.as_bytes()));
    document.map(wire::credentials).ok_or(Fault::NoCredentials)
}

async fn next(shared: &Arc<Shared>, epoch: u64) -> Result<Reply, Fault> {
    let mut poll = {
        let mut inner = shared.inner.lock();
        if inner.epoch != epoch {
            return Err(Fault::Closing);
        }
        let step = inner.machine.poll().map_err(Fault::Refused)?;
        inner.extensions.close();
        shared.publish(&inner);
        match step {
            Next::Deliver(_) => {
                inner.mark_taken();
                let invocation = inner.offered.take().ok_or(Fault::Closing)?;
                return Ok(wire::event(&invocation));
            }
            Next::Hold => {
                let (reply, receiver) = oneshot::channel();
                inner.polls = inner.polls.wrapping_add(1);
                let number = inner.polls;
                // A poll that was open before loses its sender here, and with it its answer.
                inner.poll = Some(OpenPoll { number, reply });
                HeldPoll {
                    shared: shared.clone(),
                    epoch,
                    number,
                    receiver,
                }
            }
        }
    };
    match (&mut poll.receiver).await {
        Ok(invocation) => Ok(wire::event(&invocation)),
        Err(_) => Err(Fault::Refused(Refusal::InvalidTransition {
            from: "Ready",
            to: "Ready",
        })),
    }
}

/// A poll that waits. If its connection goes away, the lifecycle hears of it before the receiver is gone; what was sent
/// to it meanwhile is offered again.
struct HeldPoll {
    shared: Arc<Shared>,
    epoch: u64,
    number: u64,
    receiver: oneshot::Receiver<Invocation>,
}

impl Drop for HeldPoll {
    fn drop(&mut self) {
        let mut inner = self.shared.inner.lock();
        if inner.epoch != self.epoch {
            return;
        }
        if inner.poll.as_ref().is_some_and(|p| p.number == self.number) {
            inner.poll = None;
            inner.machine.poll_lost();
        } else if let Ok(invocation) = self.receiver.try_recv()
            && inner.machine.undelivered(invocation.request_id)
        {
            inner.offered = Some(invocation);
        }
        self.shared.publish(&inner);
    }
}

async fn answer(
    shared: &Shared,
    epoch: u64,
    id: Option<RequestId>,
    request: Request<Incoming>,
    is_error: bool,
) -> Result<Reply, Fault> {
    let (head, body) = request.into_parts();
    let checked = check(shared, epoch, id, &head.headers);
    let Expected { id, stream_max } = match checked {
        Ok(expected) => expected,
        Err(fault) => {
            discard(body).await;
            return Err(fault);
        }
    };
    if let Some(limit) = stream_max.filter(|_| !is_error) {
        return parts::pass_on(shared, epoch, id, &head.headers, body, limit).await;
    }
    let limit = shared.limits.response;
    let received = {
        // Never closed.
        let _turn = shared.bodies.acquire().await;
        receive(body, limit).await?
    };
    let (outcome, reply) = match received {
        Received::TooLarge => (Outcome::TooLarge, Err(Fault::TooLarge { limit })),
        Received::Whole { body, trailers } => {
            let outcome = if is_error {
                let error_type = wire::text(&head.headers, &wire::ERROR_TYPE);
                Outcome::Error { body, error_type }
            } else if let Some(error_type) = wire::text(&trailers, &wire::ERROR_TYPE) {
                stream_error(error_type, &trailers)
            } else {
                let content_type =
                    wire::text(&head.headers, &header::CONTENT_TYPE).unwrap_or_default();
                Outcome::Response { body, content_type }
            };
            (outcome, Ok(wire::accepted()))
        }
    };
    let mut inner = shared.inner.lock();
    if inner.epoch != epoch {
        return Err(Fault::Closing);
    }
    inner.machine.answer(id).map_err(Fault::Refused)?;
    if let Some(pending) = inner.pending.take() {
        // A caller that does not wait any more loses nothing.
        let _heard = pending.answer.send(Answer::Whole(outcome));
    }
    shared.publish(&inner);
    reply
}

/// An answer that will be taken.
struct Expected {
    id: RequestId,
    /// It is to be passed on as it comes, up to this many bytes.
    stream_max: Option<u64>,
}

fn check(
    shared: &Shared,
    epoch: u64,
    id: Option<RequestId>,
    headers: &HeaderMap,
) -> Result<Expected, Fault> {
    const INVALID: Fault = Fault::Refused(Refusal::InvalidRequestId);
    let id = id.ok_or(INVALID)?;
    let mode = wire::response_mode(headers)?;
    let inner = shared.inner.lock();
    if inner.epoch != epoch {
        return Err(Fault::Closing);
    }
    inner.machine.check_answer(id).map_err(Fault::Refused)?;
    let echoed = headers
        .get(wire::INVOCATION_ID)
        .map(http::HeaderValue::as_bytes);
    let meant = |p: &super::Pending| {
        p.request_id == id && echoed.is_none_or(|e| e == p.attempt_id.as_bytes())
    };
    match inner.pending.as_ref() {
        Some(pending) if meant(pending) => Ok(Expected {
            id,
            stream_max: pending
                .stream_max
                .filter(|_| mode == ResponseMode::Streaming),
        }),
        _ => Err(INVALID),
    }
}

/// A stream that ended in an error: the error takes the place of what was streamed.
fn stream_error(error_type: String, trailers: &HeaderMap) -> Outcome {
    Outcome::Error {
        body: error_document(&error_type, trailers).into(),
        error_type: Some(error_type),
    }
}

/// The document of an error that came in trailers.
pub(super) fn error_document(error_type: &str, trailers: &HeaderMap) -> Vec<u8> {
    trailers
        .get(wire::ERROR_BODY)
        .and_then(|v| STANDARD.decode(v.as_bytes()).ok())
        .filter(|d| !d.is_empty())
        .unwrap_or_else(|| {
            serde_json::json!({"errorType": error_type, "errorMessage": ""})
                .to_string()
                .into_bytes()
        })
}

async fn init_error(
    shared: &Shared,
    epoch: u64,
    request: Request<Incoming>,
) -> Result<Reply, Fault> {
    let (head, body) = request.into_parts();
    let limit = shared.limits.response;
    let received = {
        // Never closed.
        let _turn = shared.bodies.acquire().await;
        receive(body, limit).await?
    };
    let mut inner = shared.inner.lock();
    if inner.epoch != epoch {
        return Err(Fault::Closing);
    }
    inner.machine.init_error().map_err(Fault::Refused)?;
    inner.offered = None;
    inner.pending = None;
    let (body, reply) = match received {
        Received::Whole { body, .. } => (body, Ok(wire::accepted())),
        Received::TooLarge => (Bytes::new(), Err(Fault::TooLarge { limit })),
    };
    let error_type = wire::text(&head.headers, &wire::ERROR_TYPE);
    inner.init_failure = Some(InitFailure { body, error_type });
    shared.publish(&inner);
    reply
}

enum Received {
    Whole { body: Bytes, trailers: HeaderMap },
    TooLarge,
}

/// Reads a body. What is above the limit is read and thrown away, so that the runtime gets to read our reply.
async fn receive(mut body: Incoming, limit: usize) -> Result<Received, Fault> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut trailers = HeaderMap::new();
    let limit_wide = u64::try_from(limit).unwrap_or(u64::MAX);
    let mut too_large = body.size_hint().lower() > limit_wide;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Fault::Truncated)?;
        match frame.into_data() {
            Ok(_) if too_large => {}
            Ok(data) if first.is_empty() && rest.is_empty() => {
                too_large = data.len() > limit;
                first = data;
            }
            Ok(data) => {
                if rest.is_empty() {
                    rest.reserve(first.len() + data.len());
                    rest.extend_from_slice(&first);
                }
                too_large = rest.len() + data.len() > limit;
                if !too_large {
                    rest.extend_from_slice(&data);
                }
            }
            Err(frame) => {
                if let Ok(got) = frame.into_trailers() {
                    trailers = got;
                }
            }
        }
    }
    Ok(if too_large {
        Received::TooLarge
    } else {
        let body = if rest.is_empty() {
            first
        } else {
            rest.freeze()
        };
        Received::Whole { body, trailers }
    })
}

pub(super) async fn discard(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}
