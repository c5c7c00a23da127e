//! What every [`Network`] must hold.
#![allow(
    clippy::expect_used,
    reason = "a contract suite fails by panicking, with the reason"
)]

use std::{
    convert::Infallible,
    future::Ready,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use model::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::{body::Body, server::NamedService, transport::Channel};
use tower::ServiceExt;

use super::{Io, Network, PeerIdentity, channel, channel_to, require_role, serve};
use crate::{SystemEntropy, Tasks, task::Kind};

/// How long any one thing may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Two nodes of one cluster.
pub struct Pair {
    /// The network of the node that listens. It is a controller and no worker.
    pub server: Arc<dyn Network>,
    /// Who that node is.
    pub server_identity: PeerIdentity,
    /// The network of the node that connects. It is a worker and no controller.
    pub client: Arc<dyn Network>,
    /// Who that node is.
    pub client_identity: PeerIdentity,
    /// An address of the listening node with port 0.
    pub any: SocketAddr,
    /// How a caller, who is no node, connects to a public listener.
    pub caller: Caller,
}

/// Connects to `host:port` as somebody who is no node.
pub type Caller = fn(String) -> BoxFuture<'static, io::Result<Box<dyn Io>>>;

/// A caller over plain TCP.
#[must_use]
pub fn plain_caller(address: String) -> BoxFuture<'static, io::Result<Box<dyn Io>>> {
    async move {
        let stream = tokio::net::TcpStream::connect(address).await?;
        Ok(Box::new(stream) as Box<dyn Io>)
    }
    .boxed()
}

/// Every check of this suite.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn all(pair: &Pair) {
    nodes_learn_who_the_other_is(pair).await;
    a_given_up_accept_loses_nothing(pair).await;
    callers_have_no_identity(pair).await;
    nobody_answers_where_nobody_listens(pair).await;
    services_know_who_calls(pair).await;
}

/// A connection between nodes carries bytes both ways and the identity of each end to the other.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn nodes_learn_who_the_other_is(pair: &Pair) {
    let listener = pair.server.bind_internal(pair.any).await.expect("bind");
    let address = listener.local_addr().to_string();
    assert_ne!(listener.local_addr().port(), 0);
    let (accepted, connected) =
        futures::future::join(listener.accept(), pair.client.connect(&address)).await;
    let (mut server, mut client) = (accepted.expect("accept"), connected.expect("connect"));
    assert_eq!(server.peer.as_ref(), Some(&pair.client_identity));
    assert_eq!(client.peer.as_ref(), Some(&pair.server_identity));
    assert_eq!(client.remote, listener.local_addr());
    exchange(&mut client.io, &mut server.io).await;
    exchange(&mut server.io, &mut client.io).await;
}

/// An `accept` that is given up leaves its connection to the next one.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn a_given_up_accept_loses_nothing(pair: &Pair) {
    let listener = pair.server.bind_internal(pair.any).await.expect("bind");
    let address = listener.local_addr().to_string();
    let client = pair.client.connect(&address);
    let accept = async {
        for _ in 0..20 {
            let short = Duration::from_millis(1);
            if let Ok(accepted) = tokio::time::timeout(short, listener.accept()).await {
                return accepted;
            }
        }
        listener.accept().await
    };
    let (client, server) = futures::future::join(client, accept).await;
    let (mut client, mut server) = (client.expect("connect"), server.expect("accept"));
    exchange(&mut client.io, &mut server.io).await;
}

