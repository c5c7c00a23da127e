use std::num::NonZeroU64;

use model::{
    LayerId, LayerVersion, LayerVersionId, Timestamp,
    layer::{LayerDraft, LayerGrant, LayerPolicy, LayerPolicyChange, LayerPrincipal},
};

use super::{InvalidMessage, present, text};
use crate::internal as pb;

impl From<&LayerId> for pb::LayerId {
    fn from(id: &LayerId) -> Self {
        Self {
            account: id.account.to_string(),
            region: id.region.to_string(),
            name: id.name.to_string(),
        }
    }
}

impl TryFrom<pb::LayerId> for LayerId {
    type Error = InvalidMessage;

    fn try_from(m: pb::LayerId) -> Result<Self, InvalidMessage> {
        Ok(Self {
            account: text("layer.account", &m.account)?,
            region: text("layer.region", &m.region)?,
            name: text("layer.name", &m.name)?,
        })
    }
}

pub(super) fn id(m: Option<pb::LayerId>) -> Result<LayerId, InvalidMessage> {
    present("layer", m)?.try_into()
}

pub(super) fn version(
    layer: Option<pb::LayerId>,
    version: u64,
) -> Result<LayerVersionId, InvalidMessage> {
    Ok(LayerVersionId {
        layer: id(layer)?,
        version: NonZeroU64::new(version).ok_or(InvalidMessage::Missing("layer.version"))?,
    })
}

impl From<&LayerDraft> for pb::LayerDraft {
    fn from(d: &LayerDraft) -> Self {
        Self {
            description: d.description.clone(),
            runtimes: d.runtimes.iter().map(ToString::to_string).collect(),
            architectures: d.architectures.iter().map(ToString::to_string).collect(),
            license: d.license.clone(),
            object: d.object.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<pb::LayerDraft> for LayerDraft {
    type Error = InvalidMessage;

    fn try_from(m: pb::LayerDraft) -> Result<Self, InvalidMessage> {
        let runtimes = m.runtimes.iter().map(|r| text("layer.runtimes", r));
        let architectures = m.architectures.iter();
        let architectures = architectures.map(|a| text("layer.architectures", a));
        Ok(Self {
            description: m.description,
            runtimes: runtimes.collect::<Result<_, _>>()?,
            architectures: architectures.collect::<Result<_, _>>()?,
            license: m.license,
            object: m.object.map(Into::into),
        })
    }
}

impl From<&LayerGrant> for pb::LayerGrant {
    fn from(g: &LayerGrant) -> Self {
        Self {
            account: match g.principal {
                LayerPrincipal::Everybody => String::new(),
                LayerPrincipal::Account(account) => account.to_string(),
            },
            organization: g.organization.clone(),
        }
    }
}

impl TryFrom<pb::LayerGrant> for LayerGrant {
    type Error = InvalidMessage;

    fn try_from(m: pb::LayerGrant) -> Result<Self, InvalidMessage> {
        let principal = if m.account.is_empty() {
            LayerPrincipal::Everybody
        } else {
            LayerPrincipal::Account(text("grant.account", &m.account)?)
        };
        Ok(Self {
            principal,
            organization: m.organization,
        })
    }
}

impl From<&LayerPolicy> for pb::LayerPolicy {
    fn from(p: &LayerPolicy) -> Self {
        let statements = p.statements.iter();
        Self {
            revision_id: p.revision_id.to_string(),
            statements: statements.map(|(id, g)| (id.clone(), g.into())).collect(),
        }
    }
}

impl TryFrom<pb::LayerPolicy> for LayerPolicy {
    type Error = InvalidMessage;

    fn try_from(m: pb::LayerPolicy) -> Result<Self, InvalidMessage> {
        let statements = m.statements.into_iter();
        let statements = statements.map(|(id, g)| Ok::<_, InvalidMessage>((id, g.try_into()?)));
        Ok(Self {
            revision_id: text("policy.revision_id", &m.revision_id)?,
            statements: statements.collect::<Result<_, _>>()?,
        })
    }
}

impl From<&LayerVersion> for pb::LayerVersion {
    fn from(v: &LayerVersion) -> Self {
        Self {
            layer: Some((&v.id.layer).into()),
            version: v.id.version.get(),
            content: Some((&v.content).into()),
            draft: Some((&v.draft).into()),
            created_ms: v.created.as_millis(),
            policy: v.policy.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<pb::LayerVersion> for LayerVersion {
    type Error = InvalidMessage;

    fn try_from(m: pb::LayerVersion) -> Result<Self, InvalidMessage> {
        Ok(Self {
            id: version(m.layer, m.version)?,
            content: present("layer.content", m.content)?.try_into()?,
            draft: present("layer.draft", m.draft)?.try_into()?,
            created: Timestamp(m.created_ms),
            policy: m.policy.map(TryInto::try_into).transpose()?,
        })
    }
}

pub(super) fn change_to_wire(change: &LayerPolicyChange) -> (String, Option<pb::LayerGrant>) {
    match change {
        LayerPolicyChange::Add { statement, grant } => (statement.clone(), Some(grant.into())),
        LayerPolicyChange::Remove { statement } => (statement.clone(), None),
    }
}

pub(super) fn change_from_wire(
    statement: String,
    grant: Option<pb::LayerGrant>,
) -> Result<LayerPolicyChange, InvalidMessage> {
    Ok(match grant {
        Some(grant) => LayerPolicyChange::Add {
            statement,
            grant: grant.try_into()?,
        },
        None => LayerPolicyChange::Remove { statement },
    })
}
