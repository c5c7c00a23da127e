//! One file per operation of the API, or for a kind of record that is only kept; the operations on one setting of a function share a file of `settings/`. Each has the same two parts: `run`, which does it and knows no wire, and `answer`,
//! which shows the result as AWS does. The gRPC edge calls the same `run`.

pub(crate) mod add_layer_version_permission;
pub(crate) mod capacity_providers;
pub(crate) mod code_signing_configs;
pub(crate) mod create_alias;
pub(crate) mod create_event_source_mapping;
pub(crate) mod create_function;
pub(crate) mod delete_alias;
pub(crate) mod delete_event_source_mapping;
pub(crate) mod delete_function;
pub(crate) mod delete_layer_version;
pub(crate) mod durable;
pub(crate) mod function_code_signing;
pub(crate) mod get_account_settings;
pub(crate) mod get_alias;
pub(crate) mod get_event_source_mapping;
pub(crate) mod get_function;
pub(crate) mod get_function_configuration;
pub(crate) mod get_layer_version;
pub(crate) mod get_layer_version_policy;
pub(crate) mod invoke;
pub(crate) mod invoke_with_response_stream;
pub(crate) mod list_aliases;
pub(crate) mod list_event_source_mappings;
pub(crate) mod list_functions;
pub(crate) mod list_layer_versions;
pub(crate) mod list_layers;
pub(crate) mod list_versions_by_function;
pub(crate) mod publish_layer_version;
pub(crate) mod publish_version;
pub(crate) mod remove_layer_version_permission;
pub(crate) mod settings;
pub(crate) mod update_alias;
pub(crate) mod update_event_source_mapping;
pub(crate) mod update_function_code;
pub(crate) mod update_function_configuration;

mod deployment;
mod images;
mod layers;
mod versions;

pub(crate) use versions::Shown;

use std::{borrow::Cow, sync::Arc};

use host::{Clock, Entropy, Tasks};
use lambda_api::{Operation, Request};
use model::{AccountId, Limits, RequestId};
use routing::Router;

use crate::{
    auth::Authorized,
    code_url::CodeUrlKey,
    control::Control,
    error::OperationError,
    figures::Counters,
    objects::Objects,
    rates::{Rates, TooOften},
    respond::Answer,
};

/// What operations work with.
pub(crate) struct Workbench {
    pub(crate) control: Control,
    pub(crate) router: Router,
    pub(crate) objects: Option<Arc<dyn Objects>>,
    pub(crate) images: Option<Arc<image::Client>>,
    pub(crate) limits: Limits,
    pub(crate) rates: Rates,
    pub(crate) code_urls: CodeUrlKey,
    /// What hosts of function URLs end with.
    pub(crate) url_suffix: String,
    pub(crate) tasks: Tasks,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) counters: Arc<Counters>,
}

impl Workbench {
    /// Counts a request of an account against its rates, and gives the limits that the rest of it is held to.
    ///
    /// # Errors
    /// [`TooOften`] if the account has no such call left.
    pub(crate) fn admit(
        &self,
        account: AccountId,
        operation: Operation,
    ) -> Result<Cow<'_, Limits>, TooOften> {
        let limits = self.limits_of(account);
        self.rates.count(&limits, account, operation)?;
        Ok(limits)
    }

    /// Counts a request for logs against the rates of an account.
    ///
    /// # Errors
    /// [`TooOften`] if the account has no such call left.
    pub(crate) fn admit_logs(&self, account: AccountId) -> Result<(), TooOften> {
        self.rates.count_logs(&self.limits_of(account), account)
    }

    /// The limits of an account: the cluster's, but for those that it has of its own.
    pub(crate) fn limits_of(&self, account: AccountId) -> Cow<'_, Limits> {
        let own = self.control.glance(|catalog| {
            let account = catalog.account(account)?;
            (!account.limits.is_empty()).then(|| self.limits.of_account(&account.limits))
        });
        own.map_or(Cow::Borrowed(&self.limits), Cow::Owned)
    }
}

/// What an operation may want to know of the HTTP request beyond its parsed form.
pub(crate) struct Received {
    /// Its id; of an invocation, also the invocation's.
    pub(crate) request_id: RequestId,
    /// Scheme, host and port under which the caller reached us.
    pub(crate) origin: String,
    /// The X-Ray trace header.
    pub(crate) trace_id: String,
    /// The body, which is an invocation's payload.
    pub(crate) body: bytes::Bytes,
}

