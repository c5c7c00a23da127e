//! The operations on capacity providers.

use std::collections::BTreeMap;

use model::{
    CapacityProviderId, CapacityProviderName, Mutation,
    capacity_provider::{
        CapacityChange, CapacityScaling, CapacitySettings, CapacityTelemetry, InstanceShape,
        PropagatedTags,
    },
};
use serde::Deserialize;

use super::{Input, create_function::architecture};
use crate::{
    error::ApiError,
    page::{self, FunctionKey, PageRequest, PageSize},
};

/// Longest name of a new provider: what `TaggableResource` of the model allows, and what keeps the ARN within its own bound.
/// The model lets `CapacityProviderName` be longer because an ARN may stand there.
const NAME_MAX: usize = 64;

const FIFTY: PageSize = PageSize {
    default: 50,
    cap: 50,
};

/// A capacity provider to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateCapacityProvider {
    /// Its identity.
    pub id: CapacityProviderId,
    /// What is fixed.
    pub shape: InstanceShape,
    /// What may change.
    pub settings: CapacitySettings,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Changes to a capacity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateCapacityProvider {
    /// Which one.
    pub id: CapacityProviderId,
    /// The settings that change.
    pub settings: CapacitySettings,
}

/// The capacity providers of the caller's account in the region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListCapacityProviders {
    /// Only those in this state.
    pub state: Option<String>,
    /// The page.
    pub page: PageRequest<CapacityProviderName>,
}

/// The versions that would run on a capacity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFunctionVersionsByCapacityProvider {
    /// The provider.
    pub id: CapacityProviderId,
    /// The page.
    pub page: PageRequest<FunctionKey>,
}

impl From<CreateCapacityProvider> for Mutation {
    fn from(request: CreateCapacityProvider) -> Self {
        let CreateCapacityProvider {
            id,
            shape,
            settings,
            tags,
        } = request;
        Self::Capacity(Box::new(CapacityChange::Create {
            id,
            shape,
            settings,
            tags,
        }))
    }
}

