//! The members that may change while a mapping lives.

use model::{
    Limits,
    mapping::{
        Access, AccessKind, ConsumptionMode, DocumentDb, FullDocument, Metric, Pollers,
        RecordFormat, SchemaRegistry, Setting, SourceKind, Until,
    },
};
use pattern::Pattern;
use serde::Deserialize;

use crate::{error::ApiError, request::absent::Unsupported};

/// The least age at which a record may be dropped, in seconds.
const RECORD_AGE_MIN: i64 = 60;

/// Every member that settings are made of. Number 0, the empty text, the empty list and `{}` take away what can be absent.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Shape {
    batch_size: Option<u32>,
    maximum_batching_window_in_seconds: Option<u32>,
    filter_criteria: Option<FilterCriteria>,
    #[serde(rename = "KMSKeyArn")]
    kms_key_arn: Option<String>,
    metrics_config: Option<MetricsConfig>,
    logging_config: Option<LoggingConfig>,
    scaling_config: Option<ScalingConfig>,
    provisioned_poller_config: Option<PollerConfig>,
    parallelization_factor: Option<u32>,
    bisect_batch_on_function_error: Option<bool>,
    tumbling_window_in_seconds: Option<u32>,
    maximum_record_age_in_seconds: Option<i64>,
    maximum_retry_attempts: Option<i64>,
    destination_config: Option<DestinationConfig>,
    function_response_types: Option<Vec<String>>,
    source_access_configurations: Option<Vec<AccessShape>>,
    amazon_managed_kafka_event_source_config: Option<KafkaConfig>,
    self_managed_kafka_event_source_config: Option<KafkaConfig>,
    #[serde(rename = "DocumentDBEventSourceConfig")]
    document_db_event_source_config: Option<DocumentDbConfig>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct FilterCriteria {
    filters: Option<Vec<Filter>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Filter {
    pattern: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct MetricsConfig {
    metrics: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct LoggingConfig {
    system_log_level: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ScalingConfig {
    maximum_concurrency: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct PollerConfig {
    minimum_pollers: Option<u32>,
    maximum_pollers: Option<u32>,
    poller_group_name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct DestinationConfig {
    on_success: Unsupported,
    on_failure: Option<OnFailure>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct OnFailure {
    destination: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct AccessShape {
    r#type: Option<String>,
    #[serde(rename = "URI")]
    uri: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct KafkaConfig {
    consumer_group_id: Option<String>,
    schema_registry_config: Option<RegistryConfig>,
    consumption_mode: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct RegistryConfig {
    #[serde(rename = "SchemaRegistryURI")]
    schema_registry_uri: Option<String>,
    event_record_format: Option<String>,
    access_configs: Option<Vec<AccessShape>>,
    schema_validation_configs: Option<Vec<ValidationConfig>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ValidationConfig {
    attribute: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct DocumentDbConfig {
    database_name: Option<String>,
    collection_name: Option<String>,
    full_document: Option<String>,
}

impl Shape {
    /// The consumer group of a Kafka source.
    pub(super) fn consumer_group(&self) -> Option<String> {
        self.kafka()?.consumer_group_id.clone()
    }

    /// Refuses the configuration of another kind of Kafka cluster than the source is.
    ///
    /// # Errors
    /// [`ApiError::InvalidParameterValue`] with the name of the member.
    pub(super) fn refuse_config_of_others(&self, kind: SourceKind) -> Result<(), ApiError> {
        let managed = self.amazon_managed_kafka_event_source_config.is_some();
        let own = self.self_managed_kafka_event_source_config.is_some();
        if managed && kind != SourceKind::Msk {
            let member = "amazonManagedKafkaEventSourceConfig";
            return Err(ApiError::unsupported_mapping_member(member));
        }
        if own && kind != SourceKind::SelfManagedKafka {
            let member = "selfManagedKafkaEventSourceConfig";
            return Err(ApiError::unsupported_mapping_member(member));
        }
        Ok(())
    }

    /// What was given, in no order that matters.
    ///
    /// # Errors
    /// [`ApiError::InvalidParameterValue`] for a filter that is no pattern, a destination that is none, or a number that
    /// the API model allows and AWS does not.
    pub(super) fn settings(mut self, limits: &Limits) -> Result<Vec<Setting>, ApiError> {
        let mut all = Vec::new();
        if let Some(criteria) = self.filter_criteria.take() {
            all.push(Setting::Filters(criteria.patterns(limits)?));
        }
        if let Some(destination) = self.destination_config.take() {
            all.push(Setting::OnFailure(destination.on_failure()?));
        }
        if let Some(age) = self.maximum_record_age_in_seconds {
            if (0..RECORD_AGE_MIN).contains(&age) {
                return Err(ApiError::record_age_too_short());
            }
            all.push(Setting::RecordAge(Until::from_wire(age)));
        }
        if let Some(list) = self.source_access_configurations.take() {
            all.push(Setting::Access(accesses(&list)?));
        }
        if let Some(kafka) = self.kafka() {
            if let Some(registry) = &kafka.schema_registry_config {
                all.push(Setting::SchemaRegistry(registry.registry()?));
            }
            if let Some(mode) = word::<ConsumptionMode>(kafka.consumption_mode.as_deref())? {
                all.push(Setting::ConsumptionMode(mode));
            }
        }
        if let Some(config) = self.document_db_event_source_config.take() {
            all.push(Setting::DocumentDb(config.collection()?));
        }
        all.extend(self.plain()?);
        Ok(all)
    }

    /// The settings that are a word or a number.
    fn plain(self) -> Result<Vec<Setting>, ApiError> {
        let full = |text: String| (!text.is_empty()).then_some(text);
        let metrics = self
            .metrics_config
            .map(MetricsConfig::metrics)
            .transpose()?;
        let level = |config: LoggingConfig| word(config.system_log_level.as_deref());
        let level = self.logging_config.map(level).transpose()?;
        let report = |types: Vec<String>| !types.is_empty();
        Ok([
            self.batch_size.map(Setting::BatchSize),
            self.maximum_batching_window_in_seconds
                .map(Setting::BatchingWindow),
            self.kms_key_arn.map(|key| Setting::KmsKey(full(key))),
            metrics.map(Setting::Metrics),
            level.map(Setting::LogLevel),
            self.scaling_config
                .map(|c| Setting::MaximumConcurrency(c.maximum_concurrency)),
            self.provisioned_poller_config
                .map(|c| Setting::Pollers(c.pollers())),
            self.parallelization_factor.map(Setting::Parallelization),
            self.bisect_batch_on_function_error.map(Setting::Bisect),
            self.tumbling_window_in_seconds.map(Setting::TumblingWindow),
            self.maximum_retry_attempts
                .map(|n| Setting::Retries(Until::from_wire(n))),
            self.function_response_types
                .map(|types| Setting::ReportBatchItemFailures(report(types))),
        ]
        .into_iter()
        .flatten()
        .collect())
    }

    fn kafka(&self) -> Option<&KafkaConfig> {
        let managed = self.amazon_managed_kafka_event_source_config.as_ref();
        managed.or(self.self_managed_kafka_event_source_config.as_ref())
    }
}

impl FilterCriteria {
    fn patterns(self, limits: &Limits) -> Result<Vec<String>, ApiError> {
        let filters = self.filters.unwrap_or_default();
        if filters.len() > limits.filters {
            return Err(ApiError::too_many_filters(limits.filters));
        }
        let pattern = |filter: Filter| {
            let text = filter.pattern.unwrap_or_default();
            match Pattern::parse(&text) {
                Ok(_) => Ok(text),
                Err(_) => Err(ApiError::invalid_filter()),
            }
        };
        filters.into_iter().map(pattern).collect()
    }
}

impl MetricsConfig {
    fn metrics(self) -> Result<Vec<Metric>, ApiError> {
        let names = self.metrics.unwrap_or_default();
        names
            .iter()
            .filter_map(|name| word(Some(name)).transpose())
            .collect()
    }
}

impl PollerConfig {
    fn pollers(self) -> Option<Pollers> {
        let Self {
            minimum_pollers: minimum,
            maximum_pollers: maximum,
            poller_group_name,
        } = self;
        let group = poller_group_name.filter(|name| !name.is_empty());
        let is_any = minimum.is_some() || maximum.is_some() || group.is_some();
        is_any.then_some(Pollers {
            minimum,
            maximum,
            group,
        })
    }
}

impl DestinationConfig {
    fn on_failure(self) -> Result<Option<String>, ApiError> {
        if self.on_success.asks() {
            return Err(ApiError::unsupported_mapping_destination());
        }
        let destination = self.on_failure.and_then(|d| d.destination);
        let Some(destination) = destination.filter(|d| !d.is_empty()) else {
            return Ok(None);
        };
        let service = destination.split(':').nth(2).unwrap_or_default();
        let is_topic = destination.starts_with("kafka://");
        if is_topic || matches!(service, "sqs" | "sns" | "s3") {
            Ok(Some(destination))
        } else {
            Err(ApiError::invalid_destination(&destination))
        }
    }
}

impl RegistryConfig {
    /// The registry; none if nothing is said about it.
    fn registry(&self) -> Result<Option<SchemaRegistry>, ApiError> {
        let validations = self.schema_validation_configs.as_deref();
        let validates = |what: &str| {
            let mut configs = validations.unwrap_or_default().iter();
            configs.any(|c| c.attribute.as_deref() == Some(what))
        };
        let access = self
            .access_configs
            .iter()
            .flatten()
            .map(AccessShape::access);
        let access: Vec<Access> = access.collect::<Result<_, _>>()?;
        let format: Option<RecordFormat> = word(self.event_record_format.as_deref())?;
        let Some(uri) = self.schema_registry_uri.clone() else {
            if format.is_some() || !access.is_empty() || validations.is_some() {
                return Err(ApiError::missing_mapping_member("schemaRegistryURI"));
            }
            return Ok(None);
        };
        Ok(Some(SchemaRegistry {
            uri,
            format,
            access,
            validates_key: validates("KEY"),
            validates_value: validates("VALUE"),
        }))
    }
}

impl DocumentDbConfig {
    fn collection(self) -> Result<DocumentDb, ApiError> {
        let full_document: Option<FullDocument> = word(self.full_document.as_deref())?;
        Ok(DocumentDb {
            database: self
                .database_name
                .ok_or_else(|| ApiError::missing_mapping_member("databaseName"))?,
            collection: self.collection_name,
            full_document: full_document.unwrap_or_default(),
        })
    }
}

impl AccessShape {
    fn access(&self) -> Result<Access, ApiError> {
        let kind: Option<AccessKind> = word(self.r#type.as_deref())?;
        match (kind, &self.uri) {
            (Some(kind), Some(uri)) => Ok(Access {
                kind,
                uri: uri.clone(),
            }),
            _ => Err(ApiError::incomplete_access()),
        }
    }
}

fn accesses(list: &[AccessShape]) -> Result<Vec<Access>, ApiError> {
    list.iter().map(AccessShape::access).collect()
}

/// One of the words of the API. The schema lets no other pass.
fn word<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, ApiError>
where
    T::Err: std::fmt::Display,
{
    let read = |text: &str| text.parse().map_err(ApiError::unreadable_body);
    text.map(read).transpose()
}
