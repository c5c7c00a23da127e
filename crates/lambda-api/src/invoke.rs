//! `Invoke`: its parameters travel in headers, its body is the payload, and so does its answer.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use model::{
    Limits, RequestId, TenantId, Version,
    invocation::{InvocationType, LogType},
    tenant::InvalidTenantId,
};
use serde::de::IgnoredAny;

use crate::{
    error::ApiError,
    event_stream,
    request::Input,
    target::{self, Target},
};

/// The header with the id of a request; for an invocation, the id that the function sees.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// The header that says that the function failed.
pub const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
/// The header with the end of the log.
pub const LOG_RESULT: HeaderName = HeaderName::from_static("x-amz-log-result");
/// The header with the version that ran.
pub const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");

const INVOCATION_TYPE: &str = "x-amz-invocation-type";
const LOG_TYPE: &str = "x-amz-log-type";
const CLIENT_CONTEXT: &str = "x-amz-client-context";
const DURABLE_EXECUTION_NAME: &str = "x-amz-durable-execution-name";
const TENANT_ID: &str = "x-amz-tenant-id";

/// Longest client context, in bytes of base64.
const CLIENT_CONTEXT_MAX: usize = 3583;

/// Longest payload of an event, in bytes.
pub const EVENT_PAYLOAD_MAX: u64 = 1_048_576;

/// Longest payload of `InvokeAsync`, in bytes.
const ASYNC_PAYLOAD_MAX: u64 = 262_144;

/// What an empty payload stands for.
const EMPTY_PAYLOAD: &[u8] = b"{}";

/// An invocation, without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What to invoke.
    pub target: Target,
    /// How the caller waits.
    pub invocation_type: InvocationType,
    /// Whether the caller wants the end of the log.
    pub log_type: LogType,
    /// The client context as JSON text, out of its base64.
    pub client_context: Option<String>,
    /// The tenant whom it is for, if the caller names one.
    pub tenant: Option<TenantId>,
}

/// What came of a synchronous invocation, apart from the payload.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The invocation's id.
    pub request_id: RequestId,
    /// The version that ran.
    pub executed_version: Version,
    /// Whether the function failed: the payload is then its error.
    pub failed: bool,
    /// The invocation's log, if the caller wants its end.
    pub log: Option<&'a [u8]>,
}

pub(crate) fn parse(input: &Input<'_>) -> Result<Call, ApiError> {
    let (name, qualifier) = (input.function_name(), input.query.get("Qualifier"));
    let [kind, log, durable, tenant] =
        [INVOCATION_TYPE, LOG_TYPE, DURABLE_EXECUTION_NAME, TENANT_ID]
            .map(|h| text(input.headers, h));
    if durable.is_some() {
        return Err(ApiError::unsupported_member("DurableExecutionName"));
    }
    Ok(Call {
        client_context: text(input.headers, CLIENT_CONTEXT)
            .map(|c| client_context(&c))
            .transpose()?,
        invocation_type: match kind.as_deref() {
            Some("Event") => InvocationType::Event,
            Some("DryRun") => InvocationType::DryRun,
            _ => InvocationType::RequestResponse,
        },
        log_type: if log.as_deref() == Some("Tail") {
            LogType::Tail
        } else {
            LogType::None
        },
        tenant: tenant
            .map(|t| t.parse())
            .transpose()
            .map_err(|e: InvalidTenantId| ApiError::Validation(e.to_string()))?,
        target: target::locate(name, qualifier, input.scope)?,
    })
}

/// `InvokeAsync`: an event, in the form of 2014. It has no parameters but the function.
pub(crate) fn parse_async(input: &Input<'_>) -> Result<Call, ApiError> {
    if u64::try_from(input.body.len()).unwrap_or(u64::MAX) > ASYNC_PAYLOAD_MAX {
        return Err(ApiError::payload_too_large(ASYNC_PAYLOAD_MAX));
    }
    Ok(Call {
        target: target::locate(input.function_name(), None, input.scope)?,
        invocation_type: InvocationType::Event,
        log_type: LogType::None,
        client_context: None,
        tenant: None,
    })
}

