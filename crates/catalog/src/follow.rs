//! The watch stream from a controller into a local copy.

use std::time::Duration;

use futures::FutureExt;
use host::task::{Kind, Tasks};
use model::Revision;
use proto::internal::{self as pb, catalog_client::CatalogClient, watch_frame::Frame};
use tonic::{Code, Streaming};

use crate::{Controllers, LocalCopy, codec::Row, copy::FollowError};

/// A controller sends at least a heartbeat every second; one that is silent for this long is left for another.
const SILENCE_MAX: Duration = Duration::from_millis(2500);
const OPEN_MAX: Duration = Duration::from_secs(1);
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(1);
/// Rows of one snapshot; more than this and the stream is broken off rather than memory filled.
const SNAPSHOT_ROWS_MAX: usize = 4_000_000;
/// Rows from which on no further changes are gathered.
const TOGETHER_MAX: usize = 256;

#[derive(Debug, thiserror::Error)]
enum StreamEnd {
    #[error("no controller answers")]
    Nobody,
    #[error("the stream was refused or broke")]
    Status(#[from] tonic::Status),
    #[error("the controller was silent for {SILENCE_MAX:?}")]
    Silent,
    #[error("the controller closed the stream")]
    Closed,
    #[error("the controller sent frames out of order")]
    Disordered,
    #[error(transparent)]
    Local(#[from] FollowError),
}

impl LocalCopy {
    /// Keeps this copy up to date from any controller, for the life of the node or until its store fails
    /// ([`LocalCopy::failed`]).
    pub fn follow(&self, controllers: Controllers, tasks: &Tasks) {
        let copy = self.clone();
        tasks.spawn(Kind::Background, "catalog-flush", async move {
            copy.keep_flushed().await;
        });
        let copy = self.clone();
        tasks.spawn(Kind::Background, "catalog-follow", async move {
            let mut wait = RETRY_MIN;
            loop {
                let before = copy.position();
                let Err(end) = copy.follow_one(&controllers).await;
                match &end {
                    StreamEnd::Local(FollowError::Failed(_)) => return,
                    // Asking again is of no use before this node has another build.
                    StreamEnd::Status(status) if status.code() == Code::FailedPrecondition => {
                        copy.refused(status.message());
                    }
                    StreamEnd::Local(FollowError::TooOld(error)) => {
                        copy.refused(&error.to_string());
                    }
                    _ => {}
                }
                if copy.position().confirmed > before.confirmed {
                    wait = RETRY_MIN;
                }
                tracing::debug!(error = %end, retry_in = ?wait, "catalog watch ended");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY_MAX);
            }
        });
    }

    async fn follow_one(
        &self,
        controllers: &Controllers,
    ) -> Result<std::convert::Infallible, StreamEnd> {
        let channel = controllers.next_to_watch().ok_or(StreamEnd::Nobody)?;
        let position = self.position();
        let request = pb::WatchRequest {
            cluster_id: position.cluster_id,
            after: position.revision.0,
            newest_format: self.newest(),
        };
        let mut client = CatalogClient::new(channel).max_decoding_message_size(16 << 20);
        let open = client.watch(request);
        let mut stream = tokio::time::timeout(OPEN_MAX, open)
            .await
            .map_err(|_| StreamEnd::Silent)??
            .into_inner();
        let mut frame = next(&mut stream).await?;
        loop {
            let after = match frame {
                Frame::CaughtUpTo(revision) => {
                    self.confirm(Revision(revision));
                    None
                }
                Frame::Rows(rows) => self.take_changes(rows, &mut stream).await?,
                Frame::SnapshotBegin(begin) => {
                    self.take_snapshot(begin, &mut stream).await?;
                    None
                }
            };
            frame = match after {
                Some(after) => after,
                None => next(&mut stream).await?,
            };
        }
    }

    /// Takes over these changes, and those after them that are here already: the disk is asked once for all of them. Gives
    /// back the frame that is none of them.
    async fn take_changes(
        &self,
        first: pb::watch_frame::Rows,
        stream: &mut Streaming<pb::WatchFrame>,
    ) -> Result<Option<Frame>, StreamEnd> {
        let (mut revision, mut rows) = (first.revision, into_rows(first.rows));
        let (mut confirmed, mut after) = (None, None);
        while rows.len() < TOGETHER_MAX && after.is_none() {
            match ready(stream)? {
                Some(Frame::Rows(more)) => {
                    revision = more.revision;
                    rows.extend(into_rows(more.rows));
                }
                Some(Frame::CaughtUpTo(to)) if to <= revision => confirmed = Some(to),
                Some(other) => after = Some(other),
                None => break,
            }
        }
        self.advance(Revision(revision), rows).await?;
        if let Some(confirmed) = confirmed {
            self.confirm(Revision(confirmed));
        }
        Ok(after)
    }

    async fn take_snapshot(
        &self,
        begin: pb::watch_frame::SnapshotBegin,
        stream: &mut Streaming<pb::WatchFrame>,
    ) -> Result<(), StreamEnd> {
        let mut all = Vec::new();
        loop {
            match next(stream).await? {
                Frame::Rows(rows) if rows.revision == begin.revision => {
                    all.extend(into_rows(rows.rows))
                }
                Frame::CaughtUpTo(revision) if revision == begin.revision => break,
                _ => return Err(StreamEnd::Disordered),
            }
            if all.len() > SNAPSHOT_ROWS_MAX {
                return Err(StreamEnd::Disordered);
            }
        }
        self.replace(&begin.cluster_id, Revision(begin.revision), all)
            .await?;
        self.confirm(Revision(begin.revision));
        Ok(())
    }
}

/// A frame that is here already.
fn ready(stream: &mut Streaming<pb::WatchFrame>) -> Result<Option<Frame>, StreamEnd> {
    match stream.message().now_or_never() {
        None => Ok(None),
        Some(message) => frame_of(message?).map(Some),
    }
}

async fn next(stream: &mut Streaming<pb::WatchFrame>) -> Result<Frame, StreamEnd> {
    let message = tokio::time::timeout(SILENCE_MAX, stream.message())
        .await
        .map_err(|_| StreamEnd::Silent)??;
    frame_of(message)
}

fn frame_of(message: Option<pb::WatchFrame>) -> Result<Frame, StreamEnd> {
    let message = message.ok_or(StreamEnd::Closed)?;
    message.frame.ok_or(StreamEnd::Disordered)
}

fn into_rows(rows: Vec<pb::Row>) -> Vec<Row> {
    rows.into_iter()
        .map(|r| Row {
            key: r.key.into(),
            value: r.value.map(Into::into),
        })
        .collect()
}
