//! `GET /2015-03-31/functions/{name}/configuration`: the configuration of a function.

use lambda_api::{Operation, target::Target};

use super::{Shown, Workbench, versions};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<Target>,
) -> Result<Shown, OperationError> {
    let (target, _) = authorized.take();
    let found = bench
        .control
        .read(|catalog| versions::find(catalog, &target).map(|(_, version)| version));
    Ok(Shown::new(bench, found.await??, target.qualifier))
}

pub(crate) fn answer(got: &Shown) -> Answer {
    got.answer(Operation::GetFunctionConfiguration)
}
