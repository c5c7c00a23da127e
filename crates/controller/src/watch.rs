//! The stream that a follower of the catalog gets.

use std::{sync::Arc, time::Duration};

use futures::Stream;
use host::task::Kind;
use proto::internal::{
    self as pb,
    watch_frame::{Frame, Rows, SnapshotBegin},
};
use replica::RowChange;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::Shared;

/// Frames that may wait for one slow follower.
const FRAMES_WAITING: usize = 16;
/// A follower that takes nothing for this long is cut off; it comes back and continues from its revision.
const SEND_MAX: Duration = Duration::from_secs(10);
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Bytes of rows in one frame.
const FRAME_BYTES: usize = 512 << 10;

/// Begins a stream for a follower that has everything up to a revision.
pub(crate) fn stream(
    shared: &Arc<Shared>,
    request: pb::WatchRequest,
) -> Result<impl Stream<Item = Result<pb::WatchFrame, Status>> + use<>, Status> {
    let cluster_id = shared.replica.status().cluster.map(|c| c.to_string());
    let cluster_id =
        cluster_id.ok_or_else(|| Status::unavailable("the cluster is not formed yet"))?;
    let (frames, receiver) = mpsc::channel(FRAMES_WAITING);
    let follower = Follower {
        shared: shared.clone(),
        frames,
        cluster_id,
    };
    shared
        .ports
        .tasks
        .spawn(Kind::Background, "catalog-watch", async move {
            // It ends when the follower is gone or too slow; either way it will ask again.
            let Err(Gone) = follower.run(&request).await;
        });
    Ok(ReceiverStream::new(receiver))
}

struct Follower {
    shared: Arc<Shared>,
    frames: mpsc::Sender<Result<pb::WatchFrame, Status>>,
    cluster_id: String,
}

/// The follower does not take frames any more.
struct Gone;

impl Follower {
    async fn run(&self, request: &pb::WatchRequest) -> Result<std::convert::Infallible, Gone> {
        let mut applied = self.shared.replica.applied();
        let known = request.cluster_id == self.cluster_id;
        let mut sent = if known {
            request.after
        } else {
            self.send_snapshot().await?
        };
        loop {
            // A follower of a newer controller may be ahead of this one: it gets nothing until this one has caught up.
            let now = *applied.borrow_and_update();
            if now > sent {
                sent = match self.shared.replica.changes_after(sent) {
                    Some(changes) => self.send_changes(changes, now).await?,
                    None => self.send_snapshot().await?,
                };
            }
            self.send(Frame::CaughtUpTo(sent)).await?;
            // Either something was applied or it is time for a heartbeat.
            // A replica that has stopped applies nothing any more: whoever follows it should follow another.
            if let Ok(Err(_)) = tokio::time::timeout(HEARTBEAT, applied.changed()).await {
                return Err(Gone);
            }
        }
    }

    /// Sends the changes of many entries in one frame: they are seen together, so nothing is seen by halves.
    async fn send_changes(
        &self,
        changes: Vec<(u64, Arc<[RowChange]>)>,
        now: u64,
    ) -> Result<u64, Gone> {
        let mut frame = Rows::default();
        let mut bytes = 0;
        for (revision, changed) in changes {
            if bytes >= FRAME_BYTES {
                self.send(Frame::Rows(std::mem::take(&mut frame))).await?;
                bytes = 0;
            }
            frame.revision = revision;
            for change in changed.iter() {
                let value = change.value.as_ref();
                bytes += change.key.len() + value.map_or(0, Vec::len);
                frame.rows.push(pb::Row {
                    key: change.key.clone().into(),
                    value: value.cloned().map(Into::into),
                });
            }
        }
        let last = frame.revision;
        if !frame.rows.is_empty() {
            self.send(Frame::Rows(frame)).await?;
        }
        Ok(now.max(last))
    }

    async fn send_snapshot(&self) -> Result<u64, Gone> {
        let (revision, rows) = self.shared.replica.rows();
        self.send(Frame::SnapshotBegin(SnapshotBegin {
            cluster_id: self.cluster_id.clone(),
            revision,
        }))
        .await?;
        let mut frame = Vec::new();
        let mut bytes = 0;
        for (key, value) in rows.iter() {
            bytes += key.len() + value.len();
            frame.push(pb::Row {
                key: key.to_vec().into(),
                value: Some(value.to_vec().into()),
            });
            if bytes >= FRAME_BYTES {
                self.send(Frame::Rows(Rows {
                    revision,
                    rows: std::mem::take(&mut frame),
                }))
                .await?;
                bytes = 0;
            }
        }
        self.send(Frame::Rows(Rows {
            revision,
            rows: frame,
        }))
        .await?;
        self.send(Frame::CaughtUpTo(revision)).await?;
        Ok(revision)
    }

    async fn send(&self, frame: Frame) -> Result<(), Gone> {
        let frame = pb::WatchFrame { frame: Some(frame) };
        match tokio::time::timeout(SEND_MAX, self.frames.send(Ok(frame))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}
