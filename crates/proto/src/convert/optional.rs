use std::collections::BTreeSet;

use model::function::{
    CapacityUse, CustomRuntime, Durable, FileSystem, Image, ImageOverrides, Incompatible,
    OptionalConfig, OptionalMember, OptionalPatch, Origin, UsedLayer, Vpc,
};

use super::{InvalidMessage, layer, present, text};
use crate::internal::{self as pb, optional_config as wire, optional_config_patch::Member};

impl From<&OptionalConfig> for pb::OptionalConfig {
    fn from(o: &OptionalConfig) -> Self {
        Self {
            vpc: o.vpc.as_ref().map(|v| wire::Vpc {
                subnets: v.subnets.clone(),
                security_groups: v.security_groups.clone(),
                ipv6: v.ipv6,
            }),
            dead_letter: o.dead_letter.clone(),
            kms_key: o.kms_key.clone(),
            layers: o.layers.iter().map(used_layer).collect(),
            file_systems: o.file_systems.iter().map(file_system).collect(),
            snap_start: o.snap_start,
            tenant_isolation: o.tenant_isolation,
            durable: o.durable.as_ref().map(|d| wire::Durable {
                kms_key: d.kms_key.clone(),
                retention_days: d.retention_days,
                execution_timeout_s: d.execution_timeout_s,
            }),
            custom_runtime: o.custom_runtime.as_ref().map(|r| wire::CustomRuntime {
                arn: r.arn.clone(),
                alias: r.alias.clone(),
            }),
            accelerator_gb: o.accelerator_gb,
            capacity: o.capacity.as_ref().map(|c| wire::CapacityUse {
                provider: c.provider.to_string(),
                max_concurrency: c.max_concurrency,
                memory_per_vcpu_milligib: c.memory_per_vcpu_milligib,
            }),
            image: o.image.as_ref().map(|i| wire::Image {
                uri: i.uri.clone(),
                entry_point: i.overrides.entry_point.clone(),
                command: i.overrides.command.clone(),
                working_directory: i.overrides.working_directory.clone(),
            }),
            origin: (o.origin != Origin::default()).then(|| (&o.origin).into()),
        }
    }
}

impl TryFrom<pb::OptionalConfig> for OptionalConfig {
    type Error = InvalidMessage;

    fn try_from(m: pb::OptionalConfig) -> Result<Self, InvalidMessage> {
        let layers = m.layers.into_iter().map(|l| {
            Ok::<_, InvalidMessage>(UsedLayer {
                version: layer::version(l.layer, l.version)?,
                content: present("layers.content", l.content)?.try_into()?,
            })
        });
        let file_systems = m.file_systems.into_iter().map(|f| FileSystem {
            arn: f.arn,
            mount_path: f.mount_path,
            direct_s3_read: f.direct_s3_read,
        });
        Ok(Self {
            vpc: m.vpc.map(|v| Vpc {
                subnets: v.subnets,
                security_groups: v.security_groups,
                ipv6: v.ipv6,
            }),
            dead_letter: m.dead_letter,
            kms_key: m.kms_key,
            layers: layers.collect::<Result<_, _>>()?,
            file_systems: file_systems.collect(),
            snap_start: m.snap_start,
            tenant_isolation: m.tenant_isolation,
            durable: m.durable.map(|d| Durable {
                kms_key: d.kms_key,
                retention_days: d.retention_days,
                execution_timeout_s: d.execution_timeout_s,
            }),
            custom_runtime: m.custom_runtime.map(|r| CustomRuntime {
                arn: r.arn,
                alias: r.alias,
            }),
            accelerator_gb: m.accelerator_gb,
            capacity: m.capacity.as_ref().map(capacity).transpose()?,
            image: m.image.map(|i| Image {
                uri: i.uri,
                overrides: ImageOverrides {
                    entry_point: i.entry_point,
                    command: i.command,
                    working_directory: i.working_directory,
                },
            }),
            origin: m.origin.map(Into::into).unwrap_or_default(),
        })
    }
}

impl From<&Origin> for wire::Origin {
    fn from(o: &Origin) -> Self {
        Self {
            kms_key: o.kms_key.clone(),
            object: o.object.as_ref().map(Into::into),
        }
    }
}

impl From<wire::Origin> for Origin {
    fn from(m: wire::Origin) -> Self {
        Self {
            kms_key: m.kms_key,
            object: m.object.map(Into::into),
        }
    }
}

fn capacity(m: &wire::CapacityUse) -> Result<CapacityUse, InvalidMessage> {
    Ok(CapacityUse {
        provider: text("capacity.provider", &m.provider)?,
        max_concurrency: m.max_concurrency,
        memory_per_vcpu_milligib: m.memory_per_vcpu_milligib,
    })
}

