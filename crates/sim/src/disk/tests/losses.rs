//! What was answered as durable is there after a crash; what was not is there whole, in order, or not at all.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use host::{
    Entropy, SeededEntropy,
    log::LogOp,
    store::{Store, Write},
};
use model::Digest;

use super::disk;
use crate::disk::{Disk, DiskFault, Hit, Loss, Mounted};

const SEEDS: u64 = 300;
const WIDTH: u64 = 3;

fn loss_of(seed: u64) -> Loss {
    match seed % 3 {
        0 => Loss::Process,
        _ => Loss::Power,
    }
}

/// A batch that shows whether it is whole: one entry of its own, and a record that holds its number.
fn log_batch(number: u64) -> Vec<LogOp> {
    let mut ops = vec![LogOp::Append {
        index: number,
        bytes: number.to_be_bytes().to_vec(),
    }];
    ops.push(LogOp::SetMeta {
        key: "last",
        bytes: number.to_be_bytes().to_vec(),
    });
    ops
}

fn number(bytes: Option<Vec<u8>>) -> u64 {
    bytes.map_or(0, |b| u64::from_be_bytes(b.try_into().unwrap()))
}

#[tokio::test(start_paused = true)]
async fn the_log_has_what_it_answered_and_no_half_batch() {
    let mut beyond = 0;
    for seed in 0..SEEDS {
        let disk = disk(seed);
        let chance = SeededEntropy::new(seed);
        let mut before = 0;
        for _ in 0..4 {
            let log = disk.mount().log;
            let mut answered = before;
            let mut asked = before;
            let run = async {
                loop {
                    let wave = 1 + chance.below(4);
                    let calls = (asked + 1..=asked + wave).map(|n| log.apply(1, log_batch(n)));
                    asked += wave;
                    for outcome in futures::future::join_all(calls).await {
                        outcome.unwrap();
                    }
                    answered = asked;
                }
            };
            let life = Duration::from_millis(chance.below(40));
            tokio::time::timeout(life, run).await.unwrap_err();
            disk.crash(loss_of(seed));

            let log = disk.mount().log;
            let last = number(log.meta(1, "last").await.unwrap());
            let bounds = log.bounds(1).await.unwrap();
            assert_eq!(bounds, (last > 0).then_some((1, last)), "seed {seed}");
            assert!((answered..=asked).contains(&last), "seed {seed}");
            let all = log.entries(1, 0, u64::MAX).await.unwrap();
            let whole = (1..=last).map(|n| (n, n.to_be_bytes().to_vec()));
            assert!(all.into_iter().eq(whole), "seed {seed}");
            beyond += u64::from(last > answered);
            before = last;
        }
    }
    assert!(beyond > 0, "what was not answered survives now and then");
}

fn rows(number: u64) -> Vec<Write> {
    let row = |column: u64| Write::Put {
        key: column.to_be_bytes().to_vec(),
        value: number.to_be_bytes().to_vec(),
    };
    (0..WIDTH).map(row).collect()
}

