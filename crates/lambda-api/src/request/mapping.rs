//! `CreateEventSourceMapping`, `GetEventSourceMapping`, `UpdateEventSourceMapping`, `DeleteEventSourceMapping` and
//! `ListEventSourceMappings`.
//!
//! What a kind of source takes is decided by `model`, from the source and all settings together: when a mapping is created,
//! here, and when it is changed, where it is kept.

mod settings;
mod source;

use std::collections::BTreeMap;

use model::{
    FunctionArn, Mutation,
    mapping::{ConsumptionMode, MappingChange, MappingId, MappingUuid, Setting, Settings, Source},
};
use serde::Deserialize;

use super::Input;
use crate::{
    error::ApiError,
    page::{self, PageRequest, PageSize},
    target,
};

/// Mappings come a hundred at a time, whatever the caller wishes.
const HUNDRED: PageSize = PageSize {
    default: 100,
    cap: 100,
};

/// An event source mapping to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateMapping {
    /// What it invokes.
    pub function: FunctionArn,
    /// Where its records come from.
    pub source: Source,
    /// The settings that differ from what sources of its kind have. They are known to go together.
    pub settings: Vec<Setting>,
    /// Whether it should read.
    pub enabled: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Changes to an event source mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateMapping {
    /// The mapping.
    pub mapping: MappingId,
    /// The changes. Whether they go with its source is decided where it is kept.
    pub change: MappingChange,
}

/// Some event source mappings of the caller's account in the region, by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListMappings {
    /// Only of this source.
    pub source_arn: Option<String>,
    /// Only to this function, with exactly this qualifier.
    pub function: Option<FunctionArn>,
    /// The page.
    pub page: PageRequest<MappingUuid>,
}

impl From<CreateMapping> for Mutation {
    fn from(mapping: CreateMapping) -> Self {
        let CreateMapping {
            function,
            source,
            settings,
            enabled,
            tags,
        } = mapping;
        Self::CreateEventSourceMapping {
            function,
            source: Box::new(source),
            settings,
            enabled,
            tags,
        }
    }
}

impl From<UpdateMapping> for Mutation {
    fn from(update: UpdateMapping) -> Self {
        let UpdateMapping { mapping, change } = update;
        Self::UpdateEventSourceMapping {
            mapping,
            change: Box::new(change),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    function_name: Option<String>,
    enabled: Option<bool>,
    tags: Option<BTreeMap<String, String>>,
}

pub(super) fn create(input: &Input<'_>) -> Result<CreateMapping, ApiError> {
    let shape: Shape = input.body()?;
    let members: settings::Shape = input.body()?;
    let source: source::Shape = input.body()?;
    let is_positioned = source.is_positioned();
    let source = source.source(members.consumer_group())?;
    let kind = source.kind();
    members.refuse_config_of_others(kind)?;
    let settings = members.settings(input.limits)?;
    let all = Settings::of(kind).changed(kind, &settings)?;
    if is_positioned && all.consumption_mode() == ConsumptionMode::Queue {
        return Err(ApiError::unsupported_mapping_member("startingPosition"));
    }
    let tags = shape.tags.unwrap_or_default();
    if tags.len() > input.limits.tags {
        return Err(ApiError::too_many_tags());
    }
    Ok(CreateMapping {
        function: function(input, shape.function_name.as_deref().unwrap_or_default())?,
        source,
        settings,
        enabled: shape.enabled.unwrap_or(true),
        tags,
    })
}

pub(super) fn update(input: &Input<'_>) -> Result<UpdateMapping, ApiError> {
    let shape: Shape = input.body()?;
    let members: settings::Shape = input.body()?;
    Ok(UpdateMapping {
        mapping: named(input)?,
        change: MappingChange::Configure {
            function: shape
                .function_name
                .map(|name| function(input, &name))
                .transpose()?,
            enabled: shape.enabled,
            consumer_group: members.consumer_group(),
            settings: members.settings(input.limits)?,
        },
    })
}

/// The mapping in the path. An id that is none names nothing.
pub(super) fn named(input: &Input<'_>) -> Result<MappingId, ApiError> {
    let uuid = input.label("UUID").to_ascii_lowercase();
    Ok(MappingId {
        account: input.scope.account,
        region: input.scope.region.clone(),
        uuid: uuid.parse().map_err(|_| ApiError::mapping_not_found())?,
    })
}

pub(super) fn list(input: &Input<'_>) -> Result<ListMappings, ApiError> {
    let given = |name| input.query.get(name).filter(|value| !value.is_empty());
    Ok(ListMappings {
        source_arn: given("EventSourceArn").map(str::to_owned),
        function: given("FunctionName")
            .map(|name| function(input, name))
            .transpose()?,
        page: page::request(input.query, HUNDRED)?,
    })
}

/// The function of a mapping, which is always of the account that the mapping is of.
fn function(input: &Input<'_>, name: &str) -> Result<FunctionArn, ApiError> {
    let function = target::locate(name, None, input.scope)?.arn();
    let (own, region) = (input.scope.account, &input.scope.region);
    if function.id.account == own {
        Ok(function)
    } else {
        let operation = input.operation;
        Err(ApiError::resource_of_other_account(
            own, region, operation, function,
        ))
    }
}

#[cfg(test)]
mod tests;
