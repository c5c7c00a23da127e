//! `GET /2015-03-31/functions/{name}/versions`: `$LATEST` and every published version, lowest first.

use lambda_api::{
    ApiError, Operation,
    page::Page,
    request::list::ListVersions,
    response::{Detail, Versions, to_body},
};

use super::{Shown, Workbench};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<ListVersions>,
) -> Result<Page<Shown>, OperationError> {
    let (request, _) = authorized.take();
    let page = bench.control.read(|catalog| {
        let entry = catalog.function(&request.function)?;
        let versions = entry.versions.values().cloned();
        Some(request.page.cut(versions, |version| version.id.version))
    });
    let page = page
        .await?
        .ok_or_else(|| ApiError::function_not_found(&request.function.arn(None)))?;
    Ok(page.map(|version| Shown::qualified(bench, version)))
}

pub(crate) fn answer(page: Page<Shown>) -> Answer {
    let shape = Versions::from(page.map(|shown| shown.configuration(Detail::Listed)));
    Answer::json(Operation::ListVersionsByFunction.success(), to_body(&shape))
}
