//! Calls of a node to itself: its own services answer them, and nothing of them goes over a connection.

use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use futures::future::{BoxFuture, FutureExt};
use model::Role;
use tonic::{body::Body, service::Routes, transport};
use tower::Service;

use crate::net::{PeerIdentity, serve::PeerInfo};

/// The services of this node. It answers its own calls for as long as this is kept: who serves other nodes keeps it, so that
/// the two end together.
#[derive(Debug)]
#[must_use = "this node calls itself over its network when this is dropped"]
pub struct Serving {
    pub(super) services: Arc<Routes>,
}

/// The way of a node to itself.
#[derive(Clone)]
pub(super) struct Here {
    /// Weak: services hold channels, too.
    services: Weak<Routes>,
    caller: PeerInfo,
}

/// A way to a node: its connection, or none at all if it is this node.
#[derive(Clone)]
pub struct NodeChannel(Way);

#[derive(Clone)]
enum Way {
    Connected(transport::Channel),
    Here(Routes, PeerInfo),
}

impl Here {
    pub(super) fn new(serving: &Serving, own: PeerIdentity, address: SocketAddr) -> Self {
        Self {
            services: Arc::downgrade(&serving.services),
            caller: PeerInfo {
                peer: Some(own),
                remote: address,
            },
        }
    }

    /// `None` once this node serves no more, and for a role that it has not: what refuses the caller then is a connection.
    pub(super) fn channel(&self, role: Option<Role>) -> Option<NodeChannel> {
        let own = self.caller.peer.as_ref()?.roles;
        if role.is_some_and(|role| !own.has(role)) {
            return None;
        }
        let services = Routes::clone(&*self.services.upgrade()?);
        Some(NodeChannel(Way::Here(services, self.caller.clone())))
    }
}

impl From<transport::Channel> for NodeChannel {
    fn from(connected: transport::Channel) -> Self {
        Self(Way::Connected(connected))
    }
}

impl Service<http::Request<Body>> for NodeChannel {
    type Response = http::Response<Body>;
    type Error = transport::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match &mut self.0 {
            Way::Connected(channel) => channel.poll_ready(cx),
            Way::Here(services, _) => {
                let ready = <Routes as Service<http::Request<Body>>>::poll_ready(services, cx);
                ready.map_err(|never| match never {})
            }
        }
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        match &mut self.0 {
            Way::Connected(channel) => channel.call(request).boxed(),
            Way::Here(services, caller) => {
                request.extensions_mut().insert(caller.clone());
                let answer = services.call(request);
                async move { answer.await.map_err(|never| match never {}) }.boxed()
            }
        }
    }
}

impl std::fmt::Debug for NodeChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Way::Connected(_) => "NodeChannel(connected)",
            Way::Here(..) => "NodeChannel(here)",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::Ready};

    use model::Roles;
    use tonic::server::NamedService;
    use tower::ServiceExt;

    use super::*;
    use crate::net::{Channels, PlainNetwork, serve::require_role};

    /// Answers controllers.
    #[derive(Clone)]
    struct Controlled;

    impl NamedService for Controlled {
        const NAME: &'static str = "here.Controlled";
    }

    impl Service<http::Request<Body>> for Controlled {
        type Response = http::Response<Body>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: http::Request<Body>) -> Self::Future {
            let caller = require_role(request.extensions(), &[Role::Controller]);
            let answer = match caller {
                Ok(caller) => http::Response::builder().header("peer", caller.node.as_str()),
                Err(_) => http::Response::builder().status(403),
            };
            std::future::ready(Ok(answer.body(Body::empty()).unwrap()))
        }
    }

    async fn ask(channels: &Channels, address: &str) -> Result<(u16, String), transport::Error> {
        ask_by(channels.get(address)).await
    }

    async fn ask_by(channel: NodeChannel) -> Result<(u16, String), transport::Error> {
        let uri = format!("http://node/{}/ask", Controlled::NAME);
        let request = http::Request::post(uri).body(Body::empty()).unwrap();
        let answer = channel.oneshot(request).await?;
        let peer = answer.headers().get("peer");
        let peer = peer.map_or("", |p| p.to_str().unwrap());
        Ok((answer.status().as_u16(), peer.to_owned()))
    }

    #[tokio::test]
    async fn a_node_answers_itself_as_itself_for_as_long_as_it_serves() {
        let check = async |roles: Roles, expected: (u16, &str)| {
            let own = PeerIdentity {
                node: "a".parse().unwrap(),
                roles,
            };
            // Nobody listens at the address: what comes was not sent over the network.
            let bound = "127.0.0.1:1".parse().unwrap();
            let channels = Channels::new(Arc::new(PlainNetwork::new(own.clone())));
            assert!(ask(&channels, "127.0.0.1:1").await.is_err());
            let services = Routes::new(Controlled);
            let serving = channels.serve_here("127.0.0.1:1".to_owned(), own, bound, services);
            let told = ask(&channels, "127.0.0.1:1").await.unwrap();
            assert_eq!((told.0, told.1.as_str()), expected);
            assert!(ask(&channels, "127.0.0.1:2").await.is_err());
            for role in Role::ALL {
                let answered = ask_by(channels.get_to("127.0.0.1:1", role)).await.is_ok();
                assert_eq!(answered, roles.has(role), "{role}");
            }
            drop(serving);
            assert!(ask(&channels, "127.0.0.1:1").await.is_err());
        };
        check(Roles::default().with(Role::Controller), (200, "a")).await;
        check(Roles::default().with(Role::Worker), (403, "")).await;
    }
}
