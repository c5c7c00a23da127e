//! What few functions have: the members of a configuration that `model` keeps in an `OptionalConfig`.
//!
//! An empty object, list or text takes a member away, and asks for nothing where there was none.

use model::{
    LayerVersionId,
    function::{
        CapacityUse, CustomRuntime, Durable, FileSystem, Image, ImageOverrides, OptionalConfig,
        OptionalMember, OptionalPatch, Vpc,
    },
};
use serde::Deserialize;

use crate::{error::ApiError, scope::Scope};

/// The most layers of one function.
const LAYERS_MAX: usize = 5;

/// The members of a body that are optional; the others are read elsewhere.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Shape {
    vpc_config: Option<VpcShape>,
    dead_letter_config: Option<DeadLetterShape>,
    #[serde(rename = "KMSKeyArn")]
    kms_key_arn: Option<String>,
    layers: Option<Vec<String>>,
    file_system_configs: Option<Vec<FileSystemShape>>,
    snap_start: Option<SnapStartShape>,
    image_config: Option<ImageConfigShape>,
    capacity_provider_config: Option<CapacityShape>,
    durable_config: Option<DurableShape>,
    runtime_config: Option<RuntimeShape>,
    accelerator_config: Option<AcceleratorShape>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct VpcShape {
    subnet_ids: Option<Vec<String>>,
    security_group_ids: Option<Vec<String>>,
    ipv6_allowed_for_dual_stack: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct DeadLetterShape {
    target_arn: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct FileSystemShape {
    arn: String,
    local_mount_path: String,
    s3_files_config: Option<S3FilesShape>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct S3FilesShape {
    direct_s3_read: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct SnapStartShape {
    apply_on: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ImageConfigShape {
    entry_point: Option<Vec<String>>,
    command: Option<Vec<String>>,
    working_directory: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct CapacityShape {
    lambda_managed_instances_capacity_provider_config: InstancesShape,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct InstancesShape {
    capacity_provider_arn: String,
    per_execution_environment_max_concurrency: Option<u32>,
    #[serde(rename = "ExecutionEnvironmentMemoryGiBPerVCpu")]
    execution_environment_memory_gib_per_v_cpu: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct DurableShape {
    #[serde(rename = "KMSKeyArn")]
    kms_key_arn: Option<String>,
    retention_period_in_days: Option<u32>,
    execution_timeout: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct RuntimeShape {
    runtime_arn: String,
    runtime_alias: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct AcceleratorShape {
    accelerator_memory_size: i64,
}

/// Optional members as a request has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Parsed {
    /// The changes, without the layers.
    pub(crate) patch: OptionalPatch,
    /// The layers, in order, if the request names any or none.
    pub(crate) layers: Option<Vec<LayerVersionId>>,
}

impl Shape {
    /// # Errors
    /// [`ApiError`] for layers that cannot be used together or not here, and for members that contradict themselves.
    pub(crate) fn parse(self, scope: &Scope) -> Result<Parsed, ApiError> {
        let layers = self.layers.map(|l| layers(&l, scope)).transpose()?;
        let mut patch = OptionalPatch::default();
        let OptionalPatch { members, values } = &mut patch;
        let mut said = |member, is_said: bool| {
            if is_said {
                members.insert(member);
            }
        };
        said(OptionalMember::Vpc, self.vpc_config.is_some());
        values.vpc = self.vpc_config.map(vpc).transpose()?.flatten();
        said(
            OptionalMember::DeadLetter,
            self.dead_letter_config.is_some(),
        );
        let target = self.dead_letter_config.and_then(|d| d.target_arn);
        values.dead_letter = not_empty(target).map(dead_letter).transpose()?;
        said(OptionalMember::KmsKey, self.kms_key_arn.is_some());
        values.kms_key = not_empty(self.kms_key_arn);
        said(
            OptionalMember::FileSystems,
            self.file_system_configs.is_some(),
        );
        let mounts = self.file_system_configs.unwrap_or_default();
        values.file_systems = mounts.into_iter().map(FileSystem::from).collect();
        let apply_on = self.snap_start.and_then(|s| s.apply_on);
        said(OptionalMember::SnapStart, apply_on.is_some());
        values.snap_start = apply_on.as_deref() == Some("PublishedVersions");
        said(OptionalMember::ImageOverrides, self.image_config.is_some());
        values.image = self.image_config.map(|given| Image {
            uri: String::new(),
            overrides: given.into(),
        });
        said(
            OptionalMember::Capacity,
            self.capacity_provider_config.is_some(),
        );
        values.capacity = self.capacity_provider_config.map(capacity).transpose()?;
        said(OptionalMember::Durable, self.durable_config.is_some());
        values.durable = self.durable_config.map(Durable::from);
        said(OptionalMember::CustomRuntime, self.runtime_config.is_some());
        values.custom_runtime = self.runtime_config.map(|r| CustomRuntime {
            arn: r.runtime_arn,
            alias: r.runtime_alias,
        });
        said(
            OptionalMember::Accelerator,
            self.accelerator_config.is_some(),
        );
        values.accelerator_gb = self
            .accelerator_config
            .as_ref()
            .map(accelerator)
            .transpose()?;
        Ok(Parsed { patch, layers })
    }
}

impl Parsed {
    /// The optional members of a new function. Its layers come to it when they are known to be there.
    pub(crate) fn into_new(self) -> OptionalConfig {
        let image = self.patch.values.image.clone();
        OptionalConfig {
            image,
            ..self.patch.values
        }
    }

    /// The changes, if there are any.
    pub(crate) fn into_patch(self) -> Option<Box<OptionalPatch>> {
        (!self.patch.members.is_empty()).then(|| Box::new(self.patch))
    }
}

fn layers(arns: &[String], scope: &Scope) -> Result<Vec<LayerVersionId>, ApiError> {
    if arns.len() > LAYERS_MAX {
        return Err(ApiError::too_many_layers(LAYERS_MAX));
    }
    let mut found: Vec<LayerVersionId> = Vec::new();
    for arn in arns {
        let version: LayerVersionId = arn.parse().map_err(|_| ApiError::layer_missing(arn))?;
        if version.layer.region != scope.region {
            return Err(ApiError::layer_elsewhere(&scope.region));
        }
        if let Some(same) = found.iter().find(|other| other.layer == version.layer) {
            return Err(ApiError::same_layer(same, &version));
        }
        found.push(version);
    }
    Ok(found)
}

fn vpc(shape: VpcShape) -> Result<Option<Vpc>, ApiError> {
    let subnets = shape.subnet_ids.unwrap_or_default();
    let security_groups = shape.security_group_ids.unwrap_or_default();
    match (subnets.is_empty(), security_groups.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some(Vpc {
            subnets,
            security_groups,
            ipv6: shape.ipv6_allowed_for_dual_stack.unwrap_or(false),
        })),
        _ => Err(ApiError::InvalidParameterValue(
            "VpcConfig must name both SubnetIds and SecurityGroupIds, or neither of them."
                .to_owned(),
        )),
    }
}

fn dead_letter(target: String) -> Result<String, ApiError> {
    match target.split(':').nth(2) {
        Some("sqs" | "sns") => Ok(target),
        _ => Err(ApiError::InvalidParameterValue(
            "DeadLetterConfig.TargetArn must be the ARN of an SQS queue or of an SNS topic."
                .to_owned(),
        )),
    }
}

fn accelerator(shape: &AcceleratorShape) -> Result<u32, ApiError> {
    match u32::try_from(shape.accelerator_memory_size) {
        Ok(size) if size > 0 => Ok(size),
        _ => Err(ApiError::InvalidParameterValue(
            "AcceleratorConfig.AcceleratorMemorySize must be greater than 0.".to_owned(),
        )),
    }
}

impl From<FileSystemShape> for FileSystem {
    fn from(shape: FileSystemShape) -> Self {
        Self {
            arn: shape.arn,
            mount_path: shape.local_mount_path,
            direct_s3_read: shape.s3_files_config.and_then(|s| s.direct_s3_read),
        }
    }
}

impl From<ImageConfigShape> for ImageOverrides {
    fn from(shape: ImageConfigShape) -> Self {
        Self {
            entry_point: shape.entry_point.unwrap_or_default(),
            command: shape.command.unwrap_or_default(),
            working_directory: not_empty(shape.working_directory),
        }
    }
}

impl From<DurableShape> for Durable {
    fn from(shape: DurableShape) -> Self {
        Self {
            kms_key: not_empty(shape.kms_key_arn),
            retention_days: shape.retention_period_in_days,
            execution_timeout_s: shape.execution_timeout,
        }
    }
}

fn capacity(shape: CapacityShape) -> Result<CapacityUse, ApiError> {
    let shape = shape.lambda_managed_instances_capacity_provider_config;
    let provider = shape.capacity_provider_arn.parse();
    Ok(CapacityUse {
        provider: provider.map_err(|e: model::capacity_provider::InvalidCapacityProviderArn| {
            ApiError::Validation(e.to_string())
        })?,
        max_concurrency: shape.per_execution_environment_max_concurrency,
        memory_per_vcpu_milligib: shape
            .execution_environment_memory_gib_per_v_cpu
            .map(thousandths),
    })
}

/// The schema holds it between 2 and 8.
fn thousandths(number: f64) -> u32 {
    let rounded = (number * 1000.0).round().clamp(0.0, 1e6);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what fits"
    )]
    let whole = rounded as u32;
    whole
}

fn not_empty(text: Option<String>) -> Option<String> {
    text.filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests;
