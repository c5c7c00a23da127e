//! Requests: what came, as `model` types.
//!
//! Each operation has a file with the shape of its body and a type for its parsed request. Parsing first notes every
//! violation of the API model's constraints and reports them together; only then are the rules applied that AWS
//! answers with InvalidParameterValue, one at a time. Members that the API does not know are ignored; members that it
//! knows and this cluster does not implement are refused if they ask for anything.

use http::HeaderMap;
use model::{
    CapacityProviderId, CodeSigningId, CodeSigningName, FunctionArn, FunctionId, LayerVersionId,
    Limits, mapping::MappingId,
};
use serde::Deserialize;

use crate::{
    error::ApiError, invoke, operation::Operation, page::PageRequest, query::Query, route::Labels,
    schema, scope::Scope, target::Target,
};

mod absent;
pub mod alias;
pub mod capacity_provider;
pub mod code;
pub mod code_signing;
mod configuration;
pub mod create_function;
pub mod delete_function;
pub mod durable;
pub mod get_function;
pub mod layer;
pub mod list;
pub mod mapping;
mod optional;
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
    /// The headers: the type of the body, and an invocation's parameters.
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
    /// See [`Operation::PublishLayerVersion`].
    PublishLayerVersion(Box<layer::PublishLayerVersion>),
    /// See [`Operation::GetLayerVersion`].
    GetLayerVersion(LayerVersionId),
    /// See [`Operation::GetLayerVersionByArn`].
    GetLayerVersionByArn(LayerVersionId),
    /// See [`Operation::DeleteLayerVersion`].
    DeleteLayerVersion(LayerVersionId),
    /// See [`Operation::ListLayers`].
    ListLayers(layer::ListLayers),
    /// See [`Operation::ListLayerVersions`].
    ListLayerVersions(layer::ListLayerVersions),
    /// See [`Operation::AddLayerVersionPermission`].
    AddLayerVersionPermission(Box<layer::AddLayerVersionPermission>),
    /// See [`Operation::GetLayerVersionPolicy`].
    GetLayerVersionPolicy(LayerVersionId),
    /// See [`Operation::RemoveLayerVersionPermission`].
    RemoveLayerVersionPermission(layer::RemoveLayerVersionPermission),
    /// See [`Operation::CreateCodeSigningConfig`].
    CreateCodeSigningConfig(Box<code_signing::CreateCodeSigningConfig>),
    /// See [`Operation::GetCodeSigningConfig`].
    GetCodeSigningConfig(CodeSigningId),
    /// See [`Operation::UpdateCodeSigningConfig`].
    UpdateCodeSigningConfig(Box<code_signing::UpdateCodeSigningConfig>),
    /// See [`Operation::DeleteCodeSigningConfig`].
    DeleteCodeSigningConfig(CodeSigningId),
    /// See [`Operation::ListCodeSigningConfigs`].
    ListCodeSigningConfigs(PageRequest<CodeSigningName>),
    /// See [`Operation::ListFunctionsByCodeSigningConfig`].
    ListFunctionsByCodeSigningConfig(code_signing::ListFunctionsByCodeSigningConfig),
    /// See [`Operation::PutFunctionCodeSigningConfig`].
    PutFunctionCodeSigningConfig(code_signing::PutFunctionCodeSigningConfig),
    /// See [`Operation::GetFunctionCodeSigningConfig`].
    GetFunctionCodeSigningConfig(FunctionId),
    /// See [`Operation::DeleteFunctionCodeSigningConfig`].
    DeleteFunctionCodeSigningConfig(FunctionId),
    /// See [`Operation::CreateCapacityProvider`].
    CreateCapacityProvider(Box<capacity_provider::CreateCapacityProvider>),
    /// See [`Operation::GetCapacityProvider`].
    GetCapacityProvider(CapacityProviderId),
    /// See [`Operation::UpdateCapacityProvider`].
    UpdateCapacityProvider(Box<capacity_provider::UpdateCapacityProvider>),
    /// See [`Operation::DeleteCapacityProvider`].
    DeleteCapacityProvider(CapacityProviderId),
    /// See [`Operation::ListCapacityProviders`].
    ListCapacityProviders(capacity_provider::ListCapacityProviders),
    /// See [`Operation::ListFunctionVersionsByCapacityProvider`].
    ListFunctionVersionsByCapacityProvider(
        capacity_provider::ListFunctionVersionsByCapacityProvider,
    ),
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
            Operation::PublishLayerVersion => {
                Self::PublishLayerVersion(Box::new(layer::publish(input)?))
            }
            Operation::GetLayerVersion => Self::GetLayerVersion(layer::version(input)?),
            Operation::GetLayerVersionByArn => Self::GetLayerVersionByArn(layer::by_arn(input)?),
            Operation::DeleteLayerVersion => Self::DeleteLayerVersion(layer::version(input)?),
            Operation::ListLayers => Self::ListLayers(layer::list(input)?),
            Operation::ListLayerVersions => Self::ListLayerVersions(layer::versions(input)?),
            Operation::AddLayerVersionPermission => {
                Self::AddLayerVersionPermission(Box::new(layer::add_permission(input)?))
            }
            Operation::GetLayerVersionPolicy => Self::GetLayerVersionPolicy(layer::version(input)?),
            Operation::RemoveLayerVersionPermission => {
                Self::RemoveLayerVersionPermission(layer::remove_permission(input)?)
            }
            Operation::CreateCodeSigningConfig => {
                Self::CreateCodeSigningConfig(Box::new(code_signing::create(input)?))
            }
            Operation::GetCodeSigningConfig => {
                Self::GetCodeSigningConfig(code_signing::named(input)?)
            }
            Operation::UpdateCodeSigningConfig => {
                Self::UpdateCodeSigningConfig(Box::new(code_signing::update(input)?))
            }
            Operation::DeleteCodeSigningConfig => {
                Self::DeleteCodeSigningConfig(code_signing::named(input)?)
            }
            Operation::ListCodeSigningConfigs => {
                Self::ListCodeSigningConfigs(code_signing::list(input)?)
            }
            Operation::ListFunctionsByCodeSigningConfig => {
                Self::ListFunctionsByCodeSigningConfig(code_signing::functions(input)?)
            }
            Operation::PutFunctionCodeSigningConfig => {
                Self::PutFunctionCodeSigningConfig(code_signing::put(input)?)
            }
            Operation::GetFunctionCodeSigningConfig => {
                Self::GetFunctionCodeSigningConfig(code_signing::function(input)?)
            }
            Operation::DeleteFunctionCodeSigningConfig => {
                Self::DeleteFunctionCodeSigningConfig(code_signing::function(input)?)
            }
            Operation::CreateCapacityProvider => {
                Self::CreateCapacityProvider(Box::new(capacity_provider::create(input)?))
            }
            Operation::GetCapacityProvider => {
                Self::GetCapacityProvider(capacity_provider::named(input)?)
            }
            Operation::UpdateCapacityProvider => {
                Self::UpdateCapacityProvider(Box::new(capacity_provider::update(input)?))
            }
            Operation::DeleteCapacityProvider => {
                Self::DeleteCapacityProvider(capacity_provider::named(input)?)
            }
            Operation::ListCapacityProviders => {
                Self::ListCapacityProviders(capacity_provider::list(input)?)
            }
            Operation::ListFunctionVersionsByCapacityProvider => {
                Self::ListFunctionVersionsByCapacityProvider(capacity_provider::versions(input)?)
            }
            _ => match setting::SettingRequest::parse(input)? {
                Some(request) => Self::Setting(request),
                None => return Err(ApiError::UnknownOperation),
            },
        })
    }

    /// The function, version or alias that a policy must allow; `None` for the operations on a whole account and on what is
    /// no function. The owner of layers and the like is checked where their names are parsed.
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
            Self::PublishLayerVersion(_)
            | Self::GetLayerVersion(_)
            | Self::GetLayerVersionByArn(_)
            | Self::DeleteLayerVersion(_)
            | Self::ListLayers(_)
            | Self::ListLayerVersions(_)
            | Self::AddLayerVersionPermission(_)
            | Self::GetLayerVersionPolicy(_)
            | Self::RemoveLayerVersionPermission(_)
            | Self::CreateCodeSigningConfig(_)
            | Self::GetCodeSigningConfig(_)
            | Self::UpdateCodeSigningConfig(_)
            | Self::DeleteCodeSigningConfig(_)
            | Self::ListCodeSigningConfigs(_)
            | Self::ListFunctionsByCodeSigningConfig(_)
            | Self::CreateCapacityProvider(_)
            | Self::GetCapacityProvider(_)
            | Self::UpdateCapacityProvider(_)
            | Self::DeleteCapacityProvider(_)
            | Self::ListCapacityProviders(_)
            | Self::ListFunctionVersionsByCapacityProvider(_) => None,
            Self::PutFunctionCodeSigningConfig(r) => Some(r.function.arn(None)),
            Self::GetFunctionCodeSigningConfig(function)
            | Self::DeleteFunctionCodeSigningConfig(function) => Some(function.arn(None)),
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
pub(crate) fn expected_revision(text: Option<&str>) -> Result<Option<model::RevisionId>, ApiError> {
    let parse = |text: &str| text.parse().map_err(|_| ApiError::revision_mismatch());
    text.filter(|text| !text.is_empty()).map(parse).transpose()
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
