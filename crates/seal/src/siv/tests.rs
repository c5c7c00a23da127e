use proptest::prelude::*;

use super::*;

fn key(byte: u8) -> KeyBytes {
    Zeroizing::new([byte; KEY_BYTES])
}

proptest! {
    #[test]
    fn what_was_sealed_opens(bytes: [u8; KEY_BYTES], context: Vec<u8>, text: Vec<u8>) {
        let key = Zeroizing::new(bytes);
        let sealed = seal(&key, &context, &text).unwrap();
        prop_assert_eq!(sealed.len(), text.len() + OVERHEAD);
        prop_assert_eq!(&*open(&key, &context, &sealed).unwrap(), &text);
        let message = message_key_of(&key, &sealed).unwrap();
        prop_assert_eq!(&*open_one(&message, &context, &sealed).unwrap(), &text);
    }

    #[test]
    fn any_other_bit_anywhere_keeps_it_closed(
        text in proptest::collection::vec(any::<u8>(), 0..80),
        at: proptest::sample::Index,
        bit in 0_u8..8,
    ) {
        let sealed = seal(&key(1), b"here", &text).unwrap();
        let mut altered = sealed.clone();
        altered[at.index(sealed.len())] ^= 1 << bit;
        prop_assert_eq!(open(&key(1), b"here", &altered).err(), Some(Damaged));
        let message = message_key_of(&key(1), &sealed).unwrap();
        prop_assert_eq!(open_one(&message, b"here", &altered).err(), Some(Damaged));
    }

    #[test]
    fn what_is_cut_or_made_longer_stays_closed(text: Vec<u8>, more: u8, at: proptest::sample::Index) {
        let mut sealed = seal(&key(1), b"here", &text).unwrap();
        let cut = at.index(sealed.len());
        prop_assert_eq!(open(&key(1), b"here", &sealed[..cut]).err(), Some(Damaged));
        sealed.push(more);
        prop_assert_eq!(open(&key(1), b"here", &sealed).err(), Some(Damaged));
    }

    #[test]
    fn texts_and_contexts_are_told_apart(a: Vec<u8>, b: Vec<u8>, context: Vec<u8>, other: Vec<u8>) {
        let one = seal(&key(1), &context, &a).unwrap();
        prop_assert_eq!(a == b, one == seal(&key(1), &context, &b).unwrap());
        if context != other {
            prop_assert_ne!(&one, &seal(&key(1), &other, &a).unwrap());
            prop_assert_eq!(open(&key(1), &other, &one).err(), Some(Damaged));
        }
    }
}

#[test]
fn the_border_between_context_and_text_counts() {
    assert_ne!(
        seal(&key(1), b"ab", b"c").unwrap()[..IV_BYTES],
        seal(&key(1), b"a", b"bc").unwrap()[..IV_BYTES]
    );
}

#[test]
fn another_key_opens_nothing() {
    let sealed = seal(&key(1), b"here", b"text").unwrap();
    assert_eq!(open(&key(2), b"here", &sealed).err(), Some(Damaged));
    let other = seal(&key(1), b"here", b"another text").unwrap();
    let message = message_key_of(&key(1), &other).unwrap();
    assert_eq!(open_one(&message, b"here", &sealed).err(), Some(Damaged));
}

/// Whoever holds the key of one text may write under it, but nothing that the data key takes for its own.
#[test]
fn a_message_key_cannot_seal() {
    let sealed = seal(&key(1), b"here", b"text").unwrap();
    let message = message_key_of(&key(1), &sealed).unwrap();
    let iv = &sealed[..IV_BYTES];
    let mut forged = b"evil".to_vec();
    aead(&message)
        .unwrap()
        .seal_in_place_append_tag(zero(), Aad::from([&b"here"[..], iv].concat()), &mut forged)
        .unwrap();
    let forged = [iv, &forged].concat();
    assert!(open_one(&message, b"here", &forged).is_ok());
    assert_eq!(open(&key(1), b"here", &forged).err(), Some(Damaged));
}
