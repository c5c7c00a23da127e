//! CloudWatch Logs: what functions have printed, for tools that read it there.
//!
//! It shares the door with the AWS API (a header that no operation of Lambda's has), the credentials, the policies and the audit
//! log, and has its own words for everything: [`lambda_api::logs`]. Nothing is kept here: every worker has the logs of the
//! environments that ran on it, and [`gather`] asks them all. A worker that does not answer makes an answer partial, which its
//! header [`UNREACHED`] says; it fails no call.

mod follow;
mod gather;
mod groups;
mod merge;
mod tail;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header, request::Parts};
use hyper::body::Incoming;
use lambda_api::{
    logs::{self, FilterLogEvents, GetLogEvents, GroupId, LogsError, Operation, Request},
    sigv4::Rules,
};
use model::{FunctionId, NodeName, RequestId};
use tracing::field;

use crate::{
    auth::{self, Authorized},
    body::{self, BodyLimits, Bound},
    error::OperationError,
    respond::{self, Answer, Body},
    source::Source,
    stack::{self, Edge},
    trail::{Asked, Trail},
};

pub(crate) use gather::{Desk, Selection};
use merge::{Event, Merged};

/// The workers that did not answer, by name.
const UNREACHED: &str = "x-dunlin-unreached";

/// Whether a request is for this service.
pub(crate) fn is_call(head: &http::Request<Incoming>) -> bool {
    logs::is_call(head.method(), head.uri().path(), head.headers())
}

/// Answers one call.
pub(crate) async fn answer(
    edge: &Edge,
    source: &Source,
    request_id: RequestId,
    trail: &Trail,
    head: Parts,
    body: Incoming,
) -> Answer {
    let answered = answered(edge, source, request_id, trail, head, body).await;
    answered.unwrap_or_else(|error| refusal(&error))
}

/// What a caller of this service is told of an error.
pub(crate) fn refusal(error: &LogsError) -> Answer {
    let mut answer = json(error.to_json());
    answer.status = error.status();
    answer.refusal = Some(error.code());
    answer
}

async fn answered(
    edge: &Edge,
    source: &Source,
    request_id: RequestId,
    trail: &Trail,
    head: Parts,
    body: Incoming,
) -> Result<Answer, LogsError> {
    let operation = Operation::of(&head.headers);
    if let Ok(operation) = operation {
        trail.is(Asked::Logs(Some(operation)));
        tracing::Span::current().record("operation", operation.name());
    }
    let now = edge.bench.clock.wall();
    // Cheap refusals before the body is read.
    auth::precheck(&edge.options.auth, &edge.bench.control, &head, now).map_err(told)?;
    let limits = BodyLimits {
        bound: Bound::Bytes(logs::BODY_MAX),
        limits: &edge.options.limits,
        stall_max: edge.options.body_stall_max,
    };
    let body = body::read(body, &limits, &edge.bodies).await;
    let body = body.map_err(|error| told(error.into()))?;
    let rules = Rules {
        service: logs::SERVICE,
        ..Rules::default()
    };
    let caller = stack::authenticate(edge, source, rules, &head, &body.bytes).map_err(told)?;
    tracing::Span::current().record("account", field::display(caller.account));
    trail.known(&caller);
    let operation = operation?;
    let counted = edge.bench.admit_logs(caller.account);
    counted.map_err(|error| told(error.into()))?;
    let scope = caller.scope();
    let request = Request::parse(operation, &body.bytes, &scope)?;
    let resources = request.resources(&scope);
    if let Some((resource, _)) = resources.first() {
        trail.on(resource);
    }
    let control = &edge.bench.control;
    let authorized = auth::authorize_on(control, caller, operation.action(), &resources, request);
    run(edge, authorized.map_err(told)?, request_id).await
}

async fn run(
    edge: &Edge,
    authorized: Authorized<Request>,
    request_id: RequestId,
) -> Result<Answer, LogsError> {
    let (request, grant) = authorized.take();
    match request {
        Request::DescribeLogGroups(wanted) => groups::groups(edge, grant.of(wanted)).await,
        Request::DescribeLogStreams(wanted) => groups::streams(edge, grant.of(wanted)).await,
        Request::GetLogEvents(wanted) => get(edge, grant.of(wanted)).await,
        Request::FilterLogEvents(wanted) => filter(edge, grant.of(wanted)).await,
        Request::StartLiveTail(wanted) => tail::start(edge, grant.of(wanted), request_id),
    }
}

