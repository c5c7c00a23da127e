//! `GET /2018-10-31/layers`: the layers of an account in a region by name, each with its newest version that suits.

use std::sync::Arc;

use lambda_api::{
    Operation,
    page::Page,
    request::layer::{LayerFilter, ListLayers},
    response::{LayerItem, Layers, to_body},
};
use model::LayerVersion;
use state::LayerEntry;

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<ListLayers>,
) -> Result<Page<Arc<LayerVersion>>, OperationError> {
    let (request, grant) = authorized.take();
    let caller = grant.caller();
    let after = request.page.after.as_ref();
    let page = bench.control.read(|catalog| {
        let layers = catalog.layers(caller.account, &caller.region, after);
        let shown = layers.filter_map(|(_, entry)| newest(entry, request.filter));
        request
            .page
            .cut(shown, |version| version.id.layer.name.clone())
    });
    page.await
}

fn newest(entry: &LayerEntry, filter: LayerFilter) -> Option<Arc<LayerVersion>> {
    let mut versions = entry.versions.values().rev();
    versions
        .find(|v| v.suits(filter.runtime, filter.architecture))
        .cloned()
}

pub(crate) fn answer(page: Page<Arc<LayerVersion>>) -> Answer {
    let shape = Layers::from(page.map(|v| LayerItem::new(&v.id.layer, &v)));
    Answer::json(Operation::ListLayers.success(), to_body(&shape))
}
