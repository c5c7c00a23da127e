//! Fetches blobs that this controller should have and has not: it was away, or its disk lost one.
//!
//! What changed is looked at as it comes. All blobs are looked for only now and then, because that costs a look at the disk
//! for each: after so long that it takes a twentieth of one processor at most.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::BytesMut;
use catalog::codec;
use model::{Digest, Role};
use proto::internal::{self as pb, blobs_client::BlobsClient};
use state::{Change, Record};
use tokio::time::Instant;

use super::PERIOD;
use crate::Shared;

const FETCH_MAX: Duration = Duration::from_secs(10);
/// How many times as long as a look at all blobs took nobody looks at all again.
const REST: u32 = 20;

/// What is known from one look to the next.
#[derive(Default)]
pub(super) struct Fetching {
    /// Changes up to this index were looked at.
    seen: u64,
    /// When all blobs are looked for again.
    all_at: Option<Instant>,
    missing: BTreeSet<Digest>,
}

impl Fetching {
    pub(super) async fn run(&mut self, shared: &Arc<Shared>) {
        let is_due = self.all_at.is_none_or(|at| at <= Instant::now());
        let changes = (!is_due).then(|| shared.replica.changes_after(self.seen));
        match changes.flatten() {
            Some(changes) => {
                let mut wanted = BTreeSet::new();
                for (index, rows) in changes {
                    self.seen = self.seen.max(index);
                    wanted.extend(rows.iter().flat_map(blobs_of));
                }
                self.look_for(shared, wanted).await;
            }
            None => {
                let began = Instant::now();
                let (seen, wanted) = shared.replica.read(|machine, index| {
                    let all: BTreeSet<Digest> = machine.catalog().blobs().collect();
                    (index, all)
                });
                self.seen = seen;
                // What nobody needs any more is not missed either.
                self.missing.clear();
                self.look_for(shared, wanted).await;
                let rest = began.elapsed().saturating_mul(REST).max(PERIOD);
                self.all_at = Some(Instant::now() + rest);
            }
        }
        for digest in self.missing.clone() {
            if fetch_from_any(shared, digest).await {
                self.missing.remove(&digest);
            }
        }
    }

    async fn look_for(&mut self, shared: &Shared, wanted: BTreeSet<Digest>) {
        for digest in wanted {
            if matches!(shared.ports.blobs.stat(digest).await, Ok(None)) {
                self.missing.insert(digest);
            }
        }
    }
}

/// The blobs that a row which was written needs.
fn blobs_of(row: &replica::RowChange) -> Vec<Digest> {
    match codec::decode_change(&row.key, row.value.as_deref()) {
        Ok(Change::Put(Record::Version(version))) => version.blobs().collect(),
        Ok(Change::Put(Record::LayerVersion(version))) => vec![version.content.digest],
        // The machine itself wrote the row; whoever follows it says what is wrong with it.
        Ok(_) | Err(_) => Vec::new(),
    }
}

async fn fetch_from_any(shared: &Shared, digest: Digest) -> bool {
    let voters = shared.replica.status().voters;
    for peer in voters.iter().filter(|v| v.name != shared.options.name) {
        match tokio::time::timeout(FETCH_MAX, fetch(shared, &peer.address, digest)).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => {
                tracing::debug!(%digest, from = %peer.name, error = %error, "a blob could not be fetched")
            }
            Err(_) => {
                tracing::debug!(%digest, from = %peer.name, "a blob was not sent in time")
            }
        }
    }
    false
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
