use model::{AccountId, FunctionId, iam::AccessKeyId};
use proptest::prelude::*;

use super::*;

fn function(account: &str, region: &str, name: &str) -> FunctionId {
    FunctionId {
        account: account.parse().unwrap(),
        region: region.parse().unwrap(),
        name: name.parse().unwrap(),
    }
}

fn ours() -> FunctionId {
    function("123456789012", "eu-west-1", "f")
}

fn key(byte: u8, generation: u32) -> AccountKey {
    AccountKey {
        generation: Generation::new(generation).unwrap(),
        key: Zeroizing::new([byte; KEY_BYTES]),
    }
}

proptest! {
    #[test]
    fn a_text_opens_with_the_data_key_and_with_its_own(text: Vec<u8>, byte: u8, generation in 1_u32..) {
        let (key, function) = (key(byte, generation), ours());
        let place = Place::Environment(&function);
        let sealed = key.seal(place, &text).unwrap();
        prop_assert_eq!(generation_of(&sealed).unwrap(), key.generation());
        prop_assert_eq!(&*key.open(place, &sealed).unwrap(), &text);
        let sent = *key.text_key(&sealed).unwrap().expose();
        let own = TextKey::from_bytes(&sent).unwrap();
        prop_assert_eq!(&*open_with(&own, place, &sealed).unwrap(), &text);
        prop_assert_eq!(key.seal(place, &text).unwrap(), sealed);
    }

    #[test]
    fn a_text_with_any_bit_changed_does_not_open(
        text in proptest::collection::vec(any::<u8>(), 0..40),
        at: proptest::sample::Index,
        bit in 0_u8..8,
    ) {
        let function = ours();
        let place = Place::Environment(&function);
        let sealed = key(1, 1).seal(place, &text).unwrap();
        let own = key(1, 1).text_key(&sealed).unwrap();
        let mut bytes = sealed.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let altered = Sealed::from_bytes(bytes);
        prop_assert!(key(1, 1).open(place, &altered).is_err());
        prop_assert!(open_with(&own, place, &altered).is_err());
    }

    #[test]
    fn any_bytes_are_an_error_and_never_a_panic(bytes: Vec<u8>) {
        let function = ours();
        let garbage = Sealed::from_bytes(bytes);
        prop_assert!(key(1, 1).open(Place::Environment(&function), &garbage).is_err());
        let _none_or_some = generation_of(&garbage);
    }
}

#[test]
fn a_text_opens_only_where_it_belongs() {
    let function = ours();
    let sealed = key(1, 1).seal(Place::Environment(&function), b"s").unwrap();
    let own = key(1, 1).text_key(&sealed).unwrap();
    for elsewhere in [
        self::function("123456789013", "eu-west-1", "f"),
        self::function("123456789012", "eu-west-2", "f"),
        self::function("123456789012", "eu-west-1", "g"),
    ] {
        let place = Place::Environment(&elsewhere);
        assert_eq!(
            key(1, 1).open(place, &sealed).err(),
            Some(OpenError::Damaged)
        );
        assert_eq!(
            open_with(&own, place, &sealed).err(),
            Some(OpenError::Damaged)
        );
        let there = key(1, 1).seal(place, b"s").unwrap();
        assert_ne!(there.as_bytes(), sealed.as_bytes());
    }
}

#[test]
fn the_secret_of_an_access_key_opens_for_that_key_alone() {
    let own: AccountId = "123456789012".parse().unwrap();
    let other: AccountId = "123456789013".parse().unwrap();
    let (first, second) = (AccessKeyId::from_random(1), AccessKeyId::from_random(2));
    let place = |account, id| Place::AccessKey { account, id };
    let sealed = key(1, 1).seal(place(own, &first), b"s").unwrap();
    assert_eq!(&*key(1, 1).open(place(own, &first), &sealed).unwrap(), b"s");
    for elsewhere in [
        place(own, &second),
        place(other, &first),
        Place::Environment(&ours()),
    ] {
        assert_eq!(
            key(1, 1).open(elsewhere, &sealed).err(),
            Some(OpenError::Damaged)
        );
    }
}

#[test]
fn the_key_of_one_text_opens_no_other() {
    let function = ours();
    let place = Place::Environment(&function);
    let one = key(1, 1).seal(place, b"one").unwrap();
    let other = key(1, 1).seal(place, b"other").unwrap();
    let own = key(1, 1).text_key(&one).unwrap();
    assert_eq!(
        open_with(&own, place, &other).err(),
        Some(OpenError::Damaged)
    );
}

#[test]
fn another_key_is_told_from_another_generation() {
    let function = ours();
    let place = Place::Environment(&function);
    let sealed = key(1, 1).seal(place, b"s").unwrap();
    let wrong = key(1, 2).open(place, &sealed).err().unwrap();
    assert_eq!(
        wrong.to_string(),
        "the text is sealed with generation 1 of the data key, got generation 2"
    );
    assert_eq!(
        key(2, 1).open(place, &sealed).err(),
        Some(OpenError::Damaged)
    );
    assert_eq!(
        TextKey::from_bytes(&[1; 31]).err(),
        Some(OpenError::KeyLength(31))
    );
    assert_eq!(
        key(1, 1).seal(place, &vec![0; TEXT_MAX + 1]).err(),
        Some(OpenError::Long(TEXT_MAX + 1))
    );
}

/// These bytes are on disks: a change here is a change of format.
#[test]
fn format_1_is_frozen() {
    let function = ours();
    let place = Place::Environment(&function);
    let sealed = key(7, 3).seal(place, b"K=v").unwrap();
    let golden = "01000000031fa996fd827cc2b38a1eaa328b1b5052c609fc546c75df40f6c7ee7acc547c0592a777ac40dec2ef67148d9211471e95ffa757";
    assert_eq!(hex::encode(sealed.as_bytes()), golden);
    let text_key = key(7, 3).text_key(&sealed).unwrap();
    assert_eq!(
        hex::encode(text_key.expose()),
        "c3731ddb4222c140846ead3db4fc43f475574b27a7468345fbf2a71df5e211b4"
    );
    let again = Sealed::from_bytes(hex::decode(golden).unwrap());
    assert_eq!(&**key(7, 3).open(place, &again).unwrap(), b"K=v");
}
