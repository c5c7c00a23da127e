//! `PUT /2015-03-31/functions/{name}/configuration`: changes the configuration of `$LATEST`.

use lambda_api::{Operation, request::update_function_configuration::UpdateFunctionConfiguration};

use model::{LayerVersionId, function::UsedLayer};

use super::{Shown, Workbench, deployment, versions};
use crate::{
    auth::{self, Authorized},
    error::OperationError,
    respond::Answer,
};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<UpdateFunctionConfiguration>,
) -> Result<Shown, OperationError> {
    let (request, grant) = authorized.take();
    if let Some(role) = &request.patch.role {
        auth::check_execution_role(&bench.control, &request.function, role, bench.clock.wall())?;
    }
    let layers = match &request.layers {
        Some(wanted) => Some(layers(bench, &request, wanted).await?),
        None => None,
    };
    let mutation = request.into_mutation(layers);
    let changed = bench.control.change(&grant, mutation).await?;
    let version = versions::changed(changed, Operation::UpdateFunctionConfiguration)?;
    Ok(Shown::bare(bench, version))
}

/// The layers that a function is to have, if its code leaves room for them: by the local copy, so that the limit is soft
/// by what is under way.
async fn layers(
    bench: &Workbench,
    request: &UpdateFunctionConfiguration,
    wanted: &[LayerVersionId],
) -> Result<Vec<UsedLayer>, OperationError> {
    let layers = deployment::layers(bench, wanted).await?;
    let limits = bench.limits_of(request.function.account);
    bench
        .control
        .glance(|catalog| {
            let latest = catalog.function(&request.function)?.latest()?;
            Some(deployment::check_size(&limits, &latest.code, &layers))
        })
        .transpose()?;
    Ok(layers)
}

pub(crate) fn answer(updated: &Shown) -> Answer {
    updated.answer(Operation::UpdateFunctionConfiguration)
}
