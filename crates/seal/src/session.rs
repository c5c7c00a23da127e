//! Credentials that prove themselves: sessions of roles.
//!
//! ```text
//! role key = HMAC-SHA-256(data key, "dunlin session 1/" ‖ account ‖ "/" ‖ hour ‖ "/" ‖ ARN of the role)
//! mac      = HMAC-SHA-256(role key, "token" ‖ claims)
//! secret   = base64 of the first 30 bytes of HMAC-SHA-256(role key, "secret" ‖ claims)
//! token    = base64 of claims ‖ mac
//! ```
//!
//! The claims are what the session says of itself, in bytes that this crate does not read. They say too which role key it
//! is that proves them; whoever derives that key and finds the mac right knows that they were made by somebody who had it.
//! The secret follows from them and the key, so no frontend has to be told of it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::{
    Generation,
    iam::{Hour, RoleArn},
};
use ring::hmac;
use zeroize::Zeroizing;

use crate::{
    AccountKey, KEY_BYTES,
    siv::{KeyBytes, hmac_sha256},
};

/// Bytes of the proof behind the claims.
const MAC_BYTES: usize = 32;
/// Bytes of a secret: 40 characters, as those of AWS.
const SECRET_BYTES: usize = 30;
/// The longest token, in characters: a session with the longest policy has less.
const TOKEN_MAX: usize = 16 << 10;

/// The key of one role in one hour.
pub struct RoleKey {
    generation: Generation,
    hour: Hour,
    key: KeyBytes,
}

/// What the holder of a session has beside the id of its access key.
pub struct SessionCredentials {
    secret: Zeroizing<String>,
    token: Zeroizing<String>,
}

/// A session token of which nothing is proven yet.
pub struct Token<'a> {
    text: &'a str,
    bytes: Vec<u8>,
}

/// A text that no session was ever issued with. It does not say what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// It has not the form of one.
    #[error("the text is no session token")]
    Form,
    /// It was altered, or never issued.
    #[error("the session token is forged")]
    Forged,
    /// A role key of another length than keys have.
    #[error("expected a role key of {KEY_BYTES} bytes, got {0}")]
    KeyLength(usize),
}

impl AccountKey {
    /// The key that issues and proves sessions of a role of this account in an hour.
    ///
    /// The role must be one of the account whose key this is; a role of another account would get a key that proves nothing
    /// to anybody who looks for it where that account's are.
    #[must_use]
    pub fn role_key(&self, role: &RoleArn, hour: Hour) -> RoleKey {
        // No two pairs of them give the same text: account and hour hold no `/`. Frozen: tokens live for hours.
        let label = format!("dunlin session 1/{}/{}/{role}", role.account(), hour.0);
        RoleKey {
            generation: self.generation,
            hour,
            key: hmac_sha256(&self.key[..], label.as_bytes()),
        }
    }
}

impl RoleKey {
    /// Takes over a key that was sent by [`RoleKey::expose`].
    ///
    /// # Errors
    /// [`InvalidToken::KeyLength`].
    pub fn from_bytes(
        generation: Generation,
        hour: Hour,
        bytes: &[u8],
    ) -> Result<Self, InvalidToken> {
        let key = <[u8; KEY_BYTES]>::try_from(bytes);
        let key = Zeroizing::new(key.map_err(|_| InvalidToken::KeyLength(bytes.len()))?);
        Ok(Self {
            generation,
            hour,
            key,
        })
    }

    /// The key itself, to be sent to whoever may be this role.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.key
    }

    /// Which data key it was derived from: its sessions must say so.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// The hour of its sessions: they must say so, and have been issued in it.
    #[must_use]
    pub const fn hour(&self) -> Hour {
        self.hour
    }

    /// Issues the session that these claims describe.
    #[must_use]
    pub fn issue(&self, claims: &[u8]) -> SessionCredentials {
        let mac = self.mac("token", claims);
        let token = Zeroizing::new([claims, &mac[..]].concat());
        self.credentials(claims, STANDARD.encode(&*token))
    }

    /// Proves that a session was issued with this key, and gives what its holder has.
    ///
    /// # Errors
    /// [`InvalidToken::Forged`].
    pub fn prove(&self, token: &Token<'_>) -> Result<SessionCredentials, InvalidToken> {
        let (claims, mac) = token.parts().ok_or(InvalidToken::Form)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key[..]);
        let labelled = labelled("token", claims);
        hmac::verify(&key, &labelled, mac).map_err(|_| InvalidToken::Forged)?;
        Ok(self.credentials(claims, token.text.to_owned()))
    }

    fn credentials(&self, claims: &[u8], token: String) -> SessionCredentials {
        let mac = self.mac("secret", claims);
        let secret = mac.get(..SECRET_BYTES).unwrap_or_default();
        SessionCredentials {
            secret: Zeroizing::new(STANDARD.encode(secret)),
            token: Zeroizing::new(token),
        }
    }

    fn mac(&self, label: &str, claims: &[u8]) -> KeyBytes {
        hmac_sha256(&self.key[..], &labelled(label, claims))
    }
}

fn labelled(label: &str, claims: &[u8]) -> Vec<u8> {
    [label.as_bytes(), claims].concat()
}

impl SessionCredentials {
    /// The secret half of the session's access key.
    #[must_use]
    pub fn secret_access_key(&self) -> &str {
        &self.secret
    }

    /// The token that comes with everything that is signed with the secret.
    #[must_use]
    pub fn session_token(&self) -> &str {
        &self.token
    }
}

impl<'a> Token<'a> {
    /// Reads a token, bounded in time and memory whatever it is.
    ///
    /// # Errors
    /// [`InvalidToken::Form`].
    pub fn parse(text: &'a str) -> Result<Self, InvalidToken> {
        if text.len() > TOKEN_MAX {
            return Err(InvalidToken::Form);
        }
        let bytes = STANDARD.decode(text).map_err(|_| InvalidToken::Form)?;
        let token = Self { text, bytes };
        match token.parts() {
            Some(_) => Ok(token),
            None => Err(InvalidToken::Form),
        }
    }

    /// What the session says of itself, and anybody could have written.
    #[must_use]
    pub fn claims(&self) -> &[u8] {
        self.parts().map_or(&[], |(claims, _)| claims)
    }

    fn parts(&self) -> Option<(&[u8], &[u8])> {
        let at = self.bytes.len().checked_sub(MAC_BYTES)?;
        self.bytes.split_at_checked(at)
    }
}

#[cfg(test)]
mod tests;
