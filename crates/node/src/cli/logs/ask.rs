//! A frontend, asked over HTTP, each call signed.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use host::{Clock, SystemClock};
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use lambda_api::{
    logs,
    sigv4::{self, SignedRequest, Signer, body_sha256},
};
use model::{FunctionName, Region};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_rustls::TlsConnector;

use super::Access;
use crate::cli::{
    credentials::{self, Credentials},
    reach::{self, Address},
};

/// How long one call may take: a frontend waits for workers that do not answer.
const CALL: Duration = Duration::from_secs(30);
/// How long to wait where calls are too many, and how often.
const AGAIN: Duration = Duration::from_millis(500);
const AGAIN_MAX: usize = 20;
/// The longest answer that is read.
const ANSWER_MAX: usize = 16 << 20;
/// The port of the AWS API where none is named.
const PORT: u16 = 9000;
/// Which workers an answer is without.
const UNREACHED: &str = "x-dunlin-unreached";

/// A way to ask, as somebody.
pub(super) struct Desk {
    address: Address,
    tls: Option<TlsConnector>,
    credentials: Option<Credentials>,
    region: Region,
}

/// Which events.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) group: &'a str,
    pub(super) start: u64,
    pub(super) pattern: Option<&'a str>,
    pub(super) token: Option<String>,
}

/// A line.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    pub(super) log_stream_name: String,
    pub(super) timestamp: u64,
    pub(super) message: String,
    pub(super) event_id: String,
}

/// Some of them.
pub(super) struct Page {
    pub(super) events: Vec<Event>,
    pub(super) next: Option<String>,
    /// Workers that did not answer.
    pub(super) unreached: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Events {
    events: Vec<Event>,
    next_token: Option<String>,
}

impl Desk {
    /// Finds the address and the access key. Nothing is sent yet.
    pub(super) fn open(
        access: &Access,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, anyhow::Error> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let endpoints = [
            "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
            "AWS_ENDPOINT_URL_LAMBDA",
            "AWS_ENDPOINT_URL",
        ];
        let endpoint = access.endpoint.clone();
        let endpoint = endpoint.or_else(|| endpoints.iter().find_map(|name| variable(name)));
        let endpoint = endpoint.unwrap_or_else(|| format!("127.0.0.1:{PORT}"));
        let address = Address::parse(&endpoint, access.ca.is_some(), PORT)?;
        let tls = (address.is_secure).then(|| reach::connector(access.ca.as_deref(), b"http/1.1"));
        let region = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        let region = region.iter().find_map(|name| variable(name)?.parse().ok());
        Ok(Self {
            address,
            tls: tls.transpose()?,
            credentials: credentials::find(access.profile.as_deref(), &variable)?,
            region: region.unwrap_or_default(),
        })
    }

    /// The log group of a function, and the function's name if others write there, too. A function that is gone, or that the
    /// caller may not look at, has the group that functions have.
    pub(super) async fn group_of(
        &mut self,
        named: &str,
    ) -> Result<(String, Option<String>), anyhow::Error> {
        if named.contains('/') {
            return Ok((named.to_owned(), None));
        }
        let name: FunctionName = named.parse()?;
        let path = format!("/2015-03-31/functions/{name}/configuration");
        let answer = self
            .call(Method::GET, &path, sigv4::SERVICE, None, Bytes::new())
            .await?;
        let own = format!("/aws/lambda/{name}");
        let configuration: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let group = configuration
            .pointer("/LoggingConfig/LogGroup")
            .and_then(Value::as_str);
        Ok(match group.filter(|_| answer.status().is_success()) {
            Some(group) if group != own => (group.to_owned(), Some(name.to_string())),
            _ => (own, None),
        })
    }

