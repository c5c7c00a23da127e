//! What a refusal of the API must look like to be understood, whatever state the frontend is in that gives it. The table is the
//! one of AWS's own model, not of our code, which makes its answers from another.

use http::{HeaderMap, HeaderName, header};
use serde_json::{Map, Value};

use crate::caller::Answer;

/// What it is called in reports.
pub(crate) const CHECK: &str = "refusals are typed";

/// An error of the model: its name, its status, and whose fault it says that it is.
type Known = (&'static str, u16, Option<&'static str>);

const USER: Option<&str> = Some("User");
const SERVICE: Option<&str> = Some("Service");

/// What any call may be refused with.
#[rustfmt::skip]
const OF_ANY_CALL: [Known; 25] = [
    ("InvalidParameterValueException", 400, USER),
    ("InvalidRequestContentException", 400, USER),
    ("ValidationException", 400, None),
    ("ResourceInUseException", 400, USER),
    ("AliasLimitExceededException", 400, USER),
    ("PolicyLengthExceededException", 400, USER),
    ("CodeVerificationFailedException", 400, USER),
    ("CodeStorageExceededException", 400, USER),
    ("AccessDeniedException", 403, None),
    ("ExpiredTokenException", 403, None),
    ("IncompleteSignatureException", 403, None),
    ("InvalidSignatureException", 403, None),
    ("MissingAuthenticationTokenException", 403, None),
    ("UnrecognizedClientException", 403, None),
    ("CodeSigningConfigNotFoundException", 404, USER),
    ("ProvisionedConcurrencyConfigNotFoundException", 404, USER),
    ("ResourceNotFoundException", 404, USER),
    ("UnknownOperationException", 404, None),
    ("ResourceConflictException", 409, USER),
    ("PreconditionFailedException", 412, USER),
    ("RequestEntityTooLargeException", 413, None),
    ("UnsupportedMediaTypeException", 415, USER),
    ("TooManyRequestsException", 429, USER),
    ("ServiceException", 500, SERVICE),
    ("ServiceUnavailableException", 503, SERVICE),
];

/// What only an invocation may be refused with.
#[rustfmt::skip]
const OF_INVOCATIONS: [Known; 6] = [
    ("RequestTooLargeException", 413, USER),
    ("InvalidRuntimeException", 502, SERVICE),
    ("InvalidZipFileException", 502, SERVICE),
    ("KMSInvalidStateException", 502, SERVICE),
    ("KMSNotFoundException", 502, SERVICE),
    ("ResourceNotReadyException", 502, SERVICE),
];

const REASONS: [&str; 6] = [
    "CallerRateLimitExceeded",
    "ConcurrentInvocationLimitExceeded",
    "ConcurrentSnapshotCreateLimitExceeded",
    "FunctionInvocationRateLimitExceeded",
    "ReservedFunctionConcurrentInvocationLimitExceeded",
    "ReservedFunctionInvocationRateLimitExceeded",
];

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");

/// Why an answer is nothing that a client could act on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Untyped {
    #[error("expected 200, 201, 202 or 204 for a success, got {0}")]
    Success(u16),
    #[error("expected the id of the request, got none")]
    NoId,
    #[error("expected JSON, got {0:?}")]
    NoJson(String),
    #[error("expected an error of the model, got {status} {name:?}")]
    Unknown { status: u16, name: String },
    #[error("expected that {name} has the status {expected}, got {got}")]
    Status {
        name: &'static str,
        expected: u16,
        got: u16,
    },
    #[error("expected that {name} is told as {expected:?}, got {got:?}")]
    Fault {
        name: &'static str,
        expected: Option<&'static str>,
        got: Option<String>,
    },
    #[error("expected that {0} says why, got no message")]
    NoMessage(&'static str),
    #[error("expected that a throttle says which limit and for how long, got neither or one")]
    Throttle,
    #[error("expected an error document of a function, got {0:?}")]
    FunctionError(String),
}

