//! The operator's keys.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

use crate::{KEY_BYTES, siv::KeyBytes};

/// A key that wraps data keys.
pub struct MasterKey(pub(crate) KeyBytes);

/// What is no master key. It does not say what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMasterKey {
    /// Another form.
    #[error(
        "expected 32 bytes, or 64 hexadecimal digits, or 44 characters of base64, got {0} bytes of something else"
    )]
    Form(usize),
    /// Nothing that a random generator gives.
    #[error("expected 32 random bytes, got the same byte 32 times")]
    Uniform,
    /// Most likely a password, or the beginning of a key in hexadecimal digits.
    #[error("expected 32 random bytes, got 32 characters of text")]
    Text,
}

impl MasterKey {
    /// Takes these bytes for a key.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads a key: exactly 32 raw bytes, or as text, with white space around it, 64 hexadecimal digits or base64.
    ///
    /// # Errors
    /// [`InvalidMasterKey`], also for what can hardly be random.
    pub fn parse(written: &[u8]) -> Result<Self, InvalidMasterKey> {
        let key = match <[u8; KEY_BYTES]>::try_from(written) {
            Ok(raw) if raw.iter().all(|b| (b' '..=b'~').contains(b)) => {
                return Err(InvalidMasterKey::Text);
            }
            Ok(raw) => Self::from_bytes(raw),
            Err(_) => Self::from_text(written.trim_ascii())
                .ok_or(InvalidMasterKey::Form(written.len()))?,
        };
        let first = key.0.first();
        if key.0.iter().all(|b| Some(b) == first) {
            return Err(InvalidMasterKey::Uniform);
        }
        Ok(key)
    }

    fn from_text(text: &[u8]) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        if hex::decode_to_slice(text, &mut *bytes).is_ok() {
            return Some(Self(bytes));
        }
        let config =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let base64 = GeneralPurpose::new(&STANDARD, config);
        let decoded = Zeroizing::new(base64.decode(text).ok()?);
        bytes = Zeroizing::new(<[u8; KEY_BYTES]>::try_from(decoded.as_slice()).ok()?);
        Some(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> [u8; KEY_BYTES] {
        std::array::from_fn(|i| u8::try_from(i * 7 + 3).unwrap())
    }

    #[test]
    fn a_key_may_be_written_in_three_ways() {
        let hex = hex::encode(raw());
        let base64 = base64::engine::general_purpose::STANDARD.encode(raw());
        for written in [
            raw().to_vec(),
            hex.clone().into_bytes(),
            format!("{}\n", hex.to_uppercase()).into_bytes(),
            base64.clone().into_bytes(),
            format!(" {}\r\n", base64.trim_end_matches('=')).into_bytes(),
        ] {
            let key = MasterKey::parse(&written).ok().unwrap();
            assert_eq!(*key.0, raw(), "{}", String::from_utf8_lossy(&written));
        }
    }

    #[test]
    fn what_can_hardly_be_random_is_refused() {
        let refused = |written: &[u8]| MasterKey::parse(written).err().unwrap();
        assert_eq!(refused(&[0; 32]), InvalidMasterKey::Uniform);
        assert_eq!(refused(&[b'7'; 64]), InvalidMasterKey::Uniform);
        assert_eq!(
            refused(b"correct horse battery staple bla"),
            InvalidMasterKey::Text
        );
        assert_eq!(
            refused(b"0123456789abcdef0123456789abcdef"),
            InvalidMasterKey::Text
        );
        assert_eq!(refused(b""), InvalidMasterKey::Form(0));
        assert_eq!(refused(&[1; 31]), InvalidMasterKey::Form(31));
        let text = refused(b"hunter2").to_string();
        assert!(!text.contains("hunter2"), "{text}");
    }
}
