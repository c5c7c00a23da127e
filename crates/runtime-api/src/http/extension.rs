//! The wire shapes of the Extensions and Telemetry APIs.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Deserialize;

use super::json;
use crate::{
    Invocation,
    extensions::{Event, Events, ExtensionId, Refusal},
    server::About,
};

const NAME: HeaderName = HeaderName::from_static("lambda-extension-name");
const IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");
const EVENT_IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-event-identifier");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-extension-function-error-type");
const ACCEPT_FEATURE: HeaderName = HeaderName::from_static("lambda-extension-accept-feature");

/// The longest error type that is kept, in bytes.
const ERROR_TYPE_MAX: usize = 256;

/// What is wrong with a call of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExtensionFault {
    MissingIdentifier,
    InvalidIdentifier,
    MissingHeader,
    InvalidFormat(String),
    Refused(Refusal),
}

impl From<Refusal> for ExtensionFault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl ExtensionFault {
    pub(crate) fn response(&self) -> Response<Full<Bytes>> {
        let kind = match self {
            Self::MissingIdentifier => "Extension.MissingExtensionIdentifier",
            Self::InvalidIdentifier => "Extension.InvalidExtensionIdentifier",
            Self::MissingHeader => "Extension.MissingHeader",
            Self::InvalidFormat(_) => "InvalidRequestFormat",
            Self::Refused(Refusal::UnknownIdentifier) => "Extension.UnknownExtensionIdentifier",
            Self::Refused(Refusal::InvalidName) => "Extension.InvalidExtensionName",
            Self::Refused(Refusal::InvalidEventType(_)) => "Extension.InvalidEventType",
            Self::Refused(Refusal::RegistrationClosed) => "Extension.RegistrationClosed",
            Self::Refused(Refusal::TooMany) => "Extension.TooManyExtensions",
            Self::Refused(Refusal::InvalidState { .. }) => "Extension.InvalidExtensionState",
        };
        let message: Cow<'static, str> = match self {
            Self::MissingIdentifier => "Missing Lambda-Extension-Identifier header".into(),
            Self::InvalidIdentifier => "Invalid Lambda-Extension-Identifier".into(),
            Self::MissingHeader => "Lambda-Extension-Function-Error-Type not found".into(),
            Self::InvalidFormat(why) => why.clone().into(),
            Self::Refused(refusal) => refusal.to_string().into(),
        };
        error(StatusCode::FORBIDDEN, kind, &message)
    }
}

pub(crate) fn error(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({"errorMessage": message, "errorType": kind});
    json(status, body.to_string().into())
}

/// Whose call it is.
pub(crate) fn identifier(headers: &HeaderMap) -> Result<ExtensionId, ExtensionFault> {
    let given = headers.get(IDENTIFIER);
    let given = given.ok_or(ExtensionFault::MissingIdentifier)?;
    let text = given.to_str().ok();
    text.and_then(|text| text.parse().ok())
        .ok_or(ExtensionFault::InvalidIdentifier)
}

/// The type of the error that an extension reports.
pub(crate) fn error_type(headers: &HeaderMap) -> Result<String, ExtensionFault> {
    let given = headers.get(ERROR_TYPE).and_then(|v| v.to_str().ok());
    let given = given.filter(|text| !text.is_empty());
    let given = given.ok_or(ExtensionFault::MissingHeader)?;
    Ok(given.chars().take(ERROR_TYPE_MAX).collect())
}

/// A registration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    pub(crate) name: String,
    pub(crate) events: Events,
    /// It wants to know whose function it is.
    pub(crate) wants_account: bool,
}

#[derive(Deserialize)]
struct RegisterBody {
    #[serde(default)]
    events: Vec<String>,
}

pub(crate) fn registration(
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Registration, ExtensionFault> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|v: &HeaderValue| v.to_str().ok())
    };
    let name = text(NAME).unwrap_or_default();
    let body: RegisterBody = match body {
        [] => RegisterBody { events: Vec::new() },
        body => serde_json::from_slice(body)
            .map_err(|error| ExtensionFault::InvalidFormat(error.to_string()))?,
    };
    let mut events = Events::default();
    for event in &body.events {
        match &**event {
            "INVOKE" => events.invoke = true,
            "SHUTDOWN" => events.shutdown = true,
            other => {
                let why = format!("{other}: expected INVOKE or SHUTDOWN");
                return Err(Refusal::InvalidEventType(why.into()).into());
            }
        }
    }
    let features = text(ACCEPT_FEATURE).unwrap_or_default();
    Ok(Registration {
        name: name.to_owned(),
        events,
        wants_account: features.split(',').any(|f| f.trim() == "accountId"),
    })
}

