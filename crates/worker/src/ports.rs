//! What a worker needs from the rest of its node: which versions exist, and their code.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use model::{
    Digest, ErrorKind, Failure, FunctionId, Revision, VersionId, function::FunctionVersion,
};

/// The node's copy of the catalog, as far as a worker looks at it.
#[async_trait]
pub trait Versions: Send + Sync + 'static {
    /// A version as this copy holds it, with a position of the catalog that has it. Must be cheap: it is asked for every
    /// invocation.
    fn current(&self, id: &VersionId) -> Option<(Arc<FunctionVersion>, Revision)>;

    /// What the function's tag of network policies ([`model::NETWORK_TAG`]) says, if it has one. As cheap.
    fn network_tag(&self, function: &FunctionId) -> Option<String>;

    /// Returns when the copy holds this position of the catalog, or `limit` has passed.
    async fn wait_for(&self, position: Revision, limit: Duration);
}

/// Where deployment packages come from.
#[async_trait]
pub trait CodeSource: Send + Sync + 'static {
    /// A whole package. The caller verifies the digest.
    async fn fetch(&self, digest: Digest) -> Result<Bytes, FetchError>;
}

/// Why a package could not be had.
#[derive(Debug, thiserror::Error)]
#[error("package {digest}: {reason}")]
pub struct FetchError {
    /// Which one.
    pub digest: Digest,
    /// What happened.
    pub reason: String,
    /// Its class.
    pub kind: ErrorKind,
}

impl Failure for FetchError {
    fn kind(&self) -> ErrorKind {
        self.kind
    }
}
