//! What few functions have, kept apart so that the others do not pay for it.
//!
//! A member that has its empty value is absent: a function that lost its last one is as if it had never had any.

use std::collections::BTreeSet;

use super::Config;
use crate::{
    CapacityProviderId, EphemeralMib, LayerVersionId, ObjectAddress, function::Code,
    runtime::Family,
};

/// The optional members of a [`super::Config`]. `Default` has none.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct OptionalConfig {
    /// The subnets that it should run in. Sandboxes have no network: recorded for clients that compare.
    pub vpc: Option<Vpc>,
    /// The ARN of the queue or topic for events that could not be processed.
    pub dead_letter: Option<String>,
    /// The ARN of the key that its environment should be encrypted with at rest.
    pub kms_key: Option<String>,
    /// Its layers, in the order in which they are unpacked into `/opt`.
    pub layers: Vec<UsedLayer>,
    /// File systems to be mounted.
    pub file_systems: Vec<FileSystem>,
    /// Whether published versions should start from a snapshot.
    pub snap_start: bool,
    /// Whether every tenant has environments of its own.
    pub tenant_isolation: bool,
    /// Set for durable functions.
    pub durable: Option<Durable>,
    /// The customer's own runtime that it runs on.
    pub custom_runtime: Option<CustomRuntime>,
    /// Memory of the accelerator that it needs, in GB.
    pub accelerator_gb: Option<u32>,
    /// The capacity provider whose instances it runs on.
    pub capacity: Option<CapacityUse>,
    /// Set for functions of a container image.
    pub image: Option<Image>,
    /// What is said of its package beside the bytes.
    pub origin: Origin,
}

/// What the owner of a package says of it. New code comes with an origin of its own, and the old one is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Origin {
    /// The ARN of the key that it should be encrypted with at rest.
    pub kms_key: Option<String>,
    /// The object that its owner asked to be referred to, instead of sending a package. The bytes that were there then are
    /// kept and run all the same: an object that goes or changes stops no function.
    pub object: Option<ObjectAddress>,
}

/// Subnets and security groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vpc {
    /// At least one.
    pub subnets: Vec<String>,
    /// At least one.
    pub security_groups: Vec<String>,
    /// Whether dual-stack subnets may be used with IPv6.
    pub ipv6: bool,
}

/// A layer version as a function uses it. It stays usable when the layer version is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedLayer {
    /// The version.
    pub version: LayerVersionId,
    /// Its archive.
    pub content: Code,
}

/// A file system and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// The ARN of its access point.
    pub arn: String,
    /// The directory, below `/mnt`.
    pub mount_path: String,
    /// How objects of a file system over S3 are read.
    pub direct_s3_read: Option<String>,
}

/// How long executions of a durable function may take and are remembered.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Durable {
    /// The ARN of the key that its data should be encrypted with.
    pub kms_key: Option<String>,
    /// How many days an execution is remembered after its end.
    pub retention_days: Option<u32>,
    /// The longest an execution may take, in seconds.
    pub execution_timeout_s: Option<u32>,
}

/// A runtime that its owner manages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomRuntime {
    /// Its ARN.
    pub arn: String,
    /// The alias of its version.
    pub alias: String,
}

/// How a function uses a capacity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapacityUse {
    /// The provider.
    pub provider: CapacityProviderId,
    /// The most invocations at the same time in one environment.
    pub max_concurrency: Option<u32>,
    /// Memory for each vCPU, in thousandths of a GiB.
    pub memory_per_vcpu_milligib: Option<u32>,
}

/// A container image and what is started in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Where it is: registry, repository and tag or digest.
    pub uri: String,
    /// What replaces the image's own settings.
    pub overrides: ImageOverrides,
}

/// Settings that replace those of an image. Empty ones replace nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ImageOverrides {
    /// Replaces `ENTRYPOINT`.
    pub entry_point: Vec<String>,
    /// Replaces `CMD`.
    pub command: Vec<String>,
    /// Replaces `WORKDIR`.
    pub working_directory: Option<String>,
}

/// A member of [`OptionalConfig`] that an update may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OptionalMember {
    /// [`OptionalConfig::vpc`].
    Vpc,
    /// [`OptionalConfig::dead_letter`].
    DeadLetter,
    /// [`OptionalConfig::kms_key`].
    KmsKey,
    /// [`OptionalConfig::layers`].
    Layers,
    /// [`OptionalConfig::file_systems`].
    FileSystems,
    /// [`OptionalConfig::snap_start`].
    SnapStart,
    /// [`OptionalConfig::durable`].
    Durable,
    /// [`OptionalConfig::custom_runtime`].
    CustomRuntime,
    /// [`OptionalConfig::accelerator_gb`].
    Accelerator,
    /// [`OptionalConfig::capacity`].
    Capacity,
    /// [`Image::overrides`].
    ImageOverrides,
}

/// Members of a configuration that cannot be together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incompatible {
    /// `SnapStart` on a runtime that knows no snapshots.
    SnapStartRuntime,
    /// `SnapStart` and a `/tmp` above the least size.
    SnapStartStorage,
    /// `SnapStart` and file systems.
    SnapStartFileSystem,
    /// `SnapStart` and tenant isolation.
    SnapStartTenancy,
    /// `SnapStart` and a capacity provider.
    SnapStartCapacity,
    /// An EFS file system without a VPC.
    FileSystemVpc,
    /// The runtime `custom` without a runtime of the customer's.
    CustomRuntimeMissing,
    /// A runtime of the customer's beside another identifier than `custom`.
    CustomRuntimeIdentifier,
    /// Runtime, handler or layers on a function of an image.
    ImagePackageMember,
    /// Settings of an image on a function of a package.
    ImageOverridesWithoutImage,
    /// A function that becomes durable after its creation.
    DurableLate,
    /// `$LATEST.PUBLISHED` of a function without a capacity provider.
    LatestPublished,
    /// Provisioned concurrency of a function with tenants.
    TenancyProvisioned,
    /// A URL of a function with tenants.
    TenancyUrl,
    /// An event source mapping to a function with tenants.
    TenancyMapping,
}

