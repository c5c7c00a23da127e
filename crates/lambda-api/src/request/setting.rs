//! Requests about what is set for a function, a version or an alias beside its configuration.

mod concurrency;
mod event_invoke;
mod function_url;
mod policy;
mod recursion;
mod runtime_management;
mod scaling;
pub mod tags;

use std::{fmt, str::FromStr};

use model::{
    FunctionArn, FunctionId, Mutation, Qualifier, RevisionId, SettingChange,
    qualifier::InvalidQualifier,
};

pub use policy::{AddPermission, PutResourcePolicy};

use super::Input;
use crate::{
    error::ApiError,
    operation::Operation,
    page::{self, PageRequest, PageSize},
    target::{self, Target},
};

/// Settings come fifty at a time, whatever the caller wishes.
const FIFTY: PageSize = PageSize {
    default: 50,
    cap: 50,
};

/// A request about a setting, by its operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingRequest {
    /// See [`Operation::AddPermission`].
    AddPermission(AddPermission),
    /// See [`Operation::GetPolicy`].
    GetPolicy(Target),
    /// See [`Operation::RemovePermission`].
    RemovePermission(Configure),
    /// See [`Operation::PutResourcePolicy`].
    PutResourcePolicy(PutResourcePolicy),
    /// See [`Operation::GetResourcePolicy`].
    GetResourcePolicy(Target),
    /// See [`Operation::DeleteResourcePolicy`].
    DeleteResourcePolicy(Configure),
    /// See [`Operation::PutFunctionConcurrency`].
    PutFunctionConcurrency(Configure),
    /// See [`Operation::GetFunctionConcurrency`].
    GetFunctionConcurrency(Target),
    /// See [`Operation::DeleteFunctionConcurrency`].
    DeleteFunctionConcurrency(Configure),
    /// See [`Operation::PutProvisionedConcurrencyConfig`].
    PutProvisionedConcurrencyConfig(Configure),
    /// See [`Operation::GetProvisionedConcurrencyConfig`].
    GetProvisionedConcurrencyConfig(Target),
    /// See [`Operation::DeleteProvisionedConcurrencyConfig`].
    DeleteProvisionedConcurrencyConfig(Configure),
    /// See [`Operation::ListProvisionedConcurrencyConfigs`].
    ListProvisionedConcurrencyConfigs(ListSettings),
    /// See [`Operation::PutFunctionEventInvokeConfig`].
    PutFunctionEventInvokeConfig(Configure),
    /// See [`Operation::UpdateFunctionEventInvokeConfig`].
    UpdateFunctionEventInvokeConfig(Configure),
    /// See [`Operation::GetFunctionEventInvokeConfig`].
    GetFunctionEventInvokeConfig(Target),
    /// See [`Operation::DeleteFunctionEventInvokeConfig`].
    DeleteFunctionEventInvokeConfig(Configure),
    /// See [`Operation::ListFunctionEventInvokeConfigs`].
    ListFunctionEventInvokeConfigs(ListSettings),
    /// See [`Operation::CreateFunctionUrlConfig`].
    CreateFunctionUrlConfig(Configure),
    /// See [`Operation::GetFunctionUrlConfig`].
    GetFunctionUrlConfig(Target),
    /// See [`Operation::UpdateFunctionUrlConfig`].
    UpdateFunctionUrlConfig(Configure),
    /// See [`Operation::DeleteFunctionUrlConfig`].
    DeleteFunctionUrlConfig(Configure),
    /// See [`Operation::ListFunctionUrlConfigs`].
    ListFunctionUrlConfigs(ListSettings),
    /// See [`Operation::PutRuntimeManagementConfig`].
    PutRuntimeManagementConfig(Configure),
    /// See [`Operation::GetRuntimeManagementConfig`].
    GetRuntimeManagementConfig(Target),
    /// See [`Operation::PutFunctionRecursionConfig`].
    PutFunctionRecursionConfig(Configure),
    /// See [`Operation::GetFunctionRecursionConfig`].
    GetFunctionRecursionConfig(Target),
    /// See [`Operation::PutFunctionScalingConfig`].
    PutFunctionScalingConfig(Configure),
    /// See [`Operation::GetFunctionScalingConfig`].
    GetFunctionScalingConfig(Target),
    /// See [`Operation::TagResource`].
    TagResource(tags::TagResource),
    /// See [`Operation::UntagResource`].
    UntagResource(tags::UntagResource),
    /// See [`Operation::ListTags`].
    ListTags(tags::Tagged),
}

