//! `DELETE /2015-03-31/functions/{name}/aliases/{alias}`: takes an alias away. One that is not there is gone already.

use lambda_api::{Operation, request::alias::NamedAlias};

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<NamedAlias>,
) -> Result<(), OperationError> {
    let (request, grant) = authorized.take();
    bench
        .control
        .change(&grant, request.into_deletion())
        .await?;
    Ok(())
}

pub(crate) fn answer() -> Answer {
    Answer::empty(Operation::DeleteAlias.success())
}
