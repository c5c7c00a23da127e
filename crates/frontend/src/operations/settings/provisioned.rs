//! Provisioned concurrency: environments that are kept ready for a version or an alias.

use lambda_api::{
    ApiError, Operation,
    page::Page,
    request::setting::{Configure, ListSettings},
    response::{ProvisionedConcurrencyConfig, ProvisionedConcurrencyConfigs, to_body},
    target::Target,
};
use model::{FunctionId, Setting, SettingKind, setting::Provisioned};

use super::{Placed, Workbench, changed, configure, wrong_answer};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

/// `PUT /2019-09-30/functions/{name}/provisioned-concurrency`
pub(crate) async fn put(
    bench: &Workbench,
    authorized: Authorized<Configure>,
) -> Result<Provisioned, OperationError> {
    let operation = Operation::PutProvisionedConcurrencyConfig;
    let setting = changed(configure(bench, authorized).await?, operation)?;
    provisioned(&setting).ok_or(wrong_answer(operation))
}

/// `GET /2019-09-30/functions/{name}/provisioned-concurrency`
pub(crate) async fn get(
    bench: &Workbench,
    authorized: Authorized<Target>,
) -> Result<Provisioned, OperationError> {
    let (target, _) = authorized.take();
    let found = bench.control.read(|catalog| {
        let entry = super::find(catalog, &target)?;
        let setting = entry.setting(SettingKind::Provisioned, target.qualifier.as_ref());
        setting
            .and_then(|setting| provisioned(setting))
            .ok_or_else(ApiError::no_provisioned)
    });
    Ok(found.await??)
}

/// `DELETE /2019-09-30/functions/{name}/provisioned-concurrency`
pub(crate) async fn delete(
    bench: &Workbench,
    authorized: Authorized<Configure>,
) -> Result<(), OperationError> {
    configure(bench, authorized).await.map(drop)
}

/// `GET /2019-09-30/functions/{name}/provisioned-concurrency?List=ALL`
pub(crate) async fn list(
    bench: &Workbench,
    authorized: Authorized<ListSettings>,
) -> Result<(FunctionId, Page<Placed>), OperationError> {
    let (request, _) = authorized.take();
    let page = super::list(bench, &request, SettingKind::Provisioned).await?;
    let missing = || ApiError::function_not_found(&request.function.arn(None));
    let page = page.ok_or_else(missing)?;
    Ok((request.function, page))
}

fn provisioned(setting: &Setting) -> Option<Provisioned> {
    match setting {
        Setting::Provisioned(provisioned) => Some(*provisioned),
        _ => None,
    }
}

pub(crate) fn answer(operation: Operation, provisioned: &Provisioned) -> Answer {
    let shape = ProvisionedConcurrencyConfig::new(provisioned);
    Answer::json(operation.success(), to_body(&shape))
}

pub(crate) fn answer_list((function, page): (FunctionId, Page<Placed>)) -> Answer {
    let shown = page.filter_map(|(place, setting)| {
        let shape = ProvisionedConcurrencyConfig::new(&provisioned(&setting)?);
        Some(shape.of(&function.arn(place)))
    });
    let operation = Operation::ListProvisionedConcurrencyConfigs;
    let shape = ProvisionedConcurrencyConfigs::from(shown);
    Answer::json(operation.success(), to_body(&shape))
}