    /// A page of events.
    pub(super) async fn events(&mut self, wanted: &Wanted<'_>) -> Result<Page, anyhow::Error> {
        let mut body = json!({ "logGroupName": wanted.group, "startTime": wanted.start });
        if let Some(members) = body.as_object_mut() {
            members.extend(
                wanted
                    .pattern
                    .map(|p| ("filterPattern".to_owned(), p.into())),
            );
            members.extend(
                wanted
                    .token
                    .clone()
                    .map(|t| ("nextToken".to_owned(), t.into())),
            );
        }
        let answer = self.patiently(body.to_string().into()).await?;
        if !answer.status().is_success() {
            return Err(self.refusal(&answer));
        }
        let found: Events = serde_json::from_slice(answer.body())
            .context("the answer is none of CloudWatch Logs")?;
        let unreached = answer.headers().get(UNREACHED);
        let unreached = unreached
            .and_then(|names| names.to_str().ok())
            .unwrap_or_default();
        let unreached = unreached.split(',').filter(|name| !name.is_empty());
        Ok(Page {
            events: found.events,
            next: found.next_token,
            unreached: unreached.map(str::to_owned).collect(),
        })
    }

    /// The answer to a call, which is made again where it was one too many of a second.
    async fn patiently(&self, body: Bytes) -> Result<Response<Bytes>, anyhow::Error> {
        let target = Some("Logs_20140328.FilterLogEvents");
        for _ in 0..AGAIN_MAX {
            let answer = self
                .call(Method::POST, "/", logs::SERVICE, target, body.clone())
                .await?;
            if name_of(&answer).as_deref() != Some("ThrottlingException") {
                return Ok(answer);
            }
            tokio::time::sleep(AGAIN).await;
        }
        self.call(Method::POST, "/", logs::SERVICE, target, body)
            .await
    }

    fn refusal(&self, answer: &Response<Bytes>) -> anyhow::Error {
        let Some(name) = name_of(answer) else {
            let (endpoint, status) = (&self.address.authority, answer.status());
            return anyhow!(
                "{endpoint} answered {status}; is it the public address (listen.public) of a running frontend?"
            );
        };
        if name == "MissingAuthenticationTokenException" && self.credentials.is_none() {
            return anyhow!(
                "{name}: no access key was found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a --profile of the \
                 shared credentials file"
            );
        }
        anyhow!("{name}: {}", member(answer, "message").unwrap_or_default())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        service: &str,
        target: Option<&'static str>,
        body: Bytes,
    ) -> Result<Response<Bytes>, anyhow::Error> {
        let authority = self.address.authority.as_str();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::try_from(authority)?);
        if let Some(target) = target {
            let json = HeaderValue::from_static(logs::CONTENT_TYPE);
            headers.insert(header::CONTENT_TYPE, json);
            headers.insert("x-amz-target", HeaderValue::from_static(target));
        }
        if let Some(credentials) = &self.credentials {
            let signer = Signer {
                access_key_id: &credentials.access_key_id,
                secret: &credentials.secret,
                session_token: credentials.session_token.as_deref(),
                region: &self.region,
                service,
            };
            let request = SignedRequest {
                method: &method,
                path,
                query: "",
                headers: &headers,
                authority: None,
                body_sha256: body_sha256(&body),
            };
            headers.extend(sigv4::sign(&request, &signer, SystemClock.wall())?);
        }
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .body(Full::new(body))?;
        *request.headers_mut() = headers;
        let answer = tokio::time::timeout(CALL, self.exchange(request)).await;
        let Ok(answer) = answer else {
            bail!("{authority} did not answer within {CALL:?}");
        };
        answer.with_context(|| {
            format!("is {authority} the public address (listen.public) of a running frontend?")
        })
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, anyhow::Error> {
        let Address { host, port, .. } = &self.address;
        let io = reach::connect(host, *port, self.tls.as_ref()).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await?;
        let exchange = async move {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, ANSWER_MAX).collect().await;
            let body = body.map_err(anyhow::Error::from_boxed)?.to_bytes();
            Ok::<_, anyhow::Error>(Response::from_parts(head, body))
        };
        let (answer, _closed) = futures::future::join(exchange, connection).await;
        answer
    }
}

/// The name of the error that an answer tells.
fn name_of(answer: &Response<Bytes>) -> Option<String> {
    let is_error = !answer.status().is_success();
    is_error.then(|| member(answer, "__type")).flatten()
}

fn member(answer: &Response<Bytes>, name: &str) -> Option<String> {
    let told: Value = serde_json::from_slice(answer.body()).ok()?;
    told.get(name)?.as_str().map(str::to_owned)
}
