use std::sync::Arc;

use host::store::SledStore;
use model::{
    FunctionId, MasterKeyId, Region, Revision, Timestamp,
    iam::{AccessKeyId, Hour, Session},
};
use prost::Message as _;
use proto::internal as pb;
use seal::{MasterKey, RoleKey};
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

fn session(generation: Generation) -> Session {
    Session {
        role: "arn:aws:iam::000000000000:role/r".parse().unwrap(),
        name: "hello".parse().unwrap(),
        access_key: AccessKeyId::of_session(1),
        generation,
        hour: Hour(490_000),
        issued: Hour(490_000).start(),
        expires: Hour(490_001).start(),
        policy: None,
        function: None,
    }
}

fn issued(key: &RoleKey, session: &Session) -> String {
    let claims = pb::Session::from(session).encode_to_vec();
    key.issue(&claims).session_token().to_owned()
}

#[tokio::test]
async fn a_session_is_proven_by_any_copy_that_has_the_data_key() {
    let ring = ring(&[("m", 1)]);
    let second = Generation::FIRST.next();
    let old = data_key(&ring, Generation::FIRST, 5);
    let (one, _one) = copy(vec![old.clone()]).await;
    let (other, _other) = copy(vec![old, data_key(&ring, second, 6)]).await;
    let issuer = DataKeys::new(one, ring.clone());
    let prover = DataKeys::new(other, ring);
    let session = session(Generation::FIRST);
    let key = issuer
        .role_key(&session.role, session.hour)
        .unwrap()
        .unwrap();
    let token = issued(&key, &session);
    let (proven, credentials) = prover.prove(&token).unwrap();
    assert_eq!(proven, session);
    assert_eq!(credentials.session_token(), token);
    assert_eq!(unproven_session(&token), Some(session.clone()));
    let newer = prover.role_key(&session.role, session.hour).unwrap();
    assert_eq!(newer.unwrap().generation(), second);
    let elsewhere = "arn:aws:iam::000000000001:role/r".parse().unwrap();
    assert!(issuer.role_key(&elsewhere, session.hour).unwrap().is_none());
}

#[tokio::test]
async fn a_role_key_proves_nothing_that_it_was_not_given_for() {
    let ring = ring(&[("m", 1)]);
    let (copy, _directory) = copy(vec![data_key(&ring, Generation::FIRST, 5)]).await;
    let keys = DataKeys::new(copy, ring);
    let ours = session(Generation::FIRST);
    let key = keys.role_key(&ours.role, ours.hour).unwrap().unwrap();
    assert!(keys.prove(&issued(&key, &ours)).is_ok());
    let changed = |change: fn(&mut Session)| {
        let mut session = ours.clone();
        change(&mut session);
        keys.prove(&issued(&key, &session)).err().unwrap()
    };
    for (error, what) in [
        (
            changed(|s| s.role = "arn:aws:iam::000000000000:role/admin".parse().unwrap()),
            "another role",
        ),
        (changed(|s| s.hour = Hour(490_001)), "another hour"),
    ] {
        assert!(matches!(error, TokenError::Invalid), "{what}: {error}");
    }
    // A key that this copy has not heard of may have issued it.
    for error in [
        changed(|s| s.generation = Generation::LAST),
        changed(|s| s.role = "arn:aws:iam::000000000001:role/r".parse().unwrap()),
    ] {
        assert!(matches!(error, TokenError::Key(_)) && error.is_retryable());
    }
    for token in ["", "AKIA", &"A".repeat(100)] {
        assert!(matches!(keys.prove(token), Err(TokenError::Invalid)));
    }
}
