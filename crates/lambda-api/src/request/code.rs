//! Where the code of a function comes from.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::absent::{self, Unsupported};
use crate::error::ApiError;

/// The members of `FunctionCode`, which `UpdateFunctionCode` has at the top of its body.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Shape<'a> {
    #[serde(borrow)]
    zip_file: Option<Cow<'a, str>>,
    #[serde(rename = "S3Bucket")]
    s3_bucket: Unsupported,
    #[serde(rename = "S3Key")]
    s3_key: Unsupported,
    #[serde(rename = "S3ObjectVersion")]
    s3_object_version: Unsupported,
    #[serde(rename = "S3ObjectStorageMode")]
    s3_object_storage_mode: Unsupported,
    image_uri: Unsupported,
    #[serde(rename = "SourceKMSKeyArn")]
    source_kms_key_arn: Unsupported,
}

impl Shape<'_> {
    /// The bytes of the deployment package.
    ///
    /// # Errors
    /// [`ApiError`] if there is no zip, if there is another source of code beside it or instead of it, or if the zip is
    /// not base64.
    pub(crate) fn zip(&self) -> Result<Vec<u8>, ApiError> {
        let elsewhere = [
            self.s3_bucket,
            self.s3_key,
            self.s3_object_version,
            self.image_uri,
        ];
        if self.zip_file.is_some() && elsewhere.iter().any(|member| member.asks()) {
            return Err(ApiError::code_ambiguous());
        }
        absent::refuse([
            ("Code.S3Bucket", self.s3_bucket),
            ("Code.S3Key", self.s3_key),
            ("Code.S3ObjectVersion", self.s3_object_version),
            ("Code.S3ObjectStorageMode", self.s3_object_storage_mode),
            ("Code.ImageUri", self.image_uri),
            ("Code.SourceKMSKeyArn", self.source_kms_key_arn),
        ])?;
        let zip = self.zip_file.as_ref().ok_or_else(ApiError::code_required)?;
        STANDARD
            .decode(zip.as_bytes())
            .map_err(|e| ApiError::unreadable_body(format_args!("ZipFile is not base64: {e}")))
    }
}
