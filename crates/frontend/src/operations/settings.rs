//! What is set for a function, a version or an alias beside its configuration.
//!
//! The operations on one setting share a file. Each changes or shows one record and has little of its own beyond its words,
//! so that the steps that all of them take are here.

mod concurrency;
mod event_invoke;
mod function_url;
mod policy;
mod provisioned;
mod recursion;
mod runtime_management;
mod scaling;
mod tags;

use std::sync::Arc;

use lambda_api::{
    ApiError, Operation,
    page::Page,
    request::setting::{Configure, ListSettings, PlaceKey, SettingRequest},
    target::Target,
};
use model::{
    Qualifier, Setting, SettingKind,
    mutation::{Changed, Rejection},
    setting::place,
};
use state::{Catalog, FunctionEntry};

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

/// A setting, and where it stands.
pub(super) type Placed = (Option<Qualifier>, Arc<Setting>);

/// Does what a request asks for, and shows it.
pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<SettingRequest>,
) -> Result<Answer, OperationError> {
    let (request, grant) = authorized.take();
    Ok(match request {
        SettingRequest::AddPermission(r) => {
            policy::answer_added(&policy::add(bench, grant.of(r)).await?)
        }
        SettingRequest::GetPolicy(r) => {
            let got = policy::get(bench, grant.of(r)).await?;
            policy::answer(Operation::GetPolicy, &got)
        }
        SettingRequest::RemovePermission(r) => {
            policy::remove(bench, grant.of(r)).await?;
            Answer::empty(Operation::RemovePermission.success())
        }
        SettingRequest::PutResourcePolicy(r) => {
            let put = policy::put(bench, grant.of(r)).await?;
            policy::answer(Operation::PutResourcePolicy, &put)
        }
        SettingRequest::GetResourcePolicy(r) => {
            let got = policy::get(bench, grant.of(r)).await?;
            policy::answer(Operation::GetResourcePolicy, &got)
        }
        SettingRequest::DeleteResourcePolicy(r) => {
            policy::delete(bench, grant.of(r)).await?;
            Answer::empty(Operation::DeleteResourcePolicy.success())
        }
        SettingRequest::PutFunctionConcurrency(r) => {
            let reserved = concurrency::put(bench, grant.of(r)).await?;
            concurrency::answer(Operation::PutFunctionConcurrency, Some(reserved))
        }
        SettingRequest::GetFunctionConcurrency(r) => {
            let reserved = concurrency::get(bench, grant.of(r)).await?;
            concurrency::answer(Operation::GetFunctionConcurrency, reserved)
        }
        SettingRequest::DeleteFunctionConcurrency(r) => {
            concurrency::delete(bench, grant.of(r)).await?;
            Answer::empty(Operation::DeleteFunctionConcurrency.success())
        }
        SettingRequest::PutProvisionedConcurrencyConfig(r) => {
            let put = provisioned::put(bench, grant.of(r)).await?;
            provisioned::answer(Operation::PutProvisionedConcurrencyConfig, &put)
        }
        SettingRequest::GetProvisionedConcurrencyConfig(r) => {
            let got = provisioned::get(bench, grant.of(r)).await?;
            provisioned::answer(Operation::GetProvisionedConcurrencyConfig, &got)
        }
        SettingRequest::DeleteProvisionedConcurrencyConfig(r) => {
            provisioned::delete(bench, grant.of(r)).await?;
            Answer::empty(Operation::DeleteProvisionedConcurrencyConfig.success())
        }
        SettingRequest::ListProvisionedConcurrencyConfigs(r) => {
            provisioned::answer_list(provisioned::list(bench, grant.of(r)).await?)
        }
        SettingRequest::PutFunctionEventInvokeConfig(r) => {
            let operation = Operation::PutFunctionEventInvokeConfig;
            let set = event_invoke::set(bench, grant.of(r), operation).await?;
            event_invoke::answer(operation, &set)
        }
        SettingRequest::UpdateFunctionEventInvokeConfig(r) => {
            let operation = Operation::UpdateFunctionEventInvokeConfig;
            let set = event_invoke::set(bench, grant.of(r), operation).await?;
            event_invoke::answer(operation, &set)
        }
        SettingRequest::GetFunctionEventInvokeConfig(r) => {
            let got = event_invoke::get(bench, grant.of(r)).await?;
            event_invoke::answer(Operation::GetFunctionEventInvokeConfig, &got)
        }
        SettingRequest::DeleteFunctionEventInvokeConfig(r) => {
            event_invoke::delete(bench, grant.of(r)).await?;
            Answer::empty(Operation::DeleteFunctionEventInvokeConfig.success())
        }
        SettingRequest::ListFunctionEventInvokeConfigs(r) => {
            event_invoke::answer_list(event_invoke::list(bench, grant.of(r)).await?)
        }
        SettingRequest::CreateFunctionUrlConfig(r) => {
            let made = function_url::create(bench, grant.of(r)).await?;
            function_url::answer(Operation::CreateFunctionUrlConfig, &made)
        }
        SettingRequest::GetFunctionUrlConfig(r) => {
            let got = function_url::get(bench, grant.of(r)).await?;
            function_url::answer(Operation::GetFunctionUrlConfig, &got)
        }
        SettingRequest::UpdateFunctionUrlConfig(r) => {
            let updated = function_url::update(bench, grant.of(r)).await?;
            function_url::answer(Operation::UpdateFunctionUrlConfig, &updated)
        }
        SettingRequest::DeleteFunctionUrlConfig(r) => {
            function_url::delete(bench, grant.of(r)).await?;
            Answer::empty(Operation::DeleteFunctionUrlConfig.success())
        }
        SettingRequest::ListFunctionUrlConfigs(r) => {
            let page = function_url::list(bench, grant.of(r)).await?;
            function_url::answer_list(bench, page)
        }
        SettingRequest::PutRuntimeManagementConfig(r) => {
            let put = runtime_management::put(bench, grant.of(r)).await?;
            runtime_management::answer(Operation::PutRuntimeManagementConfig, &put)
        }
        SettingRequest::GetRuntimeManagementConfig(r) => {
            let got = runtime_management::get(bench, grant.of(r)).await?;
            runtime_management::answer(Operation::GetRuntimeManagementConfig, &got)
        }
        SettingRequest::PutFunctionRecursionConfig(r) => {
            let put = recursion::put(bench, grant.of(r)).await?;
            recursion::answer(Operation::PutFunctionRecursionConfig, put)
        }
        SettingRequest::GetFunctionRecursionConfig(r) => {
            let got = recursion::get(bench, grant.of(r)).await?;
            recursion::answer(Operation::GetFunctionRecursionConfig, got)
        }
        SettingRequest::PutFunctionScalingConfig(r) => {
            let version = scaling::put(bench, grant.of(r)).await?;
            scaling::answer_state(&version)
        }
        SettingRequest::GetFunctionScalingConfig(r) => {
            scaling::answer(&scaling::get(bench, grant.of(r)).await?)
        }
        SettingRequest::TagResource(r) => {
            tags::tag(bench, grant.of(r)).await?;
            Answer::empty(Operation::TagResource.success())
        }
        SettingRequest::UntagResource(r) => {
            tags::untag(bench, grant.of(r)).await?;
            Answer::empty(Operation::UntagResource.success())
        }
        SettingRequest::ListTags(r) => tags::answer(tags::list(bench, grant.of(r)).await?),
    })
}

