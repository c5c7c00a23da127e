//! `DELETE /2015-03-31/functions/{name}`: deletes a function with everything of it, or one of its versions.

use lambda_api::{Operation, request::delete_function::DeleteFunction};

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<DeleteFunction>,
) -> Result<(), OperationError> {
    let (request, grant) = authorized.take();
    bench.control.change(&grant, request.into()).await?;
    Ok(())
}

pub(crate) fn answer() -> Answer {
    Answer::empty(Operation::DeleteFunction.success())
}
