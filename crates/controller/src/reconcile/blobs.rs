//! Fetches blobs that this controller should have and has not: it was away, or its disk lost one.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::BytesMut;
use model::{Digest, Role};
use proto::internal::{self as pb, blobs_client::BlobsClient};

use crate::Shared;

const FETCH_MAX: Duration = Duration::from_secs(10);

pub(super) async fn run(shared: &Arc<Shared>) {
    let wanted: BTreeSet<Digest> = shared
        .replica
        .read(|machine, _| machine.catalog().blobs().collect());
    for digest in wanted {
        if !matches!(shared.ports.blobs.stat(digest).await, Ok(None)) {
            continue;
        }
        for peer in shared
            .replica
            .status()
            .voters
            .iter()
            .filter(|v| v.name != shared.options.name)
        {
            match tokio::time::timeout(FETCH_MAX, fetch(shared, &peer.address, digest)).await {
                Ok(Ok(())) => break,
                Ok(Err(error)) => {
                    tracing::debug!(%digest, from = %peer.name, error = %error, "a blob could not be fetched")
                }
                Err(_) => {
                    tracing::debug!(%digest, from = %peer.name, "a blob was not sent in time")
                }
            }
        }
    }
}

async fn fetch(
    shared: &Shared,
    address: &str,
    digest: Digest,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut client = BlobsClient::new(shared.ports.channels.get_to(address, Role::Controller));
    let request = pb::GetBlobRequest {
        digest: digest.as_bytes().to_vec().into(),
    };
    let mut stream = client.get(request).await?.into_inner();
    let mut bytes = BytesMut::new();
    while let Some(chunk) = stream.message().await? {
        bytes.extend_from_slice(&chunk.data);
    }
    // The store verifies the digest.
    shared.ports.blobs.put(digest, bytes.freeze()).await?;
    Ok(())
}
