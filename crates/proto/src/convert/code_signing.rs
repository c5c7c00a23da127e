use model::{
    CodeSigningConfig, CodeSigningId, Timestamp,
    code_signing::{CodeSigningChange, CodeSigningSettings, UntrustedArtifact},
};

use super::{InvalidMessage, ids, present, text};
use crate::internal::{self as pb, mutation as wire, mutation::change_code_signing as change};

impl From<&CodeSigningId> for pb::CodeSigningId {
    fn from(id: &CodeSigningId) -> Self {
        Self {
            account: id.account.to_string(),
            region: id.region.to_string(),
            name: id.name.to_string(),
        }
    }
}

impl TryFrom<pb::CodeSigningId> for CodeSigningId {
    type Error = InvalidMessage;

    fn try_from(m: pb::CodeSigningId) -> Result<Self, InvalidMessage> {
        Ok(Self {
            account: text("code_signing.account", &m.account)?,
            region: text("code_signing.region", &m.region)?,
            name: text("code_signing.name", &m.name)?,
        })
    }
}

fn id(m: Option<pb::CodeSigningId>) -> Result<CodeSigningId, InvalidMessage> {
    present("code_signing", m)?.try_into()
}

fn enforces(untrusted: UntrustedArtifact) -> bool {
    untrusted == UntrustedArtifact::Enforce
}

const fn untrusted(enforce: bool) -> UntrustedArtifact {
    if enforce {
        UntrustedArtifact::Enforce
    } else {
        UntrustedArtifact::Warn
    }
}

impl From<&CodeSigningSettings> for pb::CodeSigningSettings {
    fn from(s: &CodeSigningSettings) -> Self {
        Self {
            description: s.description.clone(),
            publishers: s.publishers.clone(),
            enforce: enforces(s.untrusted),
        }
    }
}

impl From<pb::CodeSigningSettings> for CodeSigningSettings {
    fn from(m: pb::CodeSigningSettings) -> Self {
        Self {
            description: m.description,
            publishers: m.publishers,
            untrusted: untrusted(m.enforce),
        }
    }
}

impl From<&CodeSigningConfig> for pb::CodeSigningConfig {
    fn from(c: &CodeSigningConfig) -> Self {
        Self {
            id: Some((&c.id).into()),
            settings: Some((&c.settings).into()),
            tags: c.tags.clone(),
            last_modified_ms: c.last_modified.as_millis(),
        }
    }
}

impl TryFrom<pb::CodeSigningConfig> for CodeSigningConfig {
    type Error = InvalidMessage;

    fn try_from(m: pb::CodeSigningConfig) -> Result<Self, InvalidMessage> {
        Ok(Self {
            id: id(m.id)?,
            settings: present("code_signing.settings", m.settings)?.into(),
            tags: m.tags,
            last_modified: Timestamp(m.last_modified_ms),
        })
    }
}

impl From<&CodeSigningChange> for wire::ChangeCodeSigning {
    fn from(c: &CodeSigningChange) -> Self {
        let change = match c {
            CodeSigningChange::Create {
                account,
                region,
                settings,
                tags,
            } => change::Change::Create(change::Create {
                account: account.to_string(),
                region: region.to_string(),
                settings: Some(settings.into()),
                tags: tags.clone(),
            }),
            CodeSigningChange::Update {
                id,
                description,
                publishers,
                untrusted,
            } => change::Change::Update(change::Update {
                id: Some(id.into()),
                description: description.clone(),
                publishers: publishers.clone().unwrap_or_default(),
                enforce: untrusted.map(enforces),
            }),
            CodeSigningChange::Delete { id } => change::Change::Delete(id.into()),
            CodeSigningChange::Link { function, config } => change::Change::Link(change::Link {
                function: Some(function.into()),
                config: config.as_ref().map(Into::into),
            }),
            CodeSigningChange::Tag {
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

impl TryFrom<wire::ChangeCodeSigning> for CodeSigningChange {
    type Error = InvalidMessage;

    fn try_from(m: wire::ChangeCodeSigning) -> Result<Self, InvalidMessage> {
        Ok(match present("code_signing.change", m.change)? {
            change::Change::Create(m) => Self::Create {
                account: text("code_signing.account", &m.account)?,
                region: text("code_signing.region", &m.region)?,
                settings: present("code_signing.settings", m.settings)?.into(),
                tags: m.tags,
            },
            change::Change::Update(m) => Self::Update {
                id: id(m.id)?,
                description: m.description,
                publishers: (!m.publishers.is_empty()).then_some(m.publishers),
                untrusted: m.enforce.map(untrusted),
            },
            change::Change::Delete(m) => Self::Delete { id: m.try_into()? },
            change::Change::Tag(m) => Self::Tag {
                id: id(m.id)?,
                set: m.set,
                unset: m.unset,
                at_most: m.at_most,
            },
            change::Change::Link(m) => Self::Link {
                function: ids::function(m.function)?,
                config: m.config.map(TryInto::try_into).transpose()?,
            },
        })
    }
}
