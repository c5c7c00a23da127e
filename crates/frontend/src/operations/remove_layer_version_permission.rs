//! `DELETE /2018-10-31/layers/{name}/versions/{number}/policy/{statement}`: takes a permission back.

use lambda_api::{Operation, request::layer::RemoveLayerVersionPermission};

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<RemoveLayerVersionPermission>,
) -> Result<(), OperationError> {
    let (request, grant) = authorized.take();
    bench.control.change(&grant, request.into()).await?;
    Ok(())
}

pub(crate) fn answer() -> Answer {
    Answer::empty(Operation::RemoveLayerVersionPermission.success())
}
