//! `GET /2018-10-31/layers/{name}/versions`: the versions of a layer, the newest first. A layer that does not exist has
//! none.

use std::sync::Arc;

use lambda_api::{
    Operation,
    page::Page,
    request::layer::{ListLayerVersions, NewestFirst},
    response::{LayerVersionItem, LayerVersions, to_body},
};
use model::LayerVersion;

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<ListLayerVersions>,
) -> Result<Page<Arc<LayerVersion>>, OperationError> {
    let (request, _) = authorized.take();
    let filter = request.filter;
    let page = bench.control.read(|catalog| {
        let entry = catalog.layer(&request.layer);
        let versions = entry.into_iter().flat_map(|e| e.versions.values().rev());
        let suiting = versions.filter(|v| v.suits(filter.runtime, filter.architecture));
        request
            .page
            .cut(suiting.cloned(), |v| NewestFirst(v.id.version))
    });
    page.await
}

pub(crate) fn answer(page: Page<Arc<LayerVersion>>) -> Answer {
    let shape = LayerVersions::from(page.map(|v| LayerVersionItem::new(&v)));
    Answer::json(Operation::ListLayerVersions.success(), to_body(&shape))
}
