//! How the records of a source are read, cut into batches and retried.

mod rules;
mod words;

pub use words::{AccessKind, ConsumptionMode, FullDocument, LogLevel, Metric, RecordFormat};

use super::{Member, Refusal, SourceKind};

/// Everything about a mapping that its owner may change. What is absent does not exist for sources of its kind, or was not
/// asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Most records of a batch.
    pub batch_size: u32,
    /// How long a batch is waited for, in seconds. Without one, Kafka, MQ and DocumentDB have half a second.
    pub batching_window: Option<u32>,
    /// Which records are of interest, as EventBridge patterns of which one must hold; all if there are none.
    pub filters: Vec<String>,
    /// The key that its owner wants the filters kept under.
    pub kms_key: Option<String>,
    /// Metrics that are asked for.
    pub metrics: Vec<Metric>,
    /// What is logged about the mapping.
    pub log_level: Option<LogLevel>,
    /// Most invocations of a queue at the same time.
    pub maximum_concurrency: Option<u32>,
    /// Pollers that are kept ready.
    pub pollers: Option<Pollers>,
    /// Batches of one shard at the same time.
    pub parallelization: Option<u32>,
    /// Whether a failed batch is halved.
    pub bisect: Option<bool>,
    /// The window of an aggregation, in seconds; 0 for none.
    pub tumbling_window: Option<u32>,
    /// How old a record may become, in seconds.
    pub record_age: Option<Until>,
    /// How often a batch is tried again.
    pub retries: Option<Until>,
    /// Where failures go.
    pub on_failure: Option<String>,
    /// Whether the function says which records of a batch failed.
    pub report_batch_item_failures: bool,
    /// How the source is opened.
    pub access: Vec<Access>,
    /// The registry of the records' schemas.
    pub schema_registry: Option<SchemaRegistry>,
    /// How a topic is read.
    pub consumption_mode: Option<ConsumptionMode>,
    /// The collection that is watched.
    pub document_db: Option<DocumentDb>,
}

/// One setting and its value. `None`, false and the empty list take away what was there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each is the member of Settings of the same name"
)]
pub enum Setting {
    BatchSize(u32),
    BatchingWindow(u32),
    Filters(Vec<String>),
    KmsKey(Option<String>),
    Metrics(Vec<Metric>),
    LogLevel(Option<LogLevel>),
    MaximumConcurrency(Option<u32>),
    Pollers(Option<Pollers>),
    Parallelization(u32),
    Bisect(bool),
    TumblingWindow(u32),
    RecordAge(Until),
    Retries(Until),
    OnFailure(Option<String>),
    ReportBatchItemFailures(bool),
    Access(Vec<Access>),
    SchemaRegistry(Option<SchemaRegistry>),
    ConsumptionMode(ConsumptionMode),
    DocumentDb(DocumentDb),
}

/// A limit that may be absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// No limit: -1 on the wire.
    Forever,
    /// At most this much.
    AtMost(u32),
}

/// Pollers that are kept ready; what is absent is the default of the kind of source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pollers {
    /// At least so many.
    pub minimum: Option<u32>,
    /// At most so many.
    pub maximum: Option<u32>,
    /// The group that they share with other mappings.
    pub group: Option<String>,
}

/// One thing that opens a source: a secret, a subnet, a virtual host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// What it is.
    pub kind: AccessKind,
    /// Which one.
    pub uri: String,
}

/// The registry of the records' schemas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaRegistry {
    /// Where it is.
    pub uri: String,
    /// What the function is given.
    pub format: Option<RecordFormat>,
    /// What opens it.
    pub access: Vec<Access>,
    /// Whether the key of a record is held against its schema.
    pub validates_key: bool,
    /// Whether the value of a record is held against its schema.
    pub validates_value: bool,
}

/// The collection that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentDb {
    /// The database.
    pub database: String,
    /// The collection; all of the database without one.
    pub collection: Option<String>,
    /// Whether an update brings the whole document.
    pub full_document: FullDocument,
}

