use std::{pin::Pin, sync::Arc};

use bytes::BytesMut;
use futures::Stream;
use host::{blobs::BlobError, net::serve::require_role};
use model::{Digest, Role};
use proto::internal::{self as pb, blobs_server::Blobs};
use tonic::{Request, Response, Status, Streaming};

use crate::{Shared, blobs::replicate};

/// The largest blob: a deployment package at its limit.
const BLOB_MAX: u64 = 64 << 20;

/// Keeps and serves blobs for nodes of the cluster.
pub(crate) struct BlobsService {
    shared: Arc<Shared>,
}

impl BlobsService {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

#[tonic::async_trait]
impl Blobs for BlobsService {
    async fn put(
        &self,
        request: Request<Streaming<pb::BlobChunk>>,
    ) -> Result<Response<pb::PutBlobResponse>, Status> {
        require_role(request.extensions(), &[Role::Frontend, Role::Controller])?;
        let mut stream = request.into_inner();
        let first = stream
            .message()
            .await?
            .ok_or_else(|| Status::invalid_argument("expected a first chunk, got none"))?;
        let digest = digest(&first.digest)?;
        if first.size > BLOB_MAX {
            return Err(Status::invalid_argument(format!(
                "expected a blob of at most {BLOB_MAX} bytes, got {}",
                first.size
            )));
        }
        let size = usize::try_from(first.size).unwrap_or(usize::MAX);
        let mut bytes = BytesMut::with_capacity(size);
        bytes.extend_from_slice(&first.data);
        while bytes.len() <= size {
            let Some(chunk) = stream.message().await? else {
                break;
            };
            bytes.extend_from_slice(&chunk.data);
        }
        if bytes.len() != size {
            return Err(Status::invalid_argument(format!(
                "expected a blob of {size} bytes, got {}",
                bytes.len()
            )));
        }
        let bytes = bytes.freeze();
        self.shared
            .ports
            .blobs
            .put(digest, bytes.clone())
            .await
            .map_err(|e| status(&e))?;
        let holders = if first.quorum {
            replicate(&self.shared, digest, &bytes)
                .await
                .map_err(Status::unavailable)?
        } else {
            vec![self.shared.options.name.to_string()]
        };
        Ok(Response::new(pb::PutBlobResponse { holders }))
    }

    type GetStream = Pin<Box<dyn Stream<Item = Result<pb::BlobChunk, Status>> + Send>>;

    async fn get(
        &self,
        request: Request<pb::GetBlobRequest>,
    ) -> Result<Response<Self::GetStream>, Status> {
        require_role(request.extensions(), &Role::ALL)?;
        let digest = digest(&request.get_ref().digest)?;
        let bytes = self
            .shared
            .ports
            .blobs
            .get(digest)
            .await
            .map_err(|e| status(&e))?;
        let chunks = catalog::blob_chunks(digest, &bytes, false);
        Ok(Response::new(Box::pin(tokio_stream::iter(
            chunks.into_iter().map(Ok),
        ))))
    }

    async fn stat(
        &self,
        request: Request<pb::StatBlobRequest>,
    ) -> Result<Response<pb::StatBlobResponse>, Status> {
        require_role(request.extensions(), &Role::ALL)?;
        let digest = digest(&request.get_ref().digest)?;
        let size = self
            .shared
            .ports
            .blobs
            .stat(digest)
            .await
            .map_err(|e| status(&e))?;
        Ok(Response::new(pb::StatBlobResponse {
            present: size.is_some(),
            size: size.unwrap_or(0),
        }))
    }
}

fn digest(bytes: &[u8]) -> Result<Digest, Status> {
    let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| {
        Status::invalid_argument(format!(
            "expected a digest of 32 bytes, got {}",
            bytes.len()
        ))
    })?;
    Ok(Digest::from_bytes(bytes))
}

fn status(error: &BlobError) -> Status {
    match error {
        BlobError::Mismatch { .. } => Status::data_loss(error.to_string()),
        BlobError::NotFound(_) => Status::not_found(error.to_string()),
        BlobError::Disk { source, .. } => {
            // Others may keep it, so this controller goes on; its operator must know.
            tracing::error!(%error, cause = %source, "a package was not kept or not sent");
            Status::internal(error.to_string())
        }
    }
}
