//! `GET /2015-03-31/functions`: the functions of an account in a region, by name, with their versions if asked for.

use std::sync::Arc;

use lambda_api::{
    Operation,
    page::{FunctionKey, Page},
    request::list::ListFunctions,
    response::{Detail, Functions, to_body},
};
use model::{FunctionId, function::FunctionVersion};
use state::{Catalog, FunctionEntry};

use super::{Shown, Workbench};
use crate::{
    auth::{Authorized, Caller},
    error::OperationError,
    respond::Answer,
};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<ListFunctions>,
) -> Result<Page<Shown>, OperationError> {
    let (request, grant) = authorized.take();
    let authorized = grant.of(());
    let caller = authorized.caller();
    let marked = request.page.after.as_ref().map(|after| FunctionId {
        account: caller.account,
        region: caller.region.clone(),
        name: after.name.clone(),
    });
    let page = bench.control.read(|catalog| {
        let versions = rest(catalog, caller, marked.as_ref(), request.all_versions);
        request.page.cut(versions, |version| FunctionKey {
            name: version.id.function.name.clone(),
            version: version.id.version,
        })
    });
    let shown = if request.all_versions {
        Shown::qualified
    } else {
        Shown::bare
    };
    Ok(page.await?.map(|version| shown(bench, version)))
}

/// What can be on the page: everything from the function of the marker on.
fn rest<'c>(
    catalog: &'c Catalog,
    caller: &'c Caller,
    marked: Option<&'c FunctionId>,
    all_versions: bool,
) -> impl Iterator<Item = Arc<FunctionVersion>> + 'c {
    let first = marked.and_then(|id| catalog.function(id));
    let others = catalog.functions(caller.account, &caller.region, marked.map(|id| &id.name));
    first
        .into_iter()
        .chain(others.map(|(_, entry)| entry))
        .flat_map(move |entry| listed(entry, all_versions))
}

fn listed(
    entry: &FunctionEntry,
    all_versions: bool,
) -> impl Iterator<Item = Arc<FunctionVersion>> + '_ {
    let published = all_versions.then(|| entry.published());
    entry
        .latest()
        .into_iter()
        .chain(published.into_iter().flatten())
        .cloned()
}

pub(crate) fn answer(page: Page<Shown>) -> Answer {
    let shape = Functions::from(page.map(|shown| shown.configuration(Detail::Listed)));
    Answer::json(Operation::ListFunctions.success(), to_body(&shape))
}