/// The number that all rows of a table show: a batch is seen whole or not at all.
async fn shown(store: &dyn Store, table: &str) -> u64 {
    let rows = store.range(table, &[], 99).await.unwrap();
    let numbers: BTreeSet<u64> = rows.into_iter().map(|(_, v)| number(Some(v))).collect();
    assert!(numbers.len() <= 1, "half a batch: {numbers:?}");
    numbers.first().copied().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn a_table_is_a_prefix_that_holds_what_was_flushed() {
    let (mut lost, mut kept, mut apart) = (0, 0, 0);
    for seed in 0..SEEDS {
        let disk = disk(seed);
        let chance = SeededEntropy::new(seed);
        let store = disk.mount().store;
        let (mut flushed, mut applied) = (0, 0);
        for _ in 0..chance.below(30) {
            applied += 1;
            for table in ["one", "two"] {
                store.apply(table, rows(applied)).await.unwrap();
            }
            if chance.below(8) == 0 {
                store.flush().await.unwrap();
                flushed = applied;
            }
        }
        disk.crash(loss_of(seed));

        let store = disk.mount().store;
        let (one, two) = (shown(&*store, "one").await, shown(&*store, "two").await);
        for last in [one, two] {
            assert!((flushed..=applied).contains(&last), "seed {seed}: {last}");
            lost += u64::from(last < applied);
            kept += u64::from(last > flushed);
        }
        apart += u64::from(one != two);
    }
    assert!(lost > 0 && kept > 0 && apart > 0, "{lost} {kept} {apart}");
}

#[tokio::test(start_paused = true)]
async fn a_blob_is_there_whole_or_not_at_all() {
    let (mut survived, mut came_back) = (0, 0);
    for seed in 0..SEEDS {
        let disk = disk(seed);
        let Mounted { blobs, .. } = disk.mount();
        let blob = |n: u8| Bytes::from(vec![n; 3 << 18]);
        let (kept, deleted, unanswered) = (blob(1), blob(2), blob(3));
        let of = |bytes: &Bytes| Digest::of(bytes);
        blobs.put(of(&deleted), deleted.clone()).await.unwrap();
        blobs.put(of(&kept), kept.clone()).await.unwrap();
        blobs.delete(of(&deleted)).await.unwrap();
        let put = blobs.put(of(&unanswered), unanswered.clone());
        let cut = tokio::time::timeout(Duration::from_millis(2), put).await;
        cut.unwrap_err();
        disk.crash(loss_of(seed));

        let Mounted { blobs, .. } = disk.mount();
        assert_eq!(blobs.get(of(&kept)).await.unwrap(), kept);
        for (maybe, count) in [(unanswered, &mut survived), (deleted, &mut came_back)] {
            let listed = blobs.list().await.unwrap().contains(&of(&maybe));
            assert_eq!(blobs.stat(of(&maybe)).await.unwrap().is_some(), listed);
            if listed {
                assert_eq!(blobs.get(of(&maybe)).await.unwrap(), maybe);
                *count += 1;
            }
        }
        if loss_of(seed) == Loss::Process {
            assert!(!blobs.list().await.unwrap().contains(&of(&blob(2))));
        }
    }
    assert!((1..SEEDS).contains(&survived) && (1..SEEDS).contains(&came_back));
}

/// Writes until it is cut, and tells what is there after it.
async fn one_life(seed: u64) -> (Disk, String) {
    let disk = disk(seed);
    let Mounted { log, store, .. } = disk.mount();
    let work = async {
        for n in 1.. {
            store.apply("t", rows(n)).await.unwrap();
            log.apply(1, log_batch(n)).await.unwrap();
        }
    };
    let cut = tokio::time::timeout(Duration::from_millis(50), work).await;
    cut.unwrap_err();
    disk.crash(Loss::Power);
    let Mounted { log, store, .. } = disk.mount();
    let left = format!(
        "{:?} {} {:?}",
        log.bounds(1).await.unwrap(),
        shown(&*store, "t").await,
        disk.fired()
    );
    (disk, left)
}

#[tokio::test(start_paused = true)]
async fn a_seed_repeats_and_all_losses_occur() {
    let mut hits = BTreeSet::new();
    let mut different = BTreeSet::new();
    for seed in 0..60 {
        let (disk, left) = one_life(seed).await;
        assert_eq!(left, one_life(seed).await.1, "seed {seed}");
        hits.extend(disk.fired().into_keys());
        different.insert(left);
    }
    assert!(different.len() > 20, "seeds hardly differ");
    for hit in [Hit::Lost, Hit::Torn, Hit::Reordered] {
        assert!(hits.contains(&hit), "{hit:?} never occurred");
    }
}

#[tokio::test(start_paused = true)]
async fn handles_of_an_ended_process_never_answer() {
    let disk = disk(1);
    let Mounted {
        log, store, blobs, ..
    } = disk.mount();
    let silent = async |log: &dyn host::LogEngine, store: &dyn Store, blobs: &dyn host::Blobs| {
        let patience = Duration::from_secs(3600);
        let write = tokio::time::timeout(patience, log.apply(1, log_batch(1)));
        assert!(write.await.is_err());
        let flush = tokio::time::timeout(patience, store.flush());
        assert!(flush.await.is_err());
        assert!(tokio::time::timeout(patience, blobs.list()).await.is_err());
    };
    disk.crash(Loss::Process);
    silent(&*log, &*store, &*blobs).await;
    let again = disk.mount();
    again.log.apply(1, log_batch(1)).await.unwrap();
    silent(&*log, &*store, &*blobs).await;
    let newer = disk.mount();
    silent(&*again.log, &*again.store, &*again.blobs).await;
    assert_eq!(newer.log.bounds(1).await.unwrap(), Some((1, 1)));
    disk.wipe();
    silent(&*newer.log, &*newer.store, &*newer.blobs).await;
    assert_eq!(disk.mount().log.bounds(1).await.unwrap(), None);
    assert_eq!(disk.usage(), crate::disk::Usage::default());
}

#[tokio::test(start_paused = true)]
async fn an_append_that_was_cut_short_leaves_its_beginning() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..64 {
        let disk = disk(seed);
        let segments = disk.mount().segments;
        segments.append(1, 0, "one".into()).await.unwrap();
        disk.inject(DiskFault::Slow(Duration::from_secs(1)));
        let patience = Duration::from_millis(100);
        let appending = segments.append(1, 3, "two".into());
        assert!(tokio::time::timeout(patience, appending).await.is_err());
        disk.crash(if seed % 2 == 0 {
            Loss::Process
        } else {
            Loss::Power
        });
        disk.heal();
        let left = disk.segments().remove(&1).unwrap();
        assert!(
            left.starts_with(b"one") && b"onetwo".starts_with(&left),
            "{left:?}"
        );
        lengths.insert(left.len());
        // Whoever comes next puts something in its place.
        let segments = disk.mount().segments;
        segments.append(1, 3, "2".into()).await.unwrap();
        assert_eq!(disk.segments()[&1], b"one2");
    }
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6]);
}
