use std::sync::Arc;

use host::store::SledStore;
use model::{FunctionId, MasterKeyId, Region, Revision, Timestamp};
use seal::MasterKey;
use state::{Change, Record};

use super::*;
use crate::codec;

fn ring(keys: &[(&str, u8)]) -> Arc<KeyRing> {
    let keys = keys.iter().map(|(id, byte)| {
        let id: MasterKeyId = id.parse().unwrap();
        (id, MasterKey::from_bytes([*byte; 32]))
    });
    Arc::new(KeyRing::new(keys.collect()).unwrap())
}

fn function() -> FunctionId {
    FunctionId {
        account: AccountId::DEFAULT,
        region: Region::default(),
        name: "f".parse().unwrap(),
    }
}

fn data_key(ring: &KeyRing, generation: Generation, byte: u8) -> DataKey {
    DataKey {
        account: AccountId::DEFAULT,
        generation,
        wrapped: ring
            .wrap(AccountId::DEFAULT, generation, Zeroizing::new([byte; 32]))
            .unwrap(),
        created: Timestamp(0),
    }
}

/// A copy that followed these data keys, on a disk of its own.
async fn copy(keys: Vec<DataKey>) -> (LocalCopy, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let store = SledStore::open(directory.path()).await.unwrap();
    let copy = LocalCopy::open(Arc::new(store)).await.unwrap();
    let rows = keys
        .into_iter()
        .map(|key| codec::encode_change(&Change::Put(Record::DataKey(Arc::new(key)))));
    copy.replace("c", Revision(1), rows.collect())
        .await
        .unwrap();
    (copy, directory)
}

#[tokio::test]
async fn new_texts_get_the_newest_key_and_old_ones_open() {
    let ring = ring(&[("m", 1)]);
    let second = Generation::FIRST.next();
    let keys = vec![
        data_key(&ring, Generation::FIRST, 5),
        data_key(&ring, second, 6),
    ];
    let old = ring.unwrap(&keys[0]).unwrap();
    let (copy, _directory) = copy(keys).await;
    let keys = DataKeys::new(copy, ring);
    let function = function();
    let place = Place::Environment(&function);
    let sealed = old.seal(place, b"s").unwrap();
    assert_eq!(&**keys.open(place, &sealed).unwrap(), b"s");
    let key = keys.text_key(place, &sealed).unwrap();
    assert_eq!(&**seal::open_with(&key, place, &sealed).unwrap(), b"s");
    let newest = keys.newest(AccountId::DEFAULT).unwrap().unwrap();
    assert_eq!(newest.generation(), second);
    let other = "000000000001".parse().unwrap();
    assert!(keys.newest(other).unwrap().is_none());
}

#[tokio::test]
async fn what_is_missing_may_be_there_later_or_elsewhere_and_what_is_damaged_is_not() {
    let ours = ring(&[("m", 1)]);
    let first = data_key(&ours, Generation::FIRST, 5);
    let function = function();
    let place = Place::Environment(&function);
    let sealed = ours.unwrap(&first).unwrap().seal(place, b"s").unwrap();
    let (empty, _one) = copy(Vec::new()).await;
    let (full, _other) = copy(vec![first]).await;
    let error = |copy: &LocalCopy, ring| {
        let keys = DataKeys::new(copy.clone(), ring);
        keys.open(place, &sealed).err().unwrap()
    };
    let missing = error(&empty, ours);
    assert!(matches!(missing, SecretError::Missing { .. }) && missing.is_retryable());
    let unknown = error(&full, ring(&[("other", 1)]));
    assert!(matches!(unknown, SecretError::Unwrap(_)) && unknown.is_retryable());
    let damaged = error(&full, ring(&[("m", 2)]));
    assert!(matches!(damaged, SecretError::Unwrap(_)) && !damaged.is_retryable());
}
