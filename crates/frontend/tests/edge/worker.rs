//! A worker that does what the payload says.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use proto::internal::{
    self as pb, invoke_event::Part, invoke_request, refused::Reason, worker_server::Worker,
};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, Streaming};

/// Echoes a payload; `"error"`, `"log"`, `"full"`, `"lost"`, `"torn"`, `"large"`, `"held"` and `"dripping"` mean more than
/// themselves.
#[derive(Clone)]
pub(crate) struct FakeWorker {
    pub(crate) heads: Arc<Mutex<Vec<pb::InvokeHead>>>,
    /// What an invocation of `"held"` waits for, and one of `"dripping"` after its first piece.
    pub(crate) gate: Arc<Semaphore>,
}

impl FakeWorker {
    pub(crate) fn new() -> Self {
        Self {
            heads: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        }
    }

    pub(crate) fn seen(&self) -> usize {
        self.heads.lock().len()
    }
}

type Events = Pin<Box<dyn Stream<Item = Result<pb::InvokeEvent, Status>> + Send>>;

fn event(part: Part) -> Result<pb::InvokeEvent, Status> {
    Ok(pb::InvokeEvent { part: Some(part) })
}

#[tonic::async_trait]
impl Worker for FakeWorker {
    type InvokeStream = Events;

    async fn prepare_image(
        &self,
        _: Request<pb::PrepareImageRequest>,
    ) -> Result<Response<pb::PrepareImageResponse>, Status> {
        Err(Status::unimplemented("this worker has no images"))
    }

    async fn invoke(
        &self,
        request: Request<Streaming<pb::InvokeRequest>>,
    ) -> Result<Response<Events>, Status> {
        let mut parts = request.into_inner();
        let Some(invoke_request::Part::Head(head)) = parts.message().await?.and_then(|m| m.part)
        else {
            return Err(Status::invalid_argument("expected a head"));
        };
        let mut payload = head.payload.to_vec();
        self.heads.lock().push(head);
        while let Some(more) = parts.message().await? {
            if let Some(invoke_request::Part::Payload(more)) = more.part {
                payload.extend_from_slice(&more);
            }
        }
        let accepted = || {
            event(Part::Accepted(pb::Accepted {
                cold: true,
                environment_id: "e1".to_owned(),
            }))
        };
        let chunk = |text: &[u8]| event(Part::Chunk(text.to_vec().into()));
        let end = |function_error: &str, log: &str| {
            event(Part::Finished(pb::Finished {
                function_error: function_error.to_owned(),
                log_tail: log.to_owned().into(),
                ..Default::default()
            }))
        };
        let events = match payload.as_slice() {
            b"\"full\"" => vec![event(Part::Refused(pb::Refused {
                reason: Reason::NoCapacity.into(),
                detail: String::new(),
                ..Default::default()
            }))],
            b"\"error\"" => vec![
                accepted(),
                chunk(b"{\"errorType\":\"E\"}"),
                end("Unhandled", ""),
            ],
            b"\"log\"" => vec![accepted(), chunk(b"null"), end("", "START\nEND\n")],
            b"\"lost\"" => vec![accepted(), Err(Status::unavailable("died"))],
            b"\"torn\"" => vec![accepted(), chunk(b"half"), Err(Status::unavailable("died"))],
            b"\"large\"" => std::iter::once(accepted())
                .chain((0..7).map(|_| chunk(&[b'1'; 1 << 20])))
                .chain([end("", "")])
                .collect(),
            held @ (b"\"held\"" | b"\"dripping\"") => {
                let first = (held == b"\"dripping\"").then(|| chunk(b"drip"));
                let gate = self.gate.clone();
                let held = futures::stream::once(async move {
                    gate.acquire().await.unwrap().forget();
                });
                let rest = held.flat_map(move |()| {
                    futures::stream::iter([chunk(b"\"released\""), end("", "")])
                });
                let begin = std::iter::once(accepted()).chain(first);
                let events = futures::stream::iter(begin.collect::<Vec<_>>()).chain(rest);
                return Ok(Response::new(events.boxed()));
            }
            _ => {
                let (a, b) = payload.split_at(payload.len() / 2);
                vec![accepted(), chunk(a), chunk(b), end("", "")]
            }
        };
        Ok(Response::new(futures::stream::iter(events).boxed()))
    }
}
