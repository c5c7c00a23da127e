//! Moves the bytes of one connection.

use std::{io, time::Duration};

use bytes::BytesMut;
use futures::{Stream, StreamExt};
use proto::internal::{self as pb, gateway_request::Part};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{mpsc, watch},
    time::Instant,
};
use tonic::Status;

/// Bytes of one message.
const CHUNK: usize = 32 << 10;
/// How long a connection may make no progress in either direction: longer than an invocation that is waited for may take.
/// Between two requests the frontend is less patient.
const STALL_MAX: Duration = Duration::from_secs(1200);

/// Moves bytes until one side has ended, or nothing moves any more.
pub(super) async fn both_ways(
    near: impl AsyncRead + AsyncWrite + Send,
    up: mpsc::Sender<pb::GatewayRequest>,
    down: impl Stream<Item = Result<pb::GatewayResponse, Status>> + Send + Unpin,
) {
    let (reader, writer) = tokio::io::split(near);
    let (moved, progress) = watch::channel(Instant::now());
    let moved = &moved;
    tokio::select! {
        // What the frontend says last must arrive, also when the code inside has ended its half.
        () = downward(down, writer, moved) => {}
        () = stalled(progress) => {
            tracing::debug!("a connection out of an environment stands still");
        }
        // Never ends: whoever has sent everything may still be answered.
        () = async {
            upward(reader, up, moved).await;
            std::future::pending().await
        } => {}
    }
}

/// What the code inside sends, until it has sent everything or the frontend takes no more.
async fn upward(
    mut reader: impl AsyncRead + Unpin,
    up: mpsc::Sender<pb::GatewayRequest>,
    moved: &watch::Sender<Instant>,
) {
    loop {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        match reader.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        moved.send_replace(Instant::now());
        let part = Some(Part::Data(buffer.freeze()));
        if up.send(pb::GatewayRequest { part }).await.is_err() {
            return;
        }
    }
}

/// What the frontend answers, until it has ended or nobody reads it any more.
async fn downward(
    mut down: impl Stream<Item = Result<pb::GatewayResponse, Status>> + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    moved: &watch::Sender<Instant>,
) {
    while let Some(Ok(more)) = down.next().await {
        if write(&mut writer, &more.data, moved).await.is_err() {
            return;
        }
    }
    let _gone_already = writer.shutdown().await;
}

async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
    mut data: &[u8],
    moved: &watch::Sender<Instant>,
) -> io::Result<()> {
    while !data.is_empty() {
        let n = writer.write(data).await?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        data = data.get(n..).unwrap_or_default();
        moved.send_replace(Instant::now());
    }
    Ok(())
}

/// Returns when nothing has moved for too long.
async fn stalled(progress: watch::Receiver<Instant>) {
    loop {
        let until = *progress.borrow() + STALL_MAX;
        if until <= Instant::now() {
            return;
        }
        tokio::time::sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests;
