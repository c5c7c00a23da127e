//! The operations on code-signing configurations: `/2020-04-22/code-signing-configs`. They are records for clients that
//! manage them; what they decide about code is enforced where code comes in.

use std::sync::Arc;

use lambda_api::{
    ApiError, Operation,
    page::{Page, PageRequest},
    request::code_signing::{
        CreateCodeSigningConfig, ListFunctionsByCodeSigningConfig, UpdateCodeSigningConfig,
    },
    response::{
        CodeSigningConfigAnswer, CodeSigningConfigItem, CodeSigningConfigs, FunctionArns, to_body,
    },
};
use model::{
    CodeSigningConfig, CodeSigningId, CodeSigningName, FunctionId, Mutation,
    code_signing::CodeSigningChange, mutation::Changed,
};

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn create(
    bench: &Workbench,
    authorized: Authorized<CreateCodeSigningConfig>,
) -> Result<Arc<CodeSigningConfig>, OperationError> {
    let (request, grant) = authorized.take();
    let changed = bench.control.change(&grant, request.into()).await?;
    config(changed, Operation::CreateCodeSigningConfig)
}

pub(crate) async fn update(
    bench: &Workbench,
    authorized: Authorized<UpdateCodeSigningConfig>,
) -> Result<Arc<CodeSigningConfig>, OperationError> {
    let (request, grant) = authorized.take();
    let changed = bench.control.change(&grant, request.into()).await?;
    config(changed, Operation::UpdateCodeSigningConfig)
}

pub(crate) async fn get(
    bench: &Workbench,
    authorized: Authorized<CodeSigningId>,
) -> Result<Arc<CodeSigningConfig>, OperationError> {
    let (id, _) = authorized.take();
    let found = bench
        .control
        .read(|catalog| catalog.code_signing(&id).cloned());
    Ok(found
        .await?
        .ok_or_else(|| ApiError::code_signing_not_found(&id))?)
}

pub(crate) async fn delete(
    bench: &Workbench,
    authorized: Authorized<CodeSigningId>,
) -> Result<(), OperationError> {
    let (id, grant) = authorized.take();
    let mutation = Mutation::CodeSigning(Box::new(CodeSigningChange::Delete { id }));
    bench.control.change(&grant, mutation).await?;
    Ok(())
}

pub(crate) async fn list(
    bench: &Workbench,
    authorized: Authorized<PageRequest<CodeSigningName>>,
) -> Result<Page<Arc<CodeSigningConfig>>, OperationError> {
    let (page, grant) = authorized.take();
    let caller = grant.caller();
    let listed = bench.control.read(|catalog| {
        let configs = catalog.code_signing_configs(caller.account, &caller.region, page.after);
        page.cut(configs.cloned(), |config| config.id.name)
    });
    listed.await
}

pub(crate) async fn functions(
    bench: &Workbench,
    authorized: Authorized<ListFunctionsByCodeSigningConfig>,
) -> Result<Page<FunctionId>, OperationError> {
    let (request, _) = authorized.take();
    let listed = bench.control.read(|catalog| {
        catalog.code_signing(&request.id)?;
        let functions = catalog.functions_of_code_signing(&request.id).cloned();
        Some(request.page.cut(functions, |id| id.name.clone()))
    });
    Ok(listed
        .await?
        .ok_or_else(|| ApiError::code_signing_not_found(&request.id))?)
}

fn config(
    changed: Changed,
    operation: Operation,
) -> Result<Arc<CodeSigningConfig>, OperationError> {
    match changed {
        Changed::CodeSigning(config) => Ok(config),
        _ => Err(OperationError::WrongAnswer {
            operation: operation.name(),
        }),
    }
}

/// The answer of an operation that shows one configuration.
pub(crate) fn answer(operation: Operation, config: &CodeSigningConfig) -> Answer {
    Answer::json(
        operation.success(),
        to_body(&CodeSigningConfigAnswer::new(config)),
    )
}

pub(crate) fn answer_list(page: Page<Arc<CodeSigningConfig>>) -> Answer {
    let shape = CodeSigningConfigs::from(page.map(|config| CodeSigningConfigItem::new(&config)));
    Answer::json(Operation::ListCodeSigningConfigs.success(), to_body(&shape))
}

pub(crate) fn answer_functions(page: Page<FunctionId>) -> Answer {
    let shape = FunctionArns::from(page.map(|id| id.arn(None).to_string()));
    let operation = Operation::ListFunctionsByCodeSigningConfig;
    Answer::json(operation.success(), to_body(&shape))
}
