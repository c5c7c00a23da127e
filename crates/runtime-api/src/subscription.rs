//! Subscriptions to the telemetry of an environment: the Telemetry API of 2022-07-01 and the older Logs API of 2020-08-15.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, Uri};
use http_body_util::Full;
use serde::Deserialize;

use crate::http::extension::error;

/// Ports inside that are the platform's own.
const RESERVED_PORTS: [u16; 2] = [9000, 9001];

/// Which of the two APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// 2022-07-01.
    Telemetry,
    /// 2020-08-15.
    Logs,
}

/// Keeps the subscriptions of one environment.
pub trait Subscriptions: Send + Sync + 'static {
    /// An extension subscribes. What it subscribed to before counts no more.
    ///
    /// # Errors
    /// [`Closed`] once the environment has initialised.
    fn subscribe(&self, extension: &str, subscription: Subscription) -> Result<(), Closed>;
}

/// The environment has initialised: nobody can subscribe any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the subscription is closed already")]
pub struct Closed;

/// What an extension wants to get, where and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Through which API: they differ in what the platform tells.
    pub api: Api,
    /// What it wants.
    pub types: Types,
    /// When a batch is sent.
    pub buffering: Buffering,
    /// Where to.
    pub destination: Destination,
}

/// What an extension wants to get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Types {
    /// What the platform tells.
    pub platform: bool,
    /// Lines of the function.
    pub function: bool,
    /// Lines of extensions.
    pub extension: bool,
}

/// A batch is sent when one of these is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffering {
    /// Records.
    pub items_max: usize,
    /// Bytes.
    pub bytes_max: usize,
    /// Since the first record.
    pub timeout: Duration,
}

/// Where batches go, on the loopback of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A request with a JSON array.
    Http {
        /// The port.
        port: u16,
        /// Path and query.
        path: String,
        /// `PUT` instead of `POST`.
        put: bool,
    },
    /// A connection with one JSON object a line.
    Tcp {
        /// The port.
        port: u16,
    },
}

/// What is wrong with a subscription.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}, got {got}")]
pub struct Invalid {
    field: &'static str,
    expected: String,
    got: String,
}