fn used_layer(l: &UsedLayer) -> wire::UsedLayer {
    wire::UsedLayer {
        layer: Some((&l.version.layer).into()),
        version: l.version.version.get(),
        content: Some((&l.content).into()),
    }
}

fn file_system(f: &FileSystem) -> wire::FileSystem {
    wire::FileSystem {
        arn: f.arn.clone(),
        mount_path: f.mount_path.clone(),
        direct_s3_read: f.direct_s3_read.clone(),
    }
}

impl From<&OptionalPatch> for pb::OptionalConfigPatch {
    fn from(p: &OptionalPatch) -> Self {
        let members = p.members.iter().map(|m| i32::from(member(*m)));
        Self {
            members: members.collect(),
            values: Some((&p.values).into()),
        }
    }
}

impl TryFrom<pb::OptionalConfigPatch> for OptionalPatch {
    type Error = InvalidMessage;

    fn try_from(m: pb::OptionalConfigPatch) -> Result<Self, InvalidMessage> {
        let members: Option<BTreeSet<_>> = m.members().map(parsed_member).collect();
        Ok(Self {
            members: members.ok_or(InvalidMessage::Missing("patch.members"))?,
            values: m
                .values
                .map(TryInto::try_into)
                .transpose()?
                .unwrap_or_default(),
        })
    }
}

const fn member(m: OptionalMember) -> Member {
    match m {
        OptionalMember::Vpc => Member::Vpc,
        OptionalMember::DeadLetter => Member::DeadLetter,
        OptionalMember::KmsKey => Member::KmsKey,
        OptionalMember::Layers => Member::Layers,
        OptionalMember::FileSystems => Member::FileSystems,
        OptionalMember::SnapStart => Member::SnapStart,
        OptionalMember::Durable => Member::Durable,
        OptionalMember::CustomRuntime => Member::CustomRuntime,
        OptionalMember::Accelerator => Member::Accelerator,
        OptionalMember::Capacity => Member::Capacity,
        OptionalMember::ImageOverrides => Member::ImageOverrides,
    }
}

const fn parsed_member(m: Member) -> Option<OptionalMember> {
    Some(match m {
        Member::Vpc => OptionalMember::Vpc,
        Member::DeadLetter => OptionalMember::DeadLetter,
        Member::KmsKey => OptionalMember::KmsKey,
        Member::Layers => OptionalMember::Layers,
        Member::FileSystems => OptionalMember::FileSystems,
        Member::SnapStart => OptionalMember::SnapStart,
        Member::Durable => OptionalMember::Durable,
        Member::CustomRuntime => OptionalMember::CustomRuntime,
        Member::Accelerator => OptionalMember::Accelerator,
        Member::Capacity => OptionalMember::Capacity,
        Member::ImageOverrides => OptionalMember::ImageOverrides,
        Member::Unspecified => return None,
    })
}

const INCOMPATIBLE: [(Incompatible, &str); 15] = [
    (Incompatible::SnapStartRuntime, "snap-start-runtime"),
    (Incompatible::SnapStartStorage, "snap-start-storage"),
    (Incompatible::SnapStartFileSystem, "snap-start-file-system"),
    (Incompatible::SnapStartTenancy, "snap-start-tenancy"),
    (Incompatible::SnapStartCapacity, "snap-start-capacity"),
    (Incompatible::FileSystemVpc, "file-system-vpc"),
    (Incompatible::CustomRuntimeMissing, "custom-runtime-missing"),
    (
        Incompatible::CustomRuntimeIdentifier,
        "custom-runtime-identifier",
    ),
    (Incompatible::ImagePackageMember, "image-package-member"),
    (
        Incompatible::ImageOverridesWithoutImage,
        "image-overrides-without-image",
    ),
    (Incompatible::DurableLate, "durable-late"),
    (Incompatible::LatestPublished, "latest-published"),
    (Incompatible::TenancyProvisioned, "tenancy-provisioned"),
    (Incompatible::TenancyUrl, "tenancy-url"),
    (Incompatible::TenancyMapping, "tenancy-mapping"),
];

pub(super) fn incompatible_name(what: Incompatible) -> &'static str {
    let found = INCOMPATIBLE.iter().find(|(w, _)| *w == what);
    found.map_or("", |(_, name)| name)
}

pub(super) fn incompatible(name: &str) -> Result<Incompatible, InvalidMessage> {
    let found = INCOMPATIBLE.iter().find(|(_, n)| *n == name);
    found
        .map(|(what, _)| *what)
        .ok_or(InvalidMessage::Missing("rejection.incompatible"))
}
