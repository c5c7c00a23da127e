//! The rows of a state at one index.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use crate::machine::RowChange;

/// All rows of a state, in key order. Clones are cheap and never change; the state goes on by copying on write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(Arc<BTreeMap<Bytes, Bytes>>);

impl Rows {
    /// The rows in key order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(k, v)| (k.as_ref(), v.as_ref()))
    }

    /// One row's value.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.0.get(key).map(Bytes::as_ref)
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of all keys and values.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let each = self.iter().map(|(k, v)| k.len().saturating_add(v.len()));
        each.fold(0, |all, row| {
            all.saturating_add(u64::try_from(row).unwrap_or(u64::MAX))
        })
    }

    /// Owned copies of all rows, in key order.
    #[must_use]
    pub fn to_vec(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect()
    }

    /// Like [`Self::iter`], sharing the bytes.
    pub(crate) fn shared(&self) -> impl Iterator<Item = (Bytes, Bytes)> {
        self.0.iter().map(|(k, v)| (k.clone(), v.clone()))
    }

    pub(crate) fn apply(&mut self, changes: &[RowChange]) {
        if changes.is_empty() {
            return;
        }
        let rows = Arc::make_mut(&mut self.0);
        for change in changes {
            match &change.value {
                Some(value) => {
                    rows.insert(
                        Bytes::copy_from_slice(&change.key),
                        Bytes::copy_from_slice(value),
                    );
                }
                None => {
                    rows.remove(change.key.as_slice());
                }
            }
        }
    }
}

impl FromIterator<(Bytes, Bytes)> for Rows {
    fn from_iter<I: IntoIterator<Item = (Bytes, Bytes)>>(rows: I) -> Self {
        Self(Arc::new(rows.into_iter().collect()))
    }
}
