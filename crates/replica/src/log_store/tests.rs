use std::{sync::Arc, time::Duration};

use host::{LogEngine, Tasks, log::RedbLog, store::SledStore};
use openraft::{
    RaftLogReader as _, StorageError,
    entry::RaftEntry as _,
    storage::{IOFlushed, RaftLogStorage as _, RaftLogStorageExt as _},
    testing::log::{StoreBuilder, Suite},
    type_config::TypeConfigExt as _,
    vote::RaftLeaderId as _,
};
use tempfile::TempDir;

use super::*;
use crate::{
    options::Options,
    snapshot::Snapshots,
    state::{Adapter, State, Table},
    testing::{Disk, Kv},
    types::{Command, LeaderId, Payload},
};

async fn open(disk: &Disk) -> (LogStore, Failed) {
    let failed = Failed::new();
    let tasks = Tasks::new();
    let (log, store) = (disk.log.clone(), disk.store.clone());
    let opened = LogStore::open(3, log, store, &tasks, failed.clone()).await;
    (opened.unwrap(), failed)
}

fn id(term: u64, index: u64) -> LogId {
    LogId::new(LeaderId::new(term, 1), index)
}

fn command(term: u64, index: u64, bytes: usize) -> Entry {
    let command = Command(vec![7; bytes].into());
    Entry::new(id(term, index), Payload::Normal(command))
}

fn indices(entries: &[Entry]) -> Vec<(u64, u64)> {
    let pair = |e: &Entry| (e.log_id.leader_id.term, e.log_id.index);
    entries.iter().map(pair).collect()
}

#[tokio::test]
async fn entries_are_readable_before_they_are_durable_and_callbacks_come_after() {
    let disk = Disk::default();
    let (mut log, _) = open(&disk).await;
    let (tx, flushed) = Types::oneshot();
    log.append((0..10).map(|i| command(1, i, 8)), IOFlushed::signal(tx))
        .await
        .unwrap();
    let barriers = disk.log.barriers();
    assert_eq!(log.try_get_log_entries(0..10).await.unwrap().len(), 10);
    assert_eq!(barriers, 0, "the read did not wait for the disk");
    flushed.await.unwrap().unwrap();
    assert_eq!(disk.log.bounds(3).await.unwrap(), Some((0, 9)));
}

#[tokio::test]
async fn many_appends_share_a_barrier() {
    let disk = Disk::default();
    let (mut log, _) = open(&disk).await;
    let mut waiting = Vec::new();
    for index in 0..200 {
        let (tx, flushed) = Types::oneshot();
        log.append([command(1, index, 8)], IOFlushed::signal(tx))
            .await
            .unwrap();
        waiting.push(flushed);
    }
    for flushed in waiting {
        flushed.await.unwrap().unwrap();
    }
    let barriers = disk.log.barriers();
    assert!(barriers <= 20, "200 appends took {barriers} barriers");
}

#[tokio::test]
async fn a_log_is_the_same_after_a_restart() {
    let disk = Disk::default();
    {
        let (mut log, _) = open(&disk).await;
        log.save_vote(&Vote::new(4, 9)).await.unwrap();
        log.blocking_append((0..20).map(|i| command(1, i, 8)))
            .await
            .unwrap();
        log.truncate_after(Some(id(1, 14))).await.unwrap();
        log.blocking_append([command(2, 15, 8)]).await.unwrap();
        log.save_committed(Some(id(1, 12))).await.unwrap();
        log.purge(id(1, 4)).await.unwrap();
        log.close().await;
    }
    let (mut log, _) = open(&disk).await;
    assert_eq!(log.read_vote().await.unwrap(), Some(Vote::new(4, 9)));
    let state = log.get_log_state().await.unwrap();
    assert_eq!(state.last_purged_log_id, Some(id(1, 4)));
    assert_eq!(state.last_log_id, Some(id(2, 15)));
    assert_eq!(log.read_committed().await.unwrap(), Some(id(1, 12)));
    let entries = log.try_get_log_entries(..).await.unwrap();
    let expected: Vec<_> = (5..15).map(|i| (1, i)).chain([(2, 15)]).collect();
    assert_eq!(indices(&entries), expected);
    assert_eq!(entries.first(), Some(&command(1, 5, 8)));
}

#[tokio::test]
async fn a_purge_beyond_the_end_leaves_an_empty_log_that_goes_on_there() {
    let disk = Disk::default();
    let (mut log, _) = open(&disk).await;
    log.blocking_append((0..5).map(|i| command(1, i, 8)))
        .await
        .unwrap();
    log.purge(id(3, 50)).await.unwrap();
    log.blocking_append([command(3, 51, 8)]).await.unwrap();
    log.close().await;
    let (mut log, _) = open(&disk).await;
    assert_eq!(
        indices(&log.try_get_log_entries(..).await.unwrap()),
        [(3, 51)]
    );
    assert_eq!(log.purged(), Some(id(3, 50)));
}

