//! What both servers share: a port of loopback, and a task a connection.

use std::{convert::Infallible, future::Future, io};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

/// Listens on a free port, prints it, and answers every request with `answer` until the process is killed.
pub(crate) async fn serve<A, F>(answer: A) -> anyhow::Result<()>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = anyhow::Result<Response<Full<Bytes>>>> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    crate::print(&listener.local_addr()?.port().to_string())?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                connections.spawn(connection(accepted?.0, answer.clone())?);
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

fn connection<A, F>(
    stream: tokio::net::TcpStream,
    answer: A,
) -> io::Result<impl Future<Output = ()> + Send + 'static>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = anyhow::Result<Response<Full<Bytes>>>> + Send + 'static,
{
    stream.set_nodelay(true)?;
    let service = service_fn(move |request| {
        let answering = answer(request);
        async move { Ok::<_, Infallible>(answering.await.unwrap_or_else(|error| broken(&error))) }
    });
    Ok(async move {
        // A client that hangs up is no news.
        let _ended = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    })
}

fn broken(error: &anyhow::Error) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{error:#}\n"))));
    *response.status_mut() = hyper::StatusCode::BAD_GATEWAY;
    response
}
