//! What every [`Blobs`] must hold. Each function wants a fresh store.
#![allow(
    clippy::expect_used,
    reason = "a contract suite fails by panicking, with the reason"
)]

use std::sync::Arc;

use bytes::Bytes;
use model::Digest;

use super::{BlobError, Blobs};

fn blob(size: usize) -> (Digest, Bytes) {
    let bytes = Bytes::from(
        b"dunlin"
            .iter()
            .copied()
            .cycle()
            .take(size)
            .collect::<Vec<_>>(),
    );
    (Digest::of(&bytes), bytes)
}

/// What was put is there, whole, until it is deleted.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn gives_back_what_was_put(blobs: &dyn Blobs) {
    let mut all: Vec<_> = [0, 1, 5, 4096, 3 << 20].into_iter().map(blob).collect();
    for (digest, bytes) in &all {
        assert!(matches!(blobs.get(*digest).await, Err(BlobError::NotFound(d)) if d == *digest));
        assert_eq!(blobs.stat(*digest).await.expect("stat"), None);
        blobs.put(*digest, bytes.clone()).await.expect("put");
        blobs.put(*digest, bytes.clone()).await.expect("put again");
    }
    for (digest, bytes) in &all {
        assert_eq!(blobs.get(*digest).await.expect("get"), *bytes);
        let size = u64::try_from(bytes.len()).expect("small");
        assert_eq!(blobs.stat(*digest).await.expect("stat"), Some(size));
    }
    let (gone, _) = all.pop().expect("not empty");
    blobs.delete(gone).await.expect("delete");
    blobs.delete(gone).await.expect("delete again");
    assert!(matches!(blobs.get(gone).await, Err(BlobError::NotFound(_))));

    let mut listed = blobs.list().await.expect("list");
    listed.sort_unstable();
    let mut expected: Vec<_> = all.into_iter().map(|(digest, _)| digest).collect();
    expected.sort_unstable();
    assert_eq!(listed, expected);
}

/// Bytes that do not have the digest they came under are not kept.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn refuses_bytes_of_another_digest(blobs: &dyn Blobs) {
    let (digest, bytes) = blob(100);
    let (other, other_bytes) = blob(101);
    assert!(matches!(
        blobs.put(digest, other_bytes.clone()).await,
        Err(BlobError::Mismatch { expected, actual }) if expected == digest && actual == other
    ));
    assert!(blobs.list().await.expect("list").is_empty());
    blobs.put(digest, bytes.clone()).await.expect("put");
    assert!(blobs.put(digest, other_bytes).await.is_err());
    assert_eq!(blobs.get(digest).await.expect("get"), bytes);
}

/// Many may put one blob at the same time, and nobody reads a part of it meanwhile.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn takes_the_same_blob_from_many(blobs: &dyn Blobs) {
    let (digest, bytes) = blob(1 << 20);
    let puts = futures::future::join_all((0..8).map(|_| blobs.put(digest, bytes.clone())));
    let gets = futures::future::join_all((0..8).map(|_| blobs.get(digest)));
    let (puts, gets) = futures::future::join(puts, gets).await;
    for put in puts {
        put.expect("put");
    }
    for get in gets {
        match get {
            Ok(read) => assert_eq!(read, bytes),
            Err(error) => assert!(matches!(error, BlobError::NotFound(_)), "{error}"),
        }
    }
    assert_eq!(blobs.list().await.expect("list"), [digest]);
}

/// What was put is there after the store was dropped and opened again. `open` is called anew after the former store was
/// dropped.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn is_there_after_a_restart<F>(open: F)
where
    F: AsyncFn() -> Arc<dyn Blobs>,
{
    let (digest, bytes) = blob(10_000);
    open().await.put(digest, bytes.clone()).await.expect("put");
    assert_eq!(open().await.get(digest).await.expect("get"), bytes);
}
