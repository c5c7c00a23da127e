//! `PUT /2015-03-31/functions/{name}/code`: gives `$LATEST` new code, or says what that would give.

use std::sync::Arc;

use lambda_api::{ApiError, Operation, request::update_function_code::UpdateFunctionCode};
use model::{
    function::{Code, FunctionVersion, LastUpdate, State},
    mutation::Rejection,
};

use super::{Shown, Workbench, deployment, versions};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<UpdateFunctionCode>,
) -> Result<Shown, OperationError> {
    let (mut request, grant) = authorized.take();
    let package = deployment::inspect(bench, std::mem::take(&mut request.zip)).await?;
    if request.dry_run {
        return dry_run(bench, &request, package.code).await;
    }
    let authorized = grant.of(request);
    let code = deployment::store(bench, authorized.caller(), package).await?;
    let (request, grant) = authorized.take();
    let changed = bench
        .control
        .change(&grant, request.into_mutation(code))
        .await?;
    let version = versions::changed(changed, Operation::UpdateFunctionCode)?;
    Ok(Shown::published(bench, version))
}

/// What the update would give, and every refusal that it would meet.
async fn dry_run(
    bench: &Workbench,
    request: &UpdateFunctionCode,
    code: Code,
) -> Result<Shown, OperationError> {
    let arn = request.function.arn(None);
    let latest = bench.control.read(|catalog| {
        let entry = catalog.function(&request.function);
        entry.and_then(|e| e.latest().cloned())
    });
    let latest = latest
        .await?
        .ok_or_else(|| ApiError::function_not_found(&arn))?;
    if request
        .expected
        .is_some_and(|revision| revision != latest.lock())
    {
        return Err(Rejection::RevisionMismatch { alias: false }.into());
    }
    if latest.state == State::Pending {
        return Err(Rejection::Pending(arn).into());
    }
    if latest.last_update == Some(LastUpdate::InProgress) {
        return Err(Rejection::UpdateInProgress(arn).into());
    }
    let mut updated = FunctionVersion {
        code,
        ..(*latest).clone()
    };
    updated.config.architecture = request.architecture.unwrap_or(updated.config.architecture);
    Ok(Shown::bare(bench, Arc::new(updated)))
}

pub(crate) fn answer(updated: &Shown) -> Answer {
    updated.answer(Operation::UpdateFunctionCode)
}