/// The status of an accepted invocation.
#[must_use]
pub const fn success_status(invocation_type: InvocationType) -> StatusCode {
    match invocation_type {
        InvocationType::RequestResponse => StatusCode::OK,
        InvocationType::Event => StatusCode::ACCEPTED,
        InvocationType::DryRun => StatusCode::NO_CONTENT,
    }
}

/// Longest payload of an invocation, in bytes: stop reading a body that is longer.
#[must_use]
pub const fn payload_max(invocation_type: InvocationType, limits: &Limits) -> u64 {
    match invocation_type {
        InvocationType::RequestResponse | InvocationType::DryRun => limits.request_payload.0,
        InvocationType::Event => {
            if limits.request_payload.0 < EVENT_PAYLOAD_MAX {
                limits.request_payload.0
            } else {
                EVENT_PAYLOAD_MAX
            }
        }
    }
}

/// The payload for the function: what came, or `{}` for nothing.
///
/// # Errors
/// [`ApiError::RequestTooLarge`] above [`payload_max`], [`ApiError::InvalidRequestContent`] for anything but one JSON
/// value in UTF-8.
pub fn payload(
    body: Bytes,
    invocation_type: InvocationType,
    limits: &Limits,
) -> Result<Bytes, ApiError> {
    let max = payload_max(invocation_type, limits);
    if u64::try_from(body.len()).unwrap_or(u64::MAX) > max {
        return Err(ApiError::payload_too_large(max));
    }
    if body.is_empty() {
        return Ok(Bytes::from_static(EMPTY_PAYLOAD));
    }
    let text = std::str::from_utf8(&body).map_err(ApiError::unreadable_payload)?;
    serde_json::from_str::<IgnoredAny>(text).map_err(ApiError::unreadable_payload)?;
    Ok(body)
}

/// The headers of the answer to a synchronous invocation.
#[must_use]
pub fn answer_headers(answer: &Answer<'_>, limits: &Limits) -> HeaderMap {
    let mut headers = accepted_headers(answer.request_id);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    put(
        &mut headers,
        EXECUTED_VERSION,
        &answer.executed_version.to_string(),
    );
    if answer.failed {
        headers.insert(FUNCTION_ERROR, HeaderValue::from_static("Unhandled"));
    }
    if let Some(log) = answer.log {
        put(&mut headers, LOG_RESULT, &log_result(log, limits));
    }
    headers
}

/// The headers of the answer to an invocation that streams its response. How it ends is in the stream.
#[must_use]
pub fn streamed_headers(request_id: RequestId, executed_version: Version) -> HeaderMap {
    let mut headers = accepted_headers(request_id);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(event_stream::CONTENT_TYPE),
    );
    put(
        &mut headers,
        EXECUTED_VERSION,
        &executed_version.to_string(),
    );
    headers
}

/// The headers of the answer to an invocation that is not waited for, or only checked.
#[must_use]
pub fn accepted_headers(request_id: RequestId) -> HeaderMap {
    let mut headers = HeaderMap::new();
    put(&mut headers, REQUEST_ID, &request_id.to_string());
    headers
}

