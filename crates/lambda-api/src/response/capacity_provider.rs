//! Capacity providers, as AWS shows them.

use std::collections::BTreeMap;

use model::{
    CapacityProvider, CapacityProviderId, Qualifier,
    capacity_provider::{CapacityScaling, CapacityTelemetry, PropagatedTags},
    function::{FunctionVersion, State},
};
use serde::Serialize;

use crate::page::Page;

/// The state that every capacity provider has: no machinery of this cluster starts an instance, so nothing can run on it.
pub const CAPACITY_STATE: &str = "Failed";

/// One capacity provider: the answer about one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CapacityProviderAnswer {
    capacity_provider: CapacityProviderItem,
}

/// One capacity provider.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CapacityProviderItem {
    capacity_provider_arn: String,
    state: &'static str,
    vpc_config: VpcConfig,
    permissions_config: PermissionsConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_requirements: Option<InstanceRequirements>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity_provider_scaling_config: Option<ScalingConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_arn: Option<String>,
    last_modified: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    propagate_tags: Option<PropagateTags>,
    #[serde(skip_serializing_if = "Option::is_none")]
    telemetry_config: Option<TelemetryConfig>,
}

/// The answer to `ListCapacityProviders`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CapacityProviders {
    capacity_providers: Vec<CapacityProviderItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

/// The answer to `ListFunctionVersionsByCapacityProvider`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CapacityVersions {
    capacity_provider_arn: String,
    function_versions: Vec<CapacityVersion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

