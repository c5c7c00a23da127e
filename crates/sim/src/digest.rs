//! The content of a catalog in a few characters.

use catalog::codec;
use sha2::{Digest as _, Sha256};
use state::Catalog;

/// The digest of every record: equal catalogs have equal ones.
pub(crate) fn of(catalog: &Catalog) -> String {
    // A catalog promises no order.
    let mut records: Vec<Vec<u8>> = catalog
        .records()
        .map(|record| codec::encode_record(&record))
        .collect();
    records.sort();
    let mut digest = Sha256::new();
    for bytes in records {
        digest.update(bytes.len().to_le_bytes());
        digest.update(bytes);
    }
    let whole = hex::encode(digest.finalize());
    whole.chars().take(16).collect()
}
