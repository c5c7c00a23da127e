//! The members of a function's configuration that few functions have.

use model::function::{CapacityUse, Durable, FileSystem, ImageOverrides, OptionalConfig, Vpc};
use serde::Serialize;

/// Every member that a function has of them; the others are left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Optional {
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_config: Option<VpcConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter_config: Option<DeadLetterConfig>,
    #[serde(rename = "KMSKeyArn", skip_serializing_if = "Option::is_none")]
    kms_key_arn: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layers: Vec<Layer>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    file_system_configs: Vec<FileSystemConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_config_response: Option<ImageConfigResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenancy_config: Option<TenancyConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity_provider_config: Option<CapacityProviderConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    durable_config: Option<DurableConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_config: Option<RuntimeConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accelerator_config: Option<AcceleratorConfig>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct VpcConfig {
    subnet_ids: Vec<String>,
    security_group_ids: Vec<String>,
    vpc_id: &'static str,
    ipv6_allowed_for_dual_stack: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeadLetterConfig {
    target_arn: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Layer {
    arn: String,
    code_size: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct FileSystemConfig {
    arn: String,
    local_mount_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    s3_files_config: Option<S3FilesConfig>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct S3FilesConfig {
    direct_s3_read: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ImageConfigResponse {
    image_config: ImageConfig,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ImageConfig {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entry_point: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_directory: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TenancyConfig {
    tenant_isolation_mode: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CapacityProviderConfig {
    lambda_managed_instances_capacity_provider_config: InstancesConfig,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InstancesConfig {
    capacity_provider_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_execution_environment_max_concurrency: Option<u32>,
    #[serde(
        rename = "ExecutionEnvironmentMemoryGiBPerVCpu",
        skip_serializing_if = "Option::is_none"
    )]
    memory_per_vcpu: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DurableConfig {
    #[serde(rename = "KMSKeyArn", skip_serializing_if = "Option::is_none")]
    kms_key_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_period_in_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_timeout: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RuntimeConfig {
    runtime_arn: String,
    runtime_alias: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AcceleratorConfig {
    accelerator_memory_size: u32,
}

impl Optional {
    pub(super) fn new(config: &OptionalConfig) -> Self {
        let layers = config.layers.iter().map(|used| Layer {
            arn: used.version.to_string(),
            code_size: used.content.size,
        });
        let image = config.image.as_ref();
        let overrides = image.filter(|i| i.overrides != ImageOverrides::default());
        Self {
            vpc_config: config.vpc.as_ref().map(VpcConfig::new),
            dead_letter_config: config
                .dead_letter
                .clone()
                .map(|target| DeadLetterConfig { target_arn: target }),
            kms_key_arn: config.kms_key.clone(),
            layers: layers.collect(),
            file_system_configs: config
                .file_systems
                .iter()
                .map(FileSystemConfig::new)
                .collect(),
            image_config_response: overrides.map(|i| ImageConfigResponse {
                image_config: ImageConfig::new(&i.overrides),
            }),
            tenancy_config: config.tenant_isolation.then_some(TenancyConfig {
                tenant_isolation_mode: "PER_TENANT",
            }),
            capacity_provider_config: config.capacity.as_ref().map(CapacityProviderConfig::new),
            durable_config: config.durable.as_ref().map(DurableConfig::new),
            runtime_config: config.custom_runtime.as_ref().map(|r| RuntimeConfig {
                runtime_arn: r.arn.clone(),
                runtime_alias: r.alias.clone(),
            }),
            accelerator_config: config.accelerator_gb.map(|size| AcceleratorConfig {
                accelerator_memory_size: size,
            }),
        }
    }
}

impl VpcConfig {
    /// Nobody knows the VPC of a subnet here.
    fn new(vpc: &Vpc) -> Self {
        Self {
            subnet_ids: vpc.subnets.clone(),
            security_group_ids: vpc.security_groups.clone(),
            vpc_id: "",
            ipv6_allowed_for_dual_stack: vpc.ipv6,
        }
    }
}

impl FileSystemConfig {
    fn new(file_system: &FileSystem) -> Self {
        let read = file_system.direct_s3_read.clone();
        Self {
            arn: file_system.arn.clone(),
            local_mount_path: file_system.mount_path.clone(),
            s3_files_config: read.map(|direct_s3_read| S3FilesConfig { direct_s3_read }),
        }
    }
}

impl ImageConfig {
    fn new(overrides: &ImageOverrides) -> Self {
        Self {
            entry_point: overrides.entry_point.clone(),
            command: overrides.command.clone(),
            working_directory: overrides.working_directory.clone(),
        }
    }
}

impl CapacityProviderConfig {
    fn new(capacity: &CapacityUse) -> Self {
        Self {
            lambda_managed_instances_capacity_provider_config: InstancesConfig {
                capacity_provider_arn: capacity.provider.to_string(),
                per_execution_environment_max_concurrency: capacity.max_concurrency,
                memory_per_vcpu: capacity
                    .memory_per_vcpu_milligib
                    .map(|n| f64::from(n) / 1000.0),
            },
        }
    }
}

impl DurableConfig {
    fn new(durable: &Durable) -> Self {
        Self {
            kms_key_arn: durable.kms_key.clone(),
            retention_period_in_days: durable.retention_days,
            execution_timeout: durable.execution_timeout_s,
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{
        Digest, Runtime,
        function::{Code, CustomRuntime, Image, Origin, State, UsedLayer},
    };
    use serde_json::json;

    use super::*;
    use crate::response::{Detail, FunctionConfiguration, function_configuration::tests::version};

    fn shown(config: &OptionalConfig) -> serde_json::Value {
        serde_json::to_value(Optional::new(config)).unwrap()
    }

    #[test]
    fn only_what_a_function_has_is_shown() {
        assert_eq!(shown(&OptionalConfig::default()), json!({}));
        let all = OptionalConfig {
            vpc: Some(Vpc {
                subnets: vec!["subnet-1".to_owned()],
                security_groups: vec!["sg-1".to_owned()],
                ipv6: false,
            }),
            dead_letter: Some("q".to_owned()),
            kms_key: Some("k".to_owned()),
            layers: vec![UsedLayer {
                version: "arn:aws:lambda:us-east-1:123456789012:layer:l:1"
                    .parse()
                    .unwrap(),
                content: Code {
                    digest: model::Digest::of(b"l"),
                    size: 9,
                    unzipped: 20,
                },
            }],
            file_systems: vec![FileSystem {
                arn: "f".to_owned(),
                mount_path: "/mnt/x".to_owned(),
                direct_s3_read: Some("AUTO".to_owned()),
            }],
            snap_start: true,
            tenant_isolation: true,
            durable: Some(Durable {
                kms_key: None,
                retention_days: Some(7),
                execution_timeout_s: Some(60),
            }),
            custom_runtime: Some(CustomRuntime {
                arn: "r".to_owned(),
                alias: "a".to_owned(),
            }),
            accelerator_gb: Some(16),
            capacity: Some(CapacityUse {
                provider: "arn:aws:lambda:us-east-1:123456789012:capacity-provider:p"
                    .parse()
                    .unwrap(),
                max_concurrency: Some(3),
                memory_per_vcpu_milligib: Some(2500),
            }),
            image: None,
            origin: Origin {
                kms_key: Some("shown with the code".to_owned()),
                object: None,
            },
        };
        assert_eq!(
            shown(&all),
            json!({
                "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"], "VpcId": "", "Ipv6AllowedForDualStack": false},
                "DeadLetterConfig": {"TargetArn": "q"},
                "KMSKeyArn": "k",
                "Layers": [{"Arn": "arn:aws:lambda:us-east-1:123456789012:layer:l:1", "CodeSize": 9}],
                "FileSystemConfigs": [{"Arn": "f", "LocalMountPath": "/mnt/x", "S3FilesConfig": {"DirectS3Read": "AUTO"}}],
                "TenancyConfig": {"TenantIsolationMode": "PER_TENANT"},
                "CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": {
                    "CapacityProviderArn": "arn:aws:lambda:us-east-1:123456789012:capacity-provider:p", "PerExecutionEnvironmentMaxConcurrency": 3, "ExecutionEnvironmentMemoryGiBPerVCpu": 2.5}},
                "DurableConfig": {"RetentionPeriodInDays": 7, "ExecutionTimeout": 60},
                "RuntimeConfig": {"RuntimeArn": "r", "RuntimeAlias": "a"},
                "AcceleratorConfig": {"AcceleratorMemorySize": 16},
            })
        );
    }

    #[test]
    fn a_function_of_an_image_has_no_runtime_and_the_digest_that_is_known() {
        let of = |uri: &str, code: Code, command: &[&str]| {
            let mut version = version(State::Active, None);
            version.config.runtime = Runtime::IMAGE;
            version.config.handler = None;
            version.code = code;
            version.config.optional = OptionalConfig {
                image: Some(Image {
                    uri: uri.to_owned(),
                    overrides: ImageOverrides {
                        command: command.iter().map(|c| (*c).to_owned()).collect(),
                        ..ImageOverrides::default()
                    },
                }),
                ..OptionalConfig::default()
            }
            .boxed();
            let shape = FunctionConfiguration::new(&version, None, None, Detail::Full);
            serde_json::to_value(shape).unwrap()
        };
        let digest = "a".repeat(64);
        let recorded = format!("r/i@sha256:{digest}");
        let shown = of(&recorded, Code::of_image(&recorded), &["c"]);
        assert_eq!(shown["PackageType"], json!("Image"));
        assert_eq!(shown["CodeSha256"], json!(digest));
        assert_eq!(
            shown["ImageConfigResponse"],
            json!({"ImageConfig": {"Command": ["c"]}})
        );
        for absent in ["Runtime", "Handler", "RuntimeVersionConfig"] {
            assert_eq!(shown.get(absent), None, "{absent}");
        }
        let manifest = Digest::of(b"manifest");
        let shown = of("r/i:1", Code::of_manifest(manifest), &[]);
        assert_eq!(shown["CodeSha256"], json!(manifest.to_string()));
        let shown = of("r/i:1", Code::of_image("r/i:1"), &[]);
        assert_eq!(shown.get("CodeSha256"), None);
        assert_eq!(shown.get("ImageConfigResponse"), None);
    }
}
