use super::*;
use crate::store::contract;

#[tokio::test]
async fn keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let open = async |name: &str| SledStore::open(&directory.path().join(name)).await.unwrap();
    contract::reads_what_was_applied(&open("a").await).await;
    contract::ranges_in_key_order(&open("b").await).await;
    contract::clears_one_table(&open("c").await).await;
    contract::refuses_large_values(&open("d").await).await;
    contract::batches_are_seen_whole(&open("e").await).await;
    let path = directory.path().join("f");
    contract::is_there_after_a_restart(async || {
        Arc::new(SledStore::open(&path).await.unwrap()) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn what_was_flushed_is_in_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let store = SledStore::open(&directory.path().join("live"))
        .await
        .unwrap();
    for n in 0..500_u32 {
        let put = Write::Put {
            key: n.to_be_bytes().to_vec(),
            value: vec![7; 200],
        };
        store.apply("t", vec![put]).await.unwrap();
    }
    store.flush().await.unwrap();

    // What a crash leaves: the files as they are, with the process that wrote them still alive.
    let copy = directory.path().join("copy");
    copy_files(&directory.path().join("live"), &copy);
    let after = SledStore::open(&copy).await.unwrap();
    assert_eq!(after.range("t", b"", 1000).await.unwrap().len(), 500);
    assert!(store.bytes_on_disk().await.unwrap() > 0);
}

#[tokio::test]
async fn the_first_failure_is_the_last() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = SledStore::open(&path).await.unwrap();
    store.apply("t", Vec::new()).await.unwrap();
    std::fs::rename(path.join("db"), path.join("away")).unwrap();
    assert!(store.flush().await.is_err());
    std::fs::rename(path.join("away"), path.join("db")).unwrap();
    assert!(store.flush().await.is_err());
    assert!(store.get("t", b"k").await.is_err());
    assert!(store.apply("t", Vec::new()).await.is_err());
}

#[tokio::test]
async fn a_lock_that_goes_away_soon_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let first = SledStore::open(directory.path()).await.unwrap();
    let path = directory.path().to_owned();
    let mut second = Box::pin(SledStore::open(&path));
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(200), &mut second)
            .await
            .is_err()
    );
    drop(first);
    second.await.unwrap();
}

#[tokio::test]
async fn a_damaged_store_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let aside = directory.path().join("store.damaged");
    for round in 0..2 {
        let (store, set_aside) = SledStore::open_or_begin_anew(&path).await.unwrap();
        assert!(set_aside.is_none());
        store.apply("t", vec![put("k")]).await.unwrap();
        store.flush().await.unwrap();
        drop(store);
        std::fs::write(
            path.join("conf"),
            format!("no settings of an engine, round {round}"),
        )
        .unwrap();
        let refused = SledStore::open(&path).await.map(drop);
        assert!(
            matches!(refused, Err(StoreError::Damaged { .. })),
            "{refused:?}"
        );
        let (store, set_aside) = SledStore::open_or_begin_anew(&path).await.unwrap();
        let set_aside = set_aside.unwrap();
        assert_eq!(set_aside.to, aside);
        assert!(matches!(set_aside.why, StoreError::Damaged { .. }));
        assert_eq!(store.get("t", b"k").await.unwrap(), None);
        let kept = std::fs::read_to_string(aside.join("conf")).unwrap();
        assert_eq!(kept, format!("no settings of an engine, round {round}"));
    }
}

#[tokio::test]
async fn a_disk_that_fails_is_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    std::fs::create_dir_all(path.join("db")).unwrap();
    let failed = SledStore::open_or_begin_anew(&path).await.map(drop);
    assert!(
        matches!(failed, Err(StoreError::Engine { .. })),
        "{failed:?}"
    );
    assert!(
        path.join("db").try_exists().unwrap(),
        "it stays where it is"
    );
}

#[tokio::test]
async fn damage_that_shows_late_is_known_to_the_next_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = SledStore::open(&path).await.unwrap();
    let damage = io::Error::new(io::ErrorKind::InvalidData, "a page is not what it was");
    assert!(matches!(
        store.engine.fail(&damage),
        StoreError::Damaged { .. }
    ));
    assert!(matches!(
        store.get("t", b"k").await,
        Err(StoreError::Damaged { .. })
    ));
    drop(store);
    let (store, set_aside) = SledStore::open_or_begin_anew(&path).await.unwrap();
    assert!(set_aside.is_some());
    store.flush().await.unwrap();
}

fn put(key: &str) -> Write {
    Write::Put {
        key: key.as_bytes().to_vec(),
        value: vec![1],
    }
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy_files(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