/// A version that would run on a capacity provider.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CapacityVersion {
    function_arn: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct VpcConfig {
    subnet_ids: Vec<String>,
    security_group_ids: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PermissionsConfig {
    capacity_provider_operator_role_arn: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InstanceRequirements {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    architectures: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_instance_types: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    excluded_instance_types: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ScalingConfig {
    #[serde(rename = "MaxVCpuCount", skip_serializing_if = "Option::is_none")]
    max_vcpu_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scaling_mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scaling_policies: Vec<ScalingPolicy>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ScalingPolicy {
    predefined_metric_type: String,
    target_value: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PropagateTags {
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    explicit_tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TelemetryConfig {
    logging_config: LoggingConfig,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LoggingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_log_level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_group: Option<String>,
}

impl CapacityProviderAnswer {
    /// Shows a capacity provider.
    #[must_use]
    pub fn new(provider: &CapacityProvider) -> Self {
        Self {
            capacity_provider: CapacityProviderItem::new(provider),
        }
    }

    /// Shows one that was just deleted.
    #[must_use]
    pub fn deleted(provider: &CapacityProvider) -> Self {
        let mut shown = Self::new(provider);
        shown.capacity_provider.state = "Deleting";
        shown
    }
}

impl CapacityProviderItem {
    /// Shows a capacity provider.
    #[must_use]
    pub fn new(provider: &CapacityProvider) -> Self {
        let shape = &provider.shape;
        let requirements = InstanceRequirements {
            architectures: shape.architecture.iter().map(|a| a.as_str()).collect(),
            allowed_instance_types: shape.allowed_types.clone(),
            excluded_instance_types: shape.excluded_types.clone(),
        };
        let asks = shape.architecture.is_some()
            || !shape.allowed_types.is_empty()
            || !shape.excluded_types.is_empty();
        let settings = &provider.settings;
        Self {
            capacity_provider_arn: provider.id.to_string(),
            state: CAPACITY_STATE,
            vpc_config: VpcConfig {
                subnet_ids: shape.subnets.clone(),
                security_group_ids: shape.security_groups.clone(),
            },
            permissions_config: PermissionsConfig {
                capacity_provider_operator_role_arn: shape.operator_role.clone(),
            },
            instance_requirements: asks.then_some(requirements),
            capacity_provider_scaling_config: settings.scaling.as_ref().map(ScalingConfig::new),
            kms_key_arn: shape.kms_key.clone(),
            last_modified: provider.last_modified.to_aws_string(),
            propagate_tags: settings.propagated_tags.as_ref().map(PropagateTags::new),
            telemetry_config: settings.telemetry.as_ref().map(TelemetryConfig::new),
        }
    }
}

impl ScalingConfig {
    fn new(scaling: &CapacityScaling) -> Self {
        let policies = scaling.policies.iter();
        Self {
            max_vcpu_count: scaling.max_vcpus,
            scaling_mode: scaling.manual.map(|m| if m { "Manual" } else { "Auto" }),
            scaling_policies: policies
                .map(|(metric, target)| ScalingPolicy {
                    predefined_metric_type: metric.clone(),
                    target_value: f64::from(*target) / 1e6,
                })
                .collect(),
        }
    }
}

impl PropagateTags {
    fn new(tags: &PropagatedTags) -> Self {
        Self {
            mode: tags.explicit.map(|e| if e { "Explicit" } else { "None" }),
            explicit_tags: tags.tags.clone(),
        }
    }
}

impl TelemetryConfig {
    fn new(telemetry: &CapacityTelemetry) -> Self {
        Self {
            logging_config: LoggingConfig {
                system_log_level: telemetry.system_level.clone(),
                log_group: telemetry.log_group.clone(),
            },
        }
    }
}

impl CapacityVersion {
    /// Shows a version under its own number.
    #[must_use]
    pub fn new(version: &FunctionVersion) -> Self {
        let qualifier = Qualifier::Version(version.id.version);
        Self {
            function_arn: version.id.function.arn(Some(qualifier)).to_string(),
            state: match version.state {
                State::Pending => "Pending",
                State::Active => "Active",
                State::Failed(_) => "Failed",
            },
        }
    }
}

impl CapacityVersions {
    /// Shows a page of versions.
    #[must_use]
    pub fn new(provider: &CapacityProviderId, page: Page<CapacityVersion>) -> Self {
        Self {
            capacity_provider_arn: provider.to_string(),
            function_versions: page.items,
            next_marker: page.next_marker,
        }
    }
}

impl From<Page<CapacityProviderItem>> for CapacityProviders {
    fn from(page: Page<CapacityProviderItem>) -> Self {
        Self {
            capacity_providers: page.items,
            next_marker: page.next_marker,
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{
        Timestamp,
        capacity_provider::{CapacitySettings, InstanceShape},
    };
    use serde_json::json;

    use super::*;

    #[test]
    fn a_provider_shows_what_was_said_and_that_nothing_runs_on_it() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:capacity-provider:p";
        let mut provider = CapacityProvider {
            id: arn.parse().unwrap(),
            shape: InstanceShape {
                subnets: vec!["subnet-1".to_owned()],
                operator_role: "r".to_owned(),
                ..InstanceShape::default()
            },
            settings: CapacitySettings::default(),
            tags: BTreeMap::new(),
            last_modified: Timestamp(1_763_892_000_000),
        };
        let shown = serde_json::to_value(CapacityProviderAnswer::new(&provider)).unwrap();
        assert_eq!(
            shown,
            json!({"CapacityProvider": {
                "CapacityProviderArn": arn,
                "State": "Failed",
                "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
                "PermissionsConfig": {"CapacityProviderOperatorRoleArn": "r"},
                "LastModified": "2025-11-23T10:00:00.000+0000",
            }})
        );
        provider.settings.scaling = Some(CapacityScaling {
            max_vcpus: Some(8),
            manual: Some(false),
            policies: vec![("m".to_owned(), 50_500_000)],
        });
        let shown = serde_json::to_value(CapacityProviderAnswer::deleted(&provider)).unwrap();
        assert_eq!(shown["CapacityProvider"]["State"], json!("Deleting"));
        assert_eq!(
            shown["CapacityProvider"]["CapacityProviderScalingConfig"],
            json!({"MaxVCpuCount": 8, "ScalingMode": "Auto", "ScalingPolicies": [{"PredefinedMetricType": "m", "TargetValue": 50.5}]})
        );
    }
}
