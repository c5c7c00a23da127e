//! Why a mapping cannot be as it should.

use super::{AccessKind, Metric, TEXT_BYTES_MAX, words};

/// Why a mapping cannot be as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Sources of this kind do not take the member.
    #[error("{0} does not go with this kind of source")]
    NotSupported(Member),
    /// Sources of this kind cannot be without the member.
    #[error("{0} is missing")]
    Required(Member),
    /// Kafka sources take the member only with provisioned pollers.
    #[error("{0} needs provisioned pollers")]
    ProvisionedOnly(Member),
    /// More records than a batch of this kind can have.
    #[error("expected a batch of at most {0} records")]
    BatchTooLarge(u32),
    /// A large batch of a queue has to be waited for.
    #[error("a batch of more than 10 messages needs a batching window")]
    WindowNeeded,
    /// A queue that keeps order is never waited for.
    #[error("a FIFO queue has no batching window")]
    FifoWindow,
    /// Fewer pollers than a source of this kind can have.
    #[error("expected at least {0} pollers")]
    TooFewPollers(u32),
    /// More pollers than a source of this kind can have.
    #[error("expected at most {0} pollers")]
    TooManyPollers(u32),
    /// The least number of pollers is above the greatest.
    #[error("more pollers at least than at most")]
    PollersReversed,
    /// Two ways to bound the concurrency of a queue.
    #[error("a maximum of concurrency and provisioned pollers exclude each other")]
    ConcurrencyWithPollers,
    /// Sources of this kind are not opened this way.
    #[error("sources of this kind are not accessed by {0}")]
    AccessNotSupported(AccessKind),
    /// Sources of this kind have no such metric.
    #[error("sources of this kind do not give {0}")]
    MetricNotSupported(Metric),
    /// The consumer group of a mapping never changes.
    #[error("the consumer group of a mapping cannot be changed")]
    ConsumerGroupFixed,
    /// The way in which a mapping reads its topic never changes.
    #[error("the consumption mode of a mapping cannot be changed")]
    ConsumptionModeFixed,
    /// Reading cannot begin with records that do not exist yet.
    #[error("reading cannot begin in the future")]
    StartInFuture,
    /// More tags than a resource may have.
    #[error("too many tags")]
    TooManyTags,
    /// More text than a record of the catalog may hold.
    #[error("expected at most {TEXT_BYTES_MAX} bytes of text in all")]
    TooLarge,
}

/// A member of a mapping, as the API calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Member {
    /// The number of records of a batch.
    BatchSize,
    /// How long a batch is waited for.
    BatchingWindow,
    /// Which records are of interest.
    FilterCriteria,
    /// The key of the filter criteria.
    KmsKey,
    /// Metrics.
    Metrics,
    /// Logging.
    Logging,
    /// The concurrency of a queue.
    Scaling,
    /// Provisioned pollers.
    Pollers,
    /// Batches of one shard at the same time.
    Parallelization,
    /// Whether a failed batch is halved.
    Bisect,
    /// The window of an aggregation.
    TumblingWindow,
    /// How old a record may become.
    RecordAge,
    /// How often a batch is tried again.
    Retries,
    /// Where failures go.
    Destination,
    /// What the function's response means.
    ResponseTypes,
    /// How the source is opened.
    Access,
    /// The registry of the records' schemas.
    SchemaRegistry,
    /// How a topic is read.
    ConsumptionMode,
    /// The collection that is watched.
    DocumentDb,
    /// The name of a group of pollers.
    PollerGroup,
}

impl Member {
    pub(super) const NAMES: [(Self, &'static str); 20] = [
        (Self::BatchSize, "batchSize"),
        (Self::BatchingWindow, "maximumBatchingWindowInSeconds"),
        (Self::FilterCriteria, "filterCriteria"),
        (Self::KmsKey, "kmsKeyArn"),
        (Self::Metrics, "metricsConfig"),
        (Self::Logging, "loggingConfig"),
        (Self::Scaling, "scalingConfig"),
        (Self::Pollers, "provisionedPollerConfig"),
        (Self::Parallelization, "parallelizationFactor"),
        (Self::Bisect, "bisectBatchOnFunctionError"),
        (Self::TumblingWindow, "tumblingWindowInSeconds"),
        (Self::RecordAge, "maximumRecordAgeInSeconds"),
        (Self::Retries, "maximumRetryAttempts"),
        (Self::Destination, "destinationConfig"),
        (Self::ResponseTypes, "functionResponseTypes"),
        (Self::Access, "sourceAccessConfigurations"),
        (Self::SchemaRegistry, "schemaRegistryConfig"),
        (Self::ConsumptionMode, "consumptionMode"),
        (Self::DocumentDb, "documentDBEventSourceConfig"),
        (Self::PollerGroup, "pollerGroupName"),
    ];

    /// The name in the API, beginning with a small letter as its messages have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        super::named(&Self::NAMES, self)
    }
}

words!(Member);
