mod rejection;
mod setting;

use model::{
    EventSourceMapping, Timestamp,
    mapping::{Kafka, MappingChange, MappingId, Setting, Settings, Source, Start},
};

use super::{InvalidMessage, present, text};
use crate::internal::{
    self as pb, mapping_source as wire, mutation::update_event_source_mapping as change,
    starting_position::Position,
};

pub(super) use rejection::{
    duplicate_details, id_details, parse_duplicate, parse_id, parse_refusal, refusal_details,
};

impl From<&MappingId> for pb::MappingId {
    fn from(id: &MappingId) -> Self {
        Self {
            account: id.account.to_string(),
            region: id.region.to_string(),
            uuid: id.uuid.to_string(),
        }
    }
}

impl TryFrom<pb::MappingId> for MappingId {
    type Error = InvalidMessage;

    fn try_from(m: pb::MappingId) -> Result<Self, InvalidMessage> {
        Ok(Self {
            account: text("mapping.account", &m.account)?,
            region: text("mapping.region", &m.region)?,
            uuid: text("mapping.uuid", &m.uuid)?,
        })
    }
}

impl From<&EventSourceMapping> for pb::EventSourceMapping {
    fn from(m: &EventSourceMapping) -> Self {
        Self {
            id: Some((&m.id).into()),
            function: m.function.to_string(),
            source: Some((&m.source).into()),
            settings: m.settings.list().iter().map(Into::into).collect(),
            enabled: m.enabled,
            state: m.state.to_string(),
            last_modified_ms: m.last_modified.as_millis(),
            tags: m.tags.clone(),
            revision: m.revision.to_string(),
        }
    }
}

impl TryFrom<pb::EventSourceMapping> for EventSourceMapping {
    type Error = InvalidMessage;

    fn try_from(m: pb::EventSourceMapping) -> Result<Self, InvalidMessage> {
        let mut all = Settings::default();
        for setting in settings(m.settings)? {
            all.set(setting);
        }
        Ok(Self {
            id: present("mapping.id", m.id)?.try_into()?,
            function: text("mapping.function", &m.function)?,
            source: present("mapping.source", m.source)?.try_into()?,
            settings: all,
            enabled: m.enabled,
            state: text("mapping.state", &m.state)?,
            last_modified: Timestamp(m.last_modified_ms),
            tags: m.tags,
            revision: text("mapping.revision", &m.revision)?,
        })
    }
}

/// A list of settings, in its order.
pub(super) fn settings(list: Vec<pb::MappingSetting>) -> Result<Vec<Setting>, InvalidMessage> {
    list.into_iter().map(TryInto::try_into).collect()
}

impl From<&MappingChange> for change::Change {
    fn from(m: &MappingChange) -> Self {
        match m {
            MappingChange::Configure {
                function,
                enabled,
                settings,
                consumer_group,
            } => Self::Configure(change::Configure {
                function: function.as_ref().map(ToString::to_string),
                enabled: *enabled,
                settings: settings.iter().map(Into::into).collect(),
                consumer_group: consumer_group.clone(),
            }),
            MappingChange::Tag {
                set,
                unset,
                at_most,
            } => Self::Tag(change::Tag {
                set: set.clone(),
                unset: unset.clone(),
                at_most: u64::try_from(*at_most).unwrap_or(u64::MAX),
            }),
        }
    }
}

impl TryFrom<change::Change> for MappingChange {
    type Error = InvalidMessage;

    fn try_from(m: change::Change) -> Result<Self, InvalidMessage> {
        Ok(match m {
            change::Change::Configure(m) => Self::Configure {
                function: m.function.map(|f| text("function", &f)).transpose()?,
                enabled: m.enabled,
                settings: settings(m.settings)?,
                consumer_group: m.consumer_group,
            },
            change::Change::Tag(m) => Self::Tag {
                set: m.set,
                unset: m.unset,
                at_most: usize::try_from(m.at_most).unwrap_or(usize::MAX),
            },
        })
    }
}

