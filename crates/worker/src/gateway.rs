//! The way out of an environment: to the cluster's own API, and nowhere else.
//!
//! Code inside connects to an address of its own loopback device; each connection is carried, as bytes, to a frontend, which
//! serves it like one of its public listener. Nothing is read of it here and nothing is added to it: who the code is, it
//! proves to the frontend. [`choose`] says which frontends are tried, and in which order; [`carry`] moves the bytes.
//!
//! Bounds: connections of one environment, and of all together; beyond them callers wait in the kernel's queue. A connection
//! that makes no progress ends, as does every one whose environment does. Bytes wait in one small buffer in each direction;
//! whoever does not read is not sent more. Each connection has a connection between the nodes of its own, so that one that
//! stands still holds up no other.

use std::{sync::Arc, time::Duration};

use host::{
    Entropy, Membership, Tasks,
    net::{Network, channel_to},
    task::Kind,
};
use model::{NodeName, Role, Zone, capacity::Member};
use proto::internal::{
    self as pb, gateway_client::GatewayClient, gateway_request::Part as RequestPart,
};
use sandbox::{Accept, Connection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Streaming, transport::Channel};

mod carry;
mod choose;

/// Connections that one environment may have at a time.
const CONNECTIONS_MAX: usize = 16;
/// Connections that all environments of a worker may have at a time.
const NODE_CONNECTIONS_MAX: usize = 1024;
/// How long a frontend may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Messages that may wait for the network, in each direction.
const MESSAGES: usize = 2;
/// A pause after the listener could not accept, so that others can finish first.
const OUT_OF_RESOURCES: Duration = Duration::from_millis(10);

/// Where a worker finds frontends.
#[derive(Clone)]
pub(crate) struct Gateway {
    shared: Arc<Shared>,
}

struct Shared {
    own: NodeName,
    zone: Zone,
    membership: Arc<dyn Membership>,
    network: Arc<dyn Network>,
    entropy: Arc<dyn Entropy>,
    tasks: Tasks,
    room: Arc<Semaphore>,
}

/// The open way of one environment. Dropping it ends every connection.
pub(crate) struct Opened {
    _guard: DropGuard,
}

/// An accepted connection on a frontend.
struct Far {
    /// Keeps the connection between the nodes.
    _client: GatewayClient<Channel>,
    up: mpsc::Sender<pb::GatewayRequest>,
    down: Streaming<pb::GatewayResponse>,
}

/// Why no frontend took a connection.
#[derive(Debug, thiserror::Error)]
enum NoFrontend {
    #[error("no live node is a frontend")]
    Nobody,
    #[error("frontend {frontend} did not take it")]
    Refused {
        frontend: NodeName,
        #[source]
        source: Box<tonic::Status>,
    },
    #[error("frontend {frontend} did not answer within {ANSWER_MAX:?}")]
    Silent { frontend: NodeName },
}

impl Gateway {
    /// For a worker of this name in this zone.
    pub(crate) fn new(
        (own, zone): (NodeName, Zone),
        membership: Arc<dyn Membership>,
        network: Arc<dyn Network>,
        entropy: &dyn Entropy,
        tasks: Tasks,
    ) -> Self {
        let shared = Shared {
            own,
            zone,
            membership,
            network,
            entropy: entropy.fork("gateway"),
            tasks,
            room: Arc::new(Semaphore::new(NODE_CONNECTIONS_MAX)),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Opens the way for one environment.
    pub(crate) fn open(&self, listener: Box<dyn Accept>, environment: String) -> Opened {
        let over = CancellationToken::new();
        let opened = Opened {
            _guard: over.clone().drop_guard(),
        };
        let accepting = self
            .clone()
            .accept(listener, Arc::from(environment), over.clone());
        self.shared
            .tasks
            .spawn(Kind::Environment, "gateway", async move {
                // Bounded by the life of the environment.
                over.run_until_cancelled(accepting).await;
            });
        opened
    }

    async fn accept(
        self,
        listener: Box<dyn Accept>,
        environment: Arc<str>,
        over: CancellationToken,
    ) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Some(places) = self.places(&room).await else {
                return;
            };
            let connection = match listener.accept().await {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::warn!(%error, environment = &*environment, "a connection out of an environment could not be accepted");
                    tokio::time::sleep(OUT_OF_RESOURCES).await;
                    continue;
                }
            };
            let (gateway, environment, over) = (self.clone(), environment.clone(), over.clone());
            let serving = async move {
                let carried = gateway.carry(connection, &environment);
                over.run_until_cancelled(carried).await;
                drop(places);
            };
            self.shared
                .tasks
                .spawn(Kind::Environment, "gateway-connection", serving);
        }
    }

    /// Waits for room. Without any nobody is accepted.
    async fn places(&self, own: &Arc<Semaphore>) -> Option<[OwnedSemaphorePermit; 2]> {
        let own = own.clone().acquire_owned().await.ok()?;
        let all = self.shared.room.clone().acquire_owned().await.ok()?;
        Some([own, all])
    }

    async fn carry(&self, near: Box<dyn Connection>, environment: &str) {
        match self.reach(environment).await {
            Ok(far) => {
                let Far { _client, up, down } = far;
                carry::both_ways(near, up, down).await;
            }
            // The caller sees its connection closed, which SDKs repeat.
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(environment, error, "an environment reaches no frontend");
            }
        }
    }

    /// Connects to the first frontend that takes the connection. Nothing that the code sends is on its way before.
    async fn reach(&self, environment: &str) -> Result<Far, NoFrontend> {
        let shared = &self.shared;
        let members = shared.membership.watch().borrow().clone();
        let draws = || shared.entropy.next_u64();
        let frontends = choose::order(&members, &shared.own, &shared.zone, draws);
        let mut last = NoFrontend::Nobody;
        for frontend in &frontends {
            match self.try_one(frontend, environment).await {
                Ok(far) => return Ok(far),
                Err(error) => {
                    tracing::debug!(environment, %error, "a frontend did not take a connection");
                    last = error;
                }
            }
        }
        Err(last)
    }

    async fn try_one(&self, frontend: &Member, environment: &str) -> Result<Far, NoFrontend> {
        let (up, sent) = mpsc::channel(MESSAGES);
        let head = RequestPart::Head(pb::GatewayHead {
            environment_id: environment.to_owned(),
        });
        // There is room: it is the first.
        let _first = up.try_send(pb::GatewayRequest { part: Some(head) });
        let network = self.shared.network.clone();
        let channel = channel_to(network, frontend.address.clone(), Role::Frontend);
        let mut client = GatewayClient::new(channel);
        let connecting = client.connect(ReceiverStream::new(sent));
        let name = || frontend.name.clone();
        let answered = tokio::time::timeout(ANSWER_MAX, connecting)
            .await
            .map_err(|_| NoFrontend::Silent { frontend: name() })?
            .map_err(|status| NoFrontend::Refused {
                frontend: name(),
                source: Box::new(status),
            })?;
        Ok(Far {
            _client: client,
            up,
            down: answered.into_inner(),
        })
    }
}
