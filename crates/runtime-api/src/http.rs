//! The wire shapes of the Runtime API: paths, headers, status codes and bodies.

pub(crate) mod extension;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use model::RequestId;

use crate::{
    CREDENTIALS_PATH, Invocation, lifecycle::Refusal, server::ExtensionCall, subscription::Api,
};

pub(crate) const ERROR_TYPE: HeaderName =
    HeaderName::from_static("lambda-runtime-function-error-type");
pub(crate) const ERROR_BODY: HeaderName =
    HeaderName::from_static("lambda-runtime-function-error-body");
pub(crate) const INVOCATION_ID: HeaderName =
    HeaderName::from_static("lambda-runtime-invocation-id");
const RESPONSE_MODE: HeaderName = HeaderName::from_static("lambda-runtime-function-response-mode");

/// A call of the runtime, by path and method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Next,
    /// `None` where the path holds no id at all.
    Response(Option<RequestId>),
    Error(Option<RequestId>),
    InitError,
    Credentials,
    Extension(ExtensionCall),
    Ping,
    UnknownPath,
    WrongMethod,
}

impl Endpoint {
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let Some(rest) = path.strip_prefix("/2018-06-01/") else {
            return Self::beside_the_runtime(method, path);
        };
        let (wanted, endpoint) = match rest {
            "runtime/invocation/next" => (Method::GET, Self::Next),
            "runtime/init/error" => (Method::POST, Self::InitError),
            "ping" => (Method::GET, Self::Ping),
            _ => match rest
                .strip_prefix("runtime/invocation/")
                .and_then(|r| r.split_once('/'))
            {
                Some((id, "response")) => (Method::POST, Self::Response(id.parse().ok())),
                Some((id, "error")) => (Method::POST, Self::Error(id.parse().ok())),
                _ => return Self::UnknownPath,
            },
        };
        if *method == wanted {
            endpoint
        } else {
            Self::WrongMethod
        }
    }

    fn beside_the_runtime(method: &Method, path: &str) -> Self {
        let (wanted, endpoint) = match path {
            "/ping" => return Self::Ping,
            CREDENTIALS_PATH => (Method::GET, Self::Credentials),
            "/2020-01-01/extension/register" => {
                (Method::POST, Self::Extension(ExtensionCall::Register))
            }
            "/2020-01-01/extension/event/next" => {
                (Method::GET, Self::Extension(ExtensionCall::Next))
            }
            "/2020-01-01/extension/init/error" => {
                (Method::POST, Self::Extension(ExtensionCall::InitError))
            }
            "/2020-01-01/extension/exit/error" => {
                (Method::POST, Self::Extension(ExtensionCall::ExitError))
            }
            "/2022-07-01/telemetry" => (
                Method::PUT,
                Self::Extension(ExtensionCall::Subscribe(Api::Telemetry)),
            ),
            "/2020-08-15/logs" => (
                Method::PUT,
                Self::Extension(ExtensionCall::Subscribe(Api::Logs)),
            ),
            _ => return Self::UnknownPath,
        };
        if *method == wanted {
            endpoint
        } else {
            Self::WrongMethod
        }
    }
}

/// What is wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Refused(Refusal),
    InvalidResponseMode,
    Truncated,
    TooLarge {
        limit: usize,
    },
    UnknownPath,
    /// Whoever asks for credentials has not the token of this environment.
    NoCredentials,
    WrongMethod,
    /// The environment is going away.
    Closing,
}

impl Fault {
    pub(crate) fn response(self) -> Response<Full<Bytes>> {
        let (status, kind, message) = match self {
            Self::Refused(Refusal::InvalidRequestId) => (
                StatusCode::BAD_REQUEST,
                "InvalidRequestID",
                "Invalid request ID".to_owned(),
            ),
            Self::Refused(Refusal::InvalidTransition { from, to }) => (
                StatusCode::FORBIDDEN,
                "InvalidStateTransition",
                format!(
                    "State transition from {from} to {to} failed for runtime. Error: State transition is not allowed"
                ),
            ),
            Self::InvalidResponseMode => (
                StatusCode::BAD_REQUEST,
                "InvalidFunctionResponseMode",
                "Invalid function response mode, expected streaming".to_owned(),
            ),
            Self::Truncated => (
                StatusCode::BAD_REQUEST,
                "TruncatedHTTPRequest",
                "HTTP request detected as truncated".to_owned(),
            ),
            Self::TooLarge { limit } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                format!("Exceeded maximum allowed payload size ({limit} bytes)."),
            ),
            Self::UnknownPath => (
                StatusCode::NOT_FOUND,
                "InvalidPath",
                "No such path in the Runtime API".to_owned(),
            ),
            Self::NoCredentials => (
                StatusCode::NOT_FOUND,
                "CredentialsNotFound",
                "cannot get credentials for the provided token".to_owned(),
            ),
            Self::WrongMethod => (
                StatusCode::METHOD_NOT_ALLOWED,
                "InvalidMethod",
                "No such method on this path of the Runtime API".to_owned(),
            ),
            Self::Closing => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerError",
                "The environment is shutting down".to_owned(),
            ),
        };
        let body = serde_json::json!({"errorMessage": message, "errorType": kind}).to_string();
        json(status, body.into())
    }
}