/// Makes a change to a setting.
pub(super) async fn configure(
    bench: &Workbench,
    authorized: Authorized<Configure>,
) -> Result<Changed, OperationError> {
    let (request, grant) = authorized.take();
    bench.control.change(&grant, request.into()).await
}

/// The setting that a change gave.
pub(super) fn changed(
    changed: Changed,
    operation: Operation,
) -> Result<Arc<Setting>, OperationError> {
    match changed {
        Changed::Setting(setting) => Ok(setting),
        _ => Err(wrong_answer(operation)),
    }
}

/// The controllers gave what an operation cannot have asked for.
pub(super) const fn wrong_answer(operation: Operation) -> OperationError {
    OperationError::WrongAnswer {
        operation: operation.name(),
    }
}

/// The function that a target names, whose version or alias must be there.
pub(super) fn find<'c>(
    catalog: &'c Catalog,
    target: &Target,
) -> Result<&'c FunctionEntry, ApiError> {
    let missing = || ApiError::function_not_found(&target.arn());
    let entry = catalog.function(&target.function).ok_or_else(missing)?;
    match &target.qualifier {
        Some(Qualifier::Version(version)) if !entry.versions.contains_key(version) => {
            Err(missing())
        }
        Some(Qualifier::Alias(name)) if !entry.aliases.contains_key(name) => {
            Err(ApiError::alias_not_found(&target.arn()))
        }
        Some(_) | None => Ok(entry),
    }
}

/// What is set of a kind where a target says, whether or not there is a version or alias.
pub(super) async fn get(
    bench: &Workbench,
    target: &Target,
    kind: SettingKind,
) -> Result<Option<Arc<Setting>>, OperationError> {
    let found = bench.control.read(|catalog| {
        let entry = catalog.function(&target.function)?;
        let place = place(target.qualifier.clone());
        entry.setting(kind, place.as_ref()).cloned()
    });
    found.await
}

/// A page of what is set of a kind; `None` if the function is not there.
pub(super) async fn list(
    bench: &Workbench,
    request: &ListSettings,
    kind: SettingKind,
) -> Result<Option<Page<Placed>>, OperationError> {
    let page = bench.control.read(|catalog| {
        let entry = catalog.function(&request.function)?;
        let settings = entry.settings_of(kind);
        let placed = settings.map(|(place, setting)| (place.cloned(), setting.clone()));
        Some(
            request
                .page
                .cut(placed, |(place, _)| PlaceKey(place.clone())),
        )
    });
    page.await
}

/// Says in an operation's own words that the function, version or alias is not there.
pub(super) fn or_absent<T>(
    result: Result<T, OperationError>,
    absent: impl FnOnce() -> ApiError,
) -> Result<T, OperationError> {
    result.map_err(|error| match error {
        OperationError::Rejected(Rejection::FunctionNotFound(_) | Rejection::AliasNotFound(_)) => {
            absent().into()
        }
        other => other,
    })
}
