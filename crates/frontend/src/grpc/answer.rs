//! From what a method gives to what its caller gets.

use std::sync::Arc;

use tonic::{Request, Response, Status, metadata::AsciiMetadataValue};

use super::{arrive::Arrived, status};
use crate::{error::OperationError, stack::Edge};

pub(super) type Answer<T> = Result<Response<T>, Status>;

/// Runs a method and shows what it gives, or why it gives nothing.
pub(super) async fn answer<M, T>(
    edge: &Edge,
    request: Request<M>,
    run: impl AsyncFnOnce(Arc<Arrived>, M) -> Result<T, OperationError>,
) -> Answer<T> {
    let (_, extensions, message) = request.into_parts();
    // Put there by the layer around this service.
    let Some(arrived) = extensions.get::<Arc<Arrived>>().cloned() else {
        return Err(Status::internal("the call did not arrive as it should"));
    };
    let request_id = arrived.request_id;
    match Box::pin(run(arrived, message)).await {
        Ok(shown) => {
            let mut response = Response::new(shown);
            if let Ok(id) = AsciiMetadataValue::try_from(request_id.to_string()) {
                response.metadata_mut().insert(status::REQUEST_ID, id);
            }
            Ok(response)
        }
        Err(error) => Err(status::of(&edge.bench.counters, request_id, error)),
    }
}

/// Like [`answer`], for a method whose answer is complete.
pub(super) async fn once<M, T>(
    edge: &Edge,
    request: Request<M>,
    run: impl AsyncFnOnce(Arc<Arrived>, M) -> Result<T, OperationError>,
) -> Answer<T> {
    let answer = answer(edge, request, run).await?;
    edge.bench.counters.answered(http::StatusCode::OK);
    Ok(answer)
}