impl Until {
    /// From the number on the wire; what is below -1 is no limit.
    #[must_use]
    pub fn from_wire(number: i64) -> Self {
        u32::try_from(number).map_or(Self::Forever, Self::AtMost)
    }

    /// The number on the wire.
    #[must_use]
    pub fn as_wire(self) -> i64 {
        match self {
            Self::Forever => -1,
            Self::AtMost(n) => n.into(),
        }
    }
}

impl Settings {
    /// The settings that a source of this kind has if its owner gives none.
    #[must_use]
    pub fn of(kind: SourceKind) -> Self {
        let stream = kind.is_stream();
        Self {
            batch_size: if kind.is_queue() { 10 } else { 100 },
            batching_window: (kind.is_queue() || stream).then_some(0),
            parallelization: stream.then_some(1),
            bisect: stream.then_some(false),
            tumbling_window: stream.then_some(0),
            record_age: stream.then_some(Until::Forever),
            retries: stream.then_some(Until::Forever),
            ..Self::default()
        }
    }

    /// What they become by these changes.
    ///
    /// # Errors
    /// [`Refusal`] for a setting that sources of this kind do not take, or settings that do not go together.
    pub fn changed(mut self, kind: SourceKind, changes: &[Setting]) -> Result<Self, Refusal> {
        for change in changes {
            let member = change.member();
            if rules::takes(kind, member) {
                self.set(change.clone());
            } else if !change.asks_for_nothing() {
                return Err(Refusal::NotSupported(member));
            }
        }
        self.check(kind)?;
        Ok(self)
    }

    /// Looks whether they go together, for a source of this kind.
    ///
    /// # Errors
    /// [`Refusal`] if they do not.
    pub fn check(&self, kind: SourceKind) -> Result<(), Refusal> {
        rules::check(kind, self)
    }

    /// How a topic is read: what the owner chose, else what is usual.
    #[must_use]
    pub fn consumption_mode(&self) -> ConsumptionMode {
        self.consumption_mode.unwrap_or_default()
    }

    /// Takes over one setting, whatever the others are.
    pub fn set(&mut self, setting: Setting) {
        match setting {
            Setting::BatchSize(n) => self.batch_size = n,
            Setting::BatchingWindow(s) => self.batching_window = Some(s),
            Setting::Filters(filters) => self.filters = filters,
            Setting::KmsKey(key) => self.kms_key = key,
            Setting::Metrics(metrics) => self.metrics = metrics,
            Setting::LogLevel(level) => self.log_level = level,
            Setting::MaximumConcurrency(n) => self.maximum_concurrency = n,
            Setting::Pollers(None) => self.pollers = None,
            Setting::Pollers(Some(new)) => {
                let old = self.pollers.take().unwrap_or_default();
                self.pollers = Some(Pollers {
                    minimum: new.minimum.or(old.minimum),
                    maximum: new.maximum.or(old.maximum),
                    group: new.group.or(old.group),
                });
            }
            Setting::Parallelization(n) => self.parallelization = Some(n),
            Setting::Bisect(bisect) => self.bisect = Some(bisect),
            Setting::TumblingWindow(s) => self.tumbling_window = Some(s),
            Setting::RecordAge(age) => self.record_age = Some(age),
            Setting::Retries(retries) => self.retries = Some(retries),
            Setting::OnFailure(destination) => self.on_failure = destination,
            Setting::ReportBatchItemFailures(report) => self.report_batch_item_failures = report,
            Setting::Access(access) => self.access = access,
            Setting::SchemaRegistry(registry) => self.schema_registry = registry,
            Setting::ConsumptionMode(mode) => self.consumption_mode = Some(mode),
            Setting::DocumentDb(collection) => self.document_db = Some(collection),
        }
    }

