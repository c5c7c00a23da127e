//! A store on a disk that has failed is let go of without a panic, which an operator would read as a bug.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may give up, and says so when it is skipped"
)]

mod fuse;

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use faultfs::{Errno, Options};
use fuse::{PATIENCE, disk_or_skip};
use host::{SledStore, Store as _, store::Write};

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Whether a writer of a store is still there; it is the last to hold the database.
fn has_writer() -> bool {
    fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .any(|name| name.trim() == "store")
}

async fn until_closed() {
    while has_writer() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn a_store_on_a_failed_disk_closes_without_a_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        before(panic);
    }));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for noticed in [false, true] {
        let Some(disk) = disk_or_skip(Options::default()) else {
            return;
        };
        runtime.block_on(async {
            let store = SledStore::open(&disk.directory.path().join("store"))
                .await
                .unwrap();
            let put = |key: &[u8]| {
                vec![Write::Put {
                    key: key.to_vec(),
                    value: b"value".to_vec(),
                }]
            };
            store.apply("table", put(b"flushed")).await.unwrap();
            store.flush().await.unwrap();
            if !noticed {
                store.apply("table", put(b"waiting")).await.unwrap();
            }
            disk.mount.control().fail(Errno::Io);
            if noticed {
                store.flush().await.unwrap_err();
            }
        });
        runtime
            .block_on(async { tokio::time::timeout(PATIENCE, until_closed()).await })
            .unwrap();
        disk.mount.control().heal();
    }
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
}
