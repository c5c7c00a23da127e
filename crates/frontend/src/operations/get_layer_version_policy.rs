//! `GET /2018-10-31/layers/{name}/versions/{number}/policy`: who may use a version of a layer.

use lambda_api::{
    ApiError, Operation,
    response::{LayerPolicyShape, to_body},
};
use model::LayerVersionId;

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<LayerVersionId>,
) -> Result<LayerPolicyShape, OperationError> {
    let (id, _) = authorized.take();
    let found = bench
        .control
        .read(|catalog| catalog.layer_version(&id).cloned());
    let version = found
        .await?
        .ok_or_else(|| ApiError::layer_version_not_found(&id))?;
    let policy = version.policy.as_ref().ok_or_else(ApiError::no_policy)?;
    Ok(LayerPolicyShape::new(&id, policy))
}

pub(crate) fn answer(policy: &LayerPolicyShape) -> Answer {
    Answer::json(Operation::GetLayerVersionPolicy.success(), to_body(policy))
}