pub(crate) fn registered(
    id: ExtensionId,
    about: &About,
    wants_account: bool,
) -> Response<Full<Bytes>> {
    let mut body = serde_json::json!({
        "functionName": about.function_name,
        "functionVersion": about.function_version,
        "handler": about.handler,
    });
    if wants_account && let Some(body) = body.as_object_mut() {
        body.insert("accountId".to_owned(), about.account_id.clone().into());
    }
    let mut response = json(StatusCode::OK, body.to_string().into());
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        response.headers_mut().insert(IDENTIFIER, id);
    }
    response
}

/// The end of an environment, as extensions are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// Why it ends.
    pub reason: ShutdownReason,
    /// When what is left of it is killed, in milliseconds since the epoch.
    pub deadline_ms: u64,
}

/// Why an environment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownReason {
    /// It is not needed any more.
    Spindown,
    /// An invocation took too long.
    Timeout,
    /// The runtime or an extension failed.
    Failure,
}

impl ShutdownReason {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spindown => "spindown",
            Self::Timeout => "timeout",
            Self::Failure => "failure",
        }
    }
}

/// An event on its way.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) event: Event,
    pub(crate) id: ExtensionId,
    pub(crate) body: Bytes,
}

pub(crate) fn invoke_body(invocation: &Invocation) -> Bytes {
    let mut body = serde_json::json!({
        "eventType": "INVOKE",
        "deadlineMs": invocation.deadline.as_millis(),
        "requestId": invocation.request_id.to_string(),
        "invokedFunctionArn": invocation.invoked_arn,
    });
    if let Some(body) = body.as_object_mut() {
        let tracing = serde_json::json!({"type": "X-Amzn-Trace-Id", "value": invocation.trace_id});
        body.insert("tracing".to_owned(), tracing);
    }
    body.to_string().into()
}

pub(crate) fn shutdown_body(shutdown: Shutdown) -> Bytes {
    let body = serde_json::json!({
        "eventType": "SHUTDOWN",
        "shutdownReason": shutdown.reason.as_str(),
        "deadlineMs": shutdown.deadline_ms,
    });
    body.to_string().into()
}

pub(crate) fn told(told: &Told) -> Response<Full<Bytes>> {
    let mut response = json(StatusCode::OK, told.body.clone());
    if let Ok(id) = HeaderValue::try_from(told.id.to_string()) {
        response.headers_mut().insert(EVENT_IDENTIFIER, id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn registrations() {
        let check = |body: &str, expected: Result<(bool, bool), &str>| {
            let named = headers(&[("lambda-extension-name", "watcher")]);
            let got = registration(&named, body.as_bytes());
            match (got, expected) {
                (Ok(got), Ok((invoke, shutdown))) => {
                    assert_eq!(got.name, "watcher");
                    assert_eq!(got.events, Events { invoke, shutdown }, "{body}");
                }
                (Err(fault), Err(kind)) => {
                    let told = format!("{:?}", fault.response());
                    assert!(told.contains("403"), "{told}");
                    assert!(format!("{fault:?}").contains(kind), "{body}: {fault:?}");
                }
                (got, _) => panic!("{body}: {got:?}"),
            }
        };
        check(r#"{"events":["INVOKE","SHUTDOWN"]}"#, Ok((true, true)));
        check(r#"{"events":[]}"#, Ok((false, false)));
        check("", Ok((false, false)));
        check("{}", Ok((false, false)));
        check(r#"{"events":["invoke"]}"#, Err("InvalidEventType"));
        check(r#"{"events":"#, Err("InvalidFormat"));
        let asks = headers(&[("lambda-extension-accept-feature", "x, accountId")]);
        assert!(registration(&asks, b"{}").unwrap().wants_account);
    }

    #[test]
    fn identifiers() {
        let id = ExtensionId::from_random(7);
        let good = headers(&[("lambda-extension-identifier", &id.to_string())]);
        assert_eq!(identifier(&good), Ok(id));
        assert_eq!(
            identifier(&headers(&[])),
            Err(ExtensionFault::MissingIdentifier)
        );
        for bad in [
            "",
            "7",
            &"0".repeat(36),
            "00000000-0000-4000-8000-00000000000+",
        ] {
            let bad = headers(&[("lambda-extension-identifier", bad)]);
            assert_eq!(identifier(&bad), Err(ExtensionFault::InvalidIdentifier));
        }
    }
}
