use model::{
    Mutation, RevisionId, VersionId,
    function::{Origin, Publication},
};

use super::{InvalidMessage, data_key, ids, layer, mapping, present, text};
use crate::internal::{self as pb, mutation as wire};

impl From<&Mutation> for pb::Mutation {
    fn from(m: &Mutation) -> Self {
        let id = |r: &Option<RevisionId>| r.map(|r| r.to_string());
        let mutation = match m {
            Mutation::CreateFunction {
                function,
                config,
                code,
                publish,
                tags,
                code_signing,
            } => wire::Mutation::CreateFunction(wire::CreateFunction {
                function: Some(function.into()),
                config: Some((&**config).into()),
                code: Some(code.into()),
                publish: publish.is_some(),
                latest_published: *publish == Some(Publication::Latest),
                tags: tags.clone(),
                code_signing: code_signing.as_ref().map(Into::into),
            }),
            Mutation::UpdateFunctionCode {
                function,
                code,
                image,
                origin,
                architecture,
                publish,
                expected,
            } => wire::Mutation::UpdateFunctionCode(wire::UpdateFunctionCode {
                function: Some(function.into()),
                code: Some(code.into()),
                architecture: architecture.map(|a| a.to_string()),
                publish: publish.is_some(),
                latest_published: *publish == Some(Publication::Latest),
                expected: id(expected),
                image: image.clone(),
                origin: origin.as_deref().map(Into::into),
            }),
            Mutation::UpdateFunctionConfiguration {
                function,
                patch,
                expected,
            } => wire::Mutation::UpdateFunctionConfiguration(wire::UpdateFunctionConfiguration {
                function: Some(function.into()),
                patch: Some((&**patch).into()),
                expected: id(expected),
            }),
            Mutation::DeleteFunction { function, version } => {
                wire::Mutation::DeleteFunction(wire::DeleteFunction {
                    function: Some(function.into()),
                    version: version.map(|v| v.to_string()),
                })
            }
            Mutation::PublishVersion {
                function,
                to,
                code_sha256,
                description,
                expected,
            } => wire::Mutation::PublishVersion(wire::PublishVersion {
                function: Some(function.into()),
                latest_published: *to == Publication::Latest,
                code_sha256: code_sha256.map(ids::bytes),
                description: description.clone(),
                expected: id(expected),
            }),
            Mutation::CreateAlias {
                function,
                name,
                version,
                canary,
                description,
            } => wire::Mutation::CreateAlias(wire::CreateAlias {
                function: Some(function.into()),
                name: name.to_string(),
                version: version.to_string(),
                canary: canary.as_ref().map(Into::into),
                description: description.clone(),
            }),
            Mutation::UpdateAlias {
                function,
                name,
                version,
                canary,
                description,
                expected,
            } => wire::Mutation::UpdateAlias(wire::UpdateAlias {
                function: Some(function.into()),
                name: name.to_string(),
                version: version.map(|v| v.to_string()),
                canary: canary.as_ref().and_then(Option::as_ref).map(Into::into),
                clear_canary: matches!(canary, Some(None)),
                description: description.clone(),
                expected: id(expected),
            }),
            Mutation::DeleteAlias { function, name } => {
                wire::Mutation::DeleteAlias(wire::DeleteAlias {
                    function: Some(function.into()),
                    name: name.to_string(),
                })
            }
            Mutation::Settle {
                version,
                revision,
                failure,
            } => wire::Mutation::Settle(wire::Settle {
                function: Some((&version.function).into()),
                version: version.version.to_string(),
                revision: revision.to_string(),
                failure: failure.as_ref().map(Into::into),
            }),
            Mutation::Finalize { format } => {
                wire::Mutation::Finalize(wire::Finalize { format: *format })
            }
            Mutation::Configure {
                function,
                qualifier,
                change,
                expected,
            } => wire::Mutation::Configure(wire::Configure {
                function: Some(function.into()),
                qualifier: qualifier.as_ref().map(ToString::to_string),
                expected: id(expected),
                change: Some((&**change).into()),
            }),
            Mutation::PutDataKey {
                account,
                generation,
                wrapped,
            } => wire::Mutation::PutDataKey(wire::PutDataKey {
                account: account.to_string(),
                generation: generation.get(),
                wrapped: Some(wrapped.into()),
            }),
            Mutation::RewrapDataKey {
                account,
                generation,
                old,
                new,
            } => wire::Mutation::RewrapDataKey(wire::RewrapDataKey {
                account: account.to_string(),
                generation: generation.get(),
                old: Some(old.into()),
                new: Some(new.into()),
            }),
            Mutation::CreateEventSourceMapping {
                function,
                source,
                settings,
                enabled,
                tags,
            } => wire::Mutation::CreateEventSourceMapping(wire::CreateEventSourceMapping {
                function: function.to_string(),
                source: Some((&**source).into()),
                settings: settings.iter().map(Into::into).collect(),
                enabled: *enabled,
                tags: tags.clone(),
            }),
            Mutation::UpdateEventSourceMapping { mapping, change } => {
                wire::Mutation::UpdateEventSourceMapping(wire::UpdateEventSourceMapping {
                    mapping: Some(mapping.into()),
                    change: Some((&**change).into()),
                })
            }
            Mutation::DeleteEventSourceMapping { mapping } => {
                wire::Mutation::DeleteEventSourceMapping(wire::DeleteEventSourceMapping {
                    mapping: Some(mapping.into()),
                })
            }
            Mutation::SettleEventSourceMapping { mapping, revision } => {
                wire::Mutation::SettleEventSourceMapping(wire::SettleEventSourceMapping {
                    mapping: Some(mapping.into()),
                    revision: revision.to_string(),
                })
            }
            Mutation::PublishLayerVersion {
                layer,
                content,
                draft,
            } => wire::Mutation::PublishLayerVersion(wire::PublishLayerVersion {
                layer: Some(layer.into()),
                content: Some(content.into()),
                draft: Some((&**draft).into()),
            }),
            Mutation::DeleteLayerVersion { version } => {
                wire::Mutation::DeleteLayerVersion(wire::DeleteLayerVersion {
                    layer: Some((&version.layer).into()),
                    version: version.version.get(),
                })
            }
            Mutation::ChangeLayerPolicy {
                version,
                change,
                expected,
            } => {
                let (statement, grant) = layer::change_to_wire(change);
                wire::Mutation::ChangeLayerPolicy(wire::ChangeLayerPolicy {
                    layer: Some((&version.layer).into()),
                    version: version.version.get(),
                    statement,
                    grant,
                    expected: id(expected),
                })
            }
            Mutation::CodeSigning(change) => wire::Mutation::ChangeCodeSigning((&**change).into()),
            Mutation::Capacity(change) => wire::Mutation::ChangeCapacity((&**change).into()),
            Mutation::Iam(change) => wire::Mutation::ChangeIam((&**change).into()),
        };
        Self {
            mutation: Some(mutation),
        }
    }
}

