use std::{collections::BTreeMap, sync::Arc};

use host::store::SledStore;
use model::{AccountId, FunctionId, Region};
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
