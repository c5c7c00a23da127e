//! What happens to asynchronous invocations.

use lambda_api::{
    ApiError, Operation,
    error::or_latest,
    page::Page,
    request::setting::{Configure, ListSettings},
    response::{EventInvokeConfigs, FunctionEventInvokeConfig, to_body},
    target::Target,
};
use model::{
    FunctionArn, FunctionId, Setting, SettingChange, SettingKind,
    setting::{Destination, EventInvokePatch},
};

use super::{Placed, Workbench, changed, configure, or_absent, wrong_answer};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

/// `PUT` and `POST /2019-09-25/functions/{name}/event-invoke-config`
pub(crate) async fn set(
    bench: &Workbench,
    authorized: Authorized<Configure>,
    operation: Operation,
) -> Result<FunctionEventInvokeConfig, OperationError> {
    let (request, grant) = authorized.take();
    if let SettingChange::PutEventInvoke(patch) | SettingChange::PatchEventInvoke(patch) =
        &request.change
    {
        check_destinations(bench, &request.target.function, patch).await?;
    }
    let arn = request.target.arn();
    let done = configure(bench, grant.of(request)).await;
    let done = or_absent(done, ApiError::no_function_for_events)?;
    show(arn, &*changed(done, operation)?).ok_or(wrong_answer(operation))
}

/// Whether the functions among the destinations are there, as far as they are the caller's own. They may be deleted at any
/// time after: this catches what was misspelt.
async fn check_destinations(
    bench: &Workbench,
    function: &FunctionId,
    patch: &EventInvokePatch,
) -> Result<(), OperationError> {
    let Some(destinations) = &patch.destinations else {
        return Ok(());
    };
    let each = [&destinations.on_failure, &destinations.on_success];
    for destination in each.into_iter().flatten() {
        let Some(FunctionArn { id, .. }) = Destination::function(destination) else {
            continue;
        };
        let own = id.account == function.account && id.region == function.region;
        if own && bench.control.read(|c| c.function(&id).is_none()).await? {
            return Err(ApiError::destination_not_found(destination).into());
        }
    }
    Ok(())
}

/// `GET /2019-09-25/functions/{name}/event-invoke-config`
pub(crate) async fn get(
    bench: &Workbench,
    authorized: Authorized<Target>,
) -> Result<FunctionEventInvokeConfig, OperationError> {
    let (target, _) = authorized.take();
    let setting = super::get(bench, &target, SettingKind::EventInvoke).await?;
    let shown = setting.and_then(|setting| show(target.arn(), &setting));
    Ok(shown.ok_or_else(|| ApiError::no_event_invoke(&or_latest(target.arn())))?)
}

/// `DELETE /2019-09-25/functions/{name}/event-invoke-config`
pub(crate) async fn delete(
    bench: &Workbench,
    authorized: Authorized<Configure>,
) -> Result<(), OperationError> {
    let (request, grant) = authorized.take();
    let arn = or_latest(request.target.arn());
    let done = configure(bench, grant.of(request)).await;
    or_absent(done, || ApiError::no_event_invoke(&arn)).map(drop)
}

/// `GET /2019-09-25/functions/{name}/event-invoke-config/list`
pub(crate) async fn list(
    bench: &Workbench,
    authorized: Authorized<ListSettings>,
) -> Result<(FunctionId, Page<Placed>), OperationError> {
    let (request, _) = authorized.take();
    let page = super::list(bench, &request, SettingKind::EventInvoke).await?;
    let page = page.ok_or_else(ApiError::no_function_for_events)?;
    Ok((request.function, page))
}

fn show(arn: FunctionArn, setting: &Setting) -> Option<FunctionEventInvokeConfig> {
    match setting {
        Setting::EventInvoke(config) => Some(FunctionEventInvokeConfig::new(arn, config)),
        _ => None,
    }
}

pub(crate) fn answer(operation: Operation, shape: &FunctionEventInvokeConfig) -> Answer {
    Answer::json(operation.success(), to_body(shape))
}

pub(crate) fn answer_list((function, page): (FunctionId, Page<Placed>)) -> Answer {
    let shown = page.filter_map(|(place, setting)| show(function.arn(place), &setting));
    let operation = Operation::ListFunctionEventInvokeConfigs;
    Answer::json(
        operation.success(),
        to_body(&EventInvokeConfigs::from(shown)),
    )
}
