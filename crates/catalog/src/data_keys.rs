//! The accounts' data keys, out of the local copy and with the master keys of this node.

use std::sync::Arc;

use model::{AccountId, DataKey, ErrorKind, Failure, Generation, Sealed};
use seal::{AccountKey, KeyRing, OpenError, Place, TextKey, UnwrapError, Zeroizing};

use crate::LocalCopy;

mod sessions;

pub use sessions::{TokenError, unproven_session};

/// Why something that is sealed cannot be opened, or a text not be sealed. It says nothing of the text.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The copy has no such key.
    #[error("data key {generation} of account {account} is not in this node's copy of the catalog")]
    Missing {
        /// Whose.
        account: AccountId,
        /// Which of them.
        generation: Generation,
    },
    /// The data key itself does not open.
    #[error(transparent)]
    Unwrap(#[from] UnwrapError),
    /// The text does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl Failure for SecretError {
    fn kind(&self) -> ErrorKind {
        match self {
            // Another frontend may have been given the key already, or know of it.
            Self::Missing { .. } | Self::Unwrap(UnwrapError::UnknownMaster(_)) => {
                ErrorKind::Unavailable
            }
            Self::Unwrap(UnwrapError::Format(_) | UnwrapError::Damaged { .. }) | Self::Open(_) => {
                ErrorKind::Internal
            }
        }
    }
}

/// Opens and seals secrets. It needs no controller: the copy has the data keys, the node its master keys. Clones share
/// both.
///
/// Unwrapping a data key takes microseconds, so none is kept in memory for longer than its use.
#[derive(Clone)]
pub struct DataKeys {
    copy: LocalCopy,
    ring: Arc<KeyRing>,
}

impl DataKeys {
    /// The keys in a copy, for a node that has these master keys.
    #[must_use]
    pub const fn new(copy: LocalCopy, ring: Arc<KeyRing>) -> Self {
        Self { copy, ring }
    }

    /// The master keys of this node.
    #[must_use]
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// The key that seals what is new; `None` if the account has none yet.
    ///
    /// # Errors
    /// [`SecretError`] if it does not open.
    pub fn newest(&self, account: AccountId) -> Result<Option<AccountKey>, SecretError> {
        let newest = self
            .copy
            .read(|catalog| catalog.newest_data_key(account).cloned());
        newest.map(|key| self.unwrap(&key)).transpose()
    }

    /// A data key as it stands in the catalog, ready to use.
    ///
    /// # Errors
    /// [`SecretError`] if it does not open.
    pub fn unwrap(&self, key: &DataKey) -> Result<AccountKey, SecretError> {
        Ok(self.ring.unwrap(key)?)
    }

    /// Opens a text.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn open(
        &self,
        place: Place<'_>,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        Ok(self.key_of(place, sealed)?.open(place, sealed)?)
    }

    /// The key that opens this text and nothing else, for whoever may read it.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn text_key(&self, place: Place<'_>, sealed: &Sealed) -> Result<TextKey, SecretError> {
        Ok(self.key_of(place, sealed)?.text_key(sealed)?)
    }

    fn key_of(&self, place: Place<'_>, sealed: &Sealed) -> Result<AccountKey, SecretError> {
        self.generation(place.account(), seal::generation_of(sealed)?)
    }

    fn generation(
        &self,
        account: AccountId,
        generation: Generation,
    ) -> Result<AccountKey, SecretError> {
        let key = self
            .copy
            .read(|catalog| catalog.data_key(account, generation).cloned())
            .ok_or(SecretError::Missing {
                account,
                generation,
            })?;
        self.unwrap(&key)
    }
}

#[cfg(test)]
mod tests;
