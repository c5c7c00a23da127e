//! `DELETE /2018-10-31/layers/{name}/versions/{number}`: takes a version of a layer away. Functions that use it keep it.

use lambda_api::Operation;
use model::{LayerVersionId, Mutation};

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<LayerVersionId>,
) -> Result<(), OperationError> {
    let (version, grant) = authorized.take();
    let mutation = Mutation::DeleteLayerVersion { version };
    bench.control.change(&grant, mutation).await?;
    Ok(())
}

pub(crate) fn answer() -> Answer {
    Answer::empty(Operation::DeleteLayerVersion.success())
}
