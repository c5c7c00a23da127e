//! Where packages lie that a caller names instead of sending: the port to an object store.

mod address;
mod s3;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lambda_api::object_store::Refusal;
use model::{ErrorKind, Failure, ObjectAddress};

pub use address::{Endpoint, InvalidEndpoint};
pub use s3::{S3, S3Options, TrustError};

/// An object store.
#[async_trait]
pub trait Objects: Send + Sync + 'static {
    /// A whole object of at most `limit` bytes.
    ///
    /// # Errors
    /// [`ObjectError`]; an object that is larger is refused as soon as that is known.
    async fn get(&self, object: &ObjectAddress, limit: u64) -> Result<Object, ObjectError>;
}

/// An object as it was found.
#[derive(Debug)]
pub struct Object {
    /// All of it.
    pub content: Bytes,
    /// Its version, if the bucket keeps several.
    pub version: Option<String>,
}

/// Why an object could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// No store is configured.
    #[error("no object store is configured")]
    NotConfigured,
    /// The store answered with an error of its own.
    #[error("the object store answered {code}: {message}")]
    Refused {
        /// What the store calls it, such as `NoSuchKey`.
        code: String,
        /// What it says.
        message: String,
    },
    /// The object is too large.
    #[error("expected an object of at most {limit} bytes")]
    TooLarge {
        /// The most bytes.
        limit: u64,
    },
    /// The store cannot be reached, or its answer broke off.
    #[error("the object store cannot be reached at {endpoint}")]
    Unreachable {
        /// Where it should be.
        endpoint: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took too long.
    #[error("expected the object within {0:?}")]
    Deadline(Duration),
    /// A name that cannot be asked for.
    #[error("the object cannot be asked for: {0}")]
    Unnameable(String),
}

impl From<Refusal> for ObjectError {
    fn from(Refusal { code, message }: Refusal) -> Self {
        Self::Refused { code, message }
    }
}

impl Failure for ObjectError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotConfigured | Self::TooLarge { .. } | Self::Unnameable(_) => ErrorKind::Invalid,
            Self::Refused { code, .. } => match code.as_str() {
                "NoSuchKey" | "NoSuchBucket" | "NoSuchVersion" => ErrorKind::NotFound,
                "InternalError" | "ServiceUnavailable" | "SlowDown" => ErrorKind::Unavailable,
                _ => ErrorKind::Invalid,
            },
            Self::Unreachable { .. } => ErrorKind::Unavailable,
            Self::Deadline(_) => ErrorKind::Deadline,
        }
    }
}
