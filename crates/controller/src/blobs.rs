//! Code packages on controllers: kept, replicated to a quorum, served.

mod service;

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use model::{Digest, Role};
use proto::internal::{self as pb, blobs_client::BlobsClient};
use replica::Identity;

use crate::Shared;
pub(crate) use service::BlobsService;

/// How long one controller may take for one blob of the largest size.
const PUSH_MAX: Duration = Duration::from_secs(10);
const STAT_MAX: Duration = Duration::from_millis(800);

/// Where a blob stands among the voters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// A quorum has it durably.
    Quorum,
    /// So many said that they have not got it that there can be no quorum.
    Missing,
    /// Too many did not answer.
    Unknown,
}

/// Asks all voters at once and stops when the answer is certain.
pub(crate) async fn held(shared: &Shared, digest: Digest) -> Held {
    let voters = shared.replica.status().voters;
    let needed = voters.len() / 2 + 1;
    let mut asked: FuturesUnordered<_> = voters.iter().map(|v| has(shared, v, digest)).collect();
    let (mut have, mut have_not) = (0, 0);
    while let Some(answer) = asked.next().await {
        match answer {
            Some(true) => have += 1,
            Some(false) => have_not += 1,
            None => {}
        }
        if have >= needed {
            return Held::Quorum;
        }
        if have_not > voters.len() - needed {
            return Held::Missing;
        }
    }
    Held::Unknown
}

/// Puts a blob on every voter that can be reached. Returns the names of those that have it as soon as they are a quorum and
/// the rest had a moment; an error text if there is no quorum.
pub(crate) async fn replicate(
    shared: &Shared,
    digest: Digest,
    bytes: &Bytes,
) -> Result<Vec<String>, String> {
    let voters = shared.replica.status().voters;
    if voters.is_empty() {
        return Err("the cluster is not formed yet".to_owned());
    }
    let needed = voters.len() / 2 + 1;
    let mut pushes: FuturesUnordered<_> = voters
        .iter()
        .map(|v| push(shared, v, digest, bytes))
        .collect();
    let mut holders = Vec::new();
    let mut last_error = String::new();
    while let Some(result) = pushes.next().await {
        match result {
            Ok(name) => holders.push(name),
            Err(error) => last_error = error,
        }
        if holders.len() >= needed {
            return Ok(holders);
        }
    }
    Err(format!(
        "expected {needed} of {} controllers to keep the blob, got {}: {last_error}",
        voters.len(),
        holders.len()
    ))
}

fn is_self(shared: &Shared, voter: &Identity) -> bool {
    voter.name == shared.options.name && voter.incarnation == shared.options.incarnation
}

/// Whether a voter has a blob; `None` if it does not say.
async fn has(shared: &Shared, voter: &Identity, digest: Digest) -> Option<bool> {
    if is_self(shared, voter) {
        return shared
            .ports
            .blobs
            .stat(digest)
            .await
            .ok()
            .map(|size| size.is_some());
    }
    let mut client = BlobsClient::new(
        shared
            .ports
            .channels
            .get_to(&voter.address, Role::Controller),
    );
    let stat = client.stat(pb::StatBlobRequest {
        digest: digest.as_bytes().to_vec().into(),
    });
    let answer = tokio::time::timeout(STAT_MAX, stat).await.ok()?.ok()?;
    Some(answer.get_ref().present)
}

async fn push(
    shared: &Shared,
    voter: &Identity,
    digest: Digest,
    bytes: &Bytes,
) -> Result<String, String> {
    let name = voter.name.to_string();
    if is_self(shared, voter) {
        return shared
            .ports
            .blobs
            .put(digest, bytes.clone())
            .await
            .map(|()| name)
            .map_err(|e| e.to_string());
    }
    if has(shared, voter, digest).await == Some(true) {
        return Ok(name);
    }
    let mut client = BlobsClient::new(
        shared
            .ports
            .channels
            .get_to(&voter.address, Role::Controller),
    );
    let put = client.put(tokio_stream::iter(catalog::blob_chunks(
        digest, bytes, false,
    )));
    match tokio::time::timeout(PUSH_MAX, put).await {
        Ok(Ok(_)) => Ok(name),
        Ok(Err(status)) => Err(format!("{name}: {}", status.message())),
        Err(_) => Err(format!("{name}: no answer within {PUSH_MAX:?}")),
    }
}
