use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use redb::StorageBackend;

use super::*;
use crate::log::contract;

#[tokio::test]
async fn keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    contract::reads_what_was_applied(&RedbLog::open(&directory.path().join("a")).await.unwrap())
        .await;
    contract::truncates_and_purges(&RedbLog::open(&directory.path().join("b")).await.unwrap())
        .await;
    contract::applies_in_the_order_of_calls(
        &RedbLog::open(&directory.path().join("c")).await.unwrap(),
    )
    .await;
    let path = directory.path().join("d");
    contract::is_there_after_a_restart(async || {
        Arc::new(RedbLog::open(&path).await.unwrap()) as Arc<dyn LogEngine>
    })
    .await;
}

#[tokio::test]
async fn an_unfinished_creation_is_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("raft.new"), b"half a file").unwrap();
    let log = RedbLog::open(directory.path()).await.unwrap();
    assert_eq!(log.bounds(1).await.unwrap(), None);
    assert!(!directory.path().join("raft.new").try_exists().unwrap());
}

#[tokio::test]
async fn a_file_that_is_no_log_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("raft.redb"), vec![7; 1 << 20]).unwrap();
    assert!(matches!(
        RedbLog::open(directory.path()).await,
        Err(LogError::Engine { .. })
    ));
}

#[tokio::test]
async fn a_record_that_rotted_is_damage_and_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let log = RedbLog::open(directory.path()).await.unwrap();
    log.apply(3, vec![append(1, b"one"), append(2, b"two")])
        .await
        .unwrap();
    let transaction = log.engine.database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(ENTRIES).unwrap();
        let key = entry_key(3, 2);
        let mut rotten = seal(&key, b"two");
        rotten[5] ^= 1;
        table.insert(&key, rotten.as_slice()).unwrap();
    }
    transaction.commit().unwrap();

    assert_eq!(log.entries(3, 1, 2).await.unwrap().len(), 1);
    let error = log.entries(3, 1, 3).await.unwrap_err();
    assert!(
        matches!(&error, LogError::Damaged { what, .. } if what == "entry 2 of group 3"),
        "{error}"
    );
    assert!(log.entries(3, 1, 2).await.is_err());
    assert!(log.apply(3, vec![append(3, b"three")]).await.is_err());
}

#[tokio::test]
async fn a_record_under_another_key_is_damage() {
    let sealed = seal(&entry_key(1, 1), b"one");
    assert!(unseal(&entry_key(1, 1), &sealed).is_some());
    assert!(unseal(&entry_key(1, 2), &sealed).is_none());
    assert!(unseal(&entry_key(1, 1), &sealed[..3]).is_none());
}

#[tokio::test]
async fn what_returned_survives_a_power_loss() {
    let disk = Disk::default();
    let log = on(&disk);
    for index in 1..=50 {
        log.apply(1, vec![append(index, &[7; 300])]).await.unwrap();
        if index % 10 == 0 {
            let after = on(&disk.after_power_loss());
            assert_eq!(after.bounds(1).await.unwrap(), Some((1, index)));
            assert_eq!(
                after.entries(1, 1, index + 1).await.unwrap().len(),
                usize::try_from(index).unwrap()
            );
        }
    }
}

#[tokio::test]
async fn concurrent_batches_share_a_barrier() {
    let disk = Disk::default();
    let log = on(&disk);
    let before = disk.syncs.load(Ordering::SeqCst);
    // The writer is held at its first barrier until everybody is queued.
    let hold = disk.barrier.lock();
    let mut calls: Vec<_> = (1..=100)
        .map(|index| Box::pin(log.apply(index % 3, vec![append(index, b"x")])))
        .collect();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for call in &mut calls {
        assert!(call.as_mut().poll(&mut context).is_pending());
    }
    drop(hold);
    for call in calls {
        call.await.unwrap();
    }
    let syncs = disk.syncs.load(Ordering::SeqCst) - before;
    assert!((1..=4).contains(&syncs), "{syncs} barriers for 100 batches");
}

#[tokio::test]
async fn a_batch_costs_one_barrier() {
    let disk = Disk::default();
    let log = on(&disk);
    let before = disk.syncs.load(Ordering::SeqCst);
    for index in 1..=20 {
        log.apply(1, vec![append(index, &[7; 300])]).await.unwrap();
    }
    assert_eq!(disk.syncs.load(Ordering::SeqCst) - before, 20);
}

#[tokio::test]
async fn the_first_failed_barrier_is_the_last() {
    let disk = Disk::default();
    let log = on(&disk);
    log.apply(1, vec![append(1, b"one")]).await.unwrap();
    disk.broken.store(true, Ordering::SeqCst);
    assert!(log.apply(1, vec![append(2, b"two")]).await.is_err());
    disk.broken.store(false, Ordering::SeqCst);
    assert!(log.apply(1, vec![append(2, b"two")]).await.is_err());
    assert!(log.entries(1, 1, 2).await.is_err());
    assert!(log.bounds(1).await.is_err());
    assert!(log.meta(1, "vote").await.is_err());

    let after = on(&disk.after_power_loss());
    assert_eq!(after.bounds(1).await.unwrap(), Some((1, 1)));
}

fn append(index: u64, bytes: &[u8]) -> LogOp {
    LogOp::Append {
        index,
        bytes: bytes.to_vec(),
    }
}

fn on(disk: &Disk) -> RedbLog {
    let database = Database::builder()
        .create_with_backend(disk.clone())
        .unwrap();
    create_tables(&database).unwrap();
    RedbLog::start(database, "test disk".to_owned()).unwrap()
}

/// A disk in memory that forgets what was not synced, and that can fail.
#[derive(Clone, Default)]
struct Disk {
    now: Arc<Mutex<Vec<u8>>>,
    synced: Arc<Mutex<Vec<u8>>>,
    syncs: Arc<AtomicU64>,
    broken: Arc<AtomicBool>,
    barrier: Arc<Mutex<()>>,
}

impl Disk {
    fn after_power_loss(&self) -> Self {
        let survived = self.synced.lock().clone();
        Self {
            now: Arc::new(Mutex::new(survived.clone())),
            synced: Arc::new(Mutex::new(survived)),
            ..Self::default()
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.now.lock().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.now.lock()[at..at + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.now.lock().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let _held = self.barrier.lock();
        if self.broken.load(Ordering::SeqCst) {
            return Err(io::Error::other("injected"));
        }
        self.syncs.fetch_add(1, Ordering::SeqCst);
        self.synced.lock().clone_from(&self.now.lock());
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        self.now.lock()[at..at + data.len()].copy_from_slice(data);
        Ok(())
    }
}
