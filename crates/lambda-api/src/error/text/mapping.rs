//! The texts about event source mappings.

use model::mapping::{Duplicate, Refusal, SourceKind, TEXT_BYTES_MAX};

use crate::error::ApiError;

fn invalid(text: impl Into<String>) -> ApiError {
    ApiError::InvalidParameterValue(text.into())
}

impl ApiError {
    /// No event source mapping has the id.
    #[must_use]
    pub fn mapping_not_found() -> Self {
        Self::ResourceNotFound("The resource you requested does not exist.".to_owned())
    }

    /// An event source mapping is in transition.
    #[must_use]
    pub fn mapping_in_use(deletion: bool) -> Self {
        let what = if deletion { "delete" } else { "update" };
        Self::ResourceInUse(format!(
            "Cannot {what} the event source mapping because it is in use."
        ))
    }

    /// The function of an event source mapping is not there.
    #[must_use]
    pub fn mapping_without_function() -> Self {
        invalid("Function does not exist")
    }

    /// The function is fed from the source already. Each kind of source has a sentence of its own, spaces included.
    #[must_use]
    pub fn mapping_exists(duplicate: &Duplicate) -> Self {
        let Duplicate {
            uuid,
            kind,
            source,
            topic,
            function,
        } = duplicate;
        let name = &function.id.name;
        let existing = match kind {
            SourceKind::Sqs | SourceKind::SqsFifo => format!(
                "An event source mapping with SQS arn (\" {source} \") and function (\" {name} \") already exists."
            ),
            SourceKind::Msk | SourceKind::SelfManagedKafka => format!(
                "An event source mapping with event source (\"{source}\"), function (\"{function}\"), topics \
                 (\"{topic}\") already exists."
            ),
            SourceKind::Kinesis
            | SourceKind::DynamoDb
            | SourceKind::Mq
            | SourceKind::DocumentDb => format!(
                "The event source arn (\" {source} \") and function (\" {name} \") provided mapping already exists."
            ),
        };
        Self::ResourceConflict(format!(
            "{existing} Please update or delete the existing mapping with UUID {uuid}"
        ))
    }

    /// No source, or an ARN of what is none.
    #[must_use]
    pub fn unrecognized_source() -> Self {
        invalid("Unrecognized event source.")
    }

    /// An ARN and a cluster of one's own.
    #[must_use]
    pub fn two_sources() -> Self {
        invalid("Only one of EventSourceArn and SelfManagedEventSource can be specified.")
    }

    /// A member that sources of this kind do not have, as the API calls it but for its first letter.
    #[must_use]
    pub fn unsupported_mapping_member(member: &str) -> Self {
        invalid(format!(
            "Unsupported '{member}' parameter for given event source mapping type."
        ))
    }

    /// A member that sources of this kind cannot be without.
    #[must_use]
    pub fn missing_mapping_member(member: &str) -> Self {
        invalid(format!("Required '{member}' parameter is missing."))
    }

    /// A destination for what succeeded.
    #[must_use]
    pub fn unsupported_mapping_destination() -> Self {
        invalid("Unsupported DestinationConfig parameter for given event source mapping type.")
    }

    /// A destination that is none.
    #[must_use]
    pub fn invalid_destination(arn: &str) -> Self {
        invalid(format!("The destination ARN {arn} is invalid."))
    }

    /// A queue is read from where it is.
    #[must_use]
    pub fn queue_has_no_position() -> Self {
        invalid("StartingPosition is not valid for SQS event sources.")
    }

    /// A stream has to be told where reading begins.
    #[must_use]
    pub fn position_needed() -> Self {
        invalid(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must \
             not be null.",
        )
    }

    /// A place to begin that a source of this kind does not have.
    #[must_use]
    pub fn unsupported_position(arn: &str) -> Self {
        invalid(format!("Unsupported starting position for arn type: {arn}"))
    }

    /// A time without the position that needs it.
    #[must_use]
    pub fn timestamp_without_position() -> Self {
        invalid("Timestamp only valid with StartingPosition AT_TIMESTAMP")
    }

    /// A position without the time that it needs.
    #[must_use]
    pub fn timestamp_needed() -> Self {
        invalid("Need to specify a timestamp")
    }

    /// A time that no record can have.
    #[must_use]
    pub fn position_out_of_time() -> Self {
        invalid("StartingPositionTimestamp must be a time between 1970 and 9999.")
    }

    /// Records would be dropped before they could be tried.
    #[must_use]
    pub fn record_age_too_short() -> Self {
        invalid("MaximumRecordAgeInSeconds must be -1, or a value from 60 to 604800.")
    }

    /// A filter that is not a pattern.
    #[must_use]
    pub fn invalid_filter() -> Self {
        invalid("Invalid filter pattern definition.")
    }

    /// More filters than a mapping may have.
    #[must_use]
    pub fn too_many_filters(limit: usize) -> Self {
        invalid(format!("FilterCriteria can have at most {limit} filters."))
    }

    /// An access without its type or its value.
    #[must_use]
    pub fn incomplete_access() -> Self {
        invalid("A source access configuration must have a Type and a URI.")
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotSupported(member) => Self::unsupported_mapping_member(member.as_str()),
            Refusal::Required(member) => Self::missing_mapping_member(member.as_str()),
            Refusal::ProvisionedOnly(member) => invalid(format!(
                "The '{member}' parameter needs a ProvisionedPollerConfig for given event source mapping type."
            )),
            Refusal::BatchTooLarge(most) => invalid(format!(
                "BatchSize must be less than or equal to {most} for given event source mapping type."
            )),
            Refusal::WindowNeeded => invalid(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
            ),
            Refusal::FifoWindow => invalid("Batching window is not supported for FIFO queues"),
            Refusal::TooFewPollers(least) => invalid(format!(
                "MinimumPollers and MaximumPollers must be at least {least} for given event source mapping type."
            )),
            Refusal::TooManyPollers(most) => invalid(format!(
                "MaximumPollers must be less than or equal to {most} for given event source mapping type."
            )),
            Refusal::PollersReversed => {
                invalid("MinimumPollers must be less than or equal to MaximumPollers.")
            }
            Refusal::ConcurrencyWithPollers => invalid(
                "ScalingConfig and ProvisionedPollerConfig cannot be used together: set MaximumPollers instead of \
                 MaximumConcurrency.",
            ),
            Refusal::AccessNotSupported(access) => invalid(format!(
                "Unsupported source access configuration type {access} for given event source mapping type."
            )),
            Refusal::MetricNotSupported(metric) => invalid(format!(
                "Unsupported metric {metric} for given event source mapping type."
            )),
            Refusal::ConsumerGroupFixed => {
                invalid("ConsumerGroupId of an event source mapping cannot be changed.")
            }
            Refusal::ConsumptionModeFixed => {
                invalid("ConsumptionMode of an event source mapping cannot be changed.")
            }
            Refusal::StartInFuture => invalid("StartingPositionTimestamp cannot be in the future."),
            Refusal::TooManyTags => Self::too_many_tags(),
            Refusal::TooLarge => invalid(format!(
                "An event source mapping can have at most {TEXT_BYTES_MAX} bytes of text, tags included."
            )),
        }
    }
}
