//! `DELETE /2015-03-31/event-source-mappings/{uuid}`: begins the end of an event source mapping, and shows it once more.

use std::sync::Arc;

use lambda_api::Operation;
use model::{EventSourceMapping, Mutation, mapping::MappingId};

use super::{Workbench, create_event_source_mapping};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<MappingId>,
) -> Result<Arc<EventSourceMapping>, OperationError> {
    let (mapping, grant) = authorized.take();
    let deletion = Mutation::DeleteEventSourceMapping { mapping };
    let changed = bench.control.change(&grant, deletion).await?;
    create_event_source_mapping::mapping(changed, Operation::DeleteEventSourceMapping)
}

pub(crate) fn answer(mapping: &EventSourceMapping) -> Answer {
    create_event_source_mapping::shown(mapping, Operation::DeleteEventSourceMapping)
}