impl TryFrom<pb::Mutation> for Mutation {
    type Error = InvalidMessage;

    fn try_from(m: pb::Mutation) -> Result<Self, InvalidMessage> {
        let id = |r: Option<String>| r.map(|r| text("expected", &r)).transpose();
        Ok(match present("mutation", m.mutation)? {
            wire::Mutation::CreateFunction(m) => Self::CreateFunction {
                function: ids::function(m.function)?,
                config: Box::new(present("config", m.config)?.try_into()?),
                code: present("code", m.code)?.try_into()?,
                publish: m.publish.then(|| publication(m.latest_published)),
                tags: m.tags,
                code_signing: m.code_signing.map(TryInto::try_into).transpose()?,
            },
            wire::Mutation::UpdateFunctionCode(m) => Self::UpdateFunctionCode {
                function: ids::function(m.function)?,
                code: present("code", m.code)?.try_into()?,
                image: m.image,
                origin: m.origin.and_then(|o| Origin::from(o).boxed()),
                architecture: m
                    .architecture
                    .map(|a| text("architecture", &a))
                    .transpose()?,
                publish: m.publish.then(|| publication(m.latest_published)),
                expected: id(m.expected)?,
            },
            wire::Mutation::UpdateFunctionConfiguration(m) => Self::UpdateFunctionConfiguration {
                function: ids::function(m.function)?,
                patch: Box::new(present("patch", m.patch)?.try_into()?),
                expected: id(m.expected)?,
            },
            wire::Mutation::DeleteFunction(m) => Self::DeleteFunction {
                function: ids::function(m.function)?,
                version: m.version.map(|v| text("version", &v)).transpose()?,
            },
            wire::Mutation::PublishVersion(m) => Self::PublishVersion {
                function: ids::function(m.function)?,
                to: publication(m.latest_published),
                code_sha256: m
                    .code_sha256
                    .map(|d| ids::digest("code_sha256", &d))
                    .transpose()?,
                description: m.description,
                expected: id(m.expected)?,
            },
            wire::Mutation::CreateAlias(m) => Self::CreateAlias {
                function: ids::function(m.function)?,
                name: text("name", &m.name)?,
                version: text("version", &m.version)?,
                canary: m.canary.map(TryInto::try_into).transpose()?,
                description: m.description,
            },
            wire::Mutation::UpdateAlias(m) => Self::UpdateAlias {
                function: ids::function(m.function)?,
                name: text("name", &m.name)?,
                version: m.version.map(|v| text("version", &v)).transpose()?,
                canary: match (m.clear_canary, m.canary) {
                    (true, _) => Some(None),
                    (false, Some(c)) => Some(Some(c.try_into()?)),
                    (false, None) => None,
                },
                description: m.description,
                expected: id(m.expected)?,
            },
            wire::Mutation::DeleteAlias(m) => Self::DeleteAlias {
                function: ids::function(m.function)?,
                name: text("name", &m.name)?,
            },
            wire::Mutation::Settle(m) => Self::Settle {
                version: VersionId {
                    function: ids::function(m.function)?,
                    version: text("version", &m.version)?,
                },
                revision: text("revision", &m.revision)?,
                failure: m.failure.map(Into::into),
            },
            wire::Mutation::Finalize(m) => Self::Finalize { format: m.format },
            wire::Mutation::Configure(m) => Self::Configure {
                function: ids::function(m.function)?,
                qualifier: m.qualifier.map(|q| text("qualifier", &q)).transpose()?,
                change: Box::new(present("change", m.change)?.try_into()?),
                expected: id(m.expected)?,
            },
            wire::Mutation::PutDataKey(m) => Self::PutDataKey {
                account: text("account", &m.account)?,
                generation: data_key::generation(m.generation)?,
                wrapped: present("wrapped", m.wrapped)?.try_into()?,
            },
            wire::Mutation::RewrapDataKey(m) => Self::RewrapDataKey {
                account: text("account", &m.account)?,
                generation: data_key::generation(m.generation)?,
                old: present("old", m.old)?.try_into()?,
                new: present("new", m.new)?.try_into()?,
            },
            wire::Mutation::CreateEventSourceMapping(m) => Self::CreateEventSourceMapping {
                function: text("function", &m.function)?,
                source: Box::new(present("source", m.source)?.try_into()?),
                settings: mapping::settings(m.settings)?,
                enabled: m.enabled,
                tags: m.tags,
            },
            wire::Mutation::UpdateEventSourceMapping(m) => Self::UpdateEventSourceMapping {
                mapping: present("mapping", m.mapping)?.try_into()?,
                change: Box::new(present("change", m.change)?.try_into()?),
            },
            wire::Mutation::DeleteEventSourceMapping(m) => Self::DeleteEventSourceMapping {
                mapping: present("mapping", m.mapping)?.try_into()?,
            },
            wire::Mutation::SettleEventSourceMapping(m) => Self::SettleEventSourceMapping {
                mapping: present("mapping", m.mapping)?.try_into()?,
                revision: text("revision", &m.revision)?,
            },
            wire::Mutation::PublishLayerVersion(m) => Self::PublishLayerVersion {
                layer: layer::id(m.layer)?,
                content: present("content", m.content)?.try_into()?,
                draft: Box::new(present("draft", m.draft)?.try_into()?),
            },
            wire::Mutation::DeleteLayerVersion(m) => Self::DeleteLayerVersion {
                version: layer::version(m.layer, m.version)?,
            },
            wire::Mutation::ChangeLayerPolicy(m) => Self::ChangeLayerPolicy {
                version: layer::version(m.layer, m.version)?,
                change: layer::change_from_wire(m.statement, m.grant)?,
                expected: id(m.expected)?,
            },
            wire::Mutation::ChangeCodeSigning(m) => Self::CodeSigning(Box::new(m.try_into()?)),
            wire::Mutation::ChangeCapacity(m) => Self::Capacity(Box::new(m.try_into()?)),
            wire::Mutation::ChangeIam(m) => Self::Iam(Box::new(m.try_into()?)),
        })
    }
}

const fn publication(latest: bool) -> Publication {
    if latest {
        Publication::Latest
    } else {
        Publication::Number
    }
}
