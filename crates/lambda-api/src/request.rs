//! Requests: what came, as `model` types.
//!
//! Each operation has a file with the shape of its body and a type for its parsed request. Parsing first notes every
//! violation of the API model's constraints and reports them together; only then are the rules applied that AWS
//! answers with InvalidParameterValue, one at a time. Members that the API does not know are ignored; members that it
//! knows and this cluster does not implement are refused if they ask for anything.

use http::HeaderMap;
use model::{FunctionArn, Limits, mapping::MappingId};
use serde::Deserialize;

use crate::{
    error::ApiError, invoke, operation::Operation, query::Query, route::Labels, schema,
    scope::Scope, target::Target,
};

mod absent;
pub mod alias;
mod code;
mod configuration;
pub mod create_function;
pub mod delete_function;
pub mod durable;
pub mod get_function;
pub mod list;
pub mod mapping;
pub mod publish_version;
pub mod setting;
pub mod update_function_code;
pub mod update_function_configuration;

/// Everything that a request is parsed from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The operation that [`crate::route::route`] found.
    pub operation: Operation,
    /// The labels that it found in the path.
    pub labels: &'a Labels,
    /// The query.
    pub query: &'a Query,
    /// The headers; only an invocation has parameters there.
    pub headers: &'a HeaderMap,
    /// The body. An invocation's payload is not read here: see [`invoke::payload`].
    pub body: &'a [u8],
    /// The caller's account, and the region of the request.
    pub scope: &'a Scope,
    /// The limits of the cluster.
    pub limits: &'a Limits,
}

/// A parsed request.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// See [`Operation::CreateFunction`].
    CreateFunction(Box<create_function::CreateFunction>),
    /// See [`Operation::GetFunction`].
    GetFunction(Target),
    /// See [`Operation::GetFunctionConfiguration`].
    GetFunctionConfiguration(Target),
    /// See [`Operation::ListFunctions`].
    ListFunctions(list::ListFunctions),
    /// See [`Operation::UpdateFunctionCode`].
    UpdateFunctionCode(Box<update_function_code::UpdateFunctionCode>),
    /// See [`Operation::UpdateFunctionConfiguration`].
    UpdateFunctionConfiguration(Box<update_function_configuration::UpdateFunctionConfiguration>),
    /// See [`Operation::DeleteFunction`].
    DeleteFunction(delete_function::DeleteFunction),
    /// See [`Operation::PublishVersion`].
    PublishVersion(publish_version::PublishVersion),
    /// See [`Operation::ListVersionsByFunction`].
    ListVersionsByFunction(list::ListVersions),
    /// See [`Operation::CreateAlias`].
    CreateAlias(alias::CreateAlias),
    /// See [`Operation::GetAlias`].
    GetAlias(alias::NamedAlias),
    /// See [`Operation::UpdateAlias`].
    UpdateAlias(alias::UpdateAlias),
    /// See [`Operation::DeleteAlias`].
    DeleteAlias(alias::NamedAlias),
    /// See [`Operation::ListAliases`].
    ListAliases(list::ListAliases),
    /// See [`Operation::GetAccountSettings`].
    GetAccountSettings,
    /// What is set for a function beside its configuration.
    Setting(setting::SettingRequest),
    /// See [`Operation::CreateEventSourceMapping`].
    CreateEventSourceMapping(Box<mapping::CreateMapping>),
    /// See [`Operation::GetEventSourceMapping`].
    GetEventSourceMapping(MappingId),
    /// See [`Operation::UpdateEventSourceMapping`].
    UpdateEventSourceMapping(Box<mapping::UpdateMapping>),
    /// See [`Operation::DeleteEventSourceMapping`].
    DeleteEventSourceMapping(MappingId),
    /// See [`Operation::ListEventSourceMappings`].
    ListEventSourceMappings(mapping::ListMappings),
    /// See [`Operation::Invoke`].
    Invoke(invoke::Call),
    /// See [`Operation::InvokeWithResponseStream`].
    InvokeWithResponseStream(invoke::Call),
    /// See [`Operation::InvokeAsync`].
    InvokeAsync(invoke::Call),
    /// See the operations on durable executions and on their callbacks.
    Durable(durable::Durable),
}

