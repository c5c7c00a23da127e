//! The way of one HTTP request, from top to bottom.
//!
//! Each step is a layer around the next: whatever leaves [`serve`] has a request id and was counted and logged; whatever
//! leaves [`record`] is in the audit log; whatever reaches an operation was let in, routed, read within limits, authenticated, parsed and authorized.

use std::sync::Arc;

use audit::Api;
use http::{Method, Request, Response, header, request::Parts, uri::Authority};
use hyper::body::Incoming;
use lambda_api::{
    ApiError, Operation, Query, request,
    route::{self, RouteError, Routed},
    sigv4::{self, Rules, SignedRequest},
};
use model::RequestId;
use tokio::{sync::Semaphore, time::Instant};
use tracing::{Instrument, field};

use crate::{
    auth::{self, Arriving, Caller},
    body::{self, BodyLimits, Bound, Budget},
    code_url,
    error::OperationError,
    logs,
    operations::{self, Received, Workbench},
    options::FrontendOptions,
    respond::{self, Answer, HttpBody},
    source::Source,
    sts, trace_id,
    trail::{Arrival, Asked, AuditLog, Trail},
};

/// What every request of a frontend shares.
pub(crate) struct Edge {
    pub(crate) options: FrontendOptions,
    pub(crate) bench: Workbench,
    pub(crate) audit: AuditLog,
    pub(crate) bodies: Budget,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) logs: Arc<logs::Desk>,
}

/// Answers one request.
pub(crate) async fn serve(
    edge: Arc<Edge>,
    source: &Source,
    request: Request<Incoming>,
) -> Response<HttpBody> {
    // Request id: made before anything can fail, and the id of the invocation if it becomes one.
    let request_id = RequestId::from_random(edge.bench.entropy.next_u128());
    // Span and access log: what follows fills in operation and account as it learns them.
    let span = tracing::info_span!(
        "request", %request_id, remote = %source, method = %request.method(),
        operation = field::Empty, account = field::Empty,
    );
    let began = Instant::now();
    let answering = async {
        let is_logs = logs::is_call(&request);
        let is_sts = sts::is_call(request.method(), request.uri());
        let outcome = let_in(&edge, source, request_id, request).await;
        let outcome = match outcome {
            // Also at the door it is told in the words of its service.
            Err(error) if is_logs => Ok(logs::refusal(&error.into())),
            Err(error) if is_sts => Ok(sts::refusal(request_id, &error.into())),
            outcome => outcome,
        };
        let response = respond::respond(request_id, outcome);
        edge.bench.counters.answered(response.status());
        tracing::debug!(status = response.status().as_u16(), took = ?began.elapsed(), "answered");
        response
    };
    answering.instrument(span).await
}

/// Load shed: a bounded number of requests, the rest is refused at once rather than queued. A response that is streamed keeps
/// the place of its request until it is over.
async fn let_in(
    edge: &Edge,
    source: &Source,
    request_id: RequestId,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let limit = edge.options.requests_max;
    let place = edge
        .places
        .clone()
        .try_acquire_owned()
        .map_err(|_| respond::told(OperationError::Overloaded { limit }))?;
    let answer = record(edge, source, request_id, request).await?;
    Ok(answer.holding(place))
}

/// Audit: from here on a control call leaves a record, whatever becomes of it, and is answered after that.
async fn record(
    edge: &Edge,
    source: &Source,
    request_id: RequestId,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    // Other services of AWS, on a path that Lambda has not.
    let is_logs = logs::is_call(&request);
    let is_sts = !is_logs && sts::is_call(request.method(), request.uri());
    let (head, body) = request.into_parts();
    // Route: on the raw path, because a label may hold encoded slashes. A request that leads nowhere hears of it only once
    // we know who asks.
    let query = head.uri.query().unwrap_or_default();
    let routed = route::route(&head.method, head.uri.path(), query);
    // The one path that is not AWS's: downloads of code, by URLs that we signed.
    let is_download = head.uri.path().starts_with(code_url::PATH);
    let target = routed
        .as_ref()
        .ok()
        .and_then(|r| r.labels.get("FunctionName"));
    let trail = edge.audit.begin(&Arrival {
        request_id,
        api: Api::Aws,
        asked: match &routed {
            _ if is_download => Asked::Code,
            _ if is_logs => Asked::Logs(None),
            _ if is_sts => Asked::Token(None),
            Ok(routed) => Asked::Operation(routed.operation),
            Err(_) => Asked::Unknown,
        },
        source,
        headers: &head.headers,
        query,
        target,
    });
    let trail = trail.map_err(|error| respond::told(error.into()))?;
    let outcome = if is_logs {
        Ok(logs::answer(edge, source, request_id, &trail, head, body).await)
    } else if is_sts {
        Ok(sts::answer(edge, source, request_id, &trail, head, body).await)
    } else if is_download {
        download(edge, &head, &trail).await
    } else {
        operate(edge, source, request_id, &trail, routed, head, body).await
    };
    // Errors become AWS errors here and nowhere else.
    let outcome = outcome.map_err(respond::told);
    let (status, error) = match &outcome {
        Ok(answer) => (answer.status, answer.refusal),
        Err(error) => (error.status(), Some(error.name())),
    };
    let recorded = trail.end(status.as_u16(), error).await;
    recorded.map_err(|error| respond::told(error.into()))?;
    outcome
}