/// A change to what is set for a function, a version or an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configure {
    /// The function, version or alias.
    pub target: Target,
    /// The change.
    pub change: SettingChange,
    /// Only if it still has this revision.
    pub expected: Option<RevisionId>,
}

/// Everything of one kind that is set for a function and its versions and aliases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListSettings {
    /// The function.
    pub function: FunctionId,
    /// The page.
    pub page: PageRequest<PlaceKey>,
}

/// The key of such a list: the function itself comes first, then versions by number, then aliases by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlaceKey(pub Option<Qualifier>);

/// The function itself, in a key: a dot is in no qualifier.
const FUNCTION_ITSELF: &str = ".";

impl SettingRequest {
    /// Parses the request of an operation on a setting; `None` for any other operation.
    pub(super) fn parse(input: &Input<'_>) -> Result<Option<Self>, ApiError> {
        Ok(Some(match input.operation {
            Operation::AddPermission => Self::AddPermission(policy::add(input)?),
            Operation::GetPolicy => Self::GetPolicy(target(input)?),
            Operation::RemovePermission => Self::RemovePermission(policy::remove(input)?),
            Operation::PutResourcePolicy => Self::PutResourcePolicy(policy::put(input)?),
            Operation::GetResourcePolicy => Self::GetResourcePolicy(policy::resource(input)?),
            Operation::DeleteResourcePolicy => Self::DeleteResourcePolicy(policy::delete(input)?),
            Operation::PutFunctionConcurrency => {
                Self::PutFunctionConcurrency(concurrency::reserve(input)?)
            }
            Operation::GetFunctionConcurrency => {
                Self::GetFunctionConcurrency(concurrency::reserved(input)?)
            }
            Operation::DeleteFunctionConcurrency => {
                Self::DeleteFunctionConcurrency(concurrency::unreserve(input)?)
            }
            Operation::PutProvisionedConcurrencyConfig => {
                Self::PutProvisionedConcurrencyConfig(concurrency::provision(input)?)
            }
            Operation::GetProvisionedConcurrencyConfig => {
                Self::GetProvisionedConcurrencyConfig(concurrency::provisioned(input)?)
            }
            Operation::DeleteProvisionedConcurrencyConfig => {
                Self::DeleteProvisionedConcurrencyConfig(concurrency::unprovision(input)?)
            }
            Operation::ListProvisionedConcurrencyConfigs => {
                Self::ListProvisionedConcurrencyConfigs(list(input)?)
            }
            Operation::PutFunctionEventInvokeConfig => {
                Self::PutFunctionEventInvokeConfig(event_invoke::put(input)?)
            }
            Operation::UpdateFunctionEventInvokeConfig => {
                Self::UpdateFunctionEventInvokeConfig(event_invoke::update(input)?)
            }
            Operation::GetFunctionEventInvokeConfig => {
                Self::GetFunctionEventInvokeConfig(target(input)?)
            }
            Operation::DeleteFunctionEventInvokeConfig => {
                Self::DeleteFunctionEventInvokeConfig(event_invoke::delete(input)?)
            }
            Operation::ListFunctionEventInvokeConfigs => {
                Self::ListFunctionEventInvokeConfigs(list(input)?)
            }
            Operation::CreateFunctionUrlConfig => {
                Self::CreateFunctionUrlConfig(function_url::create(input)?)
            }
            Operation::GetFunctionUrlConfig => Self::GetFunctionUrlConfig(target(input)?),
            Operation::UpdateFunctionUrlConfig => {
                Self::UpdateFunctionUrlConfig(function_url::update(input)?)
            }
            Operation::DeleteFunctionUrlConfig => {
                Self::DeleteFunctionUrlConfig(function_url::delete(input)?)
            }
            Operation::ListFunctionUrlConfigs => Self::ListFunctionUrlConfigs(list(input)?),
            Operation::PutRuntimeManagementConfig => {
                Self::PutRuntimeManagementConfig(runtime_management::put(input)?)
            }
            Operation::GetRuntimeManagementConfig => {
                Self::GetRuntimeManagementConfig(runtime_management::target(input)?)
            }
            Operation::PutFunctionRecursionConfig => {
                Self::PutFunctionRecursionConfig(recursion::put(input)?)
            }
            Operation::GetFunctionRecursionConfig => {
                Self::GetFunctionRecursionConfig(recursion::get(input)?)
            }
            Operation::PutFunctionScalingConfig => {
                Self::PutFunctionScalingConfig(scaling::put(input)?)
            }
            Operation::GetFunctionScalingConfig => Self::GetFunctionScalingConfig(target(input)?),
            Operation::TagResource => Self::TagResource(tags::tag(input)?),
            Operation::UntagResource => Self::UntagResource(tags::untag(input)?),
            Operation::ListTags => Self::ListTags(tags::resource(input)?),
            _ => return Ok(None),
        }))
    }

