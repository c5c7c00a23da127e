use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use host::store::SledStore;
use model::{AccountId, FunctionId, Region, Version, function::State};
use state::{Change, Record};

use super::*;

fn function(name: &str) -> FunctionId {
    FunctionId {
        account: AccountId::DEFAULT,
        region: Region::default(),
        name: name.parse().unwrap(),
    }
}

fn head(name: &str, next_version: u64) -> Row {
    codec::encode_change(&Change::Put(Record::Function {
        id: function(name),
        next_version,
        tags: BTreeMap::new(),
        published_description: String::new(),
        code_signing: None,
    }))
}

async fn store(dir: &tempfile::TempDir) -> Arc<dyn Store> {
    Arc::new(SledStore::open(dir.path()).await.unwrap())
}

fn heads(copy: &LocalCopy) -> usize {
    copy.read(|c| c.records().count())
}

#[tokio::test]
async fn a_restart_serves_what_was_followed() {
    let dir = tempfile::tempdir().unwrap();
    {
        let copy = LocalCopy::open(store(&dir).await).await.unwrap();
        copy.replace("c1", Revision(5), vec![head("a", 1), head("b", 1)])
            .await
            .unwrap();
        copy.advance(
            Revision(6),
            vec![
                head("c", 1),
                Row {
                    key: head("a", 1).key,
                    value: None,
                },
            ],
        )
        .await
        .unwrap();
        copy.shared.store.flush().await.unwrap();
    }
    let copy = LocalCopy::open(store(&dir).await).await.unwrap();
    assert_eq!(
        (copy.cluster_id().as_str(), copy.revision()),
        ("c1", Revision(6))
    );
    assert_eq!(heads(&copy), 2);
    assert_eq!(copy.staleness(), None);
}

#[tokio::test]
async fn a_half_written_snapshot_is_no_copy() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).await;
    let copy = LocalCopy::open(store.clone()).await.unwrap();
    copy.replace("c1", Revision(5), vec![head("a", 1)])
        .await
        .unwrap();
    store
        .apply(TABLE, vec![Write::Delete { key: MARK.to_vec() }])
        .await
        .unwrap();
    let copy = LocalCopy::open(store).await.unwrap();
    assert_eq!((copy.revision(), heads(&copy)), (Revision(0), 0));
}

#[tokio::test]
async fn an_unreadable_record_empties_the_copy() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).await;
    let copy = LocalCopy::open(store.clone()).await.unwrap();
    copy.replace("c1", Revision(5), vec![head("a", 1)])
        .await
        .unwrap();
    store
        .apply(
            TABLE,
            vec![Write::Put {
                key: head("b", 1).key,
                value: b"\xff".to_vec(),
            }],
        )
        .await
        .unwrap();
    let copy = LocalCopy::open(store).await.unwrap();
    assert_eq!((copy.revision(), heads(&copy)), (Revision(0), 0));
}

#[tokio::test]
async fn a_node_that_is_held_back_keeps_no_copy_of_a_newer_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).await;
    let format = codec::encode_change(&Change::Put(Record::Format(2)));
    let copy = LocalCopy::open(store.clone()).await.unwrap();
    copy.replace("c1", Revision(5), vec![head("a", 1), format.clone()])
        .await
        .unwrap();
    assert_eq!(copy.read(|catalog| catalog.format()), 2);
    let old = LocalCopy::open_up_to(store, 1).await.unwrap();
    assert_eq!((old.revision(), heads(&old)), (Revision(0), 0));
    old.replace("c1", Revision(5), vec![head("a", 1)])
        .await
        .unwrap();
    let refused = old.advance(Revision(6), vec![format]).await;
    assert!(matches!(refused, Err(FollowError::TooOld(_))));
    assert_eq!((old.revision(), heads(&old)), (Revision(5), 1));
}

#[tokio::test]
async fn waiting_ends_with_the_revision_or_with_patience() {
    let dir = tempfile::tempdir().unwrap();
    let copy = LocalCopy::open(store(&dir).await).await.unwrap();
    let late = copy.wait_for(Revision(3), Duration::from_millis(10)).await;
    assert_eq!(
        late,
        Err(Behind {
            have: Revision(0),
            want: Revision(3)
        })
    );
    let (reached, moved) = tokio::join!(
        copy.wait_for(Revision(3), Duration::from_secs(5)),
        copy.replace("c1", Revision(3), vec![])
    );
    assert_eq!(reached, Ok(()));
    moved.unwrap();
}

#[tokio::test]
async fn answers_of_the_controllers_stay_with_them() {
    let dir = tempfile::tempdir().unwrap();
    let copy = LocalCopy::open(store(&dir).await).await.unwrap();
    let answer = Row {
        key: format!("i/{:032x}", 1).into_bytes(),
        value: Some(b"anything".to_vec()),
    };
    copy.replace("c1", Revision(3), vec![answer, head("a", 1)])
        .await
        .unwrap();
    assert_eq!(heads(&copy), 1);
}

