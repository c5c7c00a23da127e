//! `POST /2015-03-31/event-source-mappings`: lets a source feed a function.

use std::sync::Arc;

use lambda_api::{
    Operation,
    request::mapping::CreateMapping,
    response::{Detail, EventSourceMappingConfiguration, to_body},
};
use model::{EventSourceMapping, mutation::Changed};

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<CreateMapping>,
) -> Result<Arc<EventSourceMapping>, OperationError> {
    let (request, grant) = authorized.take();
    let changed = bench.control.change(&grant, request.into()).await?;
    mapping(changed, Operation::CreateEventSourceMapping)
}

/// The mapping that a change gave.
pub(super) fn mapping(
    changed: Changed,
    operation: Operation,
) -> Result<Arc<EventSourceMapping>, OperationError> {
    match changed {
        Changed::Mapping(mapping) => Ok(mapping),
        _ => Err(OperationError::WrongAnswer {
            operation: operation.name(),
        }),
    }
}

pub(crate) fn answer(mapping: &EventSourceMapping) -> Answer {
    shown(mapping, Operation::CreateEventSourceMapping)
}

/// One mapping, as the answer to an operation.
pub(super) fn shown(mapping: &EventSourceMapping, operation: Operation) -> Answer {
    let shape = EventSourceMappingConfiguration::new(mapping, Detail::Full);
    Answer::json(operation.success(), to_body(&shape))
}