pub(crate) fn accepted() -> Response<Full<Bytes>> {
    json(
        StatusCode::ACCEPTED,
        Bytes::from_static(b"{\"status\":\"OK\"}"),
    )
}

pub(crate) fn credentials(document: Bytes) -> Response<Full<Bytes>> {
    json(StatusCode::OK, document)
}

pub(crate) fn pong() -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::from_static(b"pong")))
}

pub(crate) fn json(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// The answer to a poll.
pub(crate) fn event(invocation: &Invocation) -> Response<Full<Bytes>> {
    let mut response = json(StatusCode::OK, invocation.payload.clone());
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &str| {
        if let Some(value) = header_value(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set(
        "lambda-runtime-aws-request-id",
        &invocation.request_id.to_string(),
    );
    set(
        "lambda-runtime-deadline-ms",
        &invocation.deadline.as_millis().to_string(),
    );
    set(
        "lambda-runtime-invoked-function-arn",
        &invocation.invoked_arn,
    );
    set("lambda-runtime-trace-id", &invocation.trace_id);
    set("lambda-runtime-client-context", &invocation.client_context);
    set("lambda-runtime-invocation-id", &invocation.attempt_id);
    set("lambda-runtime-aws-tenant-id", &invocation.tenant_id);
    response
}

/// A header's value, unless it is empty. Control characters become spaces: in JSON they are white space or illegal.
fn header_value(text: &str) -> Option<HeaderValue> {
    if text.is_empty() {
        return None;
    }
    HeaderValue::from_str(text)
        .or_else(|_| {
            let clean: Vec<u8> = text
                .bytes()
                .map(|b| if b.is_ascii_control() { b' ' } else { b })
                .collect();
            HeaderValue::from_bytes(&clean)
        })
        .ok()
}

/// How a runtime announces its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseMode {
    Buffered,
    /// It comes in parts, with trailers.
    Streaming,
}

pub(crate) fn response_mode(headers: &HeaderMap) -> Result<ResponseMode, Fault> {
    match headers.get(RESPONSE_MODE).map(HeaderValue::as_bytes) {
        None | Some(b"") => Ok(ResponseMode::Buffered),
        Some(mode) if mode.eq_ignore_ascii_case(b"streaming") => Ok(ResponseMode::Streaming),
        Some(mode) if mode.eq_ignore_ascii_case(b"buffered") => Ok(ResponseMode::Buffered),
        Some(_) => Err(Fault::InvalidResponseMode),
    }
}

/// A header as text; `None` if it is absent or no ASCII text.
pub(crate) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers
        .get(name)
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_methods() {
        let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
        let id: RequestId = uuid.parse().unwrap();
        let check = |method: Method, path: &str, expected: Endpoint| {
            assert_eq!(Endpoint::of(&method, path), expected, "{method} {path}");
        };
        let base = "/2018-06-01/runtime";
        check(
            Method::GET,
            &format!("{base}/invocation/next"),
            Endpoint::Next,
        );
        check(
            Method::POST,
            &format!("{base}/invocation/next"),
            Endpoint::WrongMethod,
        );
        check(
            Method::POST,
            &format!("{base}/invocation/{uuid}/response"),
            Endpoint::Response(Some(id)),
        );
        check(
            Method::POST,
            &format!("{base}/invocation/{uuid}/error"),
            Endpoint::Error(Some(id)),
        );
        check(
            Method::POST,
            &format!("{base}/invocation/nonsense/error"),
            Endpoint::Error(None),
        );
        check(
            Method::POST,
            &format!("{base}/init/error"),
            Endpoint::InitError,
        );
        check(Method::GET, "/2018-06-01/ping", Endpoint::Ping);
        check(Method::GET, "/ping", Endpoint::Ping);
        check(Method::GET, CREDENTIALS_PATH, Endpoint::Credentials);
        check(Method::POST, CREDENTIALS_PATH, Endpoint::WrongMethod);
        check(Method::GET, "/", Endpoint::UnknownPath);
        check(
            Method::GET,
            "/2018-06-01/runtime/invocation/",
            Endpoint::UnknownPath,
        );
    }

    #[test]
    fn a_header_cannot_be_broken_out_of() {
        let value = header_value("{\n  \"a\":\r\n 1}").unwrap();
        assert_eq!(value.as_bytes(), b"{   \"a\":   1}");
        assert_eq!(header_value("ä").unwrap().as_bytes(), "ä".as_bytes());
        assert_eq!(header_value(""), None);
    }
}
