//! `PUT /2015-03-31/functions/{name}/configuration`: changes the configuration of `$LATEST`.

use lambda_api::{Operation, request::update_function_configuration::UpdateFunctionConfiguration};

use super::{Shown, Workbench, versions};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<UpdateFunctionConfiguration>,
) -> Result<Shown, OperationError> {
    let (request, grant) = authorized.take();
    let changed = bench.control.change(&grant, request.into()).await?;
    let version = versions::changed(changed, Operation::UpdateFunctionConfiguration)?;
    Ok(Shown::bare(bench, version))
}

pub(crate) fn answer(updated: &Shown) -> Answer {
    updated.answer(Operation::UpdateFunctionConfiguration)
}
