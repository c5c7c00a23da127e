//! `GET /2018-10-31/layers/{name}/versions/{number}`, and the same by ARN: one version of a layer, with a URL of its
//! archive.

use lambda_api::{ApiError, Operation};
use model::LayerVersionId;

use super::{
    Workbench,
    layers::{self, Located},
};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

/// `origin` is where the caller will download the archive from: scheme, host and port.
pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<LayerVersionId>,
    origin: &str,
) -> Result<Located, OperationError> {
    let (id, grant) = authorized.take();
    let found = bench
        .control
        .read(|catalog| catalog.layer_version(&id).cloned());
    let version = found.await?.ok_or_else(ApiError::resource_missing)?;
    Ok(layers::locate(bench, grant.caller(), version, origin))
}

pub(crate) fn answer(got: &Located) -> Answer {
    got.answer(Operation::GetLayerVersion)
}
