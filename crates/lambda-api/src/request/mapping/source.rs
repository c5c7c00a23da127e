//! The members that say where records come from. They are given once, when a mapping is created.

use std::collections::BTreeMap;

use model::{
    Timestamp,
    mapping::{Kafka, Source, SourceKind, Start},
};
use serde::Deserialize;

use crate::error::ApiError;

/// The only kind of endpoint that there is.
const BOOTSTRAP_SERVERS: &str = "KAFKA_BOOTSTRAP_SERVERS";

/// The latest moment that a starting position can name, in seconds: the end of the year 9999.
const SECONDS_MAX: f64 = 253_402_300_799.0;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Shape {
    event_source_arn: Option<String>,
    self_managed_event_source: Option<SelfManaged>,
    topics: Option<Vec<String>>,
    queues: Option<Vec<String>>,
    starting_position: Option<String>,
    starting_position_timestamp: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct SelfManaged {
    endpoints: Option<BTreeMap<String, Vec<String>>>,
}

impl Shape {
    /// The source.
    ///
    /// # Errors
    /// [`ApiError::InvalidParameterValue`] if there is none, or if a member does not go with it.
    pub(super) fn source(self, consumer_group: Option<String>) -> Result<Source, ApiError> {
        let bootstrap_servers = self.bootstrap_servers()?;
        let kind = match (&self.event_source_arn, &bootstrap_servers) {
            (None, Some(_)) => SourceKind::SelfManagedKafka,
            (Some(arn), None) => {
                SourceKind::of_arn(arn).ok_or_else(ApiError::unrecognized_source)?
            }
            (None, None) => return Err(ApiError::unrecognized_source()),
            (Some(_), Some(_)) => return Err(ApiError::two_sources()),
        };
        let topic = only(self.topics.as_deref(), "topics", kind.is_kafka())?;
        let queue = only(self.queues.as_deref(), "queues", kind == SourceKind::Mq)?;
        let arn = self.event_source_arn.clone().unwrap_or_default();
        let start = self.start(kind, &arn)?;
        let kafka = Kafka {
            topic,
            start,
            consumer_group,
        };
        Ok(match kind {
            SourceKind::Sqs | SourceKind::SqsFifo => Source::Sqs { arn },
            SourceKind::Kinesis => Source::Kinesis { arn, start },
            SourceKind::DynamoDb => Source::DynamoDb { arn, start },
            SourceKind::Msk => Source::Msk { arn, kafka },
            SourceKind::SelfManagedKafka => Source::SelfManagedKafka {
                bootstrap_servers: bootstrap_servers.unwrap_or_default(),
                kafka,
            },
            SourceKind::Mq => Source::Mq { arn, queue },
            SourceKind::DocumentDb => Source::DocumentDb { arn, start },
        })
    }

    /// Whether the request says where reading begins.
    pub(super) fn is_positioned(&self) -> bool {
        self.starting_position.is_some() || self.starting_position_timestamp.is_some()
    }

    fn bootstrap_servers(&self) -> Result<Option<Vec<String>>, ApiError> {
        let Some(source) = &self.self_managed_event_source else {
            return Ok(None);
        };
        let endpoints = source.endpoints.as_ref();
        match endpoints.and_then(|e| e.get(BOOTSTRAP_SERVERS)) {
            Some(servers) if !servers.is_empty() => Ok(Some(servers.clone())),
            _ => Err(ApiError::missing_mapping_member("endpoints")),
        }
    }

    /// Where reading begins. Kinesis and DynamoDB have to be told; of the others nothing is missed if nothing is said, and
    /// a queue has only one place to begin, which has no name.
    fn start(&self, kind: SourceKind, arn: &str) -> Result<Start, ApiError> {
        let position = self.starting_position.as_deref();
        let timestamp = self.starting_position_timestamp;
        let is_given = self.is_positioned();
        if kind.is_queue() && is_given {
            return Err(ApiError::queue_has_no_position());
        }
        if kind == SourceKind::Mq && is_given {
            return Err(ApiError::unsupported_mapping_member("startingPosition"));
        }
        if timestamp.is_some() && position != Some("AT_TIMESTAMP") {
            return Err(ApiError::timestamp_without_position());
        }
        match position {
            Some("AT_TIMESTAMP") if kind == SourceKind::DynamoDb => {
                Err(ApiError::unsupported_position(arn))
            }
            Some("AT_TIMESTAMP") => moment(timestamp.ok_or_else(ApiError::timestamp_needed)?),
            Some("LATEST") => Ok(Start::Latest),
            None if kind.is_stream() => Err(ApiError::position_needed()),
            _ => Ok(Start::TrimHorizon),
        }
    }
}

/// The only element of a list that a source of this kind must have, or must not have; empty if it has none.
fn only(list: Option<&[String]>, member: &str, is_taken: bool) -> Result<String, ApiError> {
    match list.and_then(<[String]>::first) {
        Some(first) if is_taken => Ok(first.clone()),
        Some(_) => Err(ApiError::unsupported_mapping_member(member)),
        None if is_taken => Err(ApiError::missing_mapping_member(member)),
        None => Ok(String::new()),
    }
}

fn moment(seconds: f64) -> Result<Start, ApiError> {
    if !(0.0..=SECONDS_MAX).contains(&seconds) {
        return Err(ApiError::position_out_of_time());
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it was held against both ends"
    )]
    let millis = (seconds * 1000.0).round() as u64;
    Ok(Start::At(Timestamp(millis)))
}
