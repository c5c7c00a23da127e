//! The Security Token Service: who somebody is, and how they become a role for a while.
//!
//! It shares the door with the AWS API (a path that no operation of Lambda's has), the credentials and the audit log, and has
//! its own words for everything: [`lambda_api::sts`]. Nothing is stored: a session is issued with a key that any frontend
//! derives (ADR 12), so `AssumeRole` works without controllers as soon as its account has a data key.

use http::{HeaderMap, HeaderValue, Method, Uri, header, request::Parts};
use hyper::body::Incoming;
use lambda_api::{
    sigv4::{self, Rules},
    sts::{self, Form, Request, StsError},
};
use model::{
    Digest, RequestId,
    iam::{self, EntityId, RoleArn, Session},
};
use tracing::field;

use crate::{
    auth::{self, Caller, Who},
    body::{self, BodyLimits, Bound},
    error::OperationError,
    options::AuthMode,
    respond::{self, Answer, Body},
    source::Source,
    stack::{self, Edge},
    trail::{Asked, Trail},
};

mod assume_role;

/// Whether a request is for this service.
pub(crate) fn is_call(method: &Method, uri: &Uri) -> bool {
    sts::is_call(method, uri.path(), uri.query().unwrap_or_default())
}

/// A caller, and what their request says of them.
struct Asking<'a> {
    caller: Caller,
    /// The session that they say they are of: proven, unless this cluster believes everybody.
    session: Option<Session>,
    trail: &'a Trail,
    request_id: RequestId,
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
    match answered(edge, source, request_id, trail, head, body).await {
        Ok(document) => xml(http::StatusCode::OK, document),
        Err(error) => refusal(request_id, &error),
    }
}

/// What a caller of this service is told of an error.
pub(crate) fn refusal(request_id: RequestId, error: &StsError) -> Answer {
    let mut answer = xml(error.status(), error.to_xml(&request_id.to_string()));
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
) -> Result<String, StsError> {
    let now = edge.bench.clock.wall();
    // Cheap refusals before the body is read.
    auth::precheck(&edge.options.auth, &edge.bench.control, &head, now).map_err(told)?;
    let limits = BodyLimits {
        bound: Bound::Bytes(sts::BODY_MAX),
        limits: &edge.options.limits,
        stall_max: edge.options.body_stall_max,
    };
    let body = body::read(body, &limits, &edge.bodies).await;
    let body = body.map_err(|error| told(error.into()))?;
    let query = head.uri.query().unwrap_or_default();
    let form = match head.method {
        Method::GET => Form::of_query(query),
        _ => Form::of_body(&body.bytes),
    };
    if let Ok(action) = form.as_ref().map_err(Clone::clone).and_then(Form::action) {
        trail.is(Asked::Token(Some(action)));
        tracing::Span::current().record("operation", action.as_str());
    }
    let rules = Rules {
        service: sts::SERVICE,
        ..Rules::default()
    };
    let caller = stack::authenticate(edge, source, rules, &head, &body.bytes).map_err(told)?;
    tracing::Span::current().record("account", field::display(caller.account));
    trail.known(&caller);
    let asking = Asking {
        session: session(edge, &caller, &head),
        caller,
        trail,
        request_id,
    };
    match form?.request()? {
        Request::GetCallerIdentity => Ok(asking.identity(edge).to_xml(&request_id.to_string())),
        Request::AssumeRole(wanted) => assume_role::run(edge, &asking, *wanted).await,
    }
}

/// The session that a caller is of. An open cluster verifies nothing, and still tells a function who it is.
fn session(edge: &Edge, caller: &Caller, head: &Parts) -> Option<Session> {
    match (&caller.who, &edge.options.auth) {
        (Who::Session(session), _) => Some((**session).clone()),
        (_, AuthMode::Open { .. }) => {
            let query = head.uri.query().unwrap_or_default();
            let token = sigv4::token_of(&head.headers, query)?;
            let said = catalog::unproven_session(&token)?;
            (said.role.account() == caller.account).then_some(said)
        }
        (Who::Operator | Who::Root | Who::User { .. }, AuthMode::SigV4(_)) => None,
    }
}

impl Asking<'_> {
    fn identity(&self, edge: &Edge) -> sts::CallerIdentity {
        let caller = &self.caller;
        let account = caller.account;
        if let Some(session) = &self.session {
            return sts::CallerIdentity {
                arn: session.arn(),
                user_id: format!("{}:{}", role_id(edge, &session.role), session.name),
                account,
            };
        }
        sts::CallerIdentity {
            arn: caller.principal.arn().unwrap_or_default().to_owned(),
            user_id: match &caller.who {
                Who::User { unique_id, .. } => unique_id.clone(),
                Who::Operator | Who::Root | Who::Session(_) => account.to_string(),
            },
            account,
        }
    }
}

/// The unique id of a role. One that the cluster has no record of, which a function may have, has one that follows from its
/// ARN.
fn role_id(edge: &Edge, role: &RoleArn) -> String {
    let id = EntityId::Role(role.account(), role.name().clone());
    let recorded = edge.bench.control.glance(|catalog| {
        let role = catalog.entity(&id)?.identity()?;
        Some(role.unique_id.clone())
    });
    recorded.unwrap_or_else(|| {
        let digest = Digest::of(role.as_str().as_bytes());
        let bits = digest.as_bytes().iter().take(16);
        iam::unique_id(
            "AROA",
            bits.fold(0, |all, byte| (all << 8) | u128::from(*byte)),
        )
    })
}

/// What somebody is told of an error of ours, which is logged here.
fn told(error: OperationError) -> StsError {
    respond::told(error).into()
}

fn xml(status: http::StatusCode, document: String) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    Answer {
        status,
        headers,
        body: Body::Whole(document.into()),
        refusal: None,
    }
}
