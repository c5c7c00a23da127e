//! Faults reach the callers as the real adapters would tell them.

use std::time::Duration;

use bytes::Bytes;
use host::{
    blobs::BlobError,
    log::{LogError, LogOp},
    store::{StoreError, Write},
};
use model::Digest;
use tokio::time::Instant;

use super::disk;
use crate::disk::{Area, Disk, DiskFault, Hit, Loss, Mounted};

fn append(index: u64) -> Vec<LogOp> {
    vec![LogOp::Append {
        index,
        bytes: vec![7; 40],
    }]
}

fn put(key: &str) -> Vec<Write> {
    vec![Write::Put {
        key: key.into(),
        value: vec![7; 40],
    }]
}

fn fired(disk: &Disk, hit: Hit) -> u64 {
    disk.fired().get(&hit).copied().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn an_error_is_the_last_word_until_the_next_mount() {
    for (fault, hit, text) in [
        (DiskFault::Eio, Hit::Eio, "os error 5"),
        (DiskFault::NoSpace, Hit::NoSpace, "os error 28"),
    ] {
        for seed in 0..20 {
            let disk = disk(seed);
            let Mounted {
                log, store, blobs, ..
            } = disk.mount();
            log.apply(1, append(1)).await.unwrap();
            store.apply("t", put("a")).await.unwrap();
            store.flush().await.unwrap();
            disk.inject(fault);
            let bytes = Bytes::from_static(b"blob");
            let mut broken = false;
            for _ in 0..20 {
                let error = log.apply(1, append(2)).await.unwrap_err();
                let LogError::Engine { source, .. } = &error else {
                    panic!("{error}");
                };
                assert!(source.to_string().contains(text), "{source}");
                let error = store.apply("t", put("b")).await.unwrap_err();
                let StoreError::Engine { source, .. } = &error else {
                    panic!("{error}");
                };
                assert!(source.to_string().contains(text), "{source}");
                let put = blobs.put(Digest::of(&bytes), bytes.clone()).await;
                broken |= matches!(put, Err(BlobError::Disk { source, .. }) if source.to_string().contains(text));
            }
            assert!(broken && fired(&disk, hit) >= 3);

            disk.heal();
            log.apply(1, append(2)).await.unwrap_err();
            log.bounds(1).await.unwrap_err();
            store.flush().await.unwrap_err();
            store.get("t", b"a").await.unwrap_err();
            blobs.put(Digest::of(&bytes), bytes.clone()).await.unwrap();

            disk.crash(Loss::Process);
            let Mounted { log, store, .. } = disk.mount();
            let (first, last) = log.bounds(1).await.unwrap().unwrap();
            assert!(first == 1 && last <= 2, "answered stays, unanswered may");
            assert!(store.get("t", b"a").await.unwrap().is_some());
            assert!(store.get("t", b"b").await.unwrap().is_none());
            log.apply(1, append(3)).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_still_reads_and_takes_away() {
    let disk = disk(3);
    let Mounted {
        log, store, blobs, ..
    } = disk.mount();
    let bytes = Bytes::from_static(b"blob");
    blobs.put(Digest::of(&bytes), bytes.clone()).await.unwrap();
    log.apply(1, append(1)).await.unwrap();
    disk.inject(DiskFault::NoSpace);
    assert_eq!(log.bounds(1).await.unwrap(), Some((1, 1)));
    assert_eq!(store.get("t", b"a").await.unwrap(), None);
    blobs.delete(Digest::of(&bytes)).await.unwrap();
    assert!(blobs.list().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_flipped_bit_in_the_log_is_damage() {
    for seed in 0..50 {
        let disk = disk(seed);
        disk.inject(DiskFault::FlipBit(Area::Log));
        disk.mount().log.apply(1, append(1)).await.unwrap();
        disk.inject(DiskFault::FlipBit(Area::Log));
        for _ in 0..2 {
            let log = disk.mount().log;
            assert_eq!(log.bounds(1).await.unwrap(), Some((1, 1)));
            let error = log.entries(1, 0, 9).await.unwrap_err();
            assert!(
                matches!(&error, LogError::Damaged { what, .. } if what == "entry 1 of group 1"),
                "{error}"
            );
            assert!(matches!(
                log.apply(1, append(2)).await,
                Err(LogError::Damaged { .. })
            ));
        }
        assert_eq!(fired(&disk, Hit::Flip), 2);

        disk.wipe();
        let log = disk.mount().log;
        let vote = LogOp::SetMeta {
            key: "vote",
            bytes: Vec::new(),
        };
        log.apply(1, vec![vote]).await.unwrap();
        disk.inject(DiskFault::FlipBit(Area::Log));
        assert!(matches!(
            log.meta(1, "vote").await,
            Err(LogError::Damaged { .. })
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn a_flipped_bit_in_a_table_is_an_error_that_a_flush_does_not_hide() {
    for seed in 0..50 {
        let disk = disk(seed);
        let store = disk.mount().store;
        for key in ["a", "b", "c"] {
            store.apply("t", put(key)).await.unwrap();
        }
        if seed % 2 == 0 {
            store.flush().await.unwrap();
        }
        disk.inject(DiskFault::FlipBit(Area::Store));
        let error = store.range("t", b"", 9).await.unwrap_err();
        let StoreError::Damaged { source, .. } = &error else {
            panic!("{error}");
        };
        assert!(source.to_string().contains("checksum"), "{source}");
        store.flush().await.unwrap_err();
        if seed % 2 == 0 {
            disk.crash(Loss::Power);
            disk.mount().store.range("t", b"", 9).await.unwrap_err();
        }
        assert!(disk.set_damaged_store_aside());
        assert!(!disk.set_damaged_store_aside(), "it is a new one");
        let left = disk.mount().store.range("t", b"", 9).await.unwrap();
        assert_eq!(left, []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotten_blob_is_set_aside_until_it_is_put_again() {
    for seed in 0..20 {
        let disk = disk(seed);
        let blobs = disk.mount().blobs;
        let bytes = Bytes::from_static(b"blob");
        let digest = Digest::of(&bytes);
        blobs.put(digest, bytes.clone()).await.unwrap();
        disk.inject(DiskFault::FlipBit(Area::Blobs));
        assert_eq!(blobs.stat(digest).await.unwrap(), Some(4));
        let error = blobs.get(digest).await.unwrap_err();
        assert!(
            matches!(error, BlobError::Mismatch { expected, actual } if expected == digest && actual != digest)
        );
        assert!(matches!(
            blobs.get(digest).await,
            Err(BlobError::NotFound(_))
        ));
        assert_eq!((fired(&disk, Hit::Flip), disk.usage().blobs), (1, 4));
        blobs.put(digest, bytes.clone()).await.unwrap();
        assert_eq!(blobs.get(digest).await.unwrap(), bytes);
        assert_eq!(disk.usage().blobs, 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_ends_by_itself_or_when_it_is_mended() {
    let disk = disk(5);
    let log = disk.mount().log;
    let long = Duration::from_secs(60);
    disk.inject(DiskFault::Stall(long));
    let begin = Instant::now();
    log.apply(1, append(1)).await.unwrap();
    assert!((long..long * 2).contains(&begin.elapsed()));
    assert_eq!(fired(&disk, Hit::Stall), 1);

    disk.inject(DiskFault::Stall(long));
    let begin = Instant::now();
    let mend = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        disk.heal();
    };
    let (outcome, ()) = tokio::join!(log.apply(1, append(2)), mend);
    outcome.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_slow_disk_delays_every_operation() {
    let disk = disk(6);
    let store = disk.mount().store;
    disk.inject(DiskFault::Slow(Duration::from_millis(300)));
    let begin = Instant::now();
    store.apply("t", put("a")).await.unwrap();
    store.get("t", b"a").await.unwrap();
    store.flush().await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(900));
    assert_eq!(fired(&disk, Hit::Slow), 3);
    disk.heal();
    let begin = Instant::now();
    store.flush().await.unwrap();
    assert!(begin.elapsed() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn usage_follows_what_is_kept() {
    let disk = disk(7);
    let Mounted {
        log, store, blobs, ..
    } = disk.mount();
    log.apply(1, append(1)).await.unwrap();
    log.apply(1, append(2)).await.unwrap();
    store.apply("t", put("a")).await.unwrap();
    assert_eq!(disk.usage().store, 0, "nothing is on the disk yet");
    store.flush().await.unwrap();
    let bytes = Bytes::from_static(b"blob");
    blobs.put(Digest::of(&bytes), bytes).await.unwrap();
    let usage = disk.usage();
    assert_eq!((usage.log, usage.store, usage.blobs), (80, 41, 4));
    log.apply(1, vec![LogOp::PurgeTo(1)]).await.unwrap();
    store.clear("t").await.unwrap();
    store.flush().await.unwrap();
    assert_eq!((disk.usage().log, disk.usage().store), (40, 0));
}
