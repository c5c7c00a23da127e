//! Objects that packages and archives are references to.

use model::ObjectAddress;
use serde::Serialize;

/// `ResolvedS3Object`: the object, with the version that was there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ResolvedObject {
    #[serde(rename = "S3Bucket")]
    bucket: String,
    #[serde(rename = "S3Key")]
    key: String,
    #[serde(rename = "S3ObjectVersion", skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

impl ResolvedObject {
    pub(super) fn new(object: &ObjectAddress) -> Self {
        Self {
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            version: object.version.clone(),
        }
    }
}
