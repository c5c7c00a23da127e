use model::{FunctionId, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::Place;

fn id(text: &str) -> MasterKeyId {
    text.parse().unwrap()
}

fn ring(keys: &[(&str, u8)]) -> KeyRing {
    let keys = keys
        .iter()
        .map(|(name, byte)| (id(name), MasterKey::from_bytes([*byte; KEY_BYTES])));
    KeyRing::new(keys.collect()).unwrap()
}

fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

fn made(ring: &KeyRing, generation: Generation, key: [u8; KEY_BYTES]) -> DataKey {
    DataKey {
        account: account(),
        generation,
        wrapped: ring
            .wrap(account(), generation, Zeroizing::new(key))
            .unwrap(),
        created: Timestamp(0),
    }
}

proptest! {
    #[test]
    fn a_data_key_comes_out_as_it_went_in(key: [u8; KEY_BYTES], master: u8, number in 1_u32..) {
        let ring = ring(&[("m", master)]);
        let made = made(&ring, Generation::new(number).unwrap(), key);
        prop_assert_eq!(made.wrapped.bytes.len(), WRAPPED_BYTES);
        let out = ring.unwrap(&made).unwrap();
        prop_assert_eq!((out.generation().get(), *out.key), (number, key));
    }

    #[test]
    fn a_wrapped_key_with_any_bit_changed_does_not_open(at in 0..WRAPPED_BYTES, bit in 0_u8..8) {
        let ring = ring(&[("m", 1)]);
        let mut made = made(&ring, Generation::FIRST, [5; KEY_BYTES]);
        made.wrapped.bytes[at] ^= 1 << bit;
        prop_assert!(ring.unwrap(&made).is_err());
    }
}

#[test]
fn a_wrapped_key_belongs_to_one_account_one_generation_and_one_master() {
    let ring = ring(&[("m", 1), ("same", 1)]);
    let good = made(&ring, Generation::FIRST, [5; KEY_BYTES]);
    let moved = [
        DataKey {
            account: "123456789013".parse().unwrap(),
            ..good.clone()
        },
        DataKey {
            generation: Generation::FIRST.next(),
            ..good.clone()
        },
        DataKey {
            wrapped: WrappedKey {
                master: id("same"),
                ..good.wrapped.clone()
            },
            ..good
        },
        DataKey {
            wrapped: WrappedKey {
                bytes: Vec::new(),
                ..good.wrapped.clone()
            },
            ..good
        },
    ];
    assert!(ring.unwrap(&good).is_ok());
    for moved in moved {
        assert!(
            matches!(ring.unwrap(&moved), Err(UnwrapError::Damaged { .. })),
            "{moved:?}"
        );
    }
}

#[test]
fn another_master_key_is_told_from_a_missing_one() {
    let made = made(&ring(&[("m", 1)]), Generation::FIRST, [5; KEY_BYTES]);
    assert_eq!(
        ring(&[("n", 1)]).unwrap(&made).err(),
        Some(UnwrapError::UnknownMaster(id("m")))
    );
    assert!(matches!(
        ring(&[("m", 2)]).unwrap(&made),
        Err(UnwrapError::Damaged { .. })
    ));
}

#[test]
fn a_master_key_is_changed_without_touching_what_was_sealed() {
    let function = FunctionId {
        account: account(),
        region: model::Region::default(),
        name: "f".parse().unwrap(),
    };
    let place = Place::Environment(&function);
    let old = ring(&[("old", 1)]);
    let before = made(&old, Generation::FIRST, [5; KEY_BYTES]);
    let sealed = old.unwrap(&before).unwrap().seal(place, b"s").unwrap();

    // The new key is known everywhere before it is used anywhere.
    assert_eq!(ring(&[("old", 1), ("new", 2)]).rewrap(&before), Ok(None));
    let both = ring(&[("new", 2), ("old", 1)]);
    let after = DataKey {
        wrapped: both.rewrap(&before).unwrap().unwrap(),
        ..before
    };
    assert_eq!(after.wrapped.master, id("new"));
    assert_eq!(both.rewrap(&after), Ok(None));

    let new = ring(&[("new", 2)]);
    let opened = new.unwrap(&after).unwrap().open(place, &sealed).unwrap();
    assert_eq!(&**opened, b"s");
    assert_eq!(
        old.unwrap(&after).err(),
        Some(UnwrapError::UnknownMaster(id("new")))
    );
}

#[test]
fn a_new_generation_seals_and_the_old_one_still_opens() {
    let function = FunctionId {
        account: account(),
        region: model::Region::default(),
        name: "f".parse().unwrap(),
    };
    let place = Place::Environment(&function);
    let ring = ring(&[("m", 1)]);
    let [first, second] = [
        made(&ring, Generation::FIRST, [5; KEY_BYTES]),
        made(&ring, Generation::FIRST.next(), [6; KEY_BYTES]),
    ];
    let [first, second] = [&first, &second].map(|k| ring.unwrap(k).unwrap());
    let old = first.seal(place, b"s").unwrap();
    let new = second.seal(place, b"s").unwrap();
    assert_ne!(old.as_bytes(), new.as_bytes());
    assert_eq!(&**first.open(place, &old).unwrap(), b"s");
    assert_eq!(&**second.open(place, &new).unwrap(), b"s");
}

#[test]
fn a_ring_has_keys_and_each_once() {
    assert_eq!(KeyRing::new(Vec::new()).err(), Some(InvalidKeyRing::Empty));
    let key = |name: &str| (id(name), MasterKey::from_bytes([1; KEY_BYTES]));
    assert_eq!(
        KeyRing::new(vec![key("a"), key("b"), key("a")]).err(),
        Some(InvalidKeyRing::Twice(id("a")))
    );
    let many = (0..=KEYS_MAX).map(|n| key(&n.to_string())).collect();
    assert_eq!(
        KeyRing::new(many).err(),
        Some(InvalidKeyRing::Many(KEYS_MAX + 1))
    );
    assert_eq!(ring(&[("a", 1), ("b", 2)]).current(), &id("a"));
}

/// These bytes are on disks: a change here is a change of format.
#[test]
fn format_1_is_frozen() {
    let made = made(&ring(&[("m", 1)]), Generation::FIRST, [5; KEY_BYTES]);
    assert_eq!(
        hex::encode(&made.wrapped.bytes),
        "0185d23be2dbcba62e2d58c49ae4653e864c20edd7a79a1edd5474076415d35cabd60daa8a3ba8767d830287ed7fd7737859802cdd91e0c65db0262b5ab8680989865a895bc9bfbb4be335f901af04575e"
    );
}