async fn operate(
    edge: &Edge,
    source: &Source,
    request_id: RequestId,
    trail: &Trail,
    routed: Result<Routed, RouteError>,
    head: Parts,
    body: Incoming,
) -> Result<Answer, OperationError> {
    let routed = routed.map_err(ApiError::from);
    let named = routed.as_ref().ok().map(|r| r.operation);
    let span = tracing::Span::current();
    span.record("operation", named.map(Operation::name));
    // Cheap refusals before the body is read: nobody we do not know fills our memory.
    let now = edge.bench.clock.wall();
    auth::precheck(&edge.options.auth, &edge.bench.control, &head, now)?;
    // Body: within the limit of the operation, the memory of this node, and a minimal pace.
    let limits = BodyLimits {
        bound: Bound::Operation(named.unwrap_or(Operation::Invoke)),
        limits: &edge.options.limits,
        stall_max: edge.options.body_stall_max,
    };
    let body = body::read(body, &limits, &edge.bodies).await?;
    // Authenticate: who sent exactly this.
    let caller = authenticate(edge, source, Rules::default(), &head, &body.bytes)?;
    span.record("account", field::display(caller.account));
    trail.known(&caller);
    let Routed { operation, labels } = routed?;
    let (scope, limits) = (caller.scope(), edge.bench.admit(caller.account, operation)?);
    // Parse: from here on there are only `model` types.
    let query = head.uri.query().unwrap_or_default();
    let query = Query::parse(query).map_err(ApiError::from)?;
    let parsed = request::Request::parse(&request::Input {
        operation,
        labels: &labels,
        query: &query,
        headers: &head.headers,
        body: &body.bytes,
        scope: &scope,
        limits: &limits,
    })?;
    trail.asked(&parsed);
    // Authorize: the proof that every operation demands.
    let authorized = auth::authorize(&edge.bench.control, caller, operation, parsed)?;
    let received = Received {
        request_id,
        origin: origin(edge, source, &head),
        trace_id: trace_id::of(&head.headers, edge.bench.clock.wall(), &*edge.bench.entropy),
        body: body.bytes.clone(),
    };
    Box::pin(operations::run(&edge.bench, authorized, received)).await
}

/// Finds out who sent exactly this.
pub(crate) fn authenticate(
    edge: &Edge,
    source: &Source,
    rules: Rules,
    head: &Parts,
    body: &[u8],
) -> Result<Caller, OperationError> {
    let request = SignedRequest {
        method: &head.method,
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: &head.headers,
        authority: head.uri.authority().map(Authority::as_str),
        body_sha256: match edge.options.auth {
            crate::AuthMode::Open { .. } => [0; 32],
            crate::AuthMode::SigV4(_) => sigv4::body_sha256(body),
        },
    };
    let arriving = Arriving {
        request,
        rules,
        source,
        secure: edge.options.public_tls || source.is_inside(),
        now: edge.bench.clock.wall(),
    };
    let (mode, region) = (&edge.options.auth, &edge.options.region);
    auth::authenticate(mode, &edge.bench.control, region, &arriving)
}

/// Where the caller reached us, for URLs that lead back here.
fn origin(edge: &Edge, source: &Source, head: &Parts) -> String {
    // Code in an environment speaks to its own loopback device.
    let scheme = if edge.options.public_tls && !source.is_inside() {
        "https"
    } else {
        "http"
    };
    let sent = head.headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let authority = head
        .uri
        .authority()
        .cloned()
        .or_else(|| sent?.parse::<Authority>().ok());
    let authority = authority.as_ref().map(Authority::as_str);
    format!(
        "{scheme}://{}",
        authority.unwrap_or(&edge.options.public_address)
    )
}

async fn download(edge: &Edge, head: &Parts, trail: &Trail) -> Result<Answer, OperationError> {
    if head.method != Method::GET {
        return Err(ApiError::UnknownOperation.into());
    }
    let query = head.uri.query().unwrap_or_default();
    let now = edge.bench.clock.wall();
    let digest = edge
        .options
        .code_url_key
        .open(head.uri.path(), query, now)?;
    trail.downloaded(digest);
    let zip = edge.bench.control.get_code(digest).await?;
    Ok(code_url::answer(zip))
}
