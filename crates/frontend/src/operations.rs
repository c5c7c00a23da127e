//! One file per operation of the API; the operations on one setting of a function share a file of `settings/`. Each has the same two parts: `run`, which does it and knows no wire, and `answer`,
//! which shows the result as AWS does. The gRPC edge calls the same `run`.

pub(crate) mod create_alias;
pub(crate) mod create_event_source_mapping;
pub(crate) mod create_function;
pub(crate) mod delete_alias;
pub(crate) mod delete_event_source_mapping;
pub(crate) mod delete_function;
pub(crate) mod durable;
pub(crate) mod get_account_settings;
pub(crate) mod get_alias;
pub(crate) mod get_event_source_mapping;
pub(crate) mod get_function;
pub(crate) mod get_function_configuration;
pub(crate) mod invoke;
pub(crate) mod invoke_with_response_stream;
pub(crate) mod list_aliases;
pub(crate) mod list_event_source_mappings;
pub(crate) mod list_functions;
pub(crate) mod list_versions_by_function;
pub(crate) mod publish_version;
pub(crate) mod settings;
pub(crate) mod update_alias;
pub(crate) mod update_event_source_mapping;
pub(crate) mod update_function_code;
pub(crate) mod update_function_configuration;

mod deployment;
mod versions;

pub(crate) use versions::Shown;

use std::sync::Arc;

use host::{Clock, Entropy, Tasks};
use lambda_api::Request;
use model::{Limits, RequestId};
use routing::Router;

use crate::{
    auth::Authorized, code_url::CodeUrlKey, control::Control, error::OperationError,
    figures::Counters, respond::Answer,
};

/// What operations work with.
pub(crate) struct Workbench {
    pub(crate) control: Control,
    pub(crate) router: Router,
    pub(crate) limits: Limits,
    pub(crate) code_urls: CodeUrlKey,
    /// What hosts of function URLs end with.
    pub(crate) url_suffix: String,
    pub(crate) tasks: Tasks,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) counters: Arc<Counters>,
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
            let usage = get_account_settings::run(bench, &grant.of(())).await?;
            get_account_settings::answer(bench, usage)
        }
        Request::Setting(r) => settings::run(bench, grant.of(r)).await?,
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
