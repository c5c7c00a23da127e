use model::mapping::{Duplicate, MappingId, Refusal};

use super::{InvalidMessage, text};

const FIELD: &str = "rejection";

fn detail(details: &[String], i: usize) -> Result<&str, InvalidMessage> {
    details
        .get(i)
        .map(String::as_str)
        .ok_or(InvalidMessage::Missing("rejection.details"))
}

pub(in crate::convert) fn id_details(id: &MappingId) -> Vec<String> {
    vec![
        id.account.to_string(),
        id.region.to_string(),
        id.uuid.to_string(),
    ]
}

pub(in crate::convert) fn parse_id(details: &[String]) -> Result<MappingId, InvalidMessage> {
    Ok(MappingId {
        account: text(FIELD, detail(details, 0)?)?,
        region: text(FIELD, detail(details, 1)?)?,
        uuid: text(FIELD, detail(details, 2)?)?,
    })
}

pub(in crate::convert) fn duplicate_details(duplicate: &Duplicate) -> Vec<String> {
    vec![
        duplicate.uuid.to_string(),
        duplicate.kind.to_string(),
        duplicate.source.clone(),
        duplicate.topic.clone(),
        duplicate.function.to_string(),
    ]
}

pub(in crate::convert) fn parse_duplicate(details: &[String]) -> Result<Duplicate, InvalidMessage> {
    Ok(Duplicate {
        uuid: text(FIELD, detail(details, 0)?)?,
        kind: text(FIELD, detail(details, 1)?)?,
        source: detail(details, 2)?.to_owned(),
        topic: detail(details, 3)?.to_owned(),
        function: text(FIELD, detail(details, 4)?)?,
    })
}

/// The name of a refusal and what it is about.
pub(in crate::convert) fn refusal_details(refusal: Refusal) -> Vec<String> {
    let (name, about) = match refusal {
        Refusal::NotSupported(member) => ("not-supported", member.to_string()),
        Refusal::Required(member) => ("required", member.to_string()),
        Refusal::ProvisionedOnly(member) => ("provisioned-only", member.to_string()),
        Refusal::BatchTooLarge(most) => ("batch-too-large", most.to_string()),
        Refusal::WindowNeeded => ("window-needed", String::new()),
        Refusal::FifoWindow => ("fifo-window", String::new()),
        Refusal::TooFewPollers(least) => ("too-few-pollers", least.to_string()),
        Refusal::TooManyPollers(most) => ("too-many-pollers", most.to_string()),
        Refusal::PollersReversed => ("pollers-reversed", String::new()),
        Refusal::ConcurrencyWithPollers => ("concurrency-with-pollers", String::new()),
        Refusal::AccessNotSupported(access) => ("access-not-supported", access.to_string()),
        Refusal::MetricNotSupported(metric) => ("metric-not-supported", metric.to_string()),
        Refusal::ConsumerGroupFixed => ("consumer-group-fixed", String::new()),
        Refusal::ConsumptionModeFixed => ("consumption-mode-fixed", String::new()),
        Refusal::StartInFuture => ("start-in-future", String::new()),
        Refusal::TooManyTags => ("too-many-tags", String::new()),
        Refusal::TooLarge => ("too-large", String::new()),
    };
    vec![name.to_owned(), about]
}

pub(in crate::convert) fn parse_refusal(details: &[String]) -> Result<Refusal, InvalidMessage> {
    let about = detail(details, 1)?;
    Ok(match detail(details, 0)? {
        "not-supported" => Refusal::NotSupported(text(FIELD, about)?),
        "required" => Refusal::Required(text(FIELD, about)?),
        "provisioned-only" => Refusal::ProvisionedOnly(text(FIELD, about)?),
        "batch-too-large" => Refusal::BatchTooLarge(text(FIELD, about)?),
        "window-needed" => Refusal::WindowNeeded,
        "fifo-window" => Refusal::FifoWindow,
        "too-few-pollers" => Refusal::TooFewPollers(text(FIELD, about)?),
        "too-many-pollers" => Refusal::TooManyPollers(text(FIELD, about)?),
        "pollers-reversed" => Refusal::PollersReversed,
        "concurrency-with-pollers" => Refusal::ConcurrencyWithPollers,
        "access-not-supported" => Refusal::AccessNotSupported(text(FIELD, about)?),
        "metric-not-supported" => Refusal::MetricNotSupported(text(FIELD, about)?),
        "consumer-group-fixed" => Refusal::ConsumerGroupFixed,
        "consumption-mode-fixed" => Refusal::ConsumptionModeFixed,
        "start-in-future" => Refusal::StartInFuture,
        "too-many-tags" => Refusal::TooManyTags,
        "too-large" => Refusal::TooLarge,
        other => {
            return Err(InvalidMessage::Field {
                field: FIELD,
                why: format!("expected why a mapping was refused, got {other:?}"),
            });
        }
    })
}
