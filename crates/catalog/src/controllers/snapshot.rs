//! The whole catalog, once: for a question of an operator. Nodes follow it instead.

use std::time::Duration;

use model::{Revision, Role};
use proto::{
    FORMATS,
    internal::{self as pb, catalog_client::CatalogClient, watch_frame::Frame},
};
use state::Catalog;
use tokio::time::Instant;

use crate::{
    ControllerError, Controllers,
    codec::{self, Row},
};

impl Controllers {
    /// The catalog with every change that was acknowledged before this call.
    ///
    /// # Errors
    /// [`ControllerError`].
    pub async fn snapshot(&self, patience: Duration) -> Result<Catalog, ControllerError> {
        let deadline = Instant::now() + patience;
        let revision = self.barrier(patience).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        tokio::time::timeout(left, self.read_up_to(revision))
            .await
            .map_err(|_| ControllerError::NoLeader(patience))?
    }

    async fn read_up_to(&self, revision: Revision) -> Result<Catalog, ControllerError> {
        // The leader answered the barrier a moment ago, and is not behind it.
        let address = self.leader_or_next().unwrap_or_default();
        let channel = self.shared.channels.get_to(&address, Role::Controller);
        let mut client = CatalogClient::new(channel).max_decoding_message_size(16 << 20);
        let refused = |status| ControllerError::Refused(Box::new(status));
        let request = pb::WatchRequest {
            newest_format: FORMATS.newest,
            ..pb::WatchRequest::default()
        };
        let watch = client.watch(request).await;
        let mut stream = watch.map_err(refused)?.into_inner();
        let mut catalog = Catalog::default();
        while let Some(message) = stream.message().await.map_err(refused)? {
            match message.frame {
                Some(Frame::SnapshotBegin(_)) => catalog = Catalog::default(),
                Some(Frame::Rows(rows)) => {
                    for row in rows.rows {
                        let row = Row {
                            key: row.key.into(),
                            value: row.value.map(Into::into),
                        };
                        catalog.put(codec::decode_row(&row)?);
                    }
                }
                Some(Frame::CaughtUpTo(reached)) if reached >= revision.0 => return Ok(catalog),
                Some(Frame::CaughtUpTo(_)) | None => {}
            }
        }
        let ended = tonic::Status::unavailable("the controller ended the stream");
        Err(refused(ended))
    }
}
