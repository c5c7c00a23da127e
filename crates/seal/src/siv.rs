//! Authenticated encryption that needs no randomness and survives that it has none.
//!
//! The construction is that of SIV (RFC 5297) with other parts, because `ring` has these and not AES-SIV:
//!
//! ```text
//! iv          = HMAC-SHA-256(mac key, length of context ‖ context ‖ plaintext)
//! message key = HMAC-SHA-256(message key's key, iv)
//! result      = iv ‖ AES-256-GCM(message key, nonce 0, context ‖ iv, plaintext)
//! ```
//!
//! The two keys are derived from one by HMAC with a label each. Every pair of context and plaintext has an `iv` of its own,
//! 256 bits wide, and so a message key of its own: no nonce is ever used twice under one key, however much is sealed, and no
//! counter or generator can make it so. Whoever holds the message key of one text can open that text and no other.

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hmac,
};
use zeroize::Zeroizing;

use crate::KEY_BYTES;

/// Bytes of the synthetic initialisation vector.
pub const IV_BYTES: usize = 32;
/// Bytes of the tag at the end.
pub const TAG_BYTES: usize = 16;
/// How much longer a text is once it is sealed.
pub const OVERHEAD: usize = IV_BYTES + TAG_BYTES;

/// The bytes of a key, wiped when they are dropped.
pub(crate) type KeyBytes = Zeroizing<[u8; KEY_BYTES]>;

/// The text was altered, stands at another place than it was sealed for, or was sealed with another key: which of these
/// cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged;

/// Encrypts.
pub(crate) fn seal(key: &KeyBytes, context: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Damaged> {
    let iv = synthetic_iv(key, context, plaintext);
    let message = message_key(key, &iv);
    let mut text = Zeroizing::new(Vec::with_capacity(plaintext.len() + TAG_BYTES));
    text.extend_from_slice(plaintext);
    aead(&message)?
        .seal_in_place_append_tag(zero(), Aad::from([context, &iv].concat()), &mut *text)
        .map_err(|_| Damaged)?;
    Ok([&iv[..], &text].concat())
}

/// Decrypts what [`seal`] gave.
pub(crate) fn open(
    key: &KeyBytes,
    context: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Damaged> {
    let message = message_key_of(key, sealed)?;
    let plaintext = open_one(&message, context, sealed)?;
    // The tag has proven the text already. This proves that nobody chose the initialisation vector.
    let data = measured(context, &plaintext);
    let mac = hmac::Key::new(hmac::HMAC_SHA256, &*mac_key(key));
    let iv = sealed.get(..IV_BYTES).ok_or(Damaged)?;
    hmac::verify(&mac, &data, iv).map_err(|_| Damaged)?;
    Ok(plaintext)
}

/// The key that opens this one text.
pub(crate) fn message_key_of(key: &KeyBytes, sealed: &[u8]) -> Result<KeyBytes, Damaged> {
    let iv = sealed.first_chunk::<IV_BYTES>().ok_or(Damaged)?;
    Ok(message_key(key, iv))
}

/// Decrypts with the key of this one text.
pub(crate) fn open_one(
    message: &KeyBytes,
    context: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Damaged> {
    let (iv, text) = sealed.split_at_checked(IV_BYTES).ok_or(Damaged)?;
    let mut text = Zeroizing::new(text.to_vec());
    let length = aead(message)?
        .open_in_place(zero(), Aad::from([context, iv].concat()), &mut text)
        .map_err(|_| Damaged)?
        .len();
    text.truncate(length);
    Ok(text)
}

fn synthetic_iv(key: &KeyBytes, context: &[u8], plaintext: &[u8]) -> [u8; IV_BYTES] {
    *hmac_sha256(&*mac_key(key), &measured(context, plaintext))
}

fn message_key(key: &KeyBytes, iv: &[u8; IV_BYTES]) -> KeyBytes {
    let base = hmac_sha256(&**key, b"dunlin seal 1: message keys");
    hmac_sha256(&*base, iv)
}

fn mac_key(key: &KeyBytes) -> KeyBytes {
    hmac_sha256(&**key, b"dunlin seal 1: synthetic iv")
}

/// Context and plaintext as one, so that no two pairs of them are the same.
fn measured(context: &[u8], plaintext: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = u64::try_from(context.len()).unwrap_or(u64::MAX);
    Zeroizing::new([&length.to_be_bytes()[..], context, plaintext].concat())
}

pub(crate) fn hmac_sha256(key: &[u8], data: &[u8]) -> KeyBytes {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    for (to, from) in bytes.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    bytes
}

fn aead(key: &KeyBytes) -> Result<LessSafeKey, Damaged> {
    // Only a key of another length is refused.
    let key = UnboundKey::new(&AES_256_GCM, &key[..]).map_err(|_| Damaged)?;
    Ok(LessSafeKey::new(key))
}

/// The nonce of a key that encrypts one text.
fn zero() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests;
