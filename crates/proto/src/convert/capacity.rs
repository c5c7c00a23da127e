use model::{
    CapacityProvider, CapacityProviderId, Timestamp,
    capacity_provider::{
        CapacityChange, CapacityScaling, CapacitySettings, CapacityTelemetry, InstanceShape,
        PropagatedTags,
    },
};

use super::{InvalidMessage, present, text};
use crate::internal::{
    self as pb, capacity_settings as settings, mutation as wire,
    mutation::change_capacity as change,
};

impl From<&CapacityProviderId> for pb::CapacityProviderId {
    fn from(id: &CapacityProviderId) -> Self {
        Self {
            account: id.account.to_string(),
            region: id.region.to_string(),
            name: id.name.to_string(),
        }
    }
}

impl TryFrom<pb::CapacityProviderId> for CapacityProviderId {
    type Error = InvalidMessage;

    fn try_from(m: pb::CapacityProviderId) -> Result<Self, InvalidMessage> {
        Ok(Self {
            account: text("capacity.account", &m.account)?,
            region: text("capacity.region", &m.region)?,
            name: text("capacity.name", &m.name)?,
        })
    }
}

fn id(m: Option<pb::CapacityProviderId>) -> Result<CapacityProviderId, InvalidMessage> {
    present("capacity", m)?.try_into()
}

impl From<&InstanceShape> for pb::InstanceShape {
    fn from(s: &InstanceShape) -> Self {
        Self {
            subnets: s.subnets.clone(),
            security_groups: s.security_groups.clone(),
            operator_role: s.operator_role.clone(),
            architecture: s.architecture.map(|a| a.to_string()),
            allowed_types: s.allowed_types.clone(),
            excluded_types: s.excluded_types.clone(),
            kms_key: s.kms_key.clone(),
        }
    }
}

impl TryFrom<pb::InstanceShape> for InstanceShape {
    type Error = InvalidMessage;

    fn try_from(m: pb::InstanceShape) -> Result<Self, InvalidMessage> {
        let architecture = m.architecture.map(|a| text("capacity.architecture", &a));
        Ok(Self {
            subnets: m.subnets,
            security_groups: m.security_groups,
            operator_role: m.operator_role,
            architecture: architecture.transpose()?,
            allowed_types: m.allowed_types,
            excluded_types: m.excluded_types,
            kms_key: m.kms_key,
        })
    }
}

impl From<&CapacitySettings> for pb::CapacitySettings {
    fn from(s: &CapacitySettings) -> Self {
        let policy = |(metric, target): &(String, u32)| settings::Policy {
            metric: metric.clone(),
            target_millionths: *target,
        };
        Self {
            scaling: s.scaling.as_ref().map(|s| settings::Scaling {
                max_vcpus: s.max_vcpus,
                manual: s.manual,
                policies: s.policies.iter().map(policy).collect(),
            }),
            propagated_tags: s
                .propagated_tags
                .as_ref()
                .map(|t| settings::PropagatedTags {
                    explicit: t.explicit,
                    tags: t.tags.clone(),
                }),
            telemetry: s.telemetry.as_ref().map(|t| settings::Telemetry {
                system_level: t.system_level.clone(),
                log_group: t.log_group.clone(),
            }),
        }
    }
}

impl From<pb::CapacitySettings> for CapacitySettings {
    fn from(m: pb::CapacitySettings) -> Self {
        let policy = |p: settings::Policy| (p.metric, p.target_millionths);
        Self {
            scaling: m.scaling.map(|s| CapacityScaling {
                max_vcpus: s.max_vcpus,
                manual: s.manual,
                policies: s.policies.into_iter().map(policy).collect(),
            }),
            propagated_tags: m.propagated_tags.map(|t| PropagatedTags {
                explicit: t.explicit,
                tags: t.tags,
            }),
            telemetry: m.telemetry.map(|t| CapacityTelemetry {
                system_level: t.system_level,
                log_group: t.log_group,
            }),
        }
    }
}

impl From<&CapacityProvider> for pb::CapacityProvider {
    fn from(p: &CapacityProvider) -> Self {
        Self {
            id: Some((&p.id).into()),
            shape: Some((&p.shape).into()),
            settings: Some((&p.settings).into()),
            tags: p.tags.clone(),
            last_modified_ms: p.last_modified.as_millis(),
        }
    }
}

impl TryFrom<pb::CapacityProvider> for CapacityProvider {
    type Error = InvalidMessage;

    fn try_from(m: pb::CapacityProvider) -> Result<Self, InvalidMessage> {
        Ok(Self {
            id: id(m.id)?,
            shape: present("capacity.shape", m.shape)?.try_into()?,
            settings: present("capacity.settings", m.settings)?.into(),
            tags: m.tags,
            last_modified: Timestamp(m.last_modified_ms),
        })
    }
}

impl From<&CapacityChange> for wire::ChangeCapacity {
    fn from(c: &CapacityChange) -> Self {
        let change = match c {
            CapacityChange::Create {
                id,
                shape,
                settings,
                tags,
            } => change::Change::Create(change::Create {
                id: Some(id.into()),
                shape: Some(shape.into()),
                settings: Some(settings.into()),
                tags: tags.clone(),
            }),
            CapacityChange::Update { id, settings } => change::Change::Update(change::Update {
                id: Some(id.into()),
                settings: Some(settings.into()),
            }),
            CapacityChange::Delete { id } => change::Change::Delete(id.into()),
            CapacityChange::Tag {
                id,
                set,
                unset,
                at_most,
            } => change::Change::Tag(change::Tag {
                id: Some(id.into()),
                set: set.clone(),
                unset: unset.clone(),
                at_most: *at_most,
            }),
        };
        Self {
            change: Some(change),
        }
    }
}

impl TryFrom<wire::ChangeCapacity> for CapacityChange {
    type Error = InvalidMessage;

    fn try_from(m: wire::ChangeCapacity) -> Result<Self, InvalidMessage> {
        Ok(match present("capacity.change", m.change)? {
            change::Change::Create(m) => Self::Create {
                id: id(m.id)?,
                shape: present("capacity.shape", m.shape)?.try_into()?,
                settings: present("capacity.settings", m.settings)?.into(),
                tags: m.tags,
            },
            change::Change::Update(m) => Self::Update {
                id: id(m.id)?,
                settings: present("capacity.settings", m.settings)?.into(),
            },
            change::Change::Delete(m) => Self::Delete { id: m.try_into()? },
            change::Change::Tag(m) => Self::Tag {
                id: id(m.id)?,
                set: m.set,
                unset: m.unset,
                at_most: m.at_most,
            },
        })
    }
}
