//! Where the code of a function, or the content of a layer, comes from.

use std::{borrow::Cow, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use model::ObjectAddress;
use serde::Deserialize;

use crate::{error::ApiError, validate::clip};

/// Longest name of a repository, in bytes, and longest tag.
const REPOSITORY_MAX: usize = 255;
const TAG_MAX: usize = 128;

/// What a function is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A zip.
    Archive(Archive),
    /// A container image, by its URI.
    Image(String),
}

/// A zip, or where to get it. Nothing of it has been checked: see [`package::inspect`].
#[derive(Clone, PartialEq, Eq)]
pub enum Archive {
    /// It came with the request.
    Zip(Vec<u8>),
    /// It lies in an object store.
    Object {
        /// Where.
        address: ObjectAddress,
        /// Whether its owner asks for a reference to it, and not for a copy.
        referenced: bool,
    },
}

impl Source {
    /// Where it lies, if it is a zip that did not come with the request.
    #[must_use]
    pub const fn object(&self) -> Option<&ObjectAddress> {
        match self {
            Self::Archive(archive) => archive.object(),
            Self::Image(_) => None,
        }
    }
}

impl Archive {
    /// Takes it out; an empty zip stays in its place, so that its bytes are in memory once.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Zip(Vec::new()))
    }

    /// Where it lies, if it did not come with the request.
    #[must_use]
    pub const fn object(&self) -> Option<&ObjectAddress> {
        match self {
            Self::Zip(_) => None,
            Self::Object { address, .. } => Some(address),
        }
    }
}

/// Shows the size of a package and not its bytes.
impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zip(zip) => f.debug_struct("Zip").field("bytes", &zip.len()).finish(),
            Self::Object { address, .. } => address.fmt(f),
        }
    }
}

/// The members of `FunctionCode`, which `UpdateFunctionCode` has at the top of its body, and those of a layer's content.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Shape<'a> {
    #[serde(borrow)]
    zip_file: Option<Cow<'a, str>>,
    #[serde(rename = "S3Bucket")]
    s3_bucket: Option<String>,
    #[serde(rename = "S3Key")]
    s3_key: Option<String>,
    #[serde(rename = "S3ObjectVersion")]
    s3_object_version: Option<String>,
    #[serde(rename = "S3ObjectStorageMode")]
    s3_object_storage_mode: Option<String>,
    image_uri: Option<String>,
    #[serde(rename = "SourceKMSKeyArn")]
    source_kms_key_arn: Option<String>,
}

impl Shape<'_> {
    /// What a function is to be made of.
    ///
    /// # Errors
    /// [`ApiError`] if there is no source or more than one, if a zip is not base64 or the URI of an image not one.
    pub(crate) fn source(self) -> Result<Source, ApiError> {
        let Some(uri) = self.image_uri.as_ref().filter(|uri| !uri.is_empty()) else {
            return self.archive().map(Source::Archive);
        };
        if self.zip_file.is_some() {
            return Err(ApiError::code_ambiguous());
        }
        if self.names_object() || self.kms_key().is_some() {
            return Err(ApiError::InvalidParameterValue(
                "Please do not provide other FunctionCode parameters when providing an ImageUri."
                    .to_owned(),
            ));
        }
        check_image(uri)?;
        Ok(Source::Image(uri.clone()))
    }

    /// The ARN of the key that the zip should be encrypted with at rest.
    pub(crate) fn kms_key(&self) -> Option<String> {
        self.source_kms_key_arn
            .clone()
            .filter(|arn| !arn.is_empty())
    }

    /// The zip, of a layer or of a function that is made of one.
    ///
    /// # Errors
    /// See [`Self::source`].
    pub(crate) fn archive(self) -> Result<Archive, ApiError> {
        let named = self.names_object();
        if self.zip_file.is_some() && named {
            return Err(ApiError::code_ambiguous());
        }
        let not_empty = |text: Option<String>| text.filter(|t| !t.is_empty());
        if let Some(zip) = &self.zip_file {
            let decoded = STANDARD.decode(zip.as_bytes());
            return decoded.map(Archive::Zip).map_err(|e| {
                ApiError::unreadable_body(format_args!("ZipFile is not base64: {e}"))
            });
        }
        match (not_empty(self.s3_bucket), not_empty(self.s3_key)) {
            (Some(bucket), Some(key)) => Ok(Archive::Object {
                address: ObjectAddress {
                    bucket,
                    key,
                    version: not_empty(self.s3_object_version),
                },
                referenced: self.s3_object_storage_mode.as_deref() == Some("REFERENCE"),
            }),
            _ if named => Err(ApiError::InvalidParameterValue(
                "Please provide both S3Bucket and S3Key.".to_owned(),
            )),
            _ => Err(ApiError::code_required()),
        }
    }

    fn names_object(&self) -> bool {
        [&self.s3_bucket, &self.s3_key, &self.s3_object_version]
            .into_iter()
            .flatten()
            .any(|text| !text.is_empty())
    }
}