impl From<UpdateCapacityProvider> for Mutation {
    fn from(request: UpdateCapacityProvider) -> Self {
        let UpdateCapacityProvider { id, settings } = request;
        Self::Capacity(Box::new(CapacityChange::Update { id, settings }))
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct CreateShape {
    capacity_provider_name: String,
    vpc_config: VpcShape,
    permissions_config: PermissionsShape,
    instance_requirements: RequirementsShape,
    kms_key_arn: Option<String>,
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct SettingsShape {
    capacity_provider_scaling_config: Option<ScalingShape>,
    propagate_tags: Option<PropagateTagsShape>,
    telemetry_config: Option<TelemetryShape>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct VpcShape {
    subnet_ids: Vec<String>,
    security_group_ids: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct PermissionsShape {
    capacity_provider_operator_role_arn: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct RequirementsShape {
    architectures: Option<Vec<String>>,
    allowed_instance_types: Vec<String>,
    excluded_instance_types: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ScalingShape {
    #[serde(rename = "MaxVCpuCount")]
    max_vcpu_count: Option<u32>,
    scaling_mode: Option<String>,
    scaling_policies: Vec<PolicyShape>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct PolicyShape {
    predefined_metric_type: String,
    target_value: f64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct PropagateTagsShape {
    mode: Option<String>,
    explicit_tags: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct TelemetryShape {
    logging_config: LoggingShape,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct LoggingShape {
    system_log_level: Option<String>,
    log_group: Option<String>,
}

impl From<SettingsShape> for CapacitySettings {
    fn from(shape: SettingsShape) -> Self {
        Self {
            scaling: shape
                .capacity_provider_scaling_config
                .map(|s| CapacityScaling {
                    max_vcpus: s.max_vcpu_count,
                    manual: s.scaling_mode.map(|mode| mode == "Manual"),
                    policies: s
                        .scaling_policies
                        .into_iter()
                        .map(|p| (p.predefined_metric_type, millionths(p.target_value)))
                        .collect(),
                }),
            propagated_tags: shape.propagate_tags.map(|t| PropagatedTags {
                explicit: t.mode.map(|mode| mode == "Explicit"),
                tags: t.explicit_tags.unwrap_or_default(),
            }),
            telemetry: shape.telemetry_config.map(|t| CapacityTelemetry {
                system_level: t.logging_config.system_log_level,
                log_group: t.logging_config.log_group,
            }),
        }
    }
}

pub(super) fn create(input: &Input<'_>) -> Result<CreateCapacityProvider, ApiError> {
    let shape: CreateShape = input.body()?;
    let settings: SettingsShape = input.body()?;
    let tags = shape.tags.unwrap_or_default();
    if tags.len() > input.limits.tags {
        return Err(ApiError::too_many_tags());
    }
    let requirements = shape.instance_requirements;
    let id = id(&shape.capacity_provider_name, input)?;
    if id.name.as_str().len() > NAME_MAX {
        return Err(ApiError::capacity_provider_name_too_long(NAME_MAX));
    }
    Ok(CreateCapacityProvider {
        id,
        shape: InstanceShape {
            subnets: shape.vpc_config.subnet_ids,
            security_groups: shape.vpc_config.security_group_ids,
            operator_role: shape.permissions_config.capacity_provider_operator_role_arn,
            architecture: architecture(requirements.architectures.as_deref()),
            allowed_types: requirements.allowed_instance_types,
            excluded_types: requirements.excluded_instance_types,
            kms_key: shape.kms_key_arn,
        },
        settings: settings.into(),
        tags,
    })
}

pub(super) fn update(input: &Input<'_>) -> Result<UpdateCapacityProvider, ApiError> {
    let settings: SettingsShape = input.body()?;
    Ok(UpdateCapacityProvider {
        id: named(input)?,
        settings: settings.into(),
    })
}

/// The capacity provider that a path names.
pub(super) fn named(input: &Input<'_>) -> Result<CapacityProviderId, ApiError> {
    id(input.label("CapacityProviderName"), input)
}

pub(super) fn list(input: &Input<'_>) -> Result<ListCapacityProviders, ApiError> {
    Ok(ListCapacityProviders {
        state: input.query.get("State").map(str::to_owned),
        page: page::request(input.query, FIFTY)?,
    })
}

pub(super) fn versions(
    input: &Input<'_>,
) -> Result<ListFunctionVersionsByCapacityProvider, ApiError> {
    Ok(ListFunctionVersionsByCapacityProvider {
        id: named(input)?,
        page: page::request(input.query, FIFTY)?,
    })
}

/// By name or by ARN, of the caller's own account and region.
fn id(text: &str, input: &Input<'_>) -> Result<CapacityProviderId, ApiError> {
    let scope = input.scope;
    if !text.starts_with("arn:") {
        let name = text.parse();
        return Ok(CapacityProviderId {
            account: scope.account,
            region: scope.region.clone(),
            name: name
                .map_err(|e: model::name::InvalidName| ApiError::Validation(e.to_string()))?,
        });
    }
    let id: CapacityProviderId = text
        .parse()
        .map_err(|_| ApiError::capacity_provider_not_found(text))?;
    if id.account != scope.account {
        return Err(ApiError::resource_of_other_account(
            scope.account,
            &scope.region,
            input.operation,
            text,
        ));
    }
    if id.region != scope.region {
        return Err(ApiError::capacity_provider_not_found(text));
    }
    Ok(id)
}

/// The schema holds it between 0 and 100.
fn millionths(number: f64) -> u32 {
    let rounded = (number * 1e6).round().clamp(0.0, 1e8);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what fits"
    )]
    let whole = rounded as u32;
    whole
}

#[cfg(test)]
mod tests {
    use crate::request::{
        Request,
        testing::{parse, refused},
    };

    const PROVIDERS: &str = "/2025-11-30/capacity-providers";
    const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:capacity-provider:p";

    #[test]
    fn everything_that_can_be_said() {
        let body = r#"{"CapacityProviderName":"p","VpcConfig":{"SubnetIds":["subnet-1"],"SecurityGroupIds":["sg-1"]},
            "PermissionsConfig":{"CapacityProviderOperatorRoleArn":"arn:aws:iam::123456789012:role/r"},
            "InstanceRequirements":{"Architectures":["arm64"],"AllowedInstanceTypes":["m7g.*"]},
            "CapacityProviderScalingConfig":{"MaxVCpuCount":8,"ScalingMode":"Manual","ScalingPolicies":[
                {"PredefinedMetricType":"LambdaCapacityProviderAverageCPUUtilization","TargetValue":50.5}]},
            "KmsKeyArn":"arn:aws:kms:us-east-1:123456789012:key/k","Tags":{"a":"b"},
            "PropagateTags":{"Mode":"Explicit","ExplicitTags":{"c":"d"}},
            "TelemetryConfig":{"LoggingConfig":{"SystemLogLevel":"WARN","LogGroup":"g"}}}"#;
        let parsed = parse(&format!("POST {PROVIDERS}"), body).unwrap();
        let Request::CreateCapacityProvider(create) = parsed else {
            panic!()
        };
        assert_eq!(create.id.to_string(), ARN);
        assert_eq!(create.shape.architecture, Some(model::Architecture::Arm64));
        assert_eq!(create.shape.allowed_types, ["m7g.*"]);
        assert!(create.shape.kms_key.is_some());
        let scaling = create.settings.scaling.unwrap();
        assert_eq!((scaling.max_vcpus, scaling.manual), (Some(8), Some(true)));
        assert_eq!(scaling.policies[0].1, 50_500_000);
        let propagated = create.settings.propagated_tags.unwrap();
        assert_eq!(
            (propagated.explicit, propagated.tags.len()),
            (Some(true), 1)
        );
        let telemetry = create.settings.telemetry.unwrap();
        assert_eq!(telemetry.log_group.as_deref(), Some("g"));
    }

    #[test]
    fn a_new_name_is_short_enough_for_tags() {
        let create = |name: &str| {
            let body = format!(
                r#"{{"CapacityProviderName":"{name}","VpcConfig":{{"SubnetIds":["subnet-1"],"SecurityGroupIds":[]}},
                "PermissionsConfig":{{"CapacityProviderOperatorRoleArn":"arn:aws:iam::123456789012:role/r"}}}}"#
            );
            parse(&format!("POST {PROVIDERS}"), &body)
        };
        assert!(create(&"p".repeat(64)).is_ok());
        for long in ["p".repeat(65), format!("{ARN}{}", "p".repeat(64))] {
            let refusal = create(&long).unwrap_err();
            assert_eq!(refusal.name(), "InvalidParameterValueException", "{long}");
        }
    }

    #[test]
    fn by_name_and_by_arn() {
        for name in ["p", &ARN.replace(':', "%3A")] {
            let parsed = parse(&format!("GET {PROVIDERS}/{name}"), "").unwrap();
            let Request::GetCapacityProvider(id) = parsed else {
                panic!()
            };
            assert_eq!(id.to_string(), ARN);
        }
        let of = |arn: &str| refused(&format!("GET {PROVIDERS}/{}", arn.replace(':', "%3A")), "");
        let elsewhere = ARN.replace("us-east-1", "eu-west-1");
        assert!(of(&elsewhere).starts_with("ResourceNotFoundException"));
        assert!(
            of(&ARN.replace("123456789012", "210987654321")).starts_with("AccessDeniedException")
        );
    }
}