async fn filter(edge: &Edge, authorized: Authorized<FilterLogEvents>) -> Result<Answer, LogsError> {
    let (wanted, _grant) = authorized.take();
    let prefixes = Some(wanted.prefix).filter(|prefix| !prefix.is_empty());
    let selection = Selection {
        streams: wanted.streams,
        prefixes: prefixes.into_iter().collect(),
        start: wanted.start,
        end: wanted.end,
        after: wanted.after,
        pattern: wanted.pattern,
        limit: wanted.limit,
        ..Selection::default()
    };
    let found = edge.logs.events(&wanted.group, selection).await?;
    if !found.found_group && found.unreached.is_empty() && !is_known(edge, &wanted.group) {
        return Err(LogsError::no_group());
    }
    let Merged { events, until, .. } = found.merged;
    let page = logs::Events::new(told_events(events), until.as_ref());
    Ok(partial(document(&page), &found.unreached))
}

async fn get(edge: &Edge, authorized: Authorized<GetLogEvents>) -> Result<Answer, LogsError> {
    let (wanted, _grant) = authorized.take();
    let position = |(at, number)| logs::Position {
        at,
        stream: wanted.stream.clone(),
        number,
    };
    let (after, before, newest) = match wanted.place {
        None => (None, None, !wanted.from_head),
        Some(logs::Place::Forward(place)) => (place.map(position), None, false),
        Some(logs::Place::Backward(at, number)) => (None, Some(position((at, number))), true),
    };
    let selection = Selection {
        streams: vec![wanted.stream.clone()],
        start: wanted.start,
        end: wanted.end,
        after,
        before,
        newest,
        limit: wanted.limit,
        ..Selection::default()
    };
    let found = edge.logs.events(&wanted.group, selection).await?;
    if !found.found_stream && found.unreached.is_empty() {
        let is_group = found.found_group || is_known(edge, &wanted.group);
        return Err(match is_group {
            true => LogsError::no_stream(),
            false => LogsError::no_group(),
        });
    }
    let page = logs::OutputEvents::new(told_events(found.merged.events), wanted.place);
    Ok(partial(document(&page), &found.unreached))
}

/// Whether there is a function whose group this is, if it has printed nothing yet.
fn is_known(edge: &Edge, group: &GroupId) -> bool {
    let Some(name) = group.own_function() else {
        return false;
    };
    let id = FunctionId {
        account: group.account,
        region: group.region.clone(),
        name,
    };
    edge.bench
        .control
        .glance(|catalog| catalog.function(&id).is_some())
}

fn told_events(events: Vec<Event>) -> Vec<(logs::Position, String)> {
    let events = events.into_iter();
    events
        .map(|event| (event.position, event.message))
        .collect()
}

/// Says in an answer which workers it is without.
fn partial(mut answer: Answer, unreached: &[NodeName]) -> Answer {
    if unreached.is_empty() {
        return answer;
    }
    let names: Vec<&str> = unreached.iter().map(NodeName::as_str).collect();
    tracing::warn!(workers = %names.join(","), "an answer is without the logs of workers that did not answer");
    if let Ok(names) = HeaderValue::try_from(names.join(",")) {
        answer.headers.insert(UNREACHED, names);
    }
    answer
}

fn document(shape: &impl serde::Serialize) -> Answer {
    json(lambda_api::response::to_body(shape))
}

fn json(body: Vec<u8>) -> Answer {
    let mut headers = HeaderMap::new();
    let json = HeaderValue::from_static(logs::CONTENT_TYPE);
    headers.insert(header::CONTENT_TYPE, json);
    Answer {
        status: http::StatusCode::OK,
        headers,
        body: Body::Whole(Bytes::from(body)),
        refusal: None,
    }
}

/// What somebody is told of an error of ours, which is logged here.
fn told(error: OperationError) -> LogsError {
    respond::told(error).into()
}