    /// The list that makes these settings out of none.
    #[must_use]
    pub fn list(&self) -> Vec<Setting> {
        fn full<T: Clone>(list: &[T]) -> Option<Vec<T>> {
            (!list.is_empty()).then(|| list.to_vec())
        }
        let report = self.report_batch_item_failures;
        [
            Some(Setting::BatchSize(self.batch_size)),
            self.batching_window.map(Setting::BatchingWindow),
            full(&self.filters).map(Setting::Filters),
            self.kms_key.clone().map(|key| Setting::KmsKey(Some(key))),
            full(&self.metrics).map(Setting::Metrics),
            self.log_level.map(|level| Setting::LogLevel(Some(level))),
            self.maximum_concurrency
                .map(|n| Setting::MaximumConcurrency(Some(n))),
            self.pollers.clone().map(|p| Setting::Pollers(Some(p))),
            self.parallelization.map(Setting::Parallelization),
            self.bisect.map(Setting::Bisect),
            self.tumbling_window.map(Setting::TumblingWindow),
            self.record_age.map(Setting::RecordAge),
            self.retries.map(Setting::Retries),
            self.on_failure.clone().map(|d| Setting::OnFailure(Some(d))),
            report.then_some(Setting::ReportBatchItemFailures(true)),
            full(&self.access).map(Setting::Access),
            self.schema_registry
                .clone()
                .map(|r| Setting::SchemaRegistry(Some(r))),
            self.consumption_mode.map(Setting::ConsumptionMode),
            self.document_db.clone().map(Setting::DocumentDb),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    pub(super) fn text_bytes(&self) -> usize {
        let some = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let access = |list: &[Access]| list.iter().map(|a| a.uri.len()).sum::<usize>();
        let registry = self.schema_registry.as_ref();
        let collection = self.document_db.as_ref();
        self.filters.iter().map(String::len).sum::<usize>()
            + some(&self.kms_key)
            + some(&self.on_failure)
            + self.pollers.as_ref().map_or(0, |p| some(&p.group))
            + access(&self.access)
            + registry.map_or(0, |r| r.uri.len() + access(&r.access))
            + collection.map_or(0, |d| d.database.len() + some(&d.collection))
    }
}

impl Setting {
    /// The member of the API that it belongs to.
    #[must_use]
    pub const fn member(&self) -> Member {
        match self {
            Self::BatchSize(_) => Member::BatchSize,
            Self::BatchingWindow(_) => Member::BatchingWindow,
            Self::Filters(_) => Member::FilterCriteria,
            Self::KmsKey(_) => Member::KmsKey,
            Self::Metrics(_) => Member::Metrics,
            Self::LogLevel(_) => Member::Logging,
            Self::MaximumConcurrency(_) => Member::Scaling,
            Self::Pollers(_) => Member::Pollers,
            Self::Parallelization(_) => Member::Parallelization,
            Self::Bisect(_) => Member::Bisect,
            Self::TumblingWindow(_) => Member::TumblingWindow,
            Self::RecordAge(_) => Member::RecordAge,
            Self::Retries(_) => Member::Retries,
            Self::OnFailure(_) => Member::Destination,
            Self::ReportBatchItemFailures(_) => Member::ResponseTypes,
            Self::Access(_) => Member::Access,
            Self::SchemaRegistry(_) => Member::SchemaRegistry,
            Self::ConsumptionMode(_) => Member::ConsumptionMode,
            Self::DocumentDb(_) => Member::DocumentDb,
        }
    }

    /// Whether a source that has no such setting is as it asks.
    const fn asks_for_nothing(&self) -> bool {
        match self {
            Self::Metrics(list) => list.is_empty(),
            Self::Access(list) => list.is_empty(),
            Self::LogLevel(None)
            | Self::MaximumConcurrency(None)
            | Self::Pollers(None)
            | Self::OnFailure(None)
            | Self::SchemaRegistry(None)
            | Self::Bisect(false)
            | Self::ReportBatchItemFailures(false) => true,
            _ => false,
        }
    }
}