/// Does what a request asks for, and shows it.
pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<Request>,
    received: Received,
) -> Result<Answer, OperationError> {
    let (request, grant) = authorized.take();
    Ok(match request {
        Request::CreateFunction(r) => {
            create_function::answer(&create_function::run(bench, grant.of(*r)).await?)
        }
        Request::GetFunction(r) => {
            let got = get_function::run(bench, grant.of(r), &received.origin).await?;
            get_function::answer(got)
        }
        Request::GetFunctionConfiguration(r) => {
            let got = get_function_configuration::run(bench, grant.of(r)).await?;
            get_function_configuration::answer(&got)
        }
        Request::ListFunctions(r) => {
            list_functions::answer(list_functions::run(bench, grant.of(r)).await?)
        }
        Request::UpdateFunctionCode(r) => {
            let updated = update_function_code::run(bench, grant.of(*r)).await?;
            update_function_code::answer(&updated)
        }
        Request::UpdateFunctionConfiguration(r) => {
            let updated = update_function_configuration::run(bench, grant.of(*r)).await?;
            update_function_configuration::answer(&updated)
        }
        Request::DeleteFunction(r) => {
            delete_function::run(bench, grant.of(r)).await?;
            delete_function::answer()
        }
        Request::PublishVersion(r) => {
            publish_version::answer(&publish_version::run(bench, grant.of(r)).await?)
        }
        Request::ListVersionsByFunction(r) => {
            let page = list_versions_by_function::run(bench, grant.of(r)).await?;
            list_versions_by_function::answer(page)
        }
        Request::CreateAlias(r) => {
            create_alias::answer(&create_alias::run(bench, grant.of(r)).await?)
        }
        Request::GetAlias(r) => get_alias::answer(&get_alias::run(bench, grant.of(r)).await?),
        Request::UpdateAlias(r) => {
            update_alias::answer(&update_alias::run(bench, grant.of(r)).await?)
        }
        Request::DeleteAlias(r) => {
            delete_alias::run(bench, grant.of(r)).await?;
            delete_alias::answer()
        }
        Request::ListAliases(r) => {
            list_aliases::answer(list_aliases::run(bench, grant.of(r)).await?)
        }
        Request::GetAccountSettings => {
            let authorized = grant.of(());
            let usage = get_account_settings::run(bench, &authorized).await?;
            let limits = bench.limits_of(authorized.caller().account);
            get_account_settings::answer(&limits, usage)
        }
        Request::Setting(r) => settings::run(bench, grant.of(r)).await?,
        Request::PublishLayerVersion(r) => {
            let published = publish_layer_version::run(bench, grant.of(*r), &received.origin);
            publish_layer_version::answer(&published.await?)
        }
        Request::GetLayerVersion(r) | Request::GetLayerVersionByArn(r) => {
            let got = get_layer_version::run(bench, grant.of(r), &received.origin).await?;
            get_layer_version::answer(&got)
        }
        Request::DeleteLayerVersion(r) => {
            delete_layer_version::run(bench, grant.of(r)).await?;
            delete_layer_version::answer()
        }
        Request::ListLayers(r) => list_layers::answer(list_layers::run(bench, grant.of(r)).await?),
        Request::ListLayerVersions(r) => {
            list_layer_versions::answer(list_layer_versions::run(bench, grant.of(r)).await?)
        }
        Request::AddLayerVersionPermission(r) => {
            let added = add_layer_version_permission::run(bench, grant.of(*r)).await?;
            add_layer_version_permission::answer(&added)
        }
        Request::GetLayerVersionPolicy(r) => {
            let policy = get_layer_version_policy::run(bench, grant.of(r)).await?;
            get_layer_version_policy::answer(&policy)
        }
        Request::RemoveLayerVersionPermission(r) => {
            remove_layer_version_permission::run(bench, grant.of(r)).await?;
            remove_layer_version_permission::answer()
        }
        Request::CreateCodeSigningConfig(r) => {
            let made = code_signing_configs::create(bench, grant.of(*r)).await?;
            code_signing_configs::answer(Operation::CreateCodeSigningConfig, &made)
        }
        Request::GetCodeSigningConfig(r) => {
            let got = code_signing_configs::get(bench, grant.of(r)).await?;
            code_signing_configs::answer(Operation::GetCodeSigningConfig, &got)
        }
        Request::UpdateCodeSigningConfig(r) => {
            let updated = code_signing_configs::update(bench, grant.of(*r)).await?;
            code_signing_configs::answer(Operation::UpdateCodeSigningConfig, &updated)
        }
        Request::DeleteCodeSigningConfig(r) => {
            code_signing_configs::delete(bench, grant.of(r)).await?;
            Answer::empty(Operation::DeleteCodeSigningConfig.success())
        }
        Request::ListCodeSigningConfigs(r) => {
            code_signing_configs::answer_list(code_signing_configs::list(bench, grant.of(r)).await?)
        }
        Request::ListFunctionsByCodeSigningConfig(r) => {
            let page = code_signing_configs::functions(bench, grant.of(r)).await?;
            code_signing_configs::answer_functions(page)
        }
        Request::PutFunctionCodeSigningConfig(r) => {
            let held = function_code_signing::put(bench, grant.of(r)).await?;
            function_code_signing::answer(Operation::PutFunctionCodeSigningConfig, &held)
        }
        Request::GetFunctionCodeSigningConfig(r) => {
            let held = function_code_signing::get(bench, grant.of(r)).await?;
            function_code_signing::answer(Operation::GetFunctionCodeSigningConfig, &held)
        }
        Request::DeleteFunctionCodeSigningConfig(r) => {
            function_code_signing::delete(bench, grant.of(r)).await?;
            Answer::empty(Operation::DeleteFunctionCodeSigningConfig.success())
        }
        Request::CreateCapacityProvider(r) => {
            let made = capacity_providers::create(bench, grant.of(*r)).await?;
            capacity_providers::answer(Operation::CreateCapacityProvider, &made)
        }
        Request::GetCapacityProvider(r) => {
            let got = capacity_providers::get(bench, grant.of(r)).await?;
            capacity_providers::answer(Operation::GetCapacityProvider, &got)
        }
        Request::UpdateCapacityProvider(r) => {
            let updated = capacity_providers::update(bench, grant.of(*r)).await?;
            capacity_providers::answer(Operation::UpdateCapacityProvider, &updated)
        }
        Request::DeleteCapacityProvider(r) => {
            let gone = capacity_providers::delete(bench, grant.of(r)).await?;
            capacity_providers::answer(Operation::DeleteCapacityProvider, &gone)
        }
        Request::ListCapacityProviders(r) => {
            capacity_providers::answer_list(capacity_providers::list(bench, grant.of(r)).await?)
        }
        Request::ListFunctionVersionsByCapacityProvider(r) => {
            let versions = capacity_providers::versions(bench, grant.of(r)).await?;
            capacity_providers::answer_versions(&versions)
        }
        Request::CreateEventSourceMapping(r) => {
            let made = create_event_source_mapping::run(bench, grant.of(*r)).await?;
            create_event_source_mapping::answer(&made)
        }
        Request::GetEventSourceMapping(r) => {
            let found = get_event_source_mapping::run(bench, grant.of(r)).await?;
            get_event_source_mapping::answer(&found)
        }
        Request::UpdateEventSourceMapping(r) => {
            let updated = update_event_source_mapping::run(bench, grant.of(*r)).await?;
            update_event_source_mapping::answer(&updated)
        }
        Request::DeleteEventSourceMapping(r) => {
            let deleted = delete_event_source_mapping::run(bench, grant.of(r)).await?;
            delete_event_source_mapping::answer(&deleted)
        }
        Request::ListEventSourceMappings(r) => {
            let page = list_event_source_mappings::run(bench, grant.of(r)).await?;
            list_event_source_mappings::answer(page)
        }
        Request::Invoke(r) | Request::InvokeAsync(r) => {
            invoke::over_http(bench, grant.of(r), received).await?
        }
        Request::Durable(r) => durable::answer(&durable::run(bench, grant.of(r)).await?),
        Request::InvokeWithResponseStream(r) => {
            invoke_with_response_stream::over_http(bench, grant.of(r), received).await?
        }
    })
}