/// A public listener asks a caller for no identity and carries bytes both ways; a node that takes it for an internal one is
/// told nobody's identity, and is not mistaken for a node there.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn callers_have_no_identity(pair: &Pair) {
    let listener = pair.server.bind_public(pair.any).await.expect("bind");
    assert_ne!(listener.local_addr().port(), 0);
    let address = listener.local_addr().to_string();
    let called = futures::future::join(listener.accept(), (pair.caller)(address.clone()));
    let (accepted, called) = tokio::time::timeout(LIMIT, called)
        .await
        .expect("a caller is let in");
    let (mut accepted, mut called) = (accepted.expect("accept"), called.expect("connect"));
    assert_eq!(accepted.peer, None);
    exchange(&mut called, &mut accepted.io).await;
    exchange(&mut accepted.io, &mut called).await;

    // What comes of it on this side depends on what the listener speaks; a connection between nodes it is not.
    let accept = tokio::time::timeout(LIMIT, listener.accept());
    let mistaken = tokio::time::timeout(LIMIT, pair.client.connect(&address));
    let (accepted, mistaken) = futures::future::join(accept, mistaken).await;
    assert!(mistaken.expect("within the time to connect").is_err());
    if let Ok(accepted) = accepted {
        assert_eq!(accepted.expect("accept").peer, None);
    }
}

/// A connection to where nobody listens fails, soon.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn nobody_answers_where_nobody_listens(pair: &Pair) {
    let listener = pair.server.bind_internal(pair.any).await.expect("bind");
    let address = listener.local_addr().to_string();
    drop(listener);
    let outcome = tokio::time::timeout(LIMIT, pair.client.connect(&address)).await;
    assert!(outcome.expect("within the time to connect").is_err());
    assert!(pair.client.connect("no address at all").await.is_err());
}

/// Over gRPC a service sees who calls and can refuse a role, and a client can refuse a server that lacks one.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn services_know_who_calls(pair: &Pair) {
    let listener = pair.server.bind_internal(pair.any).await.expect("bind");
    let address = listener.local_addr().to_string();
    let tasks = Tasks::new();
    let stop = tasks.draining();
    tasks.spawn(Kind::Connection, "contract server", async move {
        let served = serve::server(&SystemEntropy::new())
            .add_service(WhoAmI)
            .serve_with_incoming_shutdown(serve::incoming(listener), stop.cancelled_owned());
        served.await.expect("serve");
    });
    let expected = format!("{} may work", pair.client_identity.node);
    let ask = async |client| ask(client, &expected).await;
    ask(channel(pair.client.clone(), address.clone()))
        .await
        .expect("an answer");
    ask(channel_to(
        pair.client.clone(),
        address.clone(),
        Role::Controller,
    ))
    .await
    .expect("an answer of a controller");
    let refused = ask(channel_to(pair.client.clone(), address, Role::Worker)).await;
    assert!(refused.is_err(), "the server is no worker");
    assert!(tasks.drain(Duration::from_secs(5)).await);
}

/// A service that answers with the name of its caller, and with what it may do.
#[derive(Clone)]
struct WhoAmI;

impl NamedService for WhoAmI {
    const NAME: &'static str = "contract.WhoAmI";
}

impl tower::Service<http::Request<Body>> for WhoAmI {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let worker = require_role(request.extensions(), &[Role::Worker]).expect("a worker");
        let controller = require_role(request.extensions(), &[Role::Controller]);
        let refusal = controller.expect_err("no controller");
        assert_eq!(refusal.code(), tonic::Code::PermissionDenied);
        let answer = http::Response::builder()
            .header("peer", format!("{} may work", worker.node))
            .body(Body::empty());
        std::future::ready(Ok(answer.expect("a response")))
    }
}

async fn ask(client: Channel, expected: &str) -> Result<(), tonic::transport::Error> {
    let uri = format!("http://node/{}/ask", WhoAmI::NAME);
    let request = http::Request::post(uri).body(Body::empty());
    let answer = client.oneshot(request.expect("a request")).await?;
    assert_eq!(answer.headers().get("peer").expect("peer"), expected);
    Ok(())
}

async fn exchange(from: &mut Box<dyn Io>, to: &mut Box<dyn Io>) {
    from.write_all(b"hello").await.expect("write");
    from.flush().await.expect("flush");
    let mut heard = [0; 5];
    to.read_exact(&mut heard).await.expect("read");
    assert_eq!(&heard, b"hello");
}
