//! Blobs to and from controllers.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use model::Digest;
use proto::internal::{self as pb, blobs_client::BlobsClient};

use super::{ControllerError, Controllers};

/// Bytes of one message of a blob.
const CHUNK: usize = 256 << 10;
/// The largest blob that is taken into memory.
const BLOB_MAX: u64 = 64 << 20;
/// A controller that sends nothing of a blob for this long is left for another: its disk may have stalled.
const SILENCE_MAX: Duration = Duration::from_millis(1500);

impl Controllers {
    /// Puts a blob on a quorum of controllers. One that does not answer has half of the patience, so that another can be
    /// asked.
    ///
    /// # Errors
    /// [`ControllerError::Blob`] if no controller could bring it there in time.
    pub async fn put_blob(
        &self,
        digest: Digest,
        bytes: Bytes,
        patience: Duration,
    ) -> Result<(), ControllerError> {
        let mut last = None;
        let rounds = async {
            loop {
                for address in self.addresses() {
                    let chunks = chunks(digest, &bytes, true);
                    let mut client = BlobsClient::new(self.shared.channel(&address));
                    let put = client.put(tokio_stream::iter(chunks));
                    match tokio::time::timeout(patience / 2, put).await {
                        Ok(Ok(_)) => return,
                        Ok(Err(status)) => last = Some(Box::new(status)),
                        Err(_) => last = Some(Box::new(silent(patience / 2))),
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let done = tokio::time::timeout(patience, rounds).await.is_ok();
        if done {
            Ok(())
        } else {
            Err(ControllerError::Blob {
                digest,
                source: last,
            })
        }
    }

    /// Fetches a blob from any controller that has it, and verifies it.
    ///
    /// # Errors
    /// [`ControllerError::Blob`] if none had it in time.
    pub async fn get_blob(
        &self,
        digest: Digest,
        patience: Duration,
    ) -> Result<Bytes, ControllerError> {
        let mut last = None;
        let rounds = async {
            loop {
                for address in self.addresses() {
                    match self.get_blob_at(&address, digest).await {
                        Ok(bytes) => return bytes,
                        Err(status) => last = Some(Box::new(status)),
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let fetched = tokio::time::timeout(patience, rounds).await;
        fetched.map_err(|_| ControllerError::Blob {
            digest,
            source: last,
        })
    }

    async fn get_blob_at(&self, address: &str, digest: Digest) -> Result<Bytes, tonic::Status> {
        let mut client = BlobsClient::new(self.shared.channel(address));
        let request = pb::GetBlobRequest {
            digest: digest.as_bytes().to_vec().into(),
        };
        let mut stream = answered(client.get(request)).await?.into_inner();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = answered(stream.message()).await? {
            if bytes.len() as u64 + chunk.data.len() as u64 > BLOB_MAX {
                return Err(tonic::Status::data_loss(format!(
                    "blob {digest} is larger than {BLOB_MAX} bytes"
                )));
            }
            bytes.extend_from_slice(&chunk.data);
        }
        let bytes = bytes.freeze();
        let actual = Digest::of(&bytes);
        if actual == digest {
            Ok(bytes)
        } else {
            Err(tonic::Status::data_loss(format!(
                "expected blob {digest}, got one with digest {actual}"
            )))
        }
    }
}

/// What a controller answers, unless it is silent for too long.
async fn answered<T>(
    answer: impl Future<Output = Result<T, tonic::Status>>,
) -> Result<T, tonic::Status> {
    match tokio::time::timeout(SILENCE_MAX, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(silent(SILENCE_MAX)),
    }
}

fn silent(limit: Duration) -> tonic::Status {
    tonic::Status::deadline_exceeded(format!(
        "expected an answer of a controller within {limit:?}, got none; check its disk"
    ))
}

/// A blob as messages.
pub fn chunks(digest: Digest, bytes: &Bytes, quorum: bool) -> Vec<pb::BlobChunk> {
    let first = pb::BlobChunk {
        digest: digest.as_bytes().to_vec().into(),
        size: bytes.len() as u64,
        data: bytes.slice(..bytes.len().min(CHUNK)),
        quorum,
    };
    let rest = (CHUNK..bytes.len()).step_by(CHUNK).map(|at| pb::BlobChunk {
        data: bytes.slice(at..bytes.len().min(at + CHUNK)),
        ..pb::BlobChunk::default()
    });
    std::iter::once(first).chain(rest).collect()
}
