//! Accepts connections and reads requests off them.

use std::{convert::Infallible, future::poll_fn, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

use host::{Tasks, task::Kind};

use super::{Accept, CLOSED, Shared, calls};

pub(super) async fn accept<A: Accept>(listener: Arc<A>, shared: Arc<Shared>, tasks: Tasks) {
    let mut epoch = shared.epoch.subscribe();
    loop {
        let stream = tokio::select! {
            biased;
            () = left(&mut epoch, |e| e == CLOSED) => return,
            accepted = poll_fn(|cx| listener.poll_accept(cx)) => match accepted {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a runtime's connection could not be accepted");
                    // Out of descriptors or the like: let others finish first.
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                    continue;
                }
            },
        };
        let Some(place) = Place::take(&shared) else {
            tracing::debug!("an environment has too many connections to its runtime api");
            continue;
        };
        let of = *shared.epoch.borrow();
        let shared = shared.clone();
        tasks.spawn(
            Kind::Environment,
            "runtime-connection",
            serve(stream, shared, of, place),
        );
    }
}

/// One of the connections that may be open.
struct Place(Arc<Shared>);

impl Place {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let most = shared.limits.connections;
        let taken = shared.connections.send_if_modified(|open| {
            let room = *open < most;
            *open += usize::from(room);
            room
        });
        taken.then(|| Self(shared.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.send_modify(|open| *open -= 1);
    }
}

/// Waits until the epoch is one that ends the caller.
async fn left(epoch: &mut watch::Receiver<u64>, ends: impl Fn(u64) -> bool) {
    // An error means that the API is gone, which ends everything too.
    drop(epoch.wait_for(|e| ends(*e)).await);
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    shared: Arc<Shared>,
    of: u64,
    _place: Place,
) {
    let mut epoch = shared.epoch.subscribe();
    let head = shared.limits.head;
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(calls::serve(shared, of, request).await) }
    });
    let connection = http1::Builder::new()
        .keep_alive(true)
        .title_case_headers(true)
        .auto_date_header(false)
        .max_buf_size(head)
        // Of trailers, too: the document of an error in the middle of a stream comes in one.
        .max_header_size(head)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        biased;
        () = left(&mut epoch, |e| e != of) => {}
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "a runtime's connection ended in the middle of a call");
        },
    }
}
