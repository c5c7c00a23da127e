//! `GET /2015-03-31/event-source-mappings/{uuid}`: one event source mapping.

use std::sync::Arc;

use lambda_api::{ApiError, Operation};
use model::{EventSourceMapping, mapping::MappingId};

use super::{Workbench, create_event_source_mapping};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<MappingId>,
) -> Result<Arc<EventSourceMapping>, OperationError> {
    let (id, _) = authorized.take();
    let found = bench
        .control
        .read(|catalog| catalog.mapping(&id).cloned())
        .await?;
    Ok(found.ok_or_else(ApiError::mapping_not_found)?)
}

pub(crate) fn answer(mapping: &EventSourceMapping) -> Answer {
    create_event_source_mapping::shown(mapping, Operation::GetEventSourceMapping)
}
