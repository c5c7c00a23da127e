//! Response shapes, built from `model` types. Members that are absent are left out, never null.

use serde::Serialize;

mod account_settings;
mod alias;
mod capacity_provider;
mod code_signing;
mod event_source_mapping;
mod function_configuration;
mod get_function;
mod layer;
mod list;
mod object;
mod optional;
mod setting;

pub use account_settings::{AccountSettings, Usage};
pub use alias::AliasConfiguration;
pub use capacity_provider::{
    CAPACITY_STATE, CapacityProviderAnswer, CapacityProviderItem, CapacityProviders,
    CapacityVersion, CapacityVersions,
};
pub use code_signing::{
    CodeSigningConfigAnswer, CodeSigningConfigItem, CodeSigningConfigs, FunctionArns,
    FunctionCodeSigning,
};
pub use event_source_mapping::EventSourceMappingConfiguration;
pub use function_configuration::{
    Detail, FunctionConfiguration, ShownEnvironment, runtime_version_arn,
};
pub use get_function::{CodeLocation, GetFunction};
pub use layer::{
    LayerItem, LayerPolicyShape, LayerStatementShape, LayerVersionItem, LayerVersionShape,
    LayerVersions, Layers, statement_text,
};
pub use list::{
    Aliases, DurableExecutions, EventInvokeConfigs, EventSourceMappings, FunctionUrlConfigs,
    Functions, ProvisionedConcurrencyConfigs, Versions,
};
pub use setting::{
    AddedPermission, FunctionConcurrency, FunctionEventInvokeConfig, FunctionRecursionConfig,
    FunctionScalingConfig, FunctionUrlConfig, Policy, ProvisionedConcurrencyConfig,
    RuntimeManagementConfig, ScalingState, Tags,
};

/// The body of a response.
#[must_use]
pub fn to_body(shape: &impl Serialize) -> Vec<u8> {
    // The shapes of this module have string keys and no fallible parts, so that this cannot fail.
    serde_json::to_vec(shape).unwrap_or_default()
}
