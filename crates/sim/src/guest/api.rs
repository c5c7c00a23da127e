//! A runtime's client of the Runtime API: one connection that is kept.

use std::{future::Future, io, pin::Pin};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::inlet::Inlet;

const BASE: &str = "/2018-06-01/runtime";

/// See the module.
pub(super) struct Api {
    inlet: Inlet,
    open: Option<Open>,
}

struct Open {
    sender: SendRequest<Full<Bytes>>,
    /// Makes progress only within a call, as a runtime of one thread does.
    connection: Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>,
}

/// What a runtime is to run.
pub(super) struct Event {
    pub(super) request_id: String,
    pub(super) invoked_arn: String,
    pub(super) payload: Bytes,
}

/// The call was not answered, or not as it must be.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("no connection to the runtime api")]
    Connect(#[from] io::Error),
    #[error("the connection to the runtime api broke")]
    Broken(#[from] hyper::Error),
    #[error("the runtime api has closed the connection")]
    Closed,
    #[error("the request is none")]
    Request(#[from] http::Error),
    #[error("expected an invocation, got {0}")]
    Status(StatusCode),
}

impl Api {
    pub(super) fn new(inlet: Inlet) -> Self {
        Self { inlet, open: None }
    }

    /// Waits for an invocation.
    pub(super) async fn next(&mut self) -> Result<Event, CallError> {
        let path = format!("{BASE}/invocation/next");
        let answer = self.call(Method::GET, &path, None, Bytes::new()).await?;
        let (head, payload) = answer.into_parts();
        if head.status != StatusCode::OK {
            return Err(CallError::Status(head.status));
        }
        let text = |name| {
            let value = head.headers.get(name);
            let value = value.and_then(|v| v.to_str().ok()).unwrap_or_default();
            value.to_owned()
        };
        Ok(Event {
            request_id: text("lambda-runtime-aws-request-id"),
            invoked_arn: text("lambda-runtime-invoked-function-arn"),
            payload,
        })
    }

    /// Answers an invocation; answers whether it was taken.
    pub(super) async fn respond(&mut self, id: &str, body: Bytes) -> Result<bool, CallError> {
        let path = format!("{BASE}/invocation/{id}/response");
        let answer = self.call(Method::POST, &path, None, body).await?;
        Ok(answer.status() == StatusCode::ACCEPTED)
    }

    /// Reports the failure of an invocation; answers whether it was taken.
    pub(super) async fn fail(
        &mut self,
        id: &str,
        kind: &str,
        body: Bytes,
    ) -> Result<bool, CallError> {
        let path = format!("{BASE}/invocation/{id}/error");
        let answer = self.call(Method::POST, &path, Some(kind), body).await?;
        Ok(answer.status() == StatusCode::ACCEPTED)
    }

    /// Reports that the runtime cannot initialise.
    pub(super) async fn fail_init(&mut self, kind: &str, body: Bytes) -> Result<(), CallError> {
        let path = format!("{BASE}/init/error");
        self.call(Method::POST, &path, Some(kind), body).await?;
        Ok(())
    }

    async fn call(
        &mut self,
        method: Method,
        path: &str,
        error_type: Option<&str>,
        body: Bytes,
    ) -> Result<http::Response<Bytes>, CallError> {
        let mut open = match self.open.take().filter(|o| !o.sender.is_closed()) {
            Some(open) => open,
            None => Open::new(&self.inlet).await?,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", sandbox::LISTENER_ADDRESS.to_string())
            .header("content-type", "application/json");
        if let Some(kind) = error_type {
            request = request.header("lambda-runtime-function-error-type", kind);
        }
        let request = request.body(Full::new(body))?;
        let answer = {
            let sender = &mut open.sender;
            let answer = async {
                let (head, body) = sender.send_request(request).await?.into_parts();
                let body = body.collect().await?.to_bytes();
                Ok::<_, hyper::Error>(http::Response::from_parts(head, body))
            };
            tokio::select! {
                biased;
                answer = answer => answer?,
                ended = &mut open.connection => {
                    ended?;
                    return Err(CallError::Closed);
                }
            }
        };
        self.open = Some(open);
        Ok(answer)
    }
}

impl Open {
    async fn new(inlet: &Inlet) -> Result<Self, CallError> {
        let stream = TokioIo::new(inlet.connect()?);
        let (sender, connection) = http1::handshake(stream).await?;
        Ok(Self {
            sender,
            connection: Box::pin(connection),
        })
    }
}