impl From<&Source> for pb::MappingSource {
    fn from(source: &Source) -> Self {
        let stream = |arn: &String, start: &Start| wire::Stream {
            arn: arn.clone(),
            start: Some((*start).into()),
        };
        let source = match source {
            Source::Sqs { arn } => wire::Source::Sqs(wire::Queue { arn: arn.clone() }),
            Source::Kinesis { arn, start } => wire::Source::Kinesis(stream(arn, start)),
            Source::DynamoDb { arn, start } => wire::Source::DynamoDb(stream(arn, start)),
            Source::Msk { arn, kafka } => wire::Source::Msk(wire::Kafka {
                arn: arn.clone(),
                ..kafka.into()
            }),
            Source::SelfManagedKafka {
                bootstrap_servers,
                kafka,
            } => wire::Source::SelfManagedKafka(wire::Kafka {
                bootstrap_servers: bootstrap_servers.clone(),
                ..kafka.into()
            }),
            Source::Mq { arn, queue } => wire::Source::Mq(wire::Broker {
                arn: arn.clone(),
                queue: queue.clone(),
            }),
            Source::DocumentDb { arn, start } => wire::Source::DocumentDb(stream(arn, start)),
        };
        Self {
            source: Some(source),
        }
    }
}

impl TryFrom<pb::MappingSource> for Source {
    type Error = InvalidMessage;

    fn try_from(m: pb::MappingSource) -> Result<Self, InvalidMessage> {
        Ok(match present("mapping.source", m.source)? {
            wire::Source::Sqs(q) => Self::Sqs { arn: q.arn },
            wire::Source::Kinesis(s) => Self::Kinesis {
                start: start(s.start)?,
                arn: s.arn,
            },
            wire::Source::DynamoDb(s) => Self::DynamoDb {
                start: start(s.start)?,
                arn: s.arn,
            },
            wire::Source::Msk(mut k) => Self::Msk {
                arn: std::mem::take(&mut k.arn),
                kafka: k.try_into()?,
            },
            wire::Source::SelfManagedKafka(mut k) => Self::SelfManagedKafka {
                bootstrap_servers: std::mem::take(&mut k.bootstrap_servers),
                kafka: k.try_into()?,
            },
            wire::Source::Mq(b) => Self::Mq {
                arn: b.arn,
                queue: b.queue,
            },
            wire::Source::DocumentDb(s) => Self::DocumentDb {
                start: start(s.start)?,
                arn: s.arn,
            },
        })
    }
}

impl From<&Kafka> for wire::Kafka {
    fn from(kafka: &Kafka) -> Self {
        Self {
            topic: kafka.topic.clone(),
            start: Some(kafka.start.into()),
            consumer_group: kafka.consumer_group.clone(),
            arn: String::new(),
            bootstrap_servers: Vec::new(),
        }
    }
}

impl TryFrom<wire::Kafka> for Kafka {
    type Error = InvalidMessage;

    fn try_from(m: wire::Kafka) -> Result<Self, InvalidMessage> {
        Ok(Self {
            topic: m.topic,
            start: start(m.start)?,
            consumer_group: m.consumer_group,
        })
    }
}

impl From<Start> for pb::StartingPosition {
    fn from(start: Start) -> Self {
        let position = match start {
            Start::TrimHorizon => Position::TrimHorizon(true),
            Start::Latest => Position::Latest(true),
            Start::At(time) => Position::AtMs(time.as_millis()),
        };
        Self {
            position: Some(position),
        }
    }
}

fn start(m: Option<pb::StartingPosition>) -> Result<Start, InvalidMessage> {
    let position = m.and_then(|m| m.position);
    Ok(match present("mapping.source.start", position)? {
        Position::TrimHorizon(_) => Start::TrimHorizon,
        Position::Latest(_) => Start::Latest,
        Position::AtMs(time) => Start::At(Timestamp(time)),
    })
}
