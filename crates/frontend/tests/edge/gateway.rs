//! Connections that workers carry here from inside environments.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::Stream;
use host::{
    SeededEntropy, Tasks,
    net::{Network, PeerIdentity, PlainNetwork, channel, serve},
    task::Kind,
};
use model::{Role, Roles};
use proto::internal::{self as pb, gateway_client::GatewayClient, gateway_request::Part};
use serde_json::json;
use tokio::sync::mpsc;
use tonic::{Code, Status, Streaming, transport::Channel};

use crate::{
    cluster::{Cluster, eventually},
    http::parse,
};

const LIST: &[u8] =
    b"GET /2015-03-31/functions HTTP/1.1\r\nHost: 127.0.0.1:9000\r\nConnection: close\r\n\r\n";

/// What a node of these roles reaches of a cluster's frontend.
struct Door {
    client: GatewayClient<Channel>,
    _server: Tasks,
}

/// A connection that is carried.
struct Carried {
    up: mpsc::Sender<pb::GatewayRequest>,
    down: Streaming<pb::GatewayResponse>,
}

fn node(name: &str, role: Role) -> PlainNetwork {
    PlainNetwork::new(PeerIdentity {
        node: name.parse().unwrap(),
        roles: Roles::default().with(role),
    })
}

impl Door {
    async fn of(cluster: &Cluster, role: Role) -> Self {
        let (network, server) = (node("f1", Role::Frontend), Tasks::new());
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        let listener = network.bind_internal(any).await.unwrap();
        let address = listener.local_addr().to_string();
        let serving = serve::server(&SeededEntropy::new(1))
            .add_service(cluster.frontend.gateway())
            .serve_with_incoming(serve::incoming(listener));
        server.spawn(Kind::Listener, "door", async { serving.await.unwrap() });
        Self {
            client: GatewayClient::new(channel(Arc::new(node("w1", role)), address)),
            _server: server,
        }
    }

    async fn open(&self, environment: &str) -> Result<Carried, Status> {
        let (up, sent) = mpsc::channel(4);
        let head = Part::Head(pb::GatewayHead {
            environment_id: environment.to_owned(),
        });
        up.send(pb::GatewayRequest { part: Some(head) })
            .await
            .unwrap();
        let opened = self.client.clone().connect(stream(sent)).await?;
        let down = opened.into_inner();
        Ok(Carried { up, down })
    }
}

fn stream(
    mut sent: mpsc::Receiver<pb::GatewayRequest>,
) -> impl Stream<Item = pb::GatewayRequest> + Send + 'static {
    futures::stream::poll_fn(move |cx| sent.poll_recv(cx))
}

impl Carried {
    async fn say(&self, bytes: &[u8]) -> bool {
        let part = Some(Part::Data(Bytes::copy_from_slice(bytes)));
        self.up.send(pb::GatewayRequest { part }).await.is_ok()
    }

    /// Everything that is answered until the frontend ends.
    async fn rest(&mut self) -> Vec<u8> {
        let all = async {
            let mut answer = Vec::new();
            while let Ok(Some(more)) = self.down.message().await {
                answer.extend_from_slice(&more.data);
            }
            answer
        };
        tokio::time::timeout(Duration::from_secs(10), all)
            .await
            .expect("an end")
    }
}

#[tokio::test]
async fn code_inside_speaks_to_the_public_api() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    let door = Door::of(&cluster, Role::Worker).await;
    let mut carried = door.open("0123abc").await.unwrap();
    // However it is cut.
    for piece in LIST.chunks(7) {
        assert!(carried.say(piece).await);
    }
    let reply = parse(&carried.rest().await);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["Functions"][0]["FunctionName"], "hello");
    let calls = cluster.calls().await;
    assert_eq!(calls.last().unwrap()["source"], "w1/0123abc");
}

#[tokio::test]
async fn one_connection_carries_many_requests_and_large_bodies() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    let door = Door::of(&cluster, Role::Worker).await;
    let mut carried = door.open("e").await.unwrap();
    let payload = format!("\"{}\"", "x".repeat(1_000_000));
    let head = format!(
        "POST /2015-03-31/functions/hello/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n",
        payload.len()
    );
    let twice = async {
        for last in ["", "Connection: close\r\n"] {
            carried.say(format!("{head}{last}\r\n").as_bytes()).await;
            for piece in payload.as_bytes().chunks(30_000) {
                carried.say(piece).await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), twice)
        .await
        .expect("it is taken");
    let answers = String::from_utf8(carried.rest().await).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 2);
    assert_eq!(cluster.worker.seen(), 2);
}

#[tokio::test]
async fn only_workers_come_in_and_they_say_whence() {
    let cluster = Cluster::start().await;
    for role in [Role::Controller, Role::Frontend] {
        let refused = Door::of(&cluster, role).await.open("e").await.err();
        assert_eq!(refused.unwrap().code(), Code::PermissionDenied);
    }
    let door = Door::of(&cluster, Role::Worker).await;
    for bad in ["", "a b", "../e", &"e".repeat(65)] {
        let refused = door.open(bad).await.err().unwrap();
        assert_eq!(refused.code(), Code::InvalidArgument, "{bad}");
    }
    let (up, sent) = mpsc::channel(1);
    let part = Some(Part::Data(Bytes::from_static(LIST)));
    up.send(pb::GatewayRequest { part }).await.unwrap();
    let headless = door.client.clone().connect(stream(sent)).await;
    assert_eq!(headless.err().unwrap().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_connection_is_http_1_and_nothing_else() {
    let cluster = Cluster::start().await;
    let door = Door::of(&cluster, Role::Worker).await;
    for noise in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..],
        b"\x16\x03\x01\x02\0\x01\0",
        b"noise\r\n\r\n",
    ] {
        let mut carried = door.open("e").await.unwrap();
        carried.say(noise).await;
        let answer = carried.rest().await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn connections_are_counted_and_given_back() {
    let cluster = Cluster::start_with(|o| o.connections_max = 2, |_| {}).await;
    let door = Door::of(&cluster, Role::Worker).await;
    let (one, other) = (door.open("e").await.unwrap(), door.open("e").await.unwrap());
    let refused = door.open("e").await.err().unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    // One ends as a connection ends, the other as its worker dies.
    let Carried { up, mut down } = one;
    drop(up);
    while let Ok(Some(_)) = down.message().await {}
    drop(other);
    let mut carried = Vec::new();
    for _ in 0..2 {
        let again = async {
            loop {
                match door.open("e").await {
                    Ok(carried) => return carried,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        let again = tokio::time::timeout(Duration::from_secs(10), again).await;
        carried.push(again.expect("the place is free again"));
    }
}

#[tokio::test]
async fn a_connection_without_a_request_ends() {
    let first = Duration::from_millis(50);
    let cluster = Cluster::start_with(|o| o.first_request_max = first, |_| {}).await;
    let door = Door::of(&cluster, Role::Worker).await;
    let mut carried = door.open("e").await.unwrap();
    assert_eq!(carried.rest().await, b"");
    let up = carried.up.clone();
    eventually("the frontend listens no more", || up.is_closed()).await;
}
