//! The content of a catalog in a few characters.

use catalog::codec;
use sha2::{Digest as _, Sha256};
use state::Catalog;

/// The digest of every record: equal catalogs have equal ones.
pub(crate) fn of(catalog: &Catalog) -> String {
    let mut digest = Sha256::new();
    for record in catalog.records() {
        let bytes = codec::encode_record(&record);
        digest.update(bytes.len().to_le_bytes());
        digest.update(bytes);
    }
    let whole = hex::encode(digest.finalize());
    whole.chars().take(16).collect()
}
