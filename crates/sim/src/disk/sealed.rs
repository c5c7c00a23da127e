//! Bytes with a checksum that also covers where they belong.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use bytes::Bytes;
use host::Entropy;

/// A record as it lies on the disk.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    bytes: Bytes,
    sum: u64,
}

impl Sealed {
    pub(super) fn new(key: impl Hash, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let sum = checksum(key, &bytes);
        Self { bytes, sum }
    }

    /// The bytes, if they are what was written under this key.
    pub(super) fn open(&self, key: impl Hash) -> Option<Vec<u8>> {
        (checksum(key, &self.bytes) == self.sum).then(|| self.bytes.to_vec())
    }

    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }

    /// Flips a bit of the record: of its bytes or, if it has none, of its checksum.
    pub(super) fn flip(&mut self, fate: &dyn Entropy) {
        match flipped(&self.bytes, fate) {
            Some(bytes) => self.bytes = bytes,
            None => self.sum ^= 1 << fate.below(64),
        }
    }
}

/// The same bytes but for one bit; `None` if there are none.
pub(super) fn flipped(bytes: &[u8], fate: &dyn Entropy) -> Option<Bytes> {
    let at = fate.below(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    let mut bytes = bytes.to_vec();
    let byte = bytes.get_mut(usize::try_from(at).ok()?)?;
    *byte ^= 1 << fate.below(8);
    Some(bytes.into())
}

/// The same in every run of one build; it never reaches further than a comparison.
pub(super) fn checksum(key: impl Hash, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.write(bytes);
    hasher.finish()
}
