//! `POST /2018-10-31/layers/{name}/versions`: publishes a version of a layer, and the layer with its first one.

use lambda_api::{Operation, request::layer::PublishLayerVersion};

use super::{
    Workbench, deployment,
    layers::{self, Located},
};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

/// `origin` is where the caller will download the archive from: scheme, host and port.
pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<PublishLayerVersion>,
    origin: &str,
) -> Result<Located, OperationError> {
    let (mut request, grant) = authorized.take();
    let package = deployment::inspect(bench, grant.caller(), request.archive.take()).await?;
    let stored = deployment::store(bench, grant.caller(), package).await?;
    let mutation = request.into_mutation(stored.code, stored.object);
    let changed = bench.control.change(&grant, mutation).await?;
    let version = layers::changed(changed, Operation::PublishLayerVersion)?;
    Ok(layers::locate(bench, grant.caller(), version, origin))
}

pub(crate) fn answer(published: &Located) -> Answer {
    published.answer(Operation::PublishLayerVersion)
}
