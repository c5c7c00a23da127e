//! What every [`Segments`] must hold. Each function wants a fresh store.
#![allow(
    clippy::expect_used,
    reason = "a contract suite fails by panicking, with the reason"
)]

use std::sync::Arc;

use super::{Segment, SegmentError, Segments};

async fn whole(segments: &dyn Segments, number: u64) -> Vec<u8> {
    segments
        .read(number, 0, 1 << 20)
        .await
        .expect("read")
        .to_vec()
}

/// What was appended reads back in order, from any place, and segments are listed in the order of their numbers.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn reads_what_was_appended(segments: &dyn Segments) {
    assert!(segments.list().await.expect("list").is_empty());
    for (number, at, bytes) in [
        (100, 0, "one\n"),
        (100, 4, "two\n"),
        (7, 0, "first\n"),
        (u64::MAX, 0, "last\n"),
        (100, 8, "three\n"),
    ] {
        segments
            .append(number, at, bytes.into())
            .await
            .expect("append");
    }
    let listed = segments.list().await.expect("list");
    let expected = [(7, 6), (100, 14), (u64::MAX, 5)];
    assert_eq!(
        listed,
        expected.map(|(number, bytes)| Segment { number, bytes })
    );
    assert_eq!(whole(segments, 100).await, b"one\ntwo\nthree\n");
    for (from, max, expected) in [
        (0, 3, "one"),
        (4, 4, "two\n"),
        (13, 9, "\n"),
        (14, 9, ""),
        (99, 9, ""),
    ] {
        let read = segments.read(100, from, max).await.expect("read");
        assert_eq!(read, expected, "{from} {max}");
    }
    segments.remove(7).await.expect("remove");
    segments.remove(7).await.expect("remove again");
    assert!(segments.read(7, 0, 1).await.is_err());
    assert_eq!(segments.list().await.expect("list").len(), 2);
}

/// An append has one place where it may go.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn appends_at_the_end_only(segments: &dyn Segments) {
    segments.append(1, 0, "one\n".into()).await.expect("append");
    for (number, at) in [(1, 5), (2, 1)] {
        let refused = segments.append(number, at, "x".into()).await;
        assert!(
            matches!(refused, Err(SegmentError::Changed { expected, .. }) if expected == at),
            "{number} {at}: {refused:?}"
        );
    }
    assert_eq!(whole(segments, 1).await, b"one\n");
    segments.append(1, 4, "two\n".into()).await.expect("append");
    assert_eq!(whole(segments, 1).await, b"one\ntwo\n");
}

/// What was appended is there after the store was dropped and opened again, and whoever opens it may replace the end of a
/// segment: it may have been left by an append that never returned. `open` is called anew after the former store was
/// dropped.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn is_there_after_a_restart<F>(open: F)
where
    F: AsyncFn() -> Arc<dyn Segments>,
{
    let segments = open().await;
    segments.append(1, 0, "one\n".into()).await.expect("append");
    segments.append(1, 4, "tw".into()).await.expect("append");
    drop(segments);
    let segments = open().await;
    assert_eq!(whole(&*segments, 1).await, b"one\ntw");
    segments.append(1, 4, "two\n".into()).await.expect("append");
    drop(segments);
    assert_eq!(whole(&*open().await, 1).await, b"one\ntwo\n");
}
