//! `EventSourceMappingConfiguration`: the answer to every operation on event source mappings.

use std::collections::BTreeMap;

use model::{
    EventSourceMapping, Timestamp,
    mapping::{
        Access, ConsumptionMode, DocumentDb, Pollers, SchemaRegistry, Settings, Source, Start,
        Until,
    },
};
use serde::Serialize;

use super::Detail;

/// What is said of a source that has given no batch yet. Nothing reads sources yet.
const NOTHING_PROCESSED: &str = "No records processed";

/// An event source mapping, as AWS shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventSourceMappingConfiguration {
    #[serde(rename = "UUID")]
    uuid: String,
    event_source_mapping_arn: String,
    function_arn: String,
    state: &'static str,
    state_transition_reason: &'static str,
    /// Seconds since the Unix epoch.
    last_modified: f64,
    batch_size: u32,
    #[serde(flatten)]
    source: SourceShape,
    #[serde(flatten)]
    settings: SettingsShape,
    #[serde(flatten)]
    kafka: KafkaShape,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_processing_result: Option<&'static str>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SourceShape {
    #[serde(skip_serializing_if = "Option::is_none")]
    event_source_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    self_managed_event_source: Option<SelfManaged>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topics: Option<[String; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queues: Option<[String; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starting_position: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starting_position_timestamp: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SelfManaged {
    endpoints: BTreeMap<&'static str, Vec<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SettingsShape {
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_batching_window_in_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter_criteria: Option<FilterCriteria>,
    #[serde(rename = "KMSKeyArn", skip_serializing_if = "Option::is_none")]
    kms_key_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics_config: Option<MetricsConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logging_config: Option<LoggingConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scaling_config: Option<ScalingConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioned_poller_config: Option<PollerConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallelization_factor: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bisect_batch_on_function_error: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tumbling_window_in_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_record_age_in_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_retry_attempts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_config: Option<DestinationConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_response_types: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_access_configurations: Option<Vec<AccessShape>>,
    #[serde(
        rename = "DocumentDBEventSourceConfig",
        skip_serializing_if = "Option::is_none"
    )]
    document_db_event_source_config: Option<DocumentDbConfig>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct FilterCriteria {
    filters: Vec<Filter>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    pattern: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetricsConfig {
    metrics: Vec<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LoggingConfig {
    system_log_level: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ScalingConfig {
    maximum_concurrency: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PollerConfig {
    minimum_pollers: u32,
    maximum_pollers: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    poller_group_name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DestinationConfig {
    on_failure: OnFailure,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct OnFailure {
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct AccessShape {
    #[serde(rename = "Type")]
    kind: &'static str,
    #[serde(rename = "URI")]
    uri: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DocumentDbConfig {
    database_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    collection_name: Option<String>,
    full_document: &'static str,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct KafkaShape {
    #[serde(skip_serializing_if = "Option::is_none")]
    amazon_managed_kafka_event_source_config: Option<KafkaConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    self_managed_kafka_event_source_config: Option<KafkaConfig>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct KafkaConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer_group_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_registry_config: Option<RegistryConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumption_mode: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RegistryConfig {
    #[serde(rename = "SchemaRegistryURI")]
    schema_registry_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_record_format: Option<&'static str>,
    access_configs: Vec<AccessShape>,
    schema_validation_configs: Vec<ValidationConfig>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ValidationConfig {
    attribute: &'static str,
}

impl EventSourceMappingConfiguration {
    /// Shows a mapping. A list does not show filters that their owner keeps under a key of their own.
    #[must_use]
    pub fn new(mapping: &EventSourceMapping, detail: Detail) -> Self {
        let kind = mapping.source.kind();
        let hides_filters = detail == Detail::Listed && mapping.settings.kms_key.is_some();
        Self {
            uuid: mapping.id.uuid.to_string(),
            event_source_mapping_arn: mapping.id.arn(),
            function_arn: mapping.function.to_string(),
            state: mapping.state.as_str(),
            state_transition_reason: if kind.is_stream() {
                "User action"
            } else {
                "USER_INITIATED"
            },
            last_modified: seconds(mapping.last_modified),
            batch_size: mapping.settings.batch_size,
            source: SourceShape::new(mapping),
            settings: SettingsShape::new(mapping, hides_filters),
            kafka: KafkaShape::new(mapping),
            last_processing_result: (!kind.is_queue()).then_some(NOTHING_PROCESSED),
        }
    }
}

impl SourceShape {
    fn new(mapping: &EventSourceMapping) -> Self {
        let source = &mapping.source;
        // Records that are read each for itself have no place among others at which to begin.
        let has_position = mapping.settings.consumption_mode() == ConsumptionMode::Stream;
        let (position, at) = match source.start().filter(|_| has_position) {
            None => (None, None),
            Some(Start::TrimHorizon) => (Some("TRIM_HORIZON"), None),
            Some(Start::Latest) => (Some("LATEST"), None),
            Some(Start::At(time)) => (Some("AT_TIMESTAMP"), Some(seconds(time))),
        };
        let mut shape = Self {
            event_source_arn: source.arn().map(str::to_owned),
            topics: source.kafka().map(|kafka| [kafka.topic.clone()]),
            starting_position: position,
            starting_position_timestamp: at,
            ..Self::default()
        };
        match source {
            Source::SelfManagedKafka {
                bootstrap_servers, ..
            } => {
                shape.self_managed_event_source = Some(SelfManaged {
                    endpoints: BTreeMap::from([(
                        "KAFKA_BOOTSTRAP_SERVERS",
                        bootstrap_servers.clone(),
                    )]),
                });
            }
            Source::Mq { queue, .. } => shape.queues = Some([queue.clone()]),
            _ => {}
        }
        shape
    }
}

impl SettingsShape {
    fn new(mapping: &EventSourceMapping, hides_filters: bool) -> Self {
        let settings = &mapping.settings;
        let kind = mapping.source.kind();
        let has_filters = !settings.filters.is_empty() && !hides_filters;
        Self {
            maximum_batching_window_in_seconds: settings.batching_window,
            filter_criteria: has_filters.then(|| FilterCriteria::new(settings)),
            kms_key_arn: settings.kms_key.clone(),
            metrics_config: full(&settings.metrics, |metric| metric.as_str())
                .map(|metrics| MetricsConfig { metrics }),
            logging_config: settings.log_level.map(|level| LoggingConfig {
                system_log_level: level.as_str(),
            }),
            scaling_config: settings.maximum_concurrency.map(|n| ScalingConfig {
                maximum_concurrency: n,
            }),
            provisioned_poller_config: settings.pollers.as_ref().map(|pollers: &Pollers| {
                PollerConfig {
                    minimum_pollers: pollers.minimum(kind),
                    maximum_pollers: pollers.maximum(),
                    poller_group_name: pollers.group.clone(),
                }
            }),
            parallelization_factor: settings.parallelization,
            bisect_batch_on_function_error: settings.bisect,
            tumbling_window_in_seconds: settings.tumbling_window,
            maximum_record_age_in_seconds: settings.record_age.map(Until::as_wire),
            maximum_retry_attempts: settings.retries.map(Until::as_wire),
            destination_config: (kind.is_stream() || settings.on_failure.is_some()).then(|| {
                DestinationConfig {
                    on_failure: OnFailure {
                        destination: settings.on_failure.clone(),
                    },
                }
            }),
            function_response_types: response_types(settings, kind.is_queue() || kind.is_stream()),
            source_access_configurations: full(&settings.access, AccessShape::new),
            document_db_event_source_config: settings
                .document_db
                .as_ref()
                .map(DocumentDbConfig::new),
        }
    }
}

impl KafkaShape {
    fn new(mapping: &EventSourceMapping) -> Self {
        let settings = &mapping.settings;
        let config = || KafkaConfig {
            consumer_group_id: mapping.consumer_group(),
            schema_registry_config: settings.schema_registry.as_ref().map(RegistryConfig::new),
            consumption_mode: settings.consumption_mode.map(|mode| mode.as_str()),
        };
        match mapping.source {
            Source::Msk { .. } => Self {
                amazon_managed_kafka_event_source_config: Some(config()),
                ..Self::default()
            },
            Source::SelfManagedKafka { .. } => Self {
                self_managed_kafka_event_source_config: Some(config()),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }
}

impl FilterCriteria {
    fn new(settings: &Settings) -> Self {
        let filter = |pattern: &String| Filter {
            pattern: pattern.clone(),
        };
        Self {
            filters: settings.filters.iter().map(filter).collect(),
        }
    }
}

impl AccessShape {
    fn new(access: &Access) -> Self {
        Self {
            kind: access.kind.as_str(),
            uri: access.uri.clone(),
        }
    }
}

impl DocumentDbConfig {
    fn new(collection: &DocumentDb) -> Self {
        Self {
            database_name: collection.database.clone(),
            collection_name: collection.collection.clone(),
            full_document: collection.full_document.as_str(),
        }
    }
}

impl RegistryConfig {
    fn new(registry: &SchemaRegistry) -> Self {
        let validated = [
            ("KEY", registry.validates_key),
            ("VALUE", registry.validates_value),
        ];
        let validated = validated.into_iter().filter(|(_, is)| *is);
        Self {
            schema_registry_uri: registry.uri.clone(),
            event_record_format: registry.format.map(|format| format.as_str()),
            access_configs: registry.access.iter().map(AccessShape::new).collect(),
            schema_validation_configs: validated
                .map(|(attribute, _)| ValidationConfig { attribute })
                .collect(),
        }
    }
}

/// What the function's response means; where it always is something, even if that is nothing.
fn response_types(settings: &Settings, always: bool) -> Option<Vec<&'static str>> {
    if settings.report_batch_item_failures {
        return Some(vec!["ReportBatchItemFailures"]);
    }
    always.then(Vec::new)
}

/// A list that is left out if it is empty.
fn full<T, U>(list: &[T], show: impl Fn(&T) -> U) -> Option<Vec<U>> {
    (!list.is_empty()).then(|| list.iter().map(show).collect())
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a time of this era has far fewer digits than a double holds"
)]
fn seconds(time: Timestamp) -> f64 {
    time.as_millis() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use model::{
        FunctionArn, RevisionId,
        mapping::{AccessKind, FullDocument, Kafka, MappingId, MappingState, MappingUuid, Setting},
    };
    use serde_json::{Value, json};

    use super::*;

    fn mapping(source: Source, settings: &[Setting]) -> EventSourceMapping {
        let function: FunctionArn = "arn:aws:lambda:us-east-1:123456789012:function:f:live"
            .parse()
            .unwrap();
        let kind = source.kind();
        EventSourceMapping {
            id: MappingId {
                account: function.id.account,
                region: function.id.region.clone(),
                uuid: MappingUuid::from_random(1),
            },
            function,
            settings: Settings::of(kind).changed(kind, settings).unwrap(),
            source,
            enabled: true,
            state: MappingState::Creating,
            last_modified: Timestamp(1_764_000_000_100),
            tags: BTreeMap::new(),
            revision: RevisionId::from_random(2),
        }
    }

    fn shown(source: Source, settings: &[Setting]) -> Value {
        let mapping = mapping(source, settings);
        serde_json::to_value(EventSourceMappingConfiguration::new(&mapping, Detail::Full)).unwrap()
    }

    /// What every mapping of the test shows, and what this one shows besides.
    #[track_caller]
    fn check(shown: &Value, besides: Value) {
        let mut expected = json!({
            "UUID": "00000000-0000-4000-8000-000000000001",
            "EventSourceMappingArn": "arn:aws:lambda:us-east-1:123456789012:event-source-mapping:00000000-0000-4000-8000-000000000001",
            "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:f:live",
            "LastModified": 1_764_000_000.1, "State": "Creating",
        });
        let Value::Object(besides) = besides else {
            panic!("{besides}")
        };
        expected.as_object_mut().unwrap().extend(besides);
        assert_eq!(*shown, expected);
    }

    #[test]
    fn a_queue() {
        let arn = "arn:aws:sqs:us-east-1:123456789012:q".to_owned();
        check(
            &shown(Source::Sqs { arn: arn.clone() }, &[]),
            json!({
                "BatchSize": 10, "MaximumBatchingWindowInSeconds": 0, "EventSourceArn": arn,
                "StateTransitionReason": "USER_INITIATED", "FunctionResponseTypes": [],
            }),
        );
        let settings = [
            Setting::MaximumConcurrency(Some(7)),
            Setting::ReportBatchItemFailures(true),
            Setting::Filters(vec!["{\"body\":[1]}".to_owned()]),
        ];
        check(
            &shown(Source::Sqs { arn: arn.clone() }, &settings),
            json!({
                "BatchSize": 10, "MaximumBatchingWindowInSeconds": 0, "EventSourceArn": arn,
                "StateTransitionReason": "USER_INITIATED", "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "ScalingConfig": {"MaximumConcurrency": 7},
                "FilterCriteria": {"Filters": [{"Pattern": "{\"body\":[1]}"}]},
            }),
        );
    }

    #[test]
    fn a_stream() {
        let arn = "arn:aws:kinesis:us-east-1:123456789012:stream/s".to_owned();
        let source = Source::Kinesis {
            arn: arn.clone(),
            start: Start::At(Timestamp(1_500)),
        };
        check(
            &shown(source, &[Setting::Retries(Until::AtMost(2))]),
            json!({
                "BatchSize": 100, "MaximumBatchingWindowInSeconds": 0, "EventSourceArn": arn,
                "StateTransitionReason": "User action", "FunctionResponseTypes": [],
                "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1.5, "ParallelizationFactor": 1,
                "MaximumRecordAgeInSeconds": -1, "MaximumRetryAttempts": 2, "BisectBatchOnFunctionError": false,
                "TumblingWindowInSeconds": 0, "DestinationConfig": {"OnFailure": {}},
                "LastProcessingResult": "No records processed",
            }),
        );
    }

    #[test]
    fn a_kafka_topic() {
        let source = Source::SelfManagedKafka {
            bootstrap_servers: vec!["a:1".to_owned()],
            kafka: Kafka {
                topic: "t".to_owned(),
                start: Start::Latest,
                consumer_group: None,
            },
        };
        let secret = Access {
            kind: AccessKind::BasicAuth,
            uri: "s".to_owned(),
        };
        let registry = SchemaRegistry {
            uri: "https://r".to_owned(),
            format: None,
            access: vec![secret.clone()],
            validates_key: false,
            validates_value: true,
        };
        let settings = [
            Setting::Access(vec![secret]),
            Setting::Pollers(Some(Pollers {
                minimum: Some(3),
                ..Pollers::default()
            })),
            Setting::SchemaRegistry(Some(registry)),
        ];
        check(
            &shown(source, &settings),
            json!({
                "BatchSize": 100, "StateTransitionReason": "USER_INITIATED", "StartingPosition": "LATEST",
                "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a:1"]}}, "Topics": ["t"],
                "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "s"}],
                "ProvisionedPollerConfig": {"MinimumPollers": 3, "MaximumPollers": 200},
                "SelfManagedKafkaEventSourceConfig": {
                    "ConsumerGroupId": "00000000-0000-4000-8000-000000000001",
                    "SchemaRegistryConfig": {
                        "SchemaRegistryURI": "https://r", "AccessConfigs": [{"Type": "BASIC_AUTH", "URI": "s"}],
                        "SchemaValidationConfigs": [{"Attribute": "VALUE"}],
                    },
                },
                "LastProcessingResult": "No records processed",
            }),
        );
    }

    #[test]
    fn a_topic_that_is_read_as_a_queue_has_no_starting_position() {
        let source = Source::SelfManagedKafka {
            bootstrap_servers: vec!["a:1".to_owned()],
            kafka: Kafka {
                topic: "t".to_owned(),
                start: Start::TrimHorizon,
                consumer_group: None,
            },
        };
        let secret = Setting::Access(vec![Access {
            kind: AccessKind::BasicAuth,
            uri: "s".to_owned(),
        }]);
        let shown = |mode| {
            let settings = [secret.clone(), Setting::ConsumptionMode(mode)];
            shown(source.clone(), &settings)
        };
        assert_eq!(
            shown(ConsumptionMode::Stream)["StartingPosition"],
            "TRIM_HORIZON"
        );
        assert_eq!(shown(ConsumptionMode::Queue).get("StartingPosition"), None);
    }

    #[test]
    fn a_broker_and_a_collection() {
        let secret = || {
            Setting::Access(vec![Access {
                kind: AccessKind::BasicAuth,
                uri: "s".to_owned(),
            }])
        };
        let arn = "arn:aws:mq:us-east-1:123456789012:broker:b:b-1".to_owned();
        let source = Source::Mq {
            arn: arn.clone(),
            queue: "q".to_owned(),
        };
        check(
            &shown(source, &[secret()]),
            json!({
                "BatchSize": 100, "StateTransitionReason": "USER_INITIATED", "EventSourceArn": arn, "Queues": ["q"],
                "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "s"}],
                "LastProcessingResult": "No records processed",
            }),
        );
        let arn = "arn:aws:rds:us-east-1:123456789012:cluster:c".to_owned();
        let source = Source::DocumentDb {
            arn: arn.clone(),
            start: Start::TrimHorizon,
        };
        let collection = Setting::DocumentDb(DocumentDb {
            database: "d".to_owned(),
            collection: None,
            full_document: FullDocument::Default,
        });
        check(
            &shown(source, &[secret(), collection]),
            json!({
                "BatchSize": 100, "StateTransitionReason": "USER_INITIATED", "EventSourceArn": arn,
                "StartingPosition": "TRIM_HORIZON",
                "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "s"}],
                "DocumentDBEventSourceConfig": {"DatabaseName": "d", "FullDocument": "Default"},
                "LastProcessingResult": "No records processed",
            }),
        );
    }

    #[test]
    fn filters_under_a_key_are_not_listed() {
        let source = Source::Sqs {
            arn: "arn:aws:sqs:us-east-1:123456789012:q".to_owned(),
        };
        let filters = Setting::Filters(vec!["{\"a\":[1]}".to_owned()]);
        let keyed = [filters.clone(), Setting::KmsKey(Some("k".to_owned()))];
        let has_filters = |settings: &[Setting], detail| {
            let mapping = mapping(source.clone(), settings);
            let shown = EventSourceMappingConfiguration::new(&mapping, detail);
            let shown = serde_json::to_value(shown).unwrap();
            shown.get("FilterCriteria").is_some()
        };
        assert!(has_filters(&keyed, Detail::Full));
        assert!(!has_filters(&keyed, Detail::Listed));
        assert!(has_filters(&[filters], Detail::Listed));
    }
}
