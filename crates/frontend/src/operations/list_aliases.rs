//! `GET /2015-03-31/functions/{name}/aliases`: the aliases of a function by name, or those that point to one version.

use std::sync::Arc;

use lambda_api::{
    ApiError, Operation,
    page::Page,
    request::list::ListAliases,
    response::{AliasConfiguration, Aliases, to_body},
};
use model::{Alias, Version};

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<ListAliases>,
) -> Result<Page<Arc<Alias>>, OperationError> {
    let (request, _) = authorized.take();
    let page = bench.control.read(|catalog| {
        let entry = catalog.function(&request.function)?;
        let wanted = |alias: &&Arc<Alias>| request.version.is_none_or(|v| points_to(alias, v));
        let aliases = entry.aliases.values().filter(wanted).cloned();
        Some(request.page.cut(aliases, |alias| alias.name.clone()))
    });
    Ok(page
        .await?
        .ok_or_else(|| ApiError::function_not_found(&request.function.arn(None)))?)
}

fn points_to(alias: &Alias, version: Version) -> bool {
    let canary = alias.canary.map(|canary| Version::Number(canary.version));
    alias.version == version || canary == Some(version)
}

pub(crate) fn answer(page: Page<Arc<Alias>>) -> Answer {
    let shape = Aliases::from(page.map(|alias| AliasConfiguration::new(&alias)));
    Answer::json(Operation::ListAliases.success(), to_body(&shape))
}
