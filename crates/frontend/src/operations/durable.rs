//! The operations on durable executions and on their callbacks: their machinery is not built.
//!
//! No function can be durable, so that no execution and no callback exists, and every request is answered with just that, after
//! it was checked as any other. [`lambda_api::operation::NOT_BUILT`] names the operations.

use lambda_api::{
    ApiError, Operation,
    request::durable::Durable,
    response::{DurableExecutions, to_body},
};

use super::{Workbench, versions};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<Durable>,
) -> Result<DurableExecutions, OperationError> {
    let (request, _) = authorized.take();
    match request {
        Durable::Execution(execution) => Err(ApiError::execution_not_found(&execution.arn).into()),
        Durable::Token(_, spelling) => Err(ApiError::checkpoint_token_refused(spelling).into()),
        Durable::Callback(_) => Err(ApiError::callback_not_found().into()),
        Durable::OfFunction(target) => {
            let found = bench
                .control
                .read(|catalog| versions::find(catalog, &target).map(|_| ()));
            found.await??;
            Ok(DurableExecutions::default())
        }
    }
}

pub(crate) fn answer(executions: &DurableExecutions) -> Answer {
    let status = Operation::ListDurableExecutionsByFunction.success();
    Answer::json(status, to_body(executions))
}
