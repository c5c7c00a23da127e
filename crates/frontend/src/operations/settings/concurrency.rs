//! Reserved concurrency: executions that a function keeps for itself, and never exceeds.

use lambda_api::{
    ApiError, Operation,
    request::setting::Configure,
    response::{FunctionConcurrency, to_body},
    target::Target,
};
use model::{Qualifier, SettingChange, Version};

use super::{Workbench, configure, or_absent, wrong_answer};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

/// `PUT /2017-10-31/functions/{name}/concurrency`
pub(crate) async fn put(
    bench: &Workbench,
    authorized: Authorized<Configure>,
) -> Result<u32, OperationError> {
    let (request, grant) = authorized.take();
    let SettingChange::Reserve { executions, .. } = request.change else {
        return Err(wrong_answer(Operation::PutFunctionConcurrency));
    };
    let latest = Qualifier::Version(Version::Latest);
    let arn = request.target.function.arn(Some(latest));
    let done = configure(bench, grant.of(request)).await;
    or_absent(done, || ApiError::function_not_found(&arn))?;
    Ok(executions)
}

/// `GET /2019-09-30/functions/{name}/concurrency`
pub(crate) async fn get(
    bench: &Workbench,
    authorized: Authorized<Target>,
) -> Result<Option<u32>, OperationError> {
    let (target, _) = authorized.take();
    let found = bench
        .control
        .read(|catalog| super::find(catalog, &target).map(state::FunctionEntry::reserved));
    Ok(found.await??)
}

/// `DELETE /2017-10-31/functions/{name}/concurrency`
pub(crate) async fn delete(
    bench: &Workbench,
    authorized: Authorized<Configure>,
) -> Result<(), OperationError> {
    configure(bench, authorized).await.map(drop)
}

pub(crate) fn answer(operation: Operation, reserved: Option<u32>) -> Answer {
    let shape = FunctionConcurrency::new(reserved);
    Answer::json(operation.success(), to_body(&shape))
}
