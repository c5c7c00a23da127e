//! What each kind of source takes, and what goes together.

use super::{AccessKind, ConsumptionMode, Metric, Pollers, Settings, Until};
use crate::mapping::{Member, Refusal, SourceKind};

/// Most records of a batch, and of one of a queue that keeps order.
const BATCH_MAX: u32 = 10_000;
const FIFO_BATCH_MAX: u32 = 10;
/// A larger batch of a queue has to be waited for.
const BATCH_WITHOUT_WINDOW_MAX: u32 = 10;

/// Most pollers: of them, at least and at most.
const QUEUE_POLLERS_MAX: u32 = 10_000;
const KAFKA_POLLERS_MAX: u32 = 2000;
/// Pollers of a mapping whose owner does not say.
const POLLERS_DEFAULT_MAX: u32 = 200;

/// Whether sources of this kind have the member.
pub(super) const fn takes(kind: SourceKind, member: Member) -> bool {
    let stream = kind.is_stream();
    let (queue, kafka) = (kind.is_queue(), kind.is_kafka());
    match member {
        Member::BatchSize
        | Member::BatchingWindow
        | Member::FilterCriteria
        | Member::KmsKey
        | Member::Metrics => true,
        Member::Logging | Member::SchemaRegistry | Member::PollerGroup => kafka,
        Member::Scaling => queue,
        Member::Pollers => queue || kafka,
        Member::Parallelization | Member::TumblingWindow => stream,
        Member::Bisect | Member::RecordAge | Member::Retries | Member::Destination => {
            stream || kafka
        }
        Member::ResponseTypes => queue || stream || kafka,
        Member::Access => kafka || matches!(kind, SourceKind::Mq | SourceKind::DocumentDb),
        Member::ConsumptionMode => matches!(kind, SourceKind::SelfManagedKafka),
        Member::DocumentDb => matches!(kind, SourceKind::DocumentDb),
    }
}

pub(super) fn check(kind: SourceKind, settings: &Settings) -> Result<(), Refusal> {
    batches(kind, settings)?;
    pollers(kind, settings)?;
    access(kind, settings)?;
    let metric = |metric: &&Metric| !(kind.is_kafka() || **metric == Metric::EventCount);
    if let Some(metric) = settings.metrics.iter().find(metric) {
        return Err(Refusal::MetricNotSupported(*metric));
    }
    if kind == SourceKind::DocumentDb && settings.document_db.is_none() {
        return Err(Refusal::Required(Member::DocumentDb));
    }
    if kind.is_kafka() && settings.pollers.is_none() {
        unprovisioned(settings)?;
    }
    // Records that are read each for itself are not waited for together.
    if settings.consumption_mode() == ConsumptionMode::Queue && settings.batching_window.is_some() {
        return Err(Refusal::NotSupported(Member::BatchingWindow));
    }
    Ok(())
}

fn batches(kind: SourceKind, settings: &Settings) -> Result<(), Refusal> {
    let window = settings.batching_window.unwrap_or(0);
    if kind == SourceKind::SqsFifo {
        if window > 0 {
            return Err(Refusal::FifoWindow);
        }
        if settings.batch_size > FIFO_BATCH_MAX {
            return Err(Refusal::BatchTooLarge(FIFO_BATCH_MAX));
        }
    }
    if settings.batch_size > BATCH_MAX {
        return Err(Refusal::BatchTooLarge(BATCH_MAX));
    }
    if kind.is_queue() && settings.batch_size > BATCH_WITHOUT_WINDOW_MAX && window == 0 {
        return Err(Refusal::WindowNeeded);
    }
    Ok(())
}

fn pollers(kind: SourceKind, settings: &Settings) -> Result<(), Refusal> {
    let Some(pollers) = &settings.pollers else {
        return Ok(());
    };
    if settings.maximum_concurrency.is_some() {
        return Err(Refusal::ConcurrencyWithPollers);
    }
    if pollers.group.is_some() && !takes(kind, Member::PollerGroup) {
        return Err(Refusal::NotSupported(Member::PollerGroup));
    }
    let (minimum, maximum) = (pollers.minimum(kind), pollers.maximum());
    let (least, most) = if kind.is_queue() {
        (2, QUEUE_POLLERS_MAX)
    } else {
        (1, KAFKA_POLLERS_MAX)
    };
    if minimum < least || maximum < least {
        return Err(Refusal::TooFewPollers(least));
    }
    if maximum > most {
        return Err(Refusal::TooManyPollers(most));
    }
    if minimum > maximum {
        return Err(Refusal::PollersReversed);
    }
    Ok(())
}

impl Pollers {
    /// The pollers that are always there.
    #[must_use]
    pub fn minimum(&self, kind: SourceKind) -> u32 {
        let default = if kind.is_queue() { 2 } else { 1 };
        self.minimum.unwrap_or(default)
    }

    /// The pollers that may come to be.
    #[must_use]
    pub fn maximum(&self) -> u32 {
        self.maximum.unwrap_or(POLLERS_DEFAULT_MAX)
    }
}

fn access(kind: SourceKind, settings: &Settings) -> Result<(), Refusal> {
    use AccessKind as A;
    let opens = |access: A| match kind {
        SourceKind::Msk => matches!(
            access,
            A::SaslScram512Auth | A::ClientCertificateTlsAuth | A::IamAuth
        ),
        SourceKind::SelfManagedKafka => access != A::VirtualHost,
        SourceKind::Mq => matches!(access, A::BasicAuth | A::VirtualHost),
        SourceKind::DocumentDb => access == A::BasicAuth,
        SourceKind::Sqs | SourceKind::SqsFifo | SourceKind::Kinesis | SourceKind::DynamoDb => false,
    };
    let given = &settings.access;
    if let Some(foreign) = given.iter().find(|access| !opens(access.kind)) {
        return Err(Refusal::AccessNotSupported(foreign.kind));
    }
    let needs_secret = matches!(kind, SourceKind::Mq | SourceKind::DocumentDb);
    let lacks_secret = needs_secret && !given.iter().any(|access| access.kind == A::BasicAuth);
    let lacks_any = kind == SourceKind::SelfManagedKafka && given.is_empty();
    if lacks_secret || lacks_any {
        return Err(Refusal::Required(Member::Access));
    }
    Ok(())
}

/// What a Kafka source has only with provisioned pollers.
fn unprovisioned(settings: &Settings) -> Result<(), Refusal> {
    let bounded = |until: Option<Until>| matches!(until, Some(Until::AtMost(_)));
    let asked = [
        (Member::Retries, bounded(settings.retries)),
        (Member::RecordAge, bounded(settings.record_age)),
        (Member::Bisect, settings.bisect == Some(true)),
        (Member::ResponseTypes, settings.report_batch_item_failures),
        (Member::SchemaRegistry, settings.schema_registry.is_some()),
        (Member::Logging, settings.log_level.is_some()),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((member, _)) => Err(Refusal::ProvisionedOnly(member)),
        None => Ok(()),
    }
}
