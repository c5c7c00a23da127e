//! What every [`Store`] must hold. Each function wants a fresh store.
#![allow(
    clippy::expect_used,
    reason = "a contract suite fails by panicking, with the reason"
)]

use std::sync::Arc;

use super::{Store, StoreError, VALUE_MAX, Write};

fn put(key: &str, value: &str) -> Write {
    Write::Put {
        key: key.into(),
        value: value.into(),
    }
}

fn delete(key: &str) -> Write {
    Write::Delete { key: key.into() }
}

async fn get(store: &dyn Store, table: &str, key: &str) -> Option<String> {
    let value = store.get(table, key.as_bytes()).await.expect("get")?;
    Some(String::from_utf8(value).expect("text"))
}

/// Records read back as they were put, table by table; the last write to a key wins, also within a batch.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn reads_what_was_applied(store: &dyn Store) {
    assert_eq!(get(store, "one", "a").await, None);
    store
        .apply("one", vec![put("a", "1"), put("b", "1"), put("a", "2")])
        .await
        .expect("apply");
    store
        .apply("two", vec![put("a", "3")])
        .await
        .expect("apply");
    assert_eq!(get(store, "one", "a").await.as_deref(), Some("2"));
    assert_eq!(get(store, "two", "a").await.as_deref(), Some("3"));
    assert_eq!(get(store, "two", "b").await, None);

    store
        .apply("one", vec![delete("a"), delete("never"), put("b", "")])
        .await
        .expect("apply");
    assert_eq!(get(store, "one", "a").await, None);
    assert_eq!(get(store, "one", "b").await.as_deref(), Some(""));
    assert_eq!(get(store, "two", "a").await.as_deref(), Some("3"));
}

/// Ranges begin at their key, keep the order of bytes, and end at their limit.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn ranges_in_key_order(store: &dyn Store) {
    let keys: [&[u8]; 6] = [b"", b"\0", b"a", b"a\0", b"b", b"\xff\xff"];
    let batch = keys
        .iter()
        .rev()
        .map(|key| Write::Put {
            key: key.to_vec(),
            value: key.to_vec(),
        })
        .collect();
    store.apply("t", batch).await.expect("apply");
    store.apply("u", vec![put("aa", "")]).await.expect("apply");
    let range = async |from: &[u8], limit| -> Vec<Vec<u8>> {
        let records = store.range("t", from, limit).await.expect("range");
        assert!(records.iter().all(|(key, value)| key == value));
        records.into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(range(b"", 10).await, keys);
    assert_eq!(range(b"a", 2).await, [b"a".to_vec(), b"a\0".to_vec()]);
    assert_eq!(
        range(b"aa", 10).await,
        [b"b".to_vec(), b"\xff\xff".to_vec()]
    );
    assert!(range(b"\xff\xff\0", 10).await.is_empty());
    assert!(range(b"", 0).await.is_empty());
    assert!(store.range("none", b"", 9).await.expect("range").is_empty());
}

/// Clearing empties one table, however large, and leaves it usable.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn clears_one_table(store: &dyn Store) {
    for table in ["one", "two"] {
        let batch = (0..3000).map(|n| put(&n.to_string(), "x")).collect();
        store.apply(table, batch).await.expect("apply");
    }
    store.clear("one").await.expect("clear");
    store.clear("never").await.expect("clear");
    let count = async |table| store.range(table, b"", 9999).await.expect("range").len();
    assert_eq!(count("one").await, 0);
    assert_eq!(count("two").await, 3000);
    store
        .apply("one", vec![put("a", "1")])
        .await
        .expect("apply");
    assert_eq!(count("one").await, 1);
}

/// A value over [`VALUE_MAX`] is refused and nothing of its batch is applied; one at the limit is kept.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn refuses_large_values(store: &dyn Store) {
    let largest = "x".repeat(VALUE_MAX);
    store
        .apply("t", vec![put("a", &largest)])
        .await
        .expect("apply");
    assert_eq!(get(store, "t", "a").await, Some(largest.clone()));

    let batch = vec![put("b", "1"), put("c", &(largest + "x")), delete("a")];
    assert!(matches!(
        store.apply("t", batch).await,
        Err(StoreError::ValueTooLarge(size)) if size == VALUE_MAX + 1
    ));
    assert_eq!(get(store, "t", "b").await, None);
    assert!(get(store, "t", "a").await.is_some());
}

/// A range never sees a part of a batch.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn batches_are_seen_whole(store: &dyn Store) {
    const KEYS: usize = 20;
    let write = async {
        for round in 0..200 {
            let batch = (0..KEYS)
                .map(|key| put(&format!("{key:02}"), &round.to_string()))
                .collect();
            store.apply("t", batch).await.expect("apply");
        }
    };
    let read = async {
        for _ in 0..200 {
            let records = store.range("t", b"", KEYS).await.expect("range");
            assert!(records.is_empty() || records.len() == KEYS);
            let first = records.first().map(|(_, value)| value.clone());
            assert!(
                records
                    .iter()
                    .all(|(_, value)| Some(value) == first.as_ref()),
                "a range saw a part of a batch"
            );
        }
    };
    futures::future::join(write, read).await;
}

/// What was flushed is there after the store was dropped and opened again. `open` is called anew after the former store
/// was dropped.
///
/// # Panics
/// If the adapter breaks the contract.
pub async fn is_there_after_a_restart<F>(open: F)
where
    F: AsyncFn() -> Arc<dyn Store>,
{
    for round in 0..3 {
        let store = open().await;
        let records = store.range("t", b"", 100).await.expect("range");
        assert_eq!(records.len(), round, "records of earlier rounds");
        let batch = vec![put(&round.to_string(), "x")];
        store.apply("t", batch).await.expect("apply");
        store.flush().await.expect("flush");
    }
}
