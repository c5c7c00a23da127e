//! What every [`LogEngine`] must hold. Each function wants a fresh engine.
#![allow(
    clippy::expect_used,
    reason = "a contract suite fails by panicking, with the reason"
)]

use std::sync::Arc;

use super::{LogEngine, LogOp};

fn append(index: u64) -> LogOp {
    LogOp::Append {
        index,
        bytes: index.to_be_bytes().repeat(8),
    }
}

async fn indexes(log: &dyn LogEngine, group: u64, from: u64, to: u64) -> Vec<u64> {
    let entries = log.entries(group, from, to).await.expect("entries");
    for (index, bytes) in &entries {
        assert_eq!(
            *bytes,
            index.to_be_bytes().repeat(8),
            "bytes of entry {index}"
        );
    }
    entries.into_iter().map(|(index, _)| index).collect()
}

/// Entries and records read back as they were set, group by group, and the last one set wins.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn reads_what_was_applied(log: &dyn LogEngine) {
    assert_eq!(log.bounds(1).await.expect("bounds"), None);
    assert_eq!(log.meta(1, "vote").await.expect("meta"), None);
    assert!(indexes(log, 1, 0, u64::MAX).await.is_empty());

    log.apply(1, (5..=9).map(append).collect())
        .await
        .expect("apply");
    log.apply(2, vec![append(u64::MAX)]).await.expect("apply");
    log.apply(0, vec![append(0)]).await.expect("apply");
    log.apply(1, Vec::new()).await.expect("an empty batch");
    assert_eq!(log.bounds(0).await.expect("bounds"), Some((0, 0)));
    assert_eq!(log.bounds(1).await.expect("bounds"), Some((5, 9)));
    assert_eq!(
        log.bounds(2).await.expect("bounds"),
        Some((u64::MAX, u64::MAX))
    );
    assert_eq!(indexes(log, 1, 6, 8).await, [6, 7]);
    assert_eq!(indexes(log, 1, 0, u64::MAX).await, [5, 6, 7, 8, 9]);
    assert!(indexes(log, 1, 8, 8).await.is_empty());
    assert!(indexes(log, 1, 9, 6).await.is_empty());

    for (group, value) in [(1, "a"), (2, "b"), (1, "c")] {
        let set = LogOp::SetMeta {
            key: "vote",
            bytes: value.into(),
        };
        log.apply(group, vec![set]).await.expect("apply");
    }
    assert_eq!(
        log.meta(1, "vote").await.expect("meta"),
        Some(b"c".to_vec())
    );
    assert_eq!(
        log.meta(2, "vote").await.expect("meta"),
        Some(b"b".to_vec())
    );
    assert_eq!(log.meta(1, "vot").await.expect("meta"), None);

    let overwrite = LogOp::Append {
        index: 9,
        bytes: b"other".to_vec(),
    };
    log.apply(1, vec![overwrite]).await.expect("apply");
    assert_eq!(
        log.entries(1, 9, 10).await.expect("entries"),
        [(9, b"other".to_vec())]
    );
}

/// Truncation and purge take the right ends, of one group only, in the order of the batch; a hole ends a read.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn truncates_and_purges(log: &dyn LogEngine) {
    for group in [1, 2] {
        log.apply(group, (1..=10).map(append).collect())
            .await
            .expect("apply");
    }
    log.apply(1, vec![LogOp::TruncateFrom(9), LogOp::PurgeTo(3)])
        .await
        .expect("apply");
    assert_eq!(log.bounds(1).await.expect("bounds"), Some((4, 8)));
    assert_eq!(indexes(log, 1, 0, 100).await, [4, 5, 6, 7, 8]);
    assert_eq!(log.bounds(2).await.expect("bounds"), Some((1, 10)));

    log.apply(1, vec![LogOp::TruncateFrom(6), append(6), append(8)])
        .await
        .expect("apply");
    assert_eq!(indexes(log, 1, 0, 100).await, [4, 5, 6]);

    log.apply(1, vec![LogOp::PurgeTo(100)])
        .await
        .expect("apply");
    assert_eq!(log.bounds(1).await.expect("bounds"), None);
    log.apply(1, vec![LogOp::PurgeTo(100), LogOp::TruncateFrom(0)])
        .await
        .expect("nothing to take away is no error");
    log.apply(1, vec![append(101)]).await.expect("apply");
    assert_eq!(log.bounds(1).await.expect("bounds"), Some((101, 101)));
}

/// Batches that wait at the same time are applied in the order in which they were handed over.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn applies_in_the_order_of_calls(log: &dyn LogEngine) {
    let calls = (1..=200_u64).map(|index| {
        let mark = LogOp::SetMeta {
            key: "last",
            bytes: index.to_be_bytes().to_vec(),
        };
        log.apply(1, vec![LogOp::TruncateFrom(index), append(index), mark])
    });
    for outcome in futures::future::join_all(calls).await {
        outcome.expect("apply");
    }
    assert_eq!(log.bounds(1).await.expect("bounds"), Some((1, 200)));
    assert_eq!(
        log.meta(1, "last").await.expect("meta"),
        Some(200_u64.to_be_bytes().to_vec())
    );
}

/// What returned is there after the engine was dropped and opened again. `open` is called anew after the former engine
/// was dropped.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn is_there_after_a_restart<F>(open: F)
where
    F: AsyncFn() -> Arc<dyn LogEngine>,
{
    for round in 1..=3_u64 {
        let log = open().await;
        assert_eq!(
            log.bounds(1).await.expect("bounds"),
            (round > 1).then(|| (1, round - 1))
        );
        let mark = LogOp::SetMeta {
            key: "round",
            bytes: round.to_be_bytes().to_vec(),
        };
        log.apply(1, vec![append(round), mark])
            .await
            .expect("apply");
        assert_eq!(
            log.meta(1, "round").await.expect("meta"),
            Some(round.to_be_bytes().to_vec())
        );
    }
    let log = open().await;
    assert_eq!(indexes(&*log, 1, 0, 100).await, [1, 2, 3]);
    assert_eq!(
        log.meta(1, "round").await.expect("meta"),
        Some(3_u64.to_be_bytes().to_vec())
    );
}
