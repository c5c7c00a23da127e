//! `POST /2015-03-31/functions/{name}/aliases`: names a version.

use std::sync::Arc;

use lambda_api::{
    ApiError, Operation,
    request::alias::CreateAlias,
    response::{AliasConfiguration, to_body},
};
use model::{Alias, mutation::Changed};

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<CreateAlias>,
) -> Result<Arc<Alias>, OperationError> {
    let (request, grant) = authorized.take();
    check_room(bench, &request)?;
    let changed = bench.control.change(&grant, request.into()).await?;
    alias(changed, Operation::CreateAlias)
}

/// By the local copy: the limit is soft by what is under way.
fn check_room(bench: &Workbench, request: &CreateAlias) -> Result<(), ApiError> {
    let limit = bench.limits_of(request.function.account).aliases;
    let aliases = bench.control.glance(|catalog| {
        let entry = catalog.function(&request.function);
        entry.map_or(0, |e| e.aliases.len())
    });
    if aliases >= limit {
        return Err(ApiError::too_many_aliases(&request.function.name, limit));
    }
    Ok(())
}

/// The alias that a change gave.
pub(super) fn alias(changed: Changed, operation: Operation) -> Result<Arc<Alias>, OperationError> {
    match changed {
        Changed::Alias(alias) => Ok(alias),
        _ => Err(OperationError::WrongAnswer {
            operation: operation.name(),
        }),
    }
}

pub(crate) fn answer(alias: &Arc<Alias>) -> Answer {
    let shape = AliasConfiguration::new(alias);
    Answer::json(Operation::CreateAlias.success(), to_body(&shape))
}
