//! Layer versions on their way to a caller.

use std::sync::Arc;

use lambda_api::{
    Operation,
    response::{LayerVersionShape, to_body},
};
use model::{LayerVersion, mutation::Changed};

use super::Workbench;
use crate::{auth::Caller, error::OperationError, respond::Answer};

/// A layer version, and where its archive can be downloaded for a while.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    version: Arc<LayerVersion>,
    location: String,
}

impl Located {
    /// The answer of an operation that shows one version.
    pub(crate) fn answer(&self, operation: Operation) -> Answer {
        let shape = LayerVersionShape::new(&self.version, self.location.clone());
        Answer::json(operation.success(), to_body(&shape))
    }
}

/// A version with a URL of its archive for this caller.
pub(super) fn locate(
    bench: &Workbench,
    caller: &Caller,
    version: Arc<LayerVersion>,
    origin: &str,
) -> Located {
    let now = bench.clock.wall();
    let digest = version.content.digest;
    Located {
        location: bench.code_urls.url(origin, digest, caller.account, now),
        version,
    }
}

/// The layer version that a change gave.
pub(super) fn changed(
    changed: Changed,
    operation: Operation,
) -> Result<Arc<LayerVersion>, OperationError> {
    match changed {
        Changed::LayerVersion(version) => Ok(version),
        _ => Err(OperationError::WrongAnswer {
            operation: operation.name(),
        }),
    }
}