/// Looks at what a frontend answered.
///
/// # Errors
/// [`Untyped`] if a client could not tell what happened.
pub(crate) fn check(is_invocation: bool, answer: &Answer) -> Result<(), Untyped> {
    let status = answer.status;
    let text = |name: &HeaderName| text(&answer.headers, name);
    if text(&REQUEST_ID).is_none_or(|id| id.len() != 36) {
        return Err(Untyped::NoId);
    }
    let document = || -> Result<Map<String, Value>, Untyped> {
        let json = text(&header::CONTENT_TYPE).is_some_and(|t| t.starts_with("application/json"));
        let document = serde_json::from_slice(&answer.body).ok().filter(|_| json);
        document.ok_or_else(|| {
            Untyped::NoJson(
                String::from_utf8_lossy(&answer.body)
                    .chars()
                    .take(200)
                    .collect(),
            )
        })
    };
    if (200..300).contains(&status) {
        if !matches!(status, 200 | 201 | 202 | 204) {
            return Err(Untyped::Success(status));
        }
        if let Some(how) = text(&FUNCTION_ERROR) {
            let says = document()?.contains_key("errorMessage");
            if !says || !matches!(how, "Handled" | "Unhandled") {
                return Err(Untyped::FunctionError(how.to_owned()));
            }
        }
        return Ok(());
    }
    let name = text(&ERROR_TYPE).unwrap_or_default();
    let invocations = OF_INVOCATIONS.iter().filter(|_| is_invocation);
    let mut known = OF_ANY_CALL.iter().chain(invocations);
    let Some((name, expected, fault)) = known.find(|known| known.0 == name).copied() else {
        let name = name.to_owned();
        return Err(Untyped::Unknown { status, name });
    };
    if status != expected {
        let got = status;
        return Err(Untyped::Status {
            name,
            expected,
            got,
        });
    }
    let document = document()?;
    let said = |key: &str| document.get(key).and_then(Value::as_str);
    if said("Type") != fault {
        let (expected, got) = (fault, said("Type").map(str::to_owned));
        return Err(Untyped::Fault {
            name,
            expected,
            got,
        });
    }
    let message = said("message").or_else(|| said("Message"));
    if message.is_none_or(str::is_empty) {
        return Err(Untyped::NoMessage(name));
    }
    let is_whole = status != 429
        || (said("Reason").is_some_and(|reason| REASONS.contains(&reason))
            && text(&header::RETRY_AFTER).is_some_and(|s| s.parse::<u32>().is_ok()));
    is_whole.then_some(()).ok_or(Untyped::Throttle)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    /// An answer; an empty name is none.
    fn answer(status: u16, name: &'static str, body: &Value) -> Answer {
        let mut headers = HeaderMap::new();
        let id = "00000000-0000-4000-8000-000000000001";
        headers.insert(REQUEST_ID, HeaderValue::from_static(id));
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if !name.is_empty() {
            headers.insert(ERROR_TYPE, HeaderValue::from_static(name));
        }
        Answer {
            status,
            headers,
            body: Bytes::from(body.to_string()),
        }
    }

    #[test]
    fn errors_of_the_model_pass() {
        let missing = json!({ "Type": "User", "Message": "not there" });
        let known = answer(404, "ResourceNotFoundException", &missing);
        assert_eq!(check(false, &known), Ok(()));
        let busy = json!({ "Type": "User", "message": "wait", "Reason": REASONS[0] });
        let mut known = answer(429, "TooManyRequestsException", &busy);
        assert_eq!(check(true, &known), Err(Untyped::Throttle));
        known
            .headers
            .insert(header::RETRY_AFTER, HeaderValue::from(1));
        assert_eq!(check(true, &known), Ok(()));
        assert_eq!(check(false, &answer(204, "", &json!(null))), Ok(()));
    }

    #[test]
    fn what_says_nothing_does_not() {
        let why = json!({ "Type": "Service", "Message": "why" });
        let unknown =
            |status, name: &'static str| check(false, &answer(status, name, &why)).unwrap_err();
        let name = String::new();
        assert_eq!(unknown(500, ""), Untyped::Unknown { status: 500, name });
        assert_eq!(
            unknown(502, "ServiceException"),
            Untyped::Status {
                name: "ServiceException",
                expected: 500,
                got: 502
            }
        );
        assert!(matches!(
            unknown(502, "ResourceNotReadyException"),
            Untyped::Unknown { status: 502, .. }
        ));
        assert_eq!(unknown(206, ""), Untyped::Success(206));
        let silent = json!({ "Type": "Service" });
        assert_eq!(
            check(false, &answer(503, "ServiceUnavailableException", &silent)),
            Err(Untyped::NoMessage("ServiceUnavailableException"))
        );
        let mut bare = answer(503, "ServiceUnavailableException", &why);
        bare.body = Bytes::new();
        assert_eq!(check(false, &bare), Err(Untyped::NoJson(String::new())));
        bare.headers.clear();
        assert_eq!(check(false, &bare), Err(Untyped::NoId));
    }
}
