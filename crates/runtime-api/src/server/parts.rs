//! A response that is passed on while the runtime makes it.

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use model::RequestId;
use tokio::sync::mpsc;

use super::{
    Shared,
    calls::{Reply, discard, error_document},
};
use crate::{
    Answer, Ending, Part, Parts,
    http::{self as wire, Fault},
};

/// Pieces that wait for the worker; beyond these the runtime waits. One is at most what a connection reads at a time.
const WAITING_MAX: usize = 4;

/// Passes a response on. It has been announced as a stream, and its caller wants one of at most `limit` bytes.
pub(super) async fn pass_on(
    shared: &Shared,
    epoch: u64,
    id: RequestId,
    headers: &HeaderMap,
    body: Incoming,
    limit: u64,
) -> Result<Reply, Fault> {
    let (sender, parts) = mpsc::channel(WAITING_MAX);
    {
        let mut inner = shared.inner.lock();
        if inner.epoch != epoch {
            return Err(Fault::Closing);
        }
        inner.machine.begin_answer(id).map_err(Fault::Refused)?;
        let content_type = wire::text(headers, &header::CONTENT_TYPE).unwrap_or_default();
        if let Some(pending) = inner.pending.take() {
            let parts = Parts {
                content_type,
                parts,
            };
            // A caller that does not wait any more loses nothing.
            let _heard = pending.answer.send(Answer::Parts(parts));
        }
        shared.publish(&inner);
    }
    let begun = Begun { shared, epoch, id };
    let ending = copy(body, &sender, limit).await;
    drop(begun);
    let reply = match &ending {
        Ending::Done | Ending::Error { .. } => Ok(wire::accepted()),
        Ending::Truncated => Err(Fault::Truncated),
        Ending::TooLarge => Err(Fault::TooLarge {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        }),
    };
    // After the lifecycle has heard of it: whoever reads the end may offer the next invocation at once.
    let _nobody_may_listen = sender.send(Part::End(ending)).await;
    reply
}

/// A response that has begun. It is over when this is gone, also with its connection.
struct Begun<'a> {
    shared: &'a Shared,
    epoch: u64,
    id: RequestId,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let mut inner = self.shared.inner.lock();
        if inner.epoch == self.epoch && inner.machine.end_answer(self.id) {
            self.shared.publish(&inner);
        }
    }
}

/// Copies to the end, and goes on to read when nobody takes it any more: the runtime waits for our reply.
async fn copy(mut body: Incoming, parts: &mpsc::Sender<Part>, limit: u64) -> Ending {
    let mut passed = 0_u64;
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Ending::Truncated;
        };
        match frame.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(data) => {
                let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
                let fits = usize::try_from(limit - passed).unwrap_or(usize::MAX);
                passed = passed.saturating_add(size).min(limit);
                let too_large = data.len() > fits;
                let data = if too_large { data.slice(..fits) } else { data };
                if parts.send(Part::More(data)).await.is_err() || too_large {
                    discard(body).await;
                    return if too_large {
                        Ending::TooLarge
                    } else {
                        Ending::Done
                    };
                }
            }
            Err(frame) => {
                if let Ok(got) = frame.into_trailers() {
                    trailers = got;
                }
            }
        }
    }
    match wire::text(&trailers, &wire::ERROR_TYPE) {
        Some(error_type) => Ending::Error {
            body: Bytes::from(error_document(&error_type, &trailers)),
            error_type,
        },
        None => Ending::Done,
    }
}
