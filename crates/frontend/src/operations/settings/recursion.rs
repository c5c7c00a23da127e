//! What happens to a function that calls itself in a loop.

use lambda_api::{
    Operation,
    request::setting::Configure,
    response::{FunctionRecursionConfig, to_body},
    target::Target,
};
use model::{Setting, SettingChange, SettingKind, setting::RecursiveLoop};

use super::{Workbench, configure, wrong_answer};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

/// `PUT /2024-08-31/functions/{name}/recursion-config`
pub(crate) async fn put(
    bench: &Workbench,
    authorized: Authorized<Configure>,
) -> Result<RecursiveLoop, OperationError> {
    let (request, grant) = authorized.take();
    let SettingChange::Recurse(recursion) = request.change else {
        return Err(wrong_answer(Operation::PutFunctionRecursionConfig));
    };
    configure(bench, grant.of(request)).await?;
    Ok(recursion)
}

/// `GET /2024-08-31/functions/{name}/recursion-config`
pub(crate) async fn get(
    bench: &Workbench,
    authorized: Authorized<Target>,
) -> Result<RecursiveLoop, OperationError> {
    let (target, _) = authorized.take();
    let found = bench.control.read(|catalog| {
        let entry = super::find(catalog, &target)?;
        let setting = entry.setting(SettingKind::Recursion, None);
        Ok::<_, OperationError>(match setting.map(|s| &**s) {
            Some(Setting::Recursion(recursion)) => *recursion,
            _ => RecursiveLoop::default(),
        })
    });
    found.await?
}

pub(crate) fn answer(operation: Operation, recursion: RecursiveLoop) -> Answer {
    let shape = FunctionRecursionConfig::new(recursion);
    Answer::json(operation.success(), to_body(&shape))
}