#[tokio::test]
async fn a_revision_without_a_record_is_reached_by_its_confirmation() {
    let dir = tempfile::tempdir().unwrap();
    let copy = LocalCopy::open(store(&dir).await).await.unwrap();
    copy.replace("c1", Revision(5), vec![head("a", 1)])
        .await
        .unwrap();
    let behind = copy.wait_for(Revision(7), Duration::ZERO).await;
    assert_eq!(
        behind,
        Err(Behind {
            have: Revision(5),
            want: Revision(7)
        })
    );
    copy.confirm(Revision(7));
    assert_eq!(copy.wait_for(Revision(7), Duration::ZERO).await, Ok(()));
    copy.confirm(Revision(6));
    assert_eq!(copy.revision(), Revision(7));
}

/// A store that fails from a moment on, and counts what it is asked after that.
struct Breaking {
    store: Arc<dyn Store>,
    broken: AtomicBool,
    asked: AtomicUsize,
}

impl Breaking {
    fn check(&self) -> Result<(), StoreError> {
        if !self.broken.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        Err(StoreError::Engine {
            path: "memory".to_owned(),
            source: std::io::Error::other("the disk is broken"),
        })
    }
}

#[async_trait::async_trait]
impl Store for Breaking {
    async fn apply(&self, table: &str, batch: Vec<Write>) -> Result<(), StoreError> {
        self.check()?;
        self.store.apply(table, batch).await
    }

    async fn clear(&self, table: &str) -> Result<(), StoreError> {
        self.check()?;
        self.store.clear(table).await
    }

    async fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(table, key).await
    }

    async fn range(
        &self,
        table: &str,
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.store.range(table, from, limit).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.check()?;
        self.store.flush().await
    }
}

async fn breaking(dir: &tempfile::TempDir) -> (Arc<Breaking>, LocalCopy) {
    let breaking = Arc::new(Breaking {
        store: store(dir).await,
        broken: AtomicBool::new(false),
        asked: AtomicUsize::new(0),
    });
    let copy = LocalCopy::open(breaking.clone()).await.unwrap();
    copy.replace("c1", Revision(5), vec![head("a", 1)])
        .await
        .unwrap();
    (breaking, copy)
}

#[tokio::test]
async fn a_store_that_failed_is_told_and_not_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let (store, copy) = breaking(&dir).await;
    assert!(futures::FutureExt::now_or_never(copy.failed()).is_none());
    store.broken.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let step = copy.advance(Revision(6), vec![head("b", 1)]).await;
        assert!(matches!(step, Err(FollowError::Failed(_))));
        let whole = copy.replace("c2", Revision(9), Vec::new()).await;
        assert!(matches!(whole, Err(FollowError::Failed(_))));
    }
    assert_eq!(store.asked.load(Ordering::SeqCst), 1);
    let error = copy.failed().await;
    assert!(error.to_string().contains("memory"), "{error}");
    // What was there can be read to the end.
    assert_eq!((copy.revision(), heads(&copy)), (Revision(5), 1));
}

#[tokio::test]
async fn what_was_followed_is_flushed_soon_and_its_failure_told() {
    let dir = tempfile::tempdir().unwrap();
    let (store, copy) = breaking(&dir).await;
    store.broken.store(true, Ordering::SeqCst);
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, copy.keep_flushed())
        .await
        .unwrap();
    assert!(matches!(*copy.failed().await, StoreError::Engine { .. }));
}

#[tokio::test]
async fn a_record_that_is_too_large_is_no_failure_of_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let copy = LocalCopy::open(store(&dir).await).await.unwrap();
    let large = Write::Put {
        key: b"k".to_vec(),
        value: vec![0; host::store::VALUE_MAX + 1],
    };
    let refused = copy.write(vec![large]).await;
    assert!(matches!(refused, Err(FollowError::TooLarge(_))));
    assert!(futures::FutureExt::now_or_never(copy.failed()).is_none());
}

#[tokio::test]
async fn a_version_that_is_held_elsewhere_is_held_once() {
    let version = |name: &str, description: &str| {
        let mut version = crate::codec::tests::version(State::Active, None);
        version.id = VersionId {
            function: function(name),
            version: Version::Latest,
        };
        version.config.description = description.to_owned();
        Arc::new(version)
    };
    let row = |version: &Arc<FunctionVersion>| {
        codec::encode_change(&Change::Put(Record::Version(version.clone())))
    };
    let dir = tempfile::tempdir().unwrap();
    let copy = LocalCopy::open(store(&dir).await).await.unwrap();
    let (before, after, other) = (version("a", ""), version("b", ""), version("c", "here"));
    let elsewhere = [before.clone(), after.clone(), version("c", "there")];
    copy.replace("c1", Revision(5), vec![head("a", 1), row(&before)])
        .await
        .unwrap();
    copy.share_versions(move |id| elsewhere.iter().find(|v| v.id == *id).cloned());
    let rows = [head("b", 1), row(&after), head("c", 1), row(&other)];
    copy.advance(Revision(6), rows.into()).await.unwrap();
    let held = |version: &Arc<FunctionVersion>| {
        copy.read(|catalog| catalog.version(&version.id).unwrap().clone())
    };
    assert!(Arc::ptr_eq(&held(&before), &before));
    assert!(Arc::ptr_eq(&held(&after), &after));
    // What is not the same there is kept as it came.
    assert_eq!(held(&other), other);
}