#[tokio::test]
async fn old_entries_leave_memory_and_are_read_from_the_engine() {
    let disk = Disk::default();
    let (mut log, _) = open(&disk).await;
    let count = u64::try_from(TAIL_ENTRIES).unwrap() + 500;
    for index in 0..count {
        if index % 500 == 0 {
            log.blocking_append([command(1, index, 8)]).await.unwrap();
        } else {
            log.append([command(1, index, 8)], IOFlushed::noop())
                .await
                .unwrap();
        }
    }
    log.blocking_append([command(1, count, 8)]).await.unwrap();
    let first = log.shared.positions.read().tail.first();
    assert!(first > 0, "nothing was evicted");
    let entries = log.try_get_log_entries(first - 3..first + 3).await.unwrap();
    let expected: Vec<_> = (first - 3..first + 3).map(|i| (1, i)).collect();
    assert_eq!(indices(&entries), expected);
    assert_eq!(
        log.try_get_log_entries(..).await.unwrap().len(),
        usize::try_from(count).unwrap() + 1
    );
    // A truncation into the part that is not in memory.
    log.truncate_after(Some(id(1, 10))).await.unwrap();
    log.append([command(2, 11, 8)], IOFlushed::noop())
        .await
        .unwrap();
    let entries = log.try_get_log_entries(9..).await.unwrap();
    assert_eq!(indices(&entries), [(1, 9), (1, 10), (2, 11)]);
}

#[tokio::test]
async fn what_goes_into_a_message_is_bounded_but_never_nothing() {
    let disk = Disk::default();
    let (mut log, _) = open(&disk).await;
    let sizes = [MESSAGE_BYTES * 2, MESSAGE_BYTES / 2, MESSAGE_BYTES / 2, 10];
    log.blocking_append((0..).zip(sizes).map(|(i, size)| command(1, i, size)))
        .await
        .unwrap();
    let limited =
        async |log: &mut LogStore, from| log.limited_get_log_entries(from, 4).await.unwrap().len();
    assert_eq!(limited(&mut log, 0).await, 1);
    assert_eq!(limited(&mut log, 1).await, 2);
    assert_eq!(limited(&mut log, 2).await, 2);
}

#[tokio::test]
async fn the_first_error_of_the_disk_is_the_last_word() {
    let disk = Disk::default();
    let (mut log, failed) = open(&disk).await;
    log.blocking_append([command(1, 0, 8)]).await.unwrap();
    disk.log.break_down();
    assert!(log.blocking_append([command(1, 1, 8)]).await.is_err());
    assert!(matches!(failed.get(), Some(Fatal::Log(_))));
    assert!(log.save_vote(&Vote::new(4, 9)).await.is_err());
    assert_eq!(
        log.read_vote().await.unwrap(),
        None,
        "a vote that is not durable was not cast"
    );
}

#[tokio::test]
async fn a_damaged_log_is_refused() {
    let disk = Disk::default();
    let append = |index, bytes: &[u8]| LogOp::Append {
        index,
        bytes: bytes.to_vec(),
    };
    disk.log.apply(3, vec![append(5, b"x")]).await.unwrap();
    let (log, store) = (disk.log.clone(), disk.store.clone());
    let opened = LogStore::open(3, log, store, &Tasks::new(), Failed::new()).await;
    assert!(matches!(opened, Err(StartError::Damaged { .. })));
}

/// Our log and state, for the protocol library's conformance suite.
enum Storage {
    Memory,
    Disk,
}

impl Storage {
    async fn open(&self) -> (Option<TempDir>, Arc<dyn LogEngine>, Arc<dyn Store>) {
        match self {
            Self::Memory => {
                let disk = Disk::default();
                (None, disk.log, disk.store)
            }
            Self::Disk => {
                let directory = tempfile::tempdir().unwrap();
                let log = RedbLog::open(&directory.path().join("log")).await.unwrap();
                let store = SledStore::open(&directory.path().join("store"))
                    .await
                    .unwrap();
                (Some(directory), Arc::new(log), Arc::new(store))
            }
        }
    }
}

impl StoreBuilder<Types, LogStore, Adapter<Kv>, Option<TempDir>> for Storage {
    async fn build(&self) -> Result<(Option<TempDir>, LogStore, Adapter<Kv>), StorageError<Types>> {
        let (guard, log, store) = self.open().await;
        let failed = Failed::new();
        let options = Options::default();
        let tasks = Tasks::new();
        let opened = LogStore::open(3, log.clone(), store.clone(), &tasks, failed.clone()).await;
        let adapter = Adapter {
            group: 3,
            state: Arc::new(State::new(Kv::default(), &options)),
            table: Table::new(store, 3),
            snapshots: Arc::new(Snapshots::open(3, log).await.unwrap()),
            failed,
        };
        Ok((guard, opened.unwrap(), adapter))
    }
}

#[tokio::test]
async fn the_suite_of_the_protocol_library_passes_in_memory() {
    Suite::test_all(Storage::Memory).await.unwrap();
}

#[tokio::test]
async fn the_suite_of_the_protocol_library_passes_on_disk() {
    Suite::test_all(Storage::Disk).await.unwrap();
}

#[tokio::test]
async fn closing_twice_is_harmless() {
    let (log, _) = open(&Disk::default()).await;
    log.close().await;
    tokio::time::timeout(Duration::from_secs(5), log.close())
        .await
        .unwrap();
}