/// Whether this can be the URI of an image: a registry, a repository, and a tag or a digest or neither.
fn check_image(uri: &str) -> Result<(), ApiError> {
    if is_image(uri) {
        return Ok(());
    }
    Err(ApiError::InvalidParameterValue(format!(
        "Source image {} is not valid. Provide a valid source image.",
        clip(uri, 256)
    )))
}

fn is_image(uri: &str) -> bool {
    let (name, digest) = match uri.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (uri, None),
    };
    let (name, tag) = match name.rsplit_once(':') {
        // A colon before a slash stands before a port.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    };
    let Some((registry, repository)) = name.split_once('/') else {
        return false;
    };
    let is_digest = |d: &str| {
        d.strip_prefix("sha256:")
            .is_some_and(|hex| hex.parse::<model::Digest>().is_ok())
    };
    is_registry(registry)
        && repository.len() <= REPOSITORY_MAX
        && repository.split('/').all(is_component)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
}

fn is_registry(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "0"));
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    host.split('.').all(is_label) && port.parse::<u16>().is_ok()
}

fn is_component(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().copied().is_some_and(inner)
        && bytes.last().copied().is_some_and(inner)
        && bytes.iter().all(|b| inner(*b) || b"._-".contains(b))
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let mut bytes = text.bytes();
    text.len() <= TAG_MAX
        && bytes.next().is_some_and(word)
        && bytes.all(|b| word(b) || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(json: &str) -> Result<Source, ApiError> {
        serde_json::from_str::<Shape<'_>>(json).unwrap().source()
    }

    #[test]
    fn one_source_and_only_one() {
        assert_eq!(
            source(r#"{"ZipFile":"UEs=","S3ObjectStorageMode":"COPY"}"#).unwrap(),
            Source::Archive(Archive::Zip(b"PK".to_vec()))
        );
        let object = |version: Option<&str>, referenced| {
            Source::Archive(Archive::Object {
                address: ObjectAddress {
                    bucket: "b".to_owned(),
                    key: "k/x.zip".to_owned(),
                    version: version.map(str::to_owned),
                },
                referenced,
            })
        };
        let json = r#"{"S3Bucket":"b","S3Key":"k/x.zip"}"#;
        assert_eq!(source(json).unwrap(), object(None, false));
        let json = r#"{"S3Bucket":"b","S3Key":"k/x.zip","S3ObjectVersion":"v","S3ObjectStorageMode":"COPY"}"#;
        assert_eq!(source(json).unwrap(), object(Some("v"), false));
        let json = r#"{"S3Bucket":"b","S3Key":"k/x.zip","S3ObjectStorageMode":"REFERENCE"}"#;
        assert_eq!(source(json).unwrap(), object(None, true));
        for (json, expected) in [
            ("{}", "Please provide a source for function code."),
            (
                r#"{"S3Bucket":"","ImageUri":""}"#,
                "Please provide a source for function code.",
            ),
            (
                r#"{"ZipFile":"","S3Key":"k"}"#,
                "Please do not provide other FunctionCode parameters when providing a ZipFile.",
            ),
            (
                r#"{"ZipFile":"","ImageUri":"r/i"}"#,
                "Please do not provide other FunctionCode parameters when providing a ZipFile.",
            ),
            (
                r#"{"S3Bucket":"b","S3Key":"k","ImageUri":"r/i"}"#,
                "Please do not provide other FunctionCode parameters when providing an ImageUri.",
            ),
            (
                r#"{"SourceKMSKeyArn":"arn:aws:kms:::k","ImageUri":"r/i"}"#,
                "Please do not provide other FunctionCode parameters when providing an ImageUri.",
            ),
            (
                r#"{"S3Bucket":"b"}"#,
                "Please provide both S3Bucket and S3Key.",
            ),
            (
                r#"{"S3ObjectVersion":"v"}"#,
                "Please provide both S3Bucket and S3Key.",
            ),
        ] {
            assert_eq!(source(json).unwrap_err().to_string(), expected, "{json}");
        }
    }

    #[test]
    fn what_names_an_image() {
        let digest = "a".repeat(64);
        for uri in [
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/app",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0_x-y",
            "localhost:5000/app:latest",
            &format!("localhost/app@sha256:{digest}"),
            &format!("localhost/app:1@sha256:{digest}"),
        ] {
            assert_eq!(
                source(&format!(r#"{{"ImageUri":"{uri}"}}"#)).unwrap(),
                Source::Image(uri.to_owned())
            );
        }
        for uri in [
            "app",
            "app:1",
            "/app",
            "r/",
            "r/App",
            "r/app:",
            "r/app:-x",
            "r/app@sha256:1",
            "r/app@md5:1",
            "r:x/app",
            "r//app",
            "r/app ",
            "r/-app",
            "http://r/app",
        ] {
            assert_eq!(
                source(&format!(r#"{{"ImageUri":"{uri}"}}"#))
                    .unwrap_err()
                    .to_string(),
                format!("Source image {uri} is not valid. Provide a valid source image.")
            );
        }
    }
}
