//! URLs of functions and aliases.

use lambda_api::{
    ApiError, Operation,
    page::Page,
    request::setting::{Configure, ListSettings},
    response::{FunctionUrlConfig, FunctionUrlConfigs, to_body},
    target::Target,
};
use model::{FunctionArn, FunctionId, Setting, SettingKind};

use super::{Placed, Workbench, changed, configure, or_absent, wrong_answer};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

/// `POST /2021-10-31/functions/{name}/url`
pub(crate) async fn create(
    bench: &Workbench,
    authorized: Authorized<Configure>,
) -> Result<FunctionUrlConfig, OperationError> {
    let made = set(bench, authorized, Operation::CreateFunctionUrlConfig).await?;
    Ok(made.created())
}

/// `PUT /2021-10-31/functions/{name}/url`
pub(crate) async fn update(
    bench: &Workbench,
    authorized: Authorized<Configure>,
) -> Result<FunctionUrlConfig, OperationError> {
    set(bench, authorized, Operation::UpdateFunctionUrlConfig).await
}

async fn set(
    bench: &Workbench,
    authorized: Authorized<Configure>,
    operation: Operation,
) -> Result<FunctionUrlConfig, OperationError> {
    let (request, grant) = authorized.take();
    let arn = request.target.arn();
    let done = configure(bench, grant.of(request)).await;
    let done = or_absent(done, ApiError::no_function_for_url)?;
    show(bench, &arn, &*changed(done, operation)?).ok_or(wrong_answer(operation))
}

/// `GET /2021-10-31/functions/{name}/url`. A URL is shown although its alias is gone.
pub(crate) async fn get(
    bench: &Workbench,
    authorized: Authorized<Target>,
) -> Result<FunctionUrlConfig, OperationError> {
    let (target, _) = authorized.take();
    let setting = super::get(bench, &target, SettingKind::Url).await?;
    let shown = setting.and_then(|setting| show(bench, &target.arn(), &setting));
    Ok(shown.ok_or_else(ApiError::nothing_there)?)
}

/// `DELETE /2021-10-31/functions/{name}/url`
pub(crate) async fn delete(
    bench: &Workbench,
    authorized: Authorized<Configure>,
) -> Result<(), OperationError> {
    let done = configure(bench, authorized).await;
    or_absent(done, ApiError::nothing_there).map(drop)
}

/// `GET /2021-10-31/functions/{name}/urls`
pub(crate) async fn list(
    bench: &Workbench,
    authorized: Authorized<ListSettings>,
) -> Result<(FunctionId, Page<Placed>), OperationError> {
    let (request, _) = authorized.take();
    let page = super::list(bench, &request, SettingKind::Url).await?;
    let page = page.ok_or_else(ApiError::no_function_for_url)?;
    Ok((request.function, page))
}

fn show(bench: &Workbench, arn: &FunctionArn, setting: &Setting) -> Option<FunctionUrlConfig> {
    match setting {
        Setting::Url(url) => Some(FunctionUrlConfig::new(arn, url, &bench.url_suffix)),
        _ => None,
    }
}

pub(crate) fn answer(operation: Operation, shape: &FunctionUrlConfig) -> Answer {
    Answer::json(operation.success(), to_body(shape))
}

pub(crate) fn answer_list(
    bench: &Workbench,
    (function, page): (FunctionId, Page<Placed>),
) -> Answer {
    let shown = page.filter_map(|(place, setting)| show(bench, &function.arn(place), &setting));
    let operation = Operation::ListFunctionUrlConfigs;
    Answer::json(
        operation.success(),
        to_body(&FunctionUrlConfigs::from(shown)),
    )
}
