//! `POST /2015-03-31/functions`: creates a function, and its version 1 if the caller asks for it.

use lambda_api::{Operation, request::create_function::CreateFunction};

use super::{Shown, Workbench, deployment, versions};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<CreateFunction>,
) -> Result<Shown, OperationError> {
    let (mut request, grant) = authorized.take();
    let package = deployment::inspect(bench, std::mem::take(&mut request.zip)).await?;
    let authorized = grant.of(request);
    let code = deployment::store(bench, authorized.caller(), package).await?;
    let (request, grant) = authorized.take();
    let changed = bench
        .control
        .change(&grant, request.into_mutation(code))
        .await?;
    let version = versions::changed(changed, Operation::CreateFunction)?;
    // AWS shows a bare ARN here, also for a version that was published at once.
    Ok(Shown::bare(bench, version))
}

pub(crate) fn answer(created: &Shown) -> Answer {
    created.answer(Operation::CreateFunction)
}
