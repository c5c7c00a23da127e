use proptest::prelude::*;

use super::*;

const ROLE: &str = "arn:aws:iam::123456789012:role/p/worker";

fn data_key(byte: u8, generation: u32) -> AccountKey {
    AccountKey {
        generation: Generation::new(generation).unwrap(),
        key: Zeroizing::new([byte; KEY_BYTES]),
    }
}

fn role_key(byte: u8, generation: u32, role: &str, hour: u32) -> RoleKey {
    data_key(byte, generation).role_key(&role.parse().unwrap(), Hour(hour))
}

/// Whether a session that one key issued is proven by another.
fn proven(by: &RoleKey, issuer: &RoleKey) -> bool {
    let issued = issuer.issue(b"claims");
    let token = Token::parse(issued.session_token()).ok().unwrap();
    by.prove(&token).is_ok()
}

proptest! {
    #[test]
    fn a_session_is_proven_by_whoever_has_the_data_key(claims: Vec<u8>, byte: u8, hour: u32) {
        let key = role_key(byte, 1, ROLE, hour);
        let sent = RoleKey::from_bytes(key.generation(), key.hour(), key.expose()).ok().unwrap();
        let issued = sent.issue(&claims);
        let token = Token::parse(issued.session_token()).ok().unwrap();
        prop_assert_eq!(token.claims(), &claims);
        let proven = key.prove(&token).ok().unwrap();
        prop_assert_eq!(proven.secret_access_key(), issued.secret_access_key());
        prop_assert_eq!(proven.session_token(), issued.session_token());
        prop_assert_eq!(issued.secret_access_key().len(), 40);
    }

    #[test]
    fn a_token_with_any_bit_changed_is_forged(
        claims in proptest::collection::vec(any::<u8>(), 0..40),
        at: proptest::sample::Index,
        bit in 0_u8..8,
    ) {
        let key = role_key(1, 1, ROLE, 7);
        let mut bytes = STANDARD.decode(key.issue(&claims).session_token()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let altered = STANDARD.encode(bytes);
        let token = Token::parse(&altered).ok().unwrap();
        prop_assert_eq!(key.prove(&token).err(), Some(InvalidToken::Forged));
    }

    #[test]
    fn any_text_is_an_error_and_never_a_panic(text: String) {
        if let Ok(token) = Token::parse(&text) {
            prop_assert!(role_key(1, 1, ROLE, 7).prove(&token).is_err());
        }
    }
}

#[test]
fn a_key_is_good_for_one_role_in_one_hour_of_one_account() {
    let key = role_key(1, 1, ROLE, 7);
    assert!(proven(&key, &key));
    for (other, what) in [
        (role_key(2, 1, ROLE, 7), "another data key"),
        (role_key(1, 1, ROLE, 8), "another hour"),
        (role_key(1, 1, ROLE, 77), "an hour that begins alike"),
        (
            role_key(1, 1, "arn:aws:iam::123456789012:role/worker", 7),
            "another role",
        ),
        (
            role_key(1, 1, "arn:aws:iam::123456789013:role/p/worker", 7),
            "another account",
        ),
    ] {
        assert!(!proven(&other, &key), "{what}");
        assert!(!proven(&key, &other), "{what}");
    }
}

#[test]
fn sessions_of_one_key_have_secrets_of_their_own() {
    let key = role_key(1, 1, ROLE, 7);
    let (one, other) = (key.issue(b"one"), key.issue(b"other"));
    assert_ne!(one.secret_access_key(), other.secret_access_key());
    assert_ne!(one.session_token(), other.session_token());
    // The secret is not a part of what everybody sees who sees the token.
    let mac = STANDARD.decode(one.session_token()).unwrap();
    let secret = STANDARD.decode(one.secret_access_key()).unwrap();
    assert!(!mac.windows(secret.len()).any(|w| w == secret));
}

#[test]
fn what_is_no_token_is_not_read_further() {
    let long = "A".repeat(TOKEN_MAX + 4);
    let issued = role_key(1, 1, ROLE, 7).issue(b"claims");
    let unpadded = issued.session_token().trim_end_matches('=');
    for text in ["", "AAAA", "not base64", &long, unpadded] {
        assert_eq!(Token::parse(text).err(), Some(InvalidToken::Form), "{text}");
    }
    let short = RoleKey::from_bytes(Generation::FIRST, Hour(1), &[0; 31]);
    assert_eq!(short.err(), Some(InvalidToken::KeyLength(31)));
}

/// Environments hold tokens for hours, over an upgrade of the frontends that prove them.
#[test]
fn tokens_of_this_format_stay_valid() {
    let issued = role_key(3, 1, ROLE, 490_000).issue(b"claims");
    assert_eq!(
        issued.session_token(),
        "Y2xhaW1zdguRE0h7FzZvpIlZJw76JnKUkIDThRgjs+7sIU42siM="
    );
    assert_eq!(
        issued.secret_access_key(),
        "xymALFWJhmsRfySbMnAraA4Fvi1DSOxhXp1bxNud"
    );
}
