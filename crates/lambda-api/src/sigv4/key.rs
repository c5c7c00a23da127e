//! Secrets, and what is computed with them.

use std::sync::Arc;

use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::{ALGORITHM, TERMINATOR, date::Date, presented::CredentialScope};

/// A secret text: never shown, compared in constant time.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Keeps a text secret.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether a text is this secret.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

/// The signature of a canonical request.
pub(super) fn signature(
    secret: &Secret,
    scope: &CredentialScope,
    date: &Date,
    canonical: &[u8],
) -> [u8; 32] {
    let hash = hex::encode(Sha256::digest(canonical));
    let to_sign = format!("{ALGORITHM}\n{}\n{}\n{hash}", date.text(), scope.to_text());
    let steps = [
        scope.day.as_str(),
        scope.region.as_str(),
        &scope.service,
        TERMINATOR,
        &to_sign,
    ];
    let mut key = format!("AWS4{}", secret.expose()).into_bytes();
    let mut last = [0; 32];
    for step in steps {
        last = hmac(&key, step.as_bytes());
        key = last.to_vec();
    }
    last
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // A key of any length is accepted.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.update(message);
    mac.finalize().into_bytes().into()
}
