//! `GET /2015-03-31/event-source-mappings`: the event source mappings of an account in a region by id, or those of one source
//! or one function.

use std::sync::Arc;

use lambda_api::{
    Operation,
    page::Page,
    request::mapping::ListMappings,
    response::{Detail, EventSourceMappingConfiguration, EventSourceMappings, to_body},
};
use model::EventSourceMapping;

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<ListMappings>,
) -> Result<Page<Arc<EventSourceMapping>>, OperationError> {
    let (request, grant) = authorized.take();
    let caller = grant.caller();
    let page = bench.control.read(|catalog| {
        let rest = catalog.mappings(caller.account, &caller.region, request.page.after);
        let wanted = rest.filter(|mapping| is_wanted(&request, mapping));
        request.page.cut(wanted.cloned(), |mapping| mapping.id.uuid)
    });
    page.await
}

fn is_wanted(request: &ListMappings, mapping: &EventSourceMapping) -> bool {
    let arn = request.source_arn.as_deref();
    let function = request.function.as_ref();
    arn.is_none_or(|arn| mapping.source.arn() == Some(arn))
        && function.is_none_or(|function| mapping.function == *function)
}

pub(crate) fn answer(page: Page<Arc<EventSourceMapping>>) -> Answer {
    let shape = |mapping: Arc<EventSourceMapping>| {
        EventSourceMappingConfiguration::new(&mapping, Detail::Listed)
    };
    let shape = EventSourceMappings::from(page.map(shape));
    Answer::json(
        Operation::ListEventSourceMappings.success(),
        to_body(&shape),
    )
}
