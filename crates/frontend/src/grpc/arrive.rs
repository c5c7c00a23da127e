//! What happens to a call before its message is read: it is let in, gets an id, and its sender is found out. And what
//! happens after: its record comes to the audit log before its answer leaves.
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

use audit::Api;
use host::net::serve::PeerInfo;
use http::{Request, Response, uri::Authority};
use lambda_api::{
    Operation,
    sigv4::{self, Rules, SignedRequest, UnsignedPayload},
};
use model::RequestId;
use proto::v1::identity_server::IdentityServer;
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Code, Status, body::Body, codegen::Service, server::NamedService};

use super::{identity::Identity, status};
use crate::{
    auth::{self, Caller},
    error::OperationError,
    identity::Action,
    source::Source,
    stack::Edge,
    trace_id,
    trail::{Arrival, Asked, Trail},
};

/// What is known of a call before its message.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) caller: Caller,
    pub(super) request_id: RequestId,
    pub(super) trace_id: String,
    pub(super) trail: Trail,
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
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + NamedService,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let request_id = RequestId::from_random(self.edge.bench.entropy.next_u128());
        let asked = asked(S::NAME, request.uri().path());
        let trail = begin(&self.edge, request_id, asked, &request);
        let edge = self.edge.clone();
        let arrived = trail.and_then(|trail| {
            let arrived = arrive(&edge, request_id, &trail, &request);
            arrived.map_err(|error| Box::new((error, trail)))
        });
        match arrived {
            Ok(arrived) => {
                let trail = arrived.trail.clone();
                request.extensions_mut().insert(Arc::new(arrived));
                let answering = self.service.call(request);
                Box::pin(
                    async move { Ok(record(&edge, request_id, &trail, answering.await?).await) },
                )
            }
            Err(refused) => {
                let (error, trail) = *refused;
                let refusal = status::of(&edge.bench.counters, request_id, error).into_http();
                Box::pin(async move { Ok(record(&edge, request_id, &trail, refusal).await) })
            }
        }
    }
}

/// What a path of a service asks for.
fn asked(service: &str, path: &str) -> Asked {
    let method = path.rsplit('/').next().unwrap_or_default();
    let found = if service == <IdentityServer<Identity> as NamedService>::NAME {
        Action::of(method).map(Asked::Identity)
    } else {
        let operation = Operation::ALL.iter().find(|o| o.name() == method);
        operation.copied().map(Asked::Operation)
    };
    found.unwrap_or(Asked::Unknown)
}

/// Begins the record of a call, as far as it can be told before anybody looked at it.
fn begin(
    edge: &Edge,
    request_id: RequestId,
    asked: Asked,
    request: &Request<Body>,
) -> Result<Trail, Box<(OperationError, Trail)>> {
    let trail = edge.audit.begin(&Arrival {
        request_id,
        api: Api::Grpc,
        asked,
        source: &source_of(request),
        headers: request.headers(),
        query: "",
        target: None,
    });
    trail.map_err(|unrecorded| Box::new((unrecorded.into(), Trail::default())))
}

/// Every connection of this listener has an address.
fn source_of(request: &Request<Body>) -> Source {
    let peer = request.extensions().get::<PeerInfo>();
    Source::Address(peer.map_or(([0, 0, 0, 0], 0).into(), |peer| peer.remote))
}

/// Records a call by what its caller is about to be told; if that cannot be, they are told so instead.
async fn record(
    edge: &Edge,
    request_id: RequestId,
    trail: &Trail,
    response: Response<Body>,
) -> Response<Body> {
    // An answer that begins has no status yet, and one that is refused has nothing else.
    let refused = Status::from_header_map(response.headers()).filter(|s| s.code() != Code::Ok);
    let (code, error) = match &refused {
        None => (Code::Ok, None),
        Some(status) => {
            let name = status.metadata().get(status::ERROR_TYPE);
            let name = name.and_then(|name| name.to_str().ok());
            let named = name.map_or_else(|| format!("{:?}", status.code()), str::to_owned);
            (status.code(), Some(named))
        }
    };
    let number = u16::try_from(i32::from(code)).unwrap_or(u16::MAX);
    match trail.end(number, error.as_deref()).await {
        Ok(()) => response,
        Err(unrecorded) => {
            status::of(&edge.bench.counters, request_id, unrecorded.into()).into_http()
        }
    }
}

fn arrive(
    edge: &Edge,
    request_id: RequestId,
    trail: &Trail,
    request: &Request<Body>,
) -> Result<Arrived, OperationError> {
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
    let source = source_of(request);
    let arriving = auth::Arriving {
        request: signed,
        rules,
        source: &source,
        secure: options.public_tls,
        now,
    };
    let (mode, control) = (&options.auth, &edge.bench.control);
    let caller = auth::authenticate(mode, control, &options.region, &arriving)?;
    trail.known(&caller);
    Ok(Arrived {
        caller,
        request_id,
        trace_id: trace_id::of(request.headers(), now, &*edge.bench.entropy),
        trail: trail.clone(),
        _place: place,
    })
}