    /// See [`super::Request::resource`].
    pub(crate) fn resource(&self) -> Option<FunctionArn> {
        match self {
            Self::AddPermission(r) => Some(r.configure.target.arn()),
            Self::PutResourcePolicy(r) => Some(r.configure.target.arn()),
            Self::RemovePermission(r)
            | Self::DeleteResourcePolicy(r)
            | Self::PutFunctionConcurrency(r)
            | Self::DeleteFunctionConcurrency(r)
            | Self::PutProvisionedConcurrencyConfig(r)
            | Self::DeleteProvisionedConcurrencyConfig(r)
            | Self::PutFunctionEventInvokeConfig(r)
            | Self::UpdateFunctionEventInvokeConfig(r)
            | Self::DeleteFunctionEventInvokeConfig(r)
            | Self::CreateFunctionUrlConfig(r)
            | Self::UpdateFunctionUrlConfig(r)
            | Self::DeleteFunctionUrlConfig(r)
            | Self::PutRuntimeManagementConfig(r)
            | Self::PutFunctionRecursionConfig(r)
            | Self::PutFunctionScalingConfig(r) => Some(r.target.arn()),
            Self::GetPolicy(r)
            | Self::GetResourcePolicy(r)
            | Self::GetFunctionConcurrency(r)
            | Self::GetProvisionedConcurrencyConfig(r)
            | Self::GetFunctionEventInvokeConfig(r)
            | Self::GetFunctionUrlConfig(r)
            | Self::GetRuntimeManagementConfig(r)
            | Self::GetFunctionRecursionConfig(r)
            | Self::GetFunctionScalingConfig(r) => Some(r.arn()),
            Self::ListProvisionedConcurrencyConfigs(r)
            | Self::ListFunctionEventInvokeConfigs(r)
            | Self::ListFunctionUrlConfigs(r) => Some(r.function.arn(None)),
            Self::TagResource(r) => r.resource.function(),
            Self::UntagResource(r) => r.resource.function(),
            Self::ListTags(resource) => resource.function(),
        }
    }

    /// What carries the tags that the request is about, function or not.
    pub(crate) const fn tagged(&self) -> Option<&tags::Tagged> {
        match self {
            Self::TagResource(r) => Some(&r.resource),
            Self::UntagResource(r) => Some(&r.resource),
            Self::ListTags(resource) => Some(resource),
            _ => None,
        }
    }
}

impl Configure {
    fn new(target: Target, change: SettingChange) -> Self {
        Self {
            target,
            change,
            expected: None,
        }
    }
}

impl From<Configure> for Mutation {
    fn from(configure: Configure) -> Self {
        let Configure {
            target,
            change,
            expected,
        } = configure;
        Self::Configure {
            function: target.function,
            qualifier: target.qualifier,
            change: Box::new(change),
            expected,
        }
    }
}

impl fmt::Display for PlaceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str(FUNCTION_ITSELF),
            Some(qualifier) => qualifier.fmt(f),
        }
    }
}

impl FromStr for PlaceKey {
    type Err = InvalidQualifier;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            FUNCTION_ITSELF => Ok(Self(None)),
            qualifier => qualifier.parse().map(|q| Self(Some(q))),
        }
    }
}

/// What the name and the `Qualifier` of a request mean.
fn target(input: &Input<'_>) -> Result<Target, ApiError> {
    target::locate(
        input.function_name(),
        input.query.get("Qualifier"),
        input.scope,
    )
}

/// The function of a request that has no meaning on a version or alias.
fn whole_function(input: &Input<'_>) -> Result<Target, ApiError> {
    let function = target(input)?.whole_function()?;
    Ok(Target {
        function,
        qualifier: None,
    })
}

fn list(input: &Input<'_>) -> Result<ListSettings, ApiError> {
    Ok(ListSettings {
        function: whole_function(input)?.function,
        page: page::request(input.query, FIFTY)?,
    })
}

#[cfg(test)]
mod tests;
