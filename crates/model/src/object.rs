//! Objects of an object store, as their owners name them.

/// Where an object lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectAddress {
    /// The bucket.
    pub bucket: String,
    /// The key in it.
    pub key: String,
    /// The version, of a bucket that keeps several.
    pub version: Option<String>,
}
