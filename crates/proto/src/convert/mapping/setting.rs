use model::mapping::{Access, DocumentDb, Pollers, SchemaRegistry, Setting, Until};

use super::{InvalidMessage, present, text};
use crate::internal::{
    self as pb,
    mapping_setting::{self as wire, Setting as Wire},
};

impl From<&Setting> for pb::MappingSetting {
    fn from(setting: &Setting) -> Self {
        let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
        let setting = match setting {
            Setting::BatchSize(n) => Wire::BatchSize(*n),
            Setting::BatchingWindow(s) => Wire::BatchingWindowS(*s),
            Setting::Filters(texts) => Wire::Filters(wire::Texts {
                texts: texts.clone(),
            }),
            Setting::KmsKey(key) => Wire::KmsKey(or_empty(key)),
            Setting::Metrics(metrics) => Wire::Metrics(wire::Texts {
                texts: metrics.iter().map(ToString::to_string).collect(),
            }),
            Setting::LogLevel(level) => Wire::LogLevel(word(*level)),
            Setting::MaximumConcurrency(n) => Wire::MaximumConcurrency(n.unwrap_or(0)),
            Setting::Pollers(None) => Wire::NoPollers(true),
            Setting::Pollers(Some(pollers)) => Wire::Pollers(wire::Pollers {
                minimum: pollers.minimum,
                maximum: pollers.maximum,
                group: pollers.group.clone(),
            }),
            Setting::Parallelization(n) => Wire::Parallelization(*n),
            Setting::Bisect(bisect) => Wire::Bisect(*bisect),
            Setting::TumblingWindow(s) => Wire::TumblingWindowS(*s),
            Setting::RecordAge(age) => Wire::RecordAgeS(age.as_wire()),
            Setting::Retries(retries) => Wire::Retries(retries.as_wire()),
            Setting::OnFailure(destination) => Wire::OnFailure(or_empty(destination)),
            Setting::ReportBatchItemFailures(report) => Wire::ReportBatchItemFailures(*report),
            Setting::Access(list) => Wire::Access(wire::AccessList {
                access: list.iter().map(Into::into).collect(),
            }),
            Setting::SchemaRegistry(registry) => {
                Wire::SchemaRegistry(registry.as_ref().map(Into::into).unwrap_or_default())
            }
            Setting::ConsumptionMode(mode) => Wire::ConsumptionMode(mode.to_string()),
            Setting::DocumentDb(collection) => Wire::DocumentDb(wire::DocumentDb {
                database: collection.database.clone(),
                collection: collection.collection.clone(),
                full_document: collection.full_document.to_string(),
            }),
        };
        Self {
            setting: Some(setting),
        }
    }
}

impl TryFrom<pb::MappingSetting> for Setting {
    type Error = InvalidMessage;

    fn try_from(m: pb::MappingSetting) -> Result<Self, InvalidMessage> {
        let full = |text: String| (!text.is_empty()).then_some(text);
        Ok(match present("mapping.setting", m.setting)? {
            Wire::BatchSize(n) => Self::BatchSize(n),
            Wire::BatchingWindowS(s) => Self::BatchingWindow(s),
            Wire::Filters(filters) => Self::Filters(filters.texts),
            Wire::KmsKey(key) => Self::KmsKey(full(key)),
            Wire::Metrics(metrics) => Self::Metrics(
                metrics
                    .texts
                    .iter()
                    .map(|metric| text("mapping.metrics", metric))
                    .collect::<Result<_, _>>()?,
            ),
            Wire::LogLevel(level) => Self::LogLevel(parsed("mapping.log_level", &level)?),
            Wire::MaximumConcurrency(n) => Self::MaximumConcurrency((n > 0).then_some(n)),
            Wire::NoPollers(_) => Self::Pollers(None),
            Wire::Pollers(pollers) => Self::Pollers(Some(Pollers {
                minimum: pollers.minimum,
                maximum: pollers.maximum,
                group: pollers.group,
            })),
            Wire::Parallelization(n) => Self::Parallelization(n),
            Wire::Bisect(bisect) => Self::Bisect(bisect),
            Wire::TumblingWindowS(s) => Self::TumblingWindow(s),
            Wire::RecordAgeS(age) => Self::RecordAge(Until::from_wire(age)),
            Wire::Retries(retries) => Self::Retries(Until::from_wire(retries)),
            Wire::OnFailure(destination) => Self::OnFailure(full(destination)),
            Wire::ReportBatchItemFailures(report) => Self::ReportBatchItemFailures(report),
            Wire::Access(list) => Self::Access(accesses(list.access)?),
            Wire::SchemaRegistry(registry) if registry.uri.is_empty() => Self::SchemaRegistry(None),
            Wire::SchemaRegistry(registry) => Self::SchemaRegistry(Some(registry.try_into()?)),
            Wire::ConsumptionMode(mode) => {
                Self::ConsumptionMode(text("mapping.consumption_mode", &mode)?)
            }
            Wire::DocumentDb(collection) => Self::DocumentDb(DocumentDb {
                full_document: text("mapping.full_document", &collection.full_document)?,
                database: collection.database,
                collection: collection.collection,
            }),
        })
    }
}

impl From<&SchemaRegistry> for wire::SchemaRegistry {
    fn from(registry: &SchemaRegistry) -> Self {
        Self {
            uri: registry.uri.clone(),
            format: word(registry.format),
            access: registry.access.iter().map(Into::into).collect(),
            validates_key: registry.validates_key,
            validates_value: registry.validates_value,
        }
    }
}

impl TryFrom<wire::SchemaRegistry> for SchemaRegistry {
    type Error = InvalidMessage;

    fn try_from(m: wire::SchemaRegistry) -> Result<Self, InvalidMessage> {
        Ok(Self {
            uri: m.uri,
            format: parsed("mapping.schema_registry.format", &m.format)?,
            access: accesses(m.access)?,
            validates_key: m.validates_key,
            validates_value: m.validates_value,
        })
    }
}

impl From<&Access> for wire::Access {
    fn from(access: &Access) -> Self {
        Self {
            kind: access.kind.to_string(),
            uri: access.uri.clone(),
        }
    }
}

fn accesses(list: Vec<wire::Access>) -> Result<Vec<Access>, InvalidMessage> {
    let access = |access: wire::Access| {
        Ok(Access {
            kind: text("mapping.access.kind", &access.kind)?,
            uri: access.uri,
        })
    };
    list.into_iter().map(access).collect()
}

/// A word, or the empty text for none.
fn word(word: Option<impl ToString>) -> String {
    word.map(|word| word.to_string()).unwrap_or_default()
}

fn parsed<T>(field: &'static str, word: &str) -> Result<Option<T>, InvalidMessage>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    if word.is_empty() {
        return Ok(None);
    }
    text(field, word).map(Some)
}
