//! `PUT /2015-03-31/functions/{name}/aliases/{alias}`: points an alias elsewhere, or splits its traffic.

use std::sync::Arc;

use lambda_api::{
    Operation,
    request::alias::UpdateAlias,
    response::{AliasConfiguration, to_body},
};
use model::Alias;

use super::{Workbench, create_alias};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<UpdateAlias>,
) -> Result<Arc<Alias>, OperationError> {
    let (request, grant) = authorized.take();
    let changed = bench.control.change(&grant, request.into()).await?;
    create_alias::alias(changed, Operation::UpdateAlias)
}

pub(crate) fn answer(alias: &Arc<Alias>) -> Answer {
    let shape = AliasConfiguration::new(alias);
    Answer::json(Operation::UpdateAlias.success(), to_body(&shape))
}
