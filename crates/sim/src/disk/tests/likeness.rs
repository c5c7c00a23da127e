//! The simulated disk answers what the real adapters answer, step by step, over restarts.

use std::path::Path;

use host::{
    Entropy, LogEngine, RedbLog, SeededEntropy, SledStore, Store, log::LogOp, store::Write,
};

use super::disk;

const SEEDS: u64 = 4;
const STEPS: u64 = 120;
const KEYS: [&str; 3] = ["vote", "purged", "committed"];

fn bytes(chance: &dyn Entropy) -> Vec<u8> {
    let length = usize::try_from(chance.below(200)).unwrap();
    vec![u8::try_from(chance.below(256)).unwrap(); length]
}

fn log_op(chance: &dyn Entropy) -> LogOp {
    let index = chance.below(40);
    match chance.below(8) {
        0 => LogOp::TruncateFrom(index),
        1 => LogOp::PurgeTo(index),
        2 => LogOp::SetMeta {
            key: KEYS[usize::try_from(chance.below(3)).unwrap()],
            bytes: bytes(chance),
        },
        _ => LogOp::Append {
            index,
            bytes: bytes(chance),
        },
    }
}

async fn compare_logs(one: &dyn LogEngine, other: &dyn LogEngine, chance: &dyn Entropy) {
    for group in 0..2 {
        let (from, to) = (chance.below(45), chance.below(45));
        assert_eq!(
            one.entries(group, from, to).await.unwrap(),
            other.entries(group, from, to).await.unwrap()
        );
        assert_eq!(
            one.bounds(group).await.unwrap(),
            other.bounds(group).await.unwrap()
        );
        for key in KEYS {
            assert_eq!(
                one.meta(group, key).await.unwrap(),
                other.meta(group, key).await.unwrap()
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_is_like_the_real_one() {
    for seed in 0..SEEDS {
        let directory = tempfile::tempdir().unwrap();
        let (disk, chance) = (disk(seed), SeededEntropy::new(seed));
        let open = async |path: &Path| RedbLog::open(path).await.unwrap();
        let mut real = open(directory.path()).await;
        let mut simulated = disk.mount().log;
        for _ in 0..STEPS {
            let group = chance.below(2);
            let ops: Vec<LogOp> = (0..chance.below(6)).map(|_| log_op(&chance)).collect();
            real.apply(group, ops.clone()).await.unwrap();
            simulated.apply(group, ops).await.unwrap();
            if chance.below(30) == 0 {
                drop(real);
                real = open(directory.path()).await;
                simulated = disk.mount().log;
            }
            compare_logs(&real, &*simulated, &chance).await;
        }
    }
}

fn key(chance: &dyn Entropy) -> Vec<u8> {
    (0..1 + chance.below(2))
        .map(|_| u8::try_from(chance.below(8)).unwrap())
        .collect()
}

fn write(chance: &dyn Entropy) -> Write {
    match chance.below(3) {
        0 => Write::Delete { key: key(chance) },
        _ => Write::Put {
            key: key(chance),
            value: bytes(chance),
        },
    }
}

async fn compare_stores(one: &dyn Store, other: &dyn Store, chance: &dyn Entropy) {
    for table in ["a", "b", "never"] {
        let (key, limit) = (key(chance), usize::try_from(chance.below(30)).unwrap());
        assert_eq!(
            one.get(table, &key).await.unwrap(),
            other.get(table, &key).await.unwrap()
        );
        assert_eq!(
            one.range(table, &key, limit).await.unwrap(),
            other.range(table, &key, limit).await.unwrap()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_store_is_like_the_real_one() {
    for seed in 0..SEEDS {
        let directory = tempfile::tempdir().unwrap();
        let (disk, chance) = (disk(seed), SeededEntropy::new(seed));
        let open = async |path: &Path| SledStore::open(path).await.unwrap();
        let mut real = open(directory.path()).await;
        let mut simulated = disk.mount().store;
        for _ in 0..STEPS {
            let table = if chance.below(2) == 0 { "a" } else { "b" };
            if chance.below(25) == 0 {
                real.clear(table).await.unwrap();
                simulated.clear(table).await.unwrap();
            } else {
                let batch: Vec<Write> = (0..chance.below(9)).map(|_| write(&chance)).collect();
                real.apply(table, batch.clone()).await.unwrap();
                simulated.apply(table, batch).await.unwrap();
            }
            if chance.below(30) == 0 {
                real.flush().await.unwrap();
                simulated.flush().await.unwrap();
                drop(real);
                real = open(directory.path()).await;
                disk.crash(crate::disk::Loss::Power);
                simulated = disk.mount().store;
            }
            compare_stores(&real, &*simulated, &chance).await;
        }
    }
}