/// The end of a log, in base64.
#[must_use]
pub fn log_result(log: &[u8], limits: &Limits) -> String {
    let keep = usize::try_from(limits.log_tail.0).unwrap_or(usize::MAX);
    STANDARD.encode(log.get(log.len().saturating_sub(keep)..).unwrap_or(log))
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // Ids, versions and base64 are visible ASCII, which a header takes.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn client_context(encoded: &str) -> Result<String, ApiError> {
    if encoded.len() > CLIENT_CONTEXT_MAX {
        return Err(ApiError::InvalidRequestContent(format!(
            "Client context must be at most {CLIENT_CONTEXT_MAX} bytes of Base64."
        )));
    }
    let decoded = STANDARD
        .decode(encoded)
        .map_err(|_| ApiError::invalid_client_context())?;
    let json = String::from_utf8(decoded).map_err(|_| ApiError::invalid_client_context())?;
    // A header of the runtime API carries it on, and a header has no line breaks.
    let value: serde_json::Value =
        serde_json::from_str(&json).map_err(|_| ApiError::invalid_client_context())?;
    if value.is_object() {
        Ok(value.to_string())
    } else {
        Err(ApiError::invalid_client_context())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Request, testing::parse_with};

    fn call(target: &str, headers: &[(&'static str, &str)]) -> Result<Call, String> {
        let headers = headers
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap()))
            .collect();
        match parse_with(
            &format!("POST /2015-03-31/functions/{target}"),
            &headers,
            "not json",
        ) {
            Ok(Request::Invoke(call)) => Ok(call),
            Ok(other) => panic!("{other:?}"),
            Err(e) => Err(format!("{}: {e}", e.name())),
        }
    }

    #[test]
    fn headers_have_defaults() {
        let invocation = call("f/invocations", &[]).unwrap();
        assert_eq!(
            invocation.target.arn().to_string(),
            "arn:aws:lambda:us-east-1:123456789012:function:f"
        );
        assert_eq!(
            (invocation.invocation_type, invocation.log_type),
            (InvocationType::RequestResponse, LogType::None)
        );
        assert_eq!((invocation.client_context, invocation.tenant), (None, None));
    }

    #[test]
    fn everything_that_can_be_said() {
        let context = STANDARD.encode("{\n \"custom\": {\"a\": 1}}");
        let invocation = call(
            "f/invocations?Qualifier=live",
            &[
                (INVOCATION_TYPE, "Event"),
                (LOG_TYPE, "Tail"),
                (CLIENT_CONTEXT, &context),
                (TENANT_ID, "blue team"),
            ],
        )
        .unwrap();
        assert_eq!(
            (invocation.invocation_type, invocation.log_type),
            (InvocationType::Event, LogType::Tail)
        );
        assert_eq!(
            invocation.client_context.as_deref(),
            Some(r#"{"custom":{"a":1}}"#)
        );
        assert_eq!(invocation.tenant, Some("blue team".parse().unwrap()));
        assert!(invocation.target.arn().to_string().ends_with(":f:live"));
        assert_eq!(
            call("f/invocations", &[(INVOCATION_TYPE, "DryRun")])
                .unwrap()
                .invocation_type,
            InvocationType::DryRun
        );
    }

    #[test]
    fn refusals() {
        fn refused(headers: &[(&'static str, &str)]) -> String {
            call("f/invocations", headers).unwrap_err()
        }
        assert_eq!(
            refused(&[(INVOCATION_TYPE, "event"), (LOG_TYPE, "All")]),
            "ValidationException: 2 validation errors detected: Value 'event' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]; Value 'All' at 'logType' failed to satisfy constraint: Member must satisfy enum value set: [None, Tail]"
        );
        let invalid = "InvalidRequestContentException: Client context must be a valid Base64-encoded JSON object.";
        for context in [
            "!",
            &STANDARD.encode("x"),
            &STANDARD.encode("[1]"),
            &STANDARD.encode([0xff]),
        ] {
            assert_eq!(refused(&[(CLIENT_CONTEXT, context)]), invalid);
        }
        assert!(
            refused(&[(CLIENT_CONTEXT, &"A".repeat(3584))])
                .ends_with("at most 3583 bytes of Base64.")
        );
        assert!(refused(&[(TENANT_ID, "a*")]).starts_with("ValidationException"));
        assert!(
            refused(&[(DURABLE_EXECUTION_NAME, "d")])
                .ends_with("DurableExecutionName is not supported by this cluster.")
        );
    }

    #[test]
    fn the_other_two_calls() {
        let streaming = |headers: &[(&'static str, &str)]| {
            let headers = headers
                .iter()
                .map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap()))
                .collect();
            let path = "POST /2021-11-15/functions/f/response-streaming-invocations?Qualifier=live";
            parse_with(path, &headers, "{}").map_err(|e| format!("{}: {e}", e.name()))
        };
        let Ok(Request::InvokeWithResponseStream(call)) =
            streaming(&[(LOG_TYPE, "Tail"), (INVOCATION_TYPE, "DryRun")])
        else {
            panic!()
        };
        assert_eq!(
            (call.invocation_type, call.log_type),
            (InvocationType::DryRun, LogType::Tail)
        );
        assert!(call.target.arn().to_string().ends_with(":f:live"));
        assert_eq!(
            streaming(&[(INVOCATION_TYPE, "Event")]).unwrap_err(),
            "ValidationException: 1 validation error detected: Value 'Event' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [RequestResponse, DryRun]"
        );
        let asynchronous = |body: &str| {
            let path = "POST /2014-11-13/functions/f/invoke-async/";
            parse_with(path, &HeaderMap::new(), body).map_err(|e| e.name())
        };
        let Ok(Request::InvokeAsync(call)) = asynchronous("{}") else {
            panic!()
        };
        assert_eq!(call.invocation_type, InvocationType::Event);
        assert!(asynchronous(&" ".repeat(262_144)).is_ok());
        assert_eq!(
            asynchronous(&" ".repeat(262_145)).unwrap_err(),
            "RequestTooLargeException"
        );
        let headers = streamed_headers(RequestId::from_random(5), Version::Latest);
        assert_eq!(
            headers[header::CONTENT_TYPE],
            "application/vnd.amazon.eventstream"
        );
        assert_eq!(headers[EXECUTED_VERSION], "$LATEST");
    }

    #[test]
    fn payloads() {
        let limits = Limits::default();
        let check = |body: &'static [u8]| {
            payload(
                Bytes::from_static(body),
                InvocationType::RequestResponse,
                &limits,
            )
            .map_err(|e| format!("{}: {e}", e.name()))
        };
        assert_eq!(check(b"").unwrap(), "{}");
        for good in [&b"{}"[..], b" [1] ", b"null", b"\"x\"", "\"ä\"".as_bytes()] {
            assert_eq!(check(good).unwrap(), good);
        }
        assert_eq!(
            check(b"{a}").unwrap_err(),
            "InvalidRequestContentException: Could not parse request body into json: Could not parse payload into json: key must be a string at line 1 column 2"
        );
        for bad in [&b" "[..], b"{} x", b"\xff", b"\"\xff\"", b"{"] {
            assert!(check(bad).unwrap_err().starts_with("InvalidRequestContentException: Could not parse request body into json: Could not parse payload"), "{bad:?}");
        }
    }

    #[test]
    fn a_payload_may_be_deep_and_as_long_as_the_limit() {
        let limits = Limits::default();
        let sized = |n: usize| Bytes::from(format!("\"{}\"", "x".repeat(n - 2)));
        let check = |n, kind| payload(sized(n), kind, &limits).map(|p| p.len());
        assert_eq!(
            check(6_291_456, InvocationType::RequestResponse),
            Ok(6_291_456)
        );
        assert_eq!(
            check(6_291_457, InvocationType::RequestResponse),
            Err(ApiError::payload_too_large(6_291_456))
        );
        assert_eq!(check(1_048_576, InvocationType::Event), Ok(1_048_576));
        assert_eq!(
            check(1_048_577, InvocationType::Event),
            Err(ApiError::payload_too_large(1_048_576))
        );
        let deep = Bytes::from(format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
        assert!(payload(deep, InvocationType::RequestResponse, &limits).is_ok());
    }

    #[test]
    fn the_answer_is_in_headers() {
        let request_id = RequestId::from_random(5);
        let log = [b"x".repeat(10), b"y".repeat(4096)].concat();
        let answer = Answer {
            request_id,
            executed_version: Version::Latest,
            failed: true,
            log: Some(&log),
        };
        let headers = answer_headers(&answer, &Limits::default());
        assert_eq!(headers[REQUEST_ID], "00000000-0000-4000-8000-000000000005");
        assert_eq!(headers[EXECUTED_VERSION], "$LATEST");
        assert_eq!(headers[FUNCTION_ERROR], "Unhandled");
        assert_eq!(
            STANDARD.decode(&headers[LOG_RESULT]).unwrap(),
            b"y".repeat(4096)
        );

        let answer = Answer {
            failed: false,
            log: None,
            executed_version: Version::number(3).unwrap(),
            ..answer
        };
        let headers = answer_headers(&answer, &Limits::default());
        assert_eq!(headers[EXECUTED_VERSION], "3");
        assert!(!headers.contains_key(FUNCTION_ERROR) && !headers.contains_key(LOG_RESULT));
        assert_eq!(success_status(InvocationType::Event), StatusCode::ACCEPTED);
        assert_eq!(accepted_headers(request_id).len(), 1);
    }
}
