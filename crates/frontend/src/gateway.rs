//! The inner door of the public API: connections that workers carry here from inside environments.
//!
//! Each is one connection of the same HTTP server that the public listener has, with the same limits and the same
//! authentication: a worker can make nobody anything. Its certificate only says where the bytes come from. They wait in one
//! small buffer in each direction, and whoever does not read is not sent more.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::BytesMut;
use futures::Stream;
use host::{Tasks, net::require_role, task::Kind};
use model::{NodeName, Role};
use proto::internal::{self as pb, gateway_request::Part, gateway_server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf},
    sync::Semaphore,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, Streaming};

use crate::{server, source::Source, stack::Edge};

/// Bytes that wait in each direction.
const BUFFER: usize = 64 << 10;
/// Bytes of one message.
const CHUNK: usize = 32 << 10;
/// The longest name of an environment.
const ENVIRONMENT_MAX: usize = 64;
/// How long a worker may take to say whose connection it is.
const HEAD_MAX: Duration = Duration::from_secs(5);

/// The gRPC service. Clones share it.
#[derive(Clone)]
pub struct Gateway {
    edge: Arc<Edge>,
    tasks: Tasks,
    /// Shared by nobody else: callers from outside cannot lock functions out, nor the reverse.
    room: Arc<Semaphore>,
}

type Answer = Pin<Box<dyn Stream<Item = Result<pb::GatewayResponse, Status>> + Send>>;

impl Gateway {
    pub(crate) fn new(edge: Arc<Edge>, tasks: Tasks) -> Self {
        let room = edge.options.connections_max.min(Semaphore::MAX_PERMITS);
        Self {
            edge,
            tasks,
            room: Arc::new(Semaphore::new(room)),
        }
    }
}

#[tonic::async_trait]
impl gateway_server::Gateway for Gateway {
    type ConnectStream = Answer;

    async fn connect(
        &self,
        request: Request<Streaming<pb::GatewayRequest>>,
    ) -> Result<Response<Answer>, Status> {
        let peer = require_role(request.extensions(), &[Role::Worker])?;
        if self.tasks.draining().is_cancelled() {
            return Err(Status::unavailable("this node stops"));
        }
        let place = self.room.clone().try_acquire_owned();
        let place = place.map_err(|_| {
            Status::resource_exhausted("this frontend has as many connections as it may")
        })?;
        let mut sent = request.into_inner();
        let source = head(&mut sent, peer.node).await?;
        let (near, far) = tokio::io::duplex(BUFFER);
        let served =
            server::serve_carried(self.edge.clone(), far, source, self.tasks.clone(), place);
        self.tasks
            .spawn(Kind::Connection, "carried-connection", served);
        let (reader, writer) = tokio::io::split(near);
        // When nobody is answered any more, nobody is listened to either.
        let answered = CancellationToken::new();
        let guard = answered.clone().drop_guard();
        let listening = async move {
            answered.run_until_cancelled(take_in(sent, writer)).await;
        };
        self.tasks
            .spawn(Kind::Connection, "carried-bytes", listening);
        Ok(Response::new(Box::pin(give_out(reader, guard))))
    }
}

/// Whose connection it is.
async fn head(
    sent: &mut Streaming<pb::GatewayRequest>,
    worker: NodeName,
) -> Result<Source, Status> {
    let first = tokio::time::timeout(HEAD_MAX, sent.message())
        .await
        .map_err(|_| Status::deadline_exceeded(format!("expected a head within {HEAD_MAX:?}")))??;
    let Some(Part::Head(head)) = first.and_then(|first| first.part) else {
        return Err(Status::invalid_argument("expected a head first"));
    };
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let environment = head.environment_id;
    if !(1..=ENVIRONMENT_MAX).contains(&environment.len()) || !environment.bytes().all(legal) {
        return Err(Status::invalid_argument(
            "expected the id of an environment",
        ));
    }
    Ok(Source::Environment {
        worker,
        environment: environment.into(),
    })
}

/// What the code sends, until it ends or the server has closed.
async fn take_in(mut sent: Streaming<pb::GatewayRequest>, mut writer: WriteHalf<DuplexStream>) {
    while let Ok(Some(message)) = sent.message().await {
        match message.part {
            Some(Part::Data(data)) => {
                if writer.write_all(&data).await.is_err() {
                    return;
                }
            }
            // A worker of a newer build may say more than this one understands.
            Some(Part::Head(_)) | None => {}
        }
    }
    // The server sees the end of the connection.
    let _closed_already = writer.shutdown().await;
}

/// What the server answers, as fast as it is taken.
fn give_out(
    reader: ReadHalf<DuplexStream>,
    guard: DropGuard,
) -> impl Stream<Item = Result<pb::GatewayResponse, Status>> + Send {
    futures::stream::unfold((reader, guard), async |(mut reader, guard)| {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        match reader.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => None,
            Ok(_) => {
                let data = buffer.freeze();
                Some((Ok(pb::GatewayResponse { data }), (reader, guard)))
            }
        }
    })
}