impl Request {
    /// Parses the request of any operation.
    ///
    /// # Errors
    /// The [`ApiError`] that AWS answers such a request with.
    pub fn parse(input: &Input<'_>) -> Result<Self, ApiError> {
        schema::check(input)?;
        Ok(match input.operation {
            Operation::CreateFunction => {
                Self::CreateFunction(Box::new(create_function::parse(input)?))
            }
            Operation::GetFunction => Self::GetFunction(get_function::parse(input)?),
            Operation::GetFunctionConfiguration => {
                Self::GetFunctionConfiguration(get_function::parse(input)?)
            }
            Operation::ListFunctions => Self::ListFunctions(list::functions(input)?),
            Operation::UpdateFunctionCode => {
                Self::UpdateFunctionCode(Box::new(update_function_code::parse(input)?))
            }
            Operation::UpdateFunctionConfiguration => Self::UpdateFunctionConfiguration(Box::new(
                update_function_configuration::parse(input)?,
            )),
            Operation::DeleteFunction => Self::DeleteFunction(delete_function::parse(input)?),
            Operation::PublishVersion => Self::PublishVersion(publish_version::parse(input)?),
            Operation::ListVersionsByFunction => {
                Self::ListVersionsByFunction(list::versions(input)?)
            }
            Operation::CreateAlias => Self::CreateAlias(alias::create(input)?),
            Operation::GetAlias => Self::GetAlias(alias::named(input)?),
            Operation::UpdateAlias => Self::UpdateAlias(alias::update(input)?),
            Operation::DeleteAlias => Self::DeleteAlias(alias::named(input)?),
            Operation::ListAliases => Self::ListAliases(list::aliases(input)?),
            Operation::GetAccountSettings => Self::GetAccountSettings,
            Operation::CreateEventSourceMapping => {
                Self::CreateEventSourceMapping(Box::new(mapping::create(input)?))
            }
            Operation::GetEventSourceMapping => Self::GetEventSourceMapping(mapping::named(input)?),
            Operation::UpdateEventSourceMapping => {
                Self::UpdateEventSourceMapping(Box::new(mapping::update(input)?))
            }
            Operation::DeleteEventSourceMapping => {
                Self::DeleteEventSourceMapping(mapping::named(input)?)
            }
            Operation::ListEventSourceMappings => {
                Self::ListEventSourceMappings(mapping::list(input)?)
            }
            Operation::Invoke => Self::Invoke(invoke::parse(input)?),
            Operation::InvokeWithResponseStream => {
                Self::InvokeWithResponseStream(invoke::parse(input)?)
            }
            Operation::InvokeAsync => Self::InvokeAsync(invoke::parse_async(input)?),
            Operation::GetDurableExecution
            | Operation::GetDurableExecutionHistory
            | Operation::StopDurableExecution
            | Operation::PauseDurableExecution
            | Operation::ResumeDurableExecution
            | Operation::DeleteDurableExecution => Self::Durable(durable::execution(input)?),
            Operation::CheckpointDurableExecution => Self::Durable(durable::checkpoint(input)?),
            Operation::GetDurableExecutionState => Self::Durable(durable::state(input)?),
            Operation::ListDurableExecutionsByFunction => {
                Self::Durable(durable::of_function(input)?)
            }
            Operation::SendDurableExecutionCallbackSuccess
            | Operation::SendDurableExecutionCallbackFailure
            | Operation::SendDurableExecutionCallbackHeartbeat => {
                Self::Durable(durable::callback(input))
            }
            _ => match setting::SettingRequest::parse(input)? {
                Some(request) => Self::Setting(request),
                None => return Err(ApiError::UnknownOperation),
            },
        })
    }

    /// The function, version or alias that a policy must allow; `None` for the operations on a whole account and on
    /// what is no function.
    #[must_use]
    pub fn resource(&self) -> Option<FunctionArn> {
        match self {
            Self::CreateFunction(r) => Some(r.function.arn(None)),
            Self::GetFunction(target) | Self::GetFunctionConfiguration(target) => {
                Some(target.arn())
            }
            Self::UpdateFunctionCode(r) => Some(r.function.arn(None)),
            Self::UpdateFunctionConfiguration(r) => Some(r.function.arn(None)),
            Self::DeleteFunction(r) => {
                Some(r.function.arn(r.version.map(model::Qualifier::Version)))
            }
            Self::PublishVersion(r) => Some(r.function.arn(None)),
            Self::ListVersionsByFunction(r) => Some(r.function.arn(None)),
            Self::CreateAlias(r) => Some(r.function.arn(None)),
            Self::GetAlias(r) | Self::DeleteAlias(r) => Some(r.function.arn(None)),
            Self::UpdateAlias(r) => Some(r.function.arn(None)),
            Self::ListAliases(r) => Some(r.function.arn(None)),
            Self::Invoke(call) | Self::InvokeWithResponseStream(call) | Self::InvokeAsync(call) => {
                Some(call.target.arn())
            }
            Self::Durable(r) => r.resource(),
            Self::CreateEventSourceMapping(r) => Some(r.function.clone()),
            // Mappings are named within the caller's own account, and a function in such a request is, too.
            Self::GetEventSourceMapping(_)
            | Self::UpdateEventSourceMapping(_)
            | Self::DeleteEventSourceMapping(_)
            | Self::ListEventSourceMappings(_) => None,
            Self::Setting(request) => request.resource(),
            Self::ListFunctions(_) | Self::GetAccountSettings => None,
        }
    }
}

impl<'a> Input<'a> {
    /// A label of the path; empty if there is none, which no constraint lets pass.
    pub(crate) fn label(&self, name: &str) -> &'a str {
        self.labels.get(name).unwrap_or_default()
    }

    /// The function's name in the path.
    pub(crate) fn function_name(&self) -> &'a str {
        self.label("FunctionName")
    }

    /// Reads the body; an empty one has no members.
    pub(crate) fn body<S: Deserialize<'a>>(&self) -> Result<S, ApiError> {
        let body = if self.body.is_empty() {
            b"{}".as_slice()
        } else {
            self.body
        };
        // A shape could be read off a list too, member by member.
        if body.trim_ascii_start().starts_with(b"[") {
            return Err(ApiError::unreadable_body("expected an object, got a list"));
        }
        serde_json::from_slice(body).map_err(ApiError::unreadable_body)
    }
}

/// A parsed `RevisionId`: the empty text asks for nothing, and one that is no revision cannot be the latest one.
pub(crate) fn expected_revision(
    text: Option<&str>,
    of_alias: bool,
) -> Result<Option<model::RevisionId>, ApiError> {
    let parse = |text: &str| {
        text.parse()
            .map_err(|_| ApiError::revision_mismatch(of_alias))
    };
    text.filter(|text| !text.is_empty()).map(parse).transpose()
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
