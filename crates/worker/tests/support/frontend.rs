//! A frontend that answers connections out of environments with what they say, in capital letters.

use std::{pin::Pin, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use host::{
    Membership, SystemEntropy, Tasks,
    membership::Members,
    net::{Network, PeerIdentity, PlainNetwork, require_role, serve},
    task::Kind,
};
use model::{
    Incarnation, Role, Roles,
    capacity::{Capacity, Member},
};
use parking_lot::Mutex;
use proto::internal::{
    self as pb,
    gateway_request::Part,
    gateway_server::{Gateway, GatewayServer},
};
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

/// Who a worker under test believes to be there.
pub struct Neighbours(watch::Sender<Members>);

impl Default for Neighbours {
    fn default() -> Self {
        Self(watch::Sender::new(Arc::default()))
    }
}

#[async_trait]
impl Membership for Neighbours {
    fn watch(&self) -> watch::Receiver<Members> {
        self.0.subscribe()
    }
    fn publish(&self, _own: Member) {}
    async fn leave(&self) {}
}

impl Neighbours {
    /// A frontend of this name is there.
    pub fn add(&self, name: &str, address: String) {
        let member = Member {
            name: name.parse().unwrap(),
            incarnation: Incarnation(1),
            generation: 1,
            roles: Roles::default().with(Role::Frontend),
            zone: "local".parse().unwrap(),
            address,
            public_address: String::new(),
            architecture: None,
            draining: false,
            capacity: Capacity::default(),
            warm: Default::default(),
            runtimes: Vec::new(),
            newest_format: 2,
        };
        self.0.send_modify(|members| {
            Arc::make_mut(members).insert(member.name.clone(), Arc::new(member));
        });
    }
}

/// The network of a worker under test.
pub fn network(roles: Roles) -> Arc<dyn Network> {
    Arc::new(PlainNetwork::new(PeerIdentity {
        node: "w1".parse().unwrap(),
        roles,
    }))
}

/// What it was told.
#[derive(Default)]
pub struct Frontend {
    pub environments: Mutex<Vec<String>>,
}

#[derive(Clone)]
struct Service(Arc<Frontend>);

#[tonic::async_trait]
impl Gateway for Service {
    type ConnectStream = Pin<Box<dyn Stream<Item = Result<pb::GatewayResponse, Status>> + Send>>;

    async fn connect(
        &self,
        request: Request<Streaming<pb::GatewayRequest>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        require_role(request.extensions(), &[Role::Worker])?;
        let mut sent = request.into_inner();
        let Some(Part::Head(head)) = sent.message().await?.and_then(|m| m.part) else {
            return Err(Status::invalid_argument("expected a head"));
        };
        self.0.environments.lock().push(head.environment_id);
        let answers = sent.map(|message| {
            let data = match message?.part {
                Some(Part::Data(data)) => Bytes::from(data.to_ascii_uppercase()),
                Some(Part::Head(_)) | None => Bytes::new(),
            };
            Ok(pb::GatewayResponse { data })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

impl Frontend {
    /// Serves it; answers where.
    pub async fn serve(self: &Arc<Self>, tasks: &Tasks) -> String {
        let network = PlainNetwork::new(PeerIdentity {
            node: "f1".parse().unwrap(),
            roles: Roles::default().with(Role::Frontend),
        });
        let listener = network
            .bind_internal(([127, 0, 0, 1], 0).into())
            .await
            .unwrap();
        let address = listener.local_addr().to_string();
        let service = GatewayServer::new(Service(self.clone()));
        tasks.spawn(Kind::Lasting, "test-frontend", async move {
            let _stopped = serve::server(&SystemEntropy::new())
                .add_service(service)
                .serve_with_incoming(serve::incoming(listener))
                .await;
        });
        address
    }
}
