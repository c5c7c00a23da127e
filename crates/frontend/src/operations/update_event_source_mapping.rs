//! `PUT /2015-03-31/event-source-mappings/{uuid}`: changes how a source feeds a function, or whether it does.

use std::sync::Arc;

use lambda_api::{Operation, request::mapping::UpdateMapping};
use model::EventSourceMapping;

use super::{Workbench, create_event_source_mapping};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<UpdateMapping>,
) -> Result<Arc<EventSourceMapping>, OperationError> {
    let (request, grant) = authorized.take();
    let changed = bench.control.change(&grant, request.into()).await?;
    create_event_source_mapping::mapping(changed, Operation::UpdateEventSourceMapping)
}

pub(crate) fn answer(mapping: &EventSourceMapping) -> Answer {
    create_event_source_mapping::shown(mapping, Operation::UpdateEventSourceMapping)
}
