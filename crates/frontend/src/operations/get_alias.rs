//! `GET /2015-03-31/functions/{name}/aliases/{alias}`: one alias.

use std::sync::Arc;

use lambda_api::{
    ApiError, Operation,
    request::alias::NamedAlias,
    response::{AliasConfiguration, to_body},
};
use model::{Alias, Qualifier};

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<NamedAlias>,
) -> Result<Arc<Alias>, OperationError> {
    let (NamedAlias { function, name }, _) = authorized.take();
    let found = bench.control.read(|catalog| {
        let entry = catalog
            .function(&function)
            .ok_or_else(|| ApiError::function_not_found(&function.arn(None)))?;
        let missing = || function.arn(Some(Qualifier::Alias(name.clone())));
        let alias = entry.aliases.get(&name).cloned();
        alias.ok_or_else(|| ApiError::alias_not_found(&missing()))
    });
    Ok(found.await??)
}

pub(crate) fn answer(alias: &Arc<Alias>) -> Answer {
    let shape = AliasConfiguration::new(alias);
    Answer::json(Operation::GetAlias.success(), to_body(&shape))
}
