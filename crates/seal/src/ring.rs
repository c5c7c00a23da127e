//! The master keys that a node knows.

use std::collections::BTreeMap;

use model::{AccountId, DataKey, Generation, MasterKeyId, WrappedKey};
use zeroize::Zeroizing;

use crate::{
    AccountKey, KEY_BYTES, MasterKey,
    siv::{self, KeyBytes, OVERHEAD},
};

/// The format of wrapped keys: its number, and what [`siv`] gives.
const FORMAT: u8 = 1;
const WRAPPED_BYTES: usize = 1 + KEY_BYTES + OVERHEAD;
/// More keys than a rotation ever needs.
const KEYS_MAX: usize = 32;

/// Master keys by their ids. One is current: it wraps what is new. Every one opens.
pub struct KeyRing {
    keys: BTreeMap<MasterKeyId, MasterKey>,
    current: MasterKeyId,
}

/// Keys that make no ring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeyRing {
    /// No key at all.
    #[error("expected at least one master key, got none")]
    Empty,
    /// Two keys of one id.
    #[error("master key {0} is given twice")]
    Twice(MasterKeyId),
    /// Too many.
    #[error("expected at most {KEYS_MAX} master keys, got {0}")]
    Many(usize),
}

/// Why a data key cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnwrapError {
    /// This node was not given the master key.
    #[error("the data key is wrapped under master key {0}, which this node does not have")]
    UnknownMaster(MasterKeyId),
    /// Wrapped by a newer build.
    #[error("expected a data key of wrap format {FORMAT}, got format {0}")]
    Format(u8),
    /// Altered, or wrapped under another key of the same id.
    #[error(
        "data key {generation} of account {account} does not open with master key {master}: it was altered, or another key has this id"
    )]
    Damaged {
        /// Whose it is.
        account: AccountId,
        /// Which of them.
        generation: Generation,
        /// The key that should open it.
        master: MasterKeyId,
    },
}

impl KeyRing {
    /// A ring of these keys; the first is current.
    ///
    /// # Errors
    /// [`InvalidKeyRing`].
    pub fn new(keys: Vec<(MasterKeyId, MasterKey)>) -> Result<Self, InvalidKeyRing> {
        if keys.len() > KEYS_MAX {
            return Err(InvalidKeyRing::Many(keys.len()));
        }
        let (current, _) = keys.first().ok_or(InvalidKeyRing::Empty)?;
        let current = current.clone();
        let mut by_id = BTreeMap::new();
        for (id, key) in keys {
            if by_id.insert(id.clone(), key).is_some() {
                return Err(InvalidKeyRing::Twice(id));
            }
        }
        Ok(Self {
            keys: by_id,
            current,
        })
    }

    /// The key that wraps what is new.
    #[must_use]
    pub const fn current(&self) -> &MasterKeyId {
        &self.current
    }

    /// Wraps a new data key under the current master key. `key` is 32 random bytes, from a source that is fit for keys.
    ///
    /// # Errors
    /// [`UnwrapError`], which does not happen to a ring that was made by [`KeyRing::new`].
    #[allow(
        clippy::needless_pass_by_value,
        reason = "a caller that gives the key away keeps no copy of it"
    )]
    pub fn wrap(
        &self,
        account: AccountId,
        generation: Generation,
        key: Zeroizing<[u8; KEY_BYTES]>,
    ) -> Result<WrappedKey, UnwrapError> {
        self.wrap_key(account, generation, &key)
    }

    /// Unwraps a data key.
    ///
    /// # Errors
    /// [`UnwrapError`].
    pub fn unwrap(&self, wrapped: &DataKey) -> Result<AccountKey, UnwrapError> {
        let DataKey {
            account,
            generation,
            wrapped: WrappedKey { master, bytes },
            ..
        } = wrapped;
        let damaged = || UnwrapError::Damaged {
            account: *account,
            generation: *generation,
            master: master.clone(),
        };
        let (format, body) = bytes.split_first().ok_or_else(damaged)?;
        if *format != FORMAT {
            return Err(UnwrapError::Format(*format));
        }
        let opened = siv::open(
            self.master(master)?,
            &context(*account, *generation, master),
            body,
        )
        .map_err(|_| damaged())?;
        let key = <[u8; KEY_BYTES]>::try_from(opened.as_slice()).map_err(|_| damaged())?;
        Ok(AccountKey {
            generation: *generation,
            key: Zeroizing::new(key),
        })
    }

    /// The same data key under the current master key; `None` if it is under it already.
    ///
    /// # Errors
    /// [`UnwrapError`] if it cannot be unwrapped.
    pub fn rewrap(&self, wrapped: &DataKey) -> Result<Option<WrappedKey>, UnwrapError> {
        if wrapped.wrapped.master == self.current {
            return Ok(None);
        }
        let key = self.unwrap(wrapped)?;
        self.wrap_key(wrapped.account, wrapped.generation, &key.key)
            .map(Some)
    }

    fn wrap_key(
        &self,
        account: AccountId,
        generation: Generation,
        key: &KeyBytes,
    ) -> Result<WrappedKey, UnwrapError> {
        let master = self.current.clone();
        let context = context(account, generation, &master);
        let body = siv::seal(self.master(&master)?, &context, &key[..]).map_err(|_| {
            UnwrapError::Damaged {
                account,
                generation,
                master: master.clone(),
            }
        })?;
        let mut bytes = Vec::with_capacity(WRAPPED_BYTES);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&body);
        Ok(WrappedKey { master, bytes })
    }

    fn master(&self, id: &MasterKeyId) -> Result<&KeyBytes, UnwrapError> {
        self.keys
            .get(id)
            .map(|key| &key.0)
            .ok_or_else(|| UnwrapError::UnknownMaster(id.clone()))
    }
}

/// What a wrapped key is bound to. No part can hold a `/`. Frozen: it is part of what is on disk.
fn context(account: AccountId, generation: Generation, master: &MasterKeyId) -> Vec<u8> {
    format!("data key/{FORMAT}/{account}/{generation}/{master}/").into_bytes()
}

#[cfg(test)]
mod tests;
