//! `POST /2015-03-31/functions`: creates a function, and its version 1 if the caller asks for it.

use lambda_api::{
    Operation,
    request::{code::Source, create_function::CreateFunction},
};

use super::{
    Shown, Workbench,
    deployment::{self, Stored},
    images, versions,
};
use crate::{
    auth::{self, Authorized},
    error::OperationError,
    respond::Answer,
};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<CreateFunction>,
) -> Result<Shown, OperationError> {
    let (mut request, grant) = authorized.take();
    let caller = grant.caller();
    auth::check_execution_role(
        &bench.control,
        &request.function,
        &request.config.role,
        bench.clock.wall(),
    )?;
    let layers = deployment::layers(bench, &request.layers).await?;
    let Stored { code, object } = match &mut request.source {
        Source::Image(uri) => Stored {
            code: images::resolve(bench, uri, request.config.architecture).await?,
            object: None,
        },
        Source::Archive(archive) => {
            let package = deployment::inspect(bench, caller, archive.take()).await?;
            deployment::check_size(&bench.limits_of(caller.account), &package.code, &layers)?;
            deployment::store(bench, caller, package).await?
        }
    };
    let mutation = request.into_mutation(code, object, layers);
    let changed = bench.control.change(&grant, mutation).await?;
    let version = versions::changed(changed, Operation::CreateFunction)?;
    // AWS shows a bare ARN here, also for a version that was published at once.
    Ok(Shown::bare(bench, version))
}

pub(crate) fn answer(created: &Shown) -> Answer {
    created.answer(Operation::CreateFunction)
}
