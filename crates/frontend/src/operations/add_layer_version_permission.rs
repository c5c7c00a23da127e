//! `POST /2018-10-31/layers/{name}/versions/{number}/policy`: lets others use a version of a layer.

use lambda_api::{
    ApiError, Operation,
    error::LAYER_POLICY_MAX,
    request::layer::AddLayerVersionPermission,
    response::{LayerPolicyShape, LayerStatementShape, statement_text, to_body},
};

use super::{Workbench, layers};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<AddLayerVersionPermission>,
) -> Result<LayerStatementShape, OperationError> {
    let (request, grant) = authorized.take();
    check_length(bench, &request)?;
    let (id, statement) = (request.version.clone(), request.statement.clone());
    let allowed = request.grant.clone();
    let changed = bench.control.change(&grant, request.into()).await?;
    let version = layers::changed(changed, Operation::AddLayerVersionPermission)?;
    let policy = version.policy.as_ref();
    let policy = policy.ok_or(OperationError::WrongAnswer {
        operation: Operation::AddLayerVersionPermission.name(),
    })?;
    Ok(LayerStatementShape::new(&id, policy, &statement, &allowed))
}

/// By the local copy: the limit is soft by what is under way.
fn check_length(bench: &Workbench, request: &AddLayerVersionPermission) -> Result<(), ApiError> {
    let now = bench.control.glance(|catalog| {
        let policy = catalog.layer_version(&request.version)?.policy.as_ref()?;
        Some(LayerPolicyShape::new(&request.version, policy).len())
    });
    let more = statement_text(&request.version, &request.statement, &request.grant).len();
    let size = now.unwrap_or(0) + more;
    if size > LAYER_POLICY_MAX {
        let wide = |size| u64::try_from(size).unwrap_or(u64::MAX);
        return Err(ApiError::policy_too_long(
            wide(size),
            wide(LAYER_POLICY_MAX),
        ));
    }
    Ok(())
}

pub(crate) fn answer(added: &LayerStatementShape) -> Answer {
    Answer::json(
        Operation::AddLayerVersionPermission.success(),
        to_body(added),
    )
}