/// Changes to an [`OptionalConfig`]: the members that are named get the values that stand here, which may be none.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct OptionalPatch {
    /// Which members change.
    pub members: BTreeSet<OptionalMember>,
    /// Their values.
    pub values: OptionalConfig,
}

impl OptionalConfig {
    /// Itself in the form in which a configuration keeps it.
    #[must_use]
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }

    /// The first member that no worker can honour yet and without which the function would run wrong: it must not run.
    /// Answers the name that the API has for it.
    #[must_use]
    pub const fn unmet(&self) -> Option<&'static str> {
        if self.durable.is_some() {
            Some("DurableConfig")
        } else if !self.file_systems.is_empty() {
            Some("FileSystemConfigs")
        } else if self.custom_runtime.is_some() {
            Some("RuntimeConfig")
        } else if self.accelerator_gb.is_some() {
            Some("AcceleratorConfig")
        } else if self.capacity.is_some() {
            Some("CapacityProviderConfig")
        } else {
            None
        }
    }
}

impl Origin {
    /// Itself in the form in which a change carries it.
    #[must_use]
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

impl OptionalPatch {
    /// What is left of a configuration's optional members, and what comes to them.
    #[must_use]
    pub fn apply_to(&self, old: Option<&OptionalConfig>) -> Option<Box<OptionalConfig>> {
        let mut new = old.cloned().unwrap_or_default();
        let values = self.values.clone();
        for member in &self.members {
            match member {
                OptionalMember::Vpc => new.vpc.clone_from(&values.vpc),
                OptionalMember::DeadLetter => new.dead_letter.clone_from(&values.dead_letter),
                OptionalMember::KmsKey => new.kms_key.clone_from(&values.kms_key),
                OptionalMember::Layers => new.layers.clone_from(&values.layers),
                OptionalMember::FileSystems => new.file_systems.clone_from(&values.file_systems),
                OptionalMember::SnapStart => new.snap_start = values.snap_start,
                OptionalMember::Durable => new.durable.clone_from(&values.durable),
                OptionalMember::CustomRuntime => {
                    new.custom_runtime.clone_from(&values.custom_runtime);
                }
                OptionalMember::Accelerator => new.accelerator_gb = values.accelerator_gb,
                OptionalMember::Capacity => new.capacity.clone_from(&values.capacity),
                // An image's settings without an image are none: a function never changes what it is made of.
                OptionalMember::ImageOverrides => {
                    if let (Some(image), Some(given)) = (&mut new.image, &values.image) {
                        image.overrides.clone_from(&given.overrides);
                    }
                }
            }
        }
        new.boxed()
    }
}

/// See [`Config::incompatible`].
pub(super) fn incompatible(config: &Config) -> Option<Incompatible> {
    let none = OptionalConfig::default();
    let optional = config.optional.as_deref().unwrap_or(&none);
    let on_efs = |f: &FileSystem| f.arn.contains(":elasticfilesystem:");
    let rules = [
        (
            optional.snap_start && !knows_snapshots(config),
            Incompatible::SnapStartRuntime,
        ),
        (
            optional.snap_start && config.ephemeral != EphemeralMib::default(),
            Incompatible::SnapStartStorage,
        ),
        (
            optional.snap_start && !optional.file_systems.is_empty(),
            Incompatible::SnapStartFileSystem,
        ),
        (
            optional.snap_start && optional.tenant_isolation,
            Incompatible::SnapStartTenancy,
        ),
        (
            optional.snap_start && optional.capacity.is_some(),
            Incompatible::SnapStartCapacity,
        ),
        (
            optional.vpc.is_none() && optional.file_systems.iter().any(on_efs),
            Incompatible::FileSystemVpc,
        ),
        (
            config.runtime.is_custom() && optional.custom_runtime.is_none(),
            Incompatible::CustomRuntimeMissing,
        ),
        (
            !config.runtime.is_custom() && optional.custom_runtime.is_some(),
            Incompatible::CustomRuntimeIdentifier,
        ),
        (
            optional.image.is_some() && !optional.layers.is_empty(),
            Incompatible::ImagePackageMember,
        ),
    ];
    rules
        .into_iter()
        .find(|(broken, _)| *broken)
        .map(|(_, r)| r)
}

/// Java 11, Python 3.12, .NET 8, and everything newer.
fn knows_snapshots(config: &Config) -> bool {
    let major_and_minor = || {
        let version = config.runtime.language_version()?;
        let version = version.split('.').take_while(|p| p.parse::<u32>().is_ok());
        Some(version.filter_map(|p| p.parse().ok()).collect::<Vec<u32>>())
    };
    let least: &[u32] = match config.runtime.family() {
        Family::Java => &[11],
        Family::Python => &[3, 12],
        Family::Dotnet => &[8],
        Family::Node | Family::Ruby | Family::Provided | Family::Custom | Family::Image => {
            return false;
        }
    };
    major_and_minor().is_some_and(|version| *version >= *least)
}

#[cfg(test)]
mod tests;
