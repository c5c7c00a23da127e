//! What happens to a call before its message is read: it is let in, gets an id, and its sender is found out.
//!
//! The signature covers a POST to the method's path; the body is left out of it, because a stream has no hash before its
//! end. That is why this listener belongs behind TLS wherever callers sign.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response, uri::Authority};
use lambda_api::sigv4::{self, Rules, SignedRequest, UnsignedPayload};
use model::RequestId;
use tokio::sync::OwnedSemaphorePermit;
use tonic::{body::Body, codegen::Service, server::NamedService};

use super::status;
use crate::{
    auth::{self, Caller},
    error::OperationError,
    stack::Edge,
    trace_id,
};

/// What is known of a call before its message.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) caller: Caller,
    pub(super) request_id: RequestId,
    pub(super) trace_id: String,
    _place: OwnedSemaphorePermit,
}

/// A service whose calls have [`Arrived`].
#[derive(Clone)]
pub(super) struct Arriving<S> {
    edge: Arc<Edge>,
    service: S,
}

impl<S> Arriving<S> {
    pub(super) fn new(edge: Arc<Edge>, service: S) -> Self {
        Self { edge, service }
    }
}

impl<S: NamedService> NamedService for Arriving<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Arriving<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        match arrive(&self.edge, &request) {
            Ok(arrived) => {
                request.extensions_mut().insert(Arc::new(arrived));
                Box::pin(self.service.call(request))
            }
            Err(error) => {
                let request_id = RequestId::from_random(self.edge.bench.entropy.next_u128());
                let status = status::of(&self.edge.bench.counters, request_id, error);
                Box::pin(std::future::ready(Ok(status.into_http())))
            }
        }
    }
}

fn arrive(edge: &Edge, request: &Request<Body>) -> Result<Arrived, OperationError> {
    let limit = edge.options.requests_max;
    let place = edge.places.clone().try_acquire_owned();
    let place = place.map_err(|_| OperationError::Overloaded { limit })?;
    let signed = SignedRequest {
        method: request.method(),
        path: request.uri().path(),
        query: "",
        headers: request.headers(),
        authority: request.uri().authority().map(Authority::as_str),
        body_sha256: sigv4::body_sha256(b""),
    };
    let rules = Rules {
        unsigned_payload: UnsignedPayload::Allowed,
        ..Rules::default()
    };
    let now = edge.bench.clock.wall();
    let options = &edge.options;
    let caller = auth::authenticate(&options.auth, &options.region, &signed, &rules, now)?;
    Ok(Arrived {
        caller,
        request_id: RequestId::from_random(edge.bench.entropy.next_u128()),
        trace_id: trace_id::of(request.headers(), now, &*edge.bench.entropy),
        _place: place,
    })
}
