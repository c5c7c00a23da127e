//! The service between frontends and workers: reads the request off the stream, and puts what happens back on it.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use host::{net::serve::require_role, task::Kind};
use model::Role;
use proto::internal::{self as pb, invoke_request::Part, worker_server};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

pub(crate) mod invocation;
mod message;

use invocation::Invoker;
use message::Head;

/// How long a caller may take between two parts of its payload.
const PART_MAX: Duration = Duration::from_secs(10);
/// Payloads that may be on their way in, beyond those of the environments.
const SPARE_READS: u32 = 64;
/// Events that may wait for the caller: with the largest chunk, what one invocation holds beside its response.
const EVENTS: usize = 8;

/// The gRPC service of a worker. Clones share it.
#[derive(Clone)]
pub struct Service {
    invoker: Arc<Invoker>,
    reads: Arc<Semaphore>,
}

type Events = Pin<Box<dyn Stream<Item = Result<pb::InvokeEvent, Status>> + Send>>;

impl Service {
    pub(crate) fn new(invoker: Invoker, slots: u32) -> Self {
        let reads = usize::try_from(slots.saturating_add(SPARE_READS)).unwrap_or(usize::MAX >> 4);
        Self {
            invoker: Arc::new(invoker),
            reads: Arc::new(Semaphore::new(reads)),
        }
    }
}

#[tonic::async_trait]
impl worker_server::Worker for Service {
    type InvokeStream = Events;

    async fn invoke(
        &self,
        request: Request<Streaming<pb::InvokeRequest>>,
    ) -> Result<Response<Events>, Status> {
        require_role(request.extensions(), &[Role::Frontend, Role::Controller])?;
        let mut parts = request.into_inner();
        let head = Head::parse(next_part(&mut parts).await?)?;
        if let Some(refused) = self.invoker.refuse_early(&head) {
            return Ok(one(refused));
        }
        let Ok(_reading) = self.reads.clone().try_acquire_owned() else {
            return Ok(one(message::refused(pb::Refused {
                reason: pb::refused::Reason::NoCapacity.into(),
                detail: "too many payloads are on their way".to_owned(),
                ..Default::default()
            })));
        };
        let limit = self.invoker.request_limit();
        let request = head.with_payload(&mut parts, limit).await?;
        let (sender, receiver) = mpsc::channel(EVENTS);
        let invoker = self.invoker.clone();
        // A task of its own: a caller that goes away does not end an invocation.
        self.invoker
            .tasks()
            .spawn(Kind::Request, "invocation", async move {
                invoker.invoke(request, sender).await;
            });
        Ok(Response::new(Box::pin(
            ReceiverStream::new(receiver).map(Ok),
        )))
    }

    async fn prepare_image(
        &self,
        request: Request<pb::PrepareImageRequest>,
    ) -> Result<Response<pb::PrepareImageResponse>, Status> {
        require_role(request.extensions(), &[Role::Controller])?;
        let Some(images) = &self.invoker.images else {
            return Err(Status::unimplemented(
                "this worker runs no container images",
            ));
        };
        images.prepare(request.get_ref()).await.map(Response::new)
    }
}

impl Head {
    /// Collects the rest of the payload.
    async fn with_payload(
        self,
        parts: &mut Streaming<pb::InvokeRequest>,
        limit: u64,
    ) -> Result<message::Invoke, Status> {
        let size = self.payload_size;
        if size > limit {
            return Err(Status::invalid_argument(format!(
                "expected a payload of at most {limit} bytes, got {size}"
            )));
        }
        let have = |b: &[u8]| u64::try_from(b.len()).unwrap_or(u64::MAX);
        if have(&self.first) == size {
            let first = self.first.clone();
            return Ok(self.complete(first));
        }
        let mut payload = BytesMut::with_capacity(usize::try_from(size).unwrap_or(0));
        payload.extend_from_slice(&self.first);
        while have(&payload) < size {
            match next_part(parts).await?.part {
                Some(Part::Payload(more)) if !more.is_empty() => payload.extend_from_slice(&more),
                Some(Part::Payload(_) | Part::Head(_)) | None => {
                    return Err(Status::invalid_argument("expected more of the payload"));
                }
            }
        }
        if have(&payload) > size {
            return Err(Status::invalid_argument(format!(
                "expected a payload of {size} bytes as announced, got more"
            )));
        }
        let payload: Bytes = payload.freeze();
        Ok(self.complete(payload))
    }
}

async fn next_part(parts: &mut Streaming<pb::InvokeRequest>) -> Result<pb::InvokeRequest, Status> {
    tokio::time::timeout(PART_MAX, parts.message())
        .await
        .map_err(|_| {
            Status::deadline_exceeded(format!("expected the next part within {PART_MAX:?}"))
        })??
        .ok_or_else(|| Status::invalid_argument("expected another part, got the end"))
}

fn one(event: pb::InvokeEvent) -> Response<Events> {
    Response::new(Box::pin(futures::stream::iter([Ok(event)])))
}
