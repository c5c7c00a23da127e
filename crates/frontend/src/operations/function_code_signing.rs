//! `/2020-06-30/functions/{name}/code-signing-config`: which code-signing configuration holds for a function.

use lambda_api::{
    ApiError, Operation,
    request::code_signing::PutFunctionCodeSigningConfig,
    response::{FunctionCodeSigning, to_body},
};
use model::{FunctionId, Mutation, code_signing::CodeSigningChange};

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn put(
    bench: &Workbench,
    authorized: Authorized<PutFunctionCodeSigningConfig>,
) -> Result<FunctionCodeSigning, OperationError> {
    let (PutFunctionCodeSigningConfig { function, config }, grant) = authorized.take();
    let shown = FunctionCodeSigning::of(&function.name, &config);
    let mutation = Mutation::CodeSigning(Box::new(CodeSigningChange::Link {
        function,
        config: Some(config),
    }));
    bench.control.change(&grant, mutation).await?;
    Ok(shown)
}

pub(crate) async fn get(
    bench: &Workbench,
    authorized: Authorized<FunctionId>,
) -> Result<FunctionCodeSigning, OperationError> {
    let (function, _) = authorized.take();
    let found = bench.control.read(|catalog| {
        catalog.function(&function)?;
        let config = catalog.code_signing_of(&function);
        Some(config.map_or_else(FunctionCodeSigning::default, |config| {
            FunctionCodeSigning::of(&function.name, &config.id)
        }))
    });
    Ok(found
        .await?
        .ok_or_else(|| ApiError::function_not_found(&function.arn(None)))?)
}

pub(crate) async fn delete(
    bench: &Workbench,
    authorized: Authorized<FunctionId>,
) -> Result<(), OperationError> {
    let (function, grant) = authorized.take();
    let mutation = Mutation::CodeSigning(Box::new(CodeSigningChange::Link {
        function,
        config: None,
    }));
    bench.control.change(&grant, mutation).await?;
    Ok(())
}

pub(crate) fn answer(operation: Operation, held: &FunctionCodeSigning) -> Answer {
    Answer::json(operation.success(), to_body(held))
}
