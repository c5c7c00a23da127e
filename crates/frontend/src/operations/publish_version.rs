//! `POST /2015-03-31/functions/{name}/versions`: makes a numbered version out of `$LATEST`, or finds the one that it
//! already is.

use lambda_api::{Operation, request::publish_version::PublishVersion};

use super::{Shown, Workbench, versions};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<PublishVersion>,
) -> Result<Shown, OperationError> {
    let (request, grant) = authorized.take();
    let changed = bench.control.change(&grant, request.into()).await?;
    let version = versions::changed(changed, Operation::PublishVersion)?;
    Ok(Shown::published(bench, version))
}

pub(crate) fn answer(published: &Shown) -> Answer {
    published.answer(Operation::PublishVersion)
}