impl Invalid {
    fn new(field: &'static str, expected: impl Into<String>, got: &impl ToString) -> Self {
        Self {
            field,
            expected: expected.into(),
            got: got.to_string(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    schema_version: Option<String>,
    #[serde(default)]
    types: Vec<String>,
    buffering: Option<BufferingBody>,
    destination: Option<DestinationBody>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BufferingBody {
    max_items: Option<u64>,
    max_bytes: Option<u64>,
    timeout_ms: Option<u64>,
}

#[derive(Deserialize)]
struct DestinationBody {
    protocol: Option<String>,
    #[serde(rename = "URI")]
    uri: Option<String>,
    port: Option<u64>,
    method: Option<String>,
    encoding: Option<String>,
}

impl Api {
    const fn schemas(self) -> &'static [&'static str] {
        match self {
            Self::Telemetry => &["2022-07-01", "2022-12-13", "2025-01-29"],
            Self::Logs => &["2020-08-15", "2021-03-18"],
        }
    }

    /// Reads a subscription.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn parse(self, body: &[u8]) -> Result<Subscription, Invalid> {
        let body: Body = serde_json::from_slice(body)
            .map_err(|error| Invalid::new("body", "a subscription in JSON", &error))?;
        // Without a version the oldest one is meant.
        if let Some(schema) = &body.schema_version
            && !self.schemas().contains(&&**schema)
        {
            let expected = format!("one of {:?}", self.schemas());
            return Err(Invalid::new("schemaVersion", expected, schema));
        }
        let destination = body
            .destination
            .ok_or_else(|| Invalid::new("destination", "a destination", &"none"))?;
        Ok(Subscription {
            api: self,
            types: types(&body.types)?,
            buffering: buffering(&body.buffering.unwrap_or_default())?,
            destination: destination.parse()?,
        })
    }

    pub(crate) fn subscribed(self) -> Response<Full<Bytes>> {
        crate::http::json(StatusCode::OK, Bytes::from_static(b"\"OK\""))
    }

    pub(crate) fn not_supported(self) -> Response<Full<Bytes>> {
        let (kind, message) = match self {
            Self::Telemetry => ("Telemetry.NotSupported", "Telemetry API is not supported"),
            Self::Logs => ("Logs.NotSupported", "Logs API is not supported"),
        };
        error(StatusCode::ACCEPTED, kind, message)
    }

    pub(crate) fn closed(self) -> Response<Full<Bytes>> {
        let message = match self {
            Self::Telemetry => "Telemetry API subscription is closed already",
            Self::Logs => "Logs API subscription is closed already",
        };
        error(StatusCode::FORBIDDEN, "SubscriptionClosed", message)
    }

    pub(crate) fn invalid(self, invalid: &Invalid) -> Response<Full<Bytes>> {
        error(
            StatusCode::BAD_REQUEST,
            "ValidationError",
            &invalid.to_string(),
        )
    }
}

fn types(given: &[String]) -> Result<Types, Invalid> {
    let mut types = Types::default();
    if given.is_empty() {
        return Err(Invalid::new("types", "at least one type", &"none"));
    }
    for name in given {
        match &**name {
            "platform" => types.platform = true,
            "function" => types.function = true,
            "extension" => types.extension = true,
            other => {
                let expected = "platform, function or extension";
                return Err(Invalid::new("types", expected, &other));
            }
        }
    }
    Ok(types)
}

fn buffering(given: &BufferingBody) -> Result<Buffering, Invalid> {
    let within = |field, given: Option<u64>, default: u64, least: u64, most: u64| {
        let value = given.unwrap_or(default);
        if (least..=most).contains(&value) {
            Ok(value)
        } else {
            Err(Invalid::new(field, format!("{least} to {most}"), &value))
        }
    };
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let items = within("buffering.maxItems", given.max_items, 10_000, 1000, 10_000)?;
    let bytes = within(
        "buffering.maxBytes",
        given.max_bytes,
        262_144,
        262_144,
        1_048_576,
    )?;
    let timeout = within("buffering.timeoutMs", given.timeout_ms, 1000, 25, 30_000)?;
    Ok(Buffering {
        items_max: size(items),
        bytes_max: size(bytes),
        timeout: Duration::from_millis(timeout),
    })
}

impl DestinationBody {
    fn parse(self) -> Result<Destination, Invalid> {
        if let Some(encoding) = self.encoding.filter(|e| e != "JSON") {
            return Err(Invalid::new("destination.encoding", "JSON", &encoding));
        }
        match self.protocol.as_deref() {
            Some("HTTP") => {
                let uri = self.uri.unwrap_or_default();
                let invalid = || {
                    let expected = "http://sandbox.localdomain:PORT or http://sandbox:PORT";
                    Invalid::new("destination.URI", expected, &uri)
                };
                let parsed: Uri = uri.parse().map_err(|_| invalid())?;
                let inside = matches!(parsed.host(), Some("sandbox.localdomain" | "sandbox"));
                if parsed.scheme_str() != Some("http") || !inside {
                    return Err(invalid());
                }
                let number = parsed.port_u16().ok_or_else(invalid)?;
                let put = match self.method.as_deref() {
                    None | Some("POST") => false,
                    Some("PUT") => true,
                    Some(other) => {
                        return Err(Invalid::new("destination.method", "POST or PUT", &other));
                    }
                };
                let path = parsed.path_and_query().map_or("/", |path| path.as_str());
                Ok(Destination::Http {
                    port: port("destination.URI", u64::from(number))?,
                    path: path.to_owned(),
                    put,
                })
            }
            Some("TCP") => {
                let number = self.port.unwrap_or(0);
                Ok(Destination::Tcp {
                    port: port("destination.port", number)?,
                })
            }
            other => {
                let got = other.unwrap_or("none").to_owned();
                Err(Invalid::new("destination.protocol", "HTTP or TCP", &got))
            }
        }
    }
}

fn port(field: &'static str, number: u64) -> Result<u16, Invalid> {
    let good = u16::try_from(number).ok().filter(|n| *n > 0);
    good.filter(|n| !RESERVED_PORTS.contains(n))
        .ok_or_else(|| Invalid::new(field, "a port from 1 to 65535 but 9000 and 9001", &number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(api: Api, text: &str) -> Result<Subscription, String> {
        api.parse(text.as_bytes()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_subscription_is_read() {
        let got = parse(
            Api::Telemetry,
            r#"{"schemaVersion":"2022-12-13","types":["platform","function"],
                "buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":25},
                "destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:4243/a?b"}}"#,
        );
        let expected = Subscription {
            api: Api::Telemetry,
            types: Types {
                platform: true,
                function: true,
                extension: false,
            },
            buffering: Buffering {
                items_max: 1000,
                bytes_max: 262_144,
                timeout: Duration::from_millis(25),
            },
            destination: Destination::Http {
                port: 4243,
                path: "/a?b".to_owned(),
                put: false,
            },
        };
        assert_eq!(got, Ok(expected));
        let tcp = parse(
            Api::Logs,
            r#"{"types":["extension"],"destination":{"protocol":"TCP","port":1}}"#,
        )
        .unwrap();
        assert_eq!(tcp.destination, Destination::Tcp { port: 1 });
        assert_eq!(tcp.buffering.items_max, 10_000);
        assert_eq!(tcp.buffering.timeout, Duration::from_secs(1));
    }

    #[test]
    fn each_member_is_checked() {
        let with = |member: &str| {
            format!(
                r#"{{"schemaVersion":"2022-07-01","types":["platform"],"destination":{{"protocol":"TCP","port":77}}{member}}}"#
            )
        };
        assert!(parse(Api::Telemetry, &with("")).is_ok());
        let refused = parse(Api::Logs, &with("")).unwrap_err();
        assert!(
            refused.starts_with("schemaVersion: expected one of"),
            "{refused}"
        );
        let check = |member: &str, part: &str| {
            let refused = parse(Api::Telemetry, &with(member)).unwrap_err();
            assert!(refused.contains(part), "{member}: {refused}");
        };
        check(
            r#","buffering":{"maxItems":999}"#,
            "maxItems: expected 1000 to 10000, got 999",
        );
        check(r#","buffering":{"maxItems":10001}"#, "maxItems");
        check(r#","buffering":{"maxBytes":262143}"#, "maxBytes");
        check(r#","buffering":{"maxBytes":1048577}"#, "maxBytes");
        check(r#","buffering":{"timeoutMs":24}"#, "timeoutMs");
        check(r#","buffering":{"timeoutMs":30001}"#, "timeoutMs");
        let check = |destination: &str, part: &str| {
            let body = format!(r#"{{"types":["platform"],"destination":{destination}}}"#);
            let refused = parse(Api::Telemetry, &body).unwrap_err();
            assert!(refused.contains(part), "{destination}: {refused}");
        };
        check("{}", "protocol: expected HTTP or TCP, got none");
        check(r#"{"protocol":"TCP"}"#, "got 0");
        check(r#"{"protocol":"TCP","port":9001}"#, "9001");
        check(r#"{"protocol":"TCP","port":65536}"#, "65536");
        check(
            r#"{"protocol":"HTTP","URI":"http://example.com:80"}"#,
            "URI",
        );
        check(r#"{"protocol":"HTTP","URI":"https://sandbox:80"}"#, "URI");
        check(r#"{"protocol":"HTTP","URI":"http://sandbox"}"#, "URI");
        check(
            r#"{"protocol":"HTTP","URI":"http://sandbox:80","method":"GET"}"#,
            "method",
        );
        check(
            r#"{"protocol":"TCP","port":7,"encoding":"XML"}"#,
            "encoding",
        );
        let refused = parse(Api::Telemetry, r#"{"types":["x"],"destination":{}}"#);
        assert!(refused.unwrap_err().contains("types"));
        assert!(parse(Api::Telemetry, "[").is_err());
    }
}
