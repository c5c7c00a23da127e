use std::{fmt, str::FromStr};

use crate::{FunctionArn, Timestamp};

/// What happens to asynchronous invocations. What is not given is AWS's default: two retries, six hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventInvoke {
    /// Retries after a function's error.
    pub retries_max: Option<u8>,
    /// How long an event may wait, in seconds.
    pub age_max_s: Option<u32>,
    /// Where a record of the outcome goes.
    pub destinations: Destinations,
    /// When it was last changed.
    pub last_modified: Timestamp,
}

/// Changes to an [`EventInvoke`]; `None` leaves a member as it is, or empty in a new one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct EventInvokePatch {
    /// See [`EventInvoke::retries_max`].
    pub retries_max: Option<u8>,
    /// See [`EventInvoke::age_max_s`].
    pub age_max_s: Option<u32>,
    /// See [`EventInvoke::destinations`]; both are given together.
    pub destinations: Option<Destinations>,
}

/// Where records of outcomes go.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Destinations {
    /// After a success.
    pub on_success: Option<Destination>,
    /// After the last failure.
    pub on_failure: Option<Destination>,
}

/// The ARN of something that records of outcomes can be sent to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    arn: String,
    service: Service,
}

/// What a destination is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// A function.
    Lambda,
    /// A queue.
    Sqs,
    /// A topic.
    Sns,
    /// An event bus.
    EventBridge,
    /// A bucket.
    S3,
}

/// A text that is no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the ARN of a function, queue, topic, event bus or bucket, got {0:?}")]
pub struct InvalidDestination(pub String);

impl EventInvoke {
    /// What these values make where nothing was set.
    #[must_use]
    pub fn new(values: &EventInvokePatch, at: Timestamp) -> Self {
        let values = values.clone();
        Self {
            retries_max: values.retries_max,
            age_max_s: values.age_max_s,
            destinations: values.destinations.unwrap_or_default(),
            last_modified: at,
        }
    }

    /// What it is after a change.
    #[must_use]
    pub fn patched(&self, patch: &EventInvokePatch, at: Timestamp) -> Self {
        let destinations = patch.destinations.as_ref().unwrap_or(&self.destinations);
        Self {
            retries_max: patch.retries_max.or(self.retries_max),
            age_max_s: patch.age_max_s.or(self.age_max_s),
            destinations: destinations.clone(),
            last_modified: at,
        }
    }
}

impl Destination {
    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.arn
    }

    /// What it is.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }

    /// The function, if it is one.
    #[must_use]
    pub fn function(&self) -> Option<FunctionArn> {
        match self.service {
            Service::Lambda => self.arn.parse().ok(),
            Service::Sqs | Service::Sns | Service::EventBridge | Service::S3 => None,
        }
    }
}

impl FromStr for Destination {
    type Err = InvalidDestination;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let service =
            service(s).ok_or_else(|| InvalidDestination(s.chars().take(350).collect()))?;
        Ok(Self {
            arn: s.to_owned(),
            service,
        })
    }
}

fn service(arn: &str) -> Option<Service> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _partition, service, region, account, resource] = parts.as_slice() else {
        return None;
    };
    let located = !region.is_empty() && !account.is_empty();
    let service = match *service {
        "lambda" => arn
            .parse::<FunctionArn>()
            .is_ok()
            .then_some(Service::Lambda)?,
        "sqs" if located => Service::Sqs,
        "sns" if located => Service::Sns,
        "events" if located && resource.starts_with("event-bus/") => Service::EventBridge,
        "s3" => Service::S3,
        _ => return None,
    };
    (!resource.is_empty()).then_some(service)
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_a_destination() {
        for (arn, expected) in [
            (
                "arn:aws:lambda:us-east-1:123456789012:function:f",
                Some(Service::Lambda),
            ),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:f:live",
                Some(Service::Lambda),
            ),
            ("arn:aws:sqs:us-east-1:123456789012:q", Some(Service::Sqs)),
            ("arn:aws:sns:us-east-1:123456789012:t", Some(Service::Sns)),
            (
                "arn:aws:events:us-east-1:123456789012:event-bus/default",
                Some(Service::EventBridge),
            ),
            ("arn:aws:s3:::bucket", Some(Service::S3)),
            ("arn:aws:lambda:us-east-1:123456789012:layer:l", None),
            ("arn:aws:events:us-east-1:123456789012:rule/r", None),
            ("arn:aws:sqs:us-east-1:123456789012:", None),
            ("arn:aws:sqs:::q", None),
            ("arn:aws:kinesis:us-east-1:123456789012:stream/s", None),
            ("kafka://topic", None),
            ("arn:aws:s3", None),
            ("", None),
        ] {
            let got = arn.parse::<Destination>();
            assert_eq!(
                got.as_ref().ok().map(Destination::service),
                expected,
                "{arn}"
            );
            if let Ok(destination) = got {
                assert_eq!(destination.to_string(), arn);
                let is_function = expected == Some(Service::Lambda);
                assert_eq!(destination.function().is_some(), is_function);
            }
        }
    }

    #[test]
    fn a_patch_leaves_what_it_does_not_name() {
        let queue: Destination = "arn:aws:sqs:us-east-1:123456789012:q".parse().unwrap();
        let first = EventInvokePatch {
            retries_max: Some(0),
            age_max_s: None,
            destinations: Some(Destinations {
                on_success: None,
                on_failure: Some(queue.clone()),
            }),
        };
        let made = EventInvoke::new(&first, Timestamp(1));
        let aged = EventInvokePatch {
            age_max_s: Some(60),
            ..EventInvokePatch::default()
        };
        let patched = made.patched(&aged, Timestamp(2));
        assert_eq!(
            (patched.retries_max, patched.age_max_s),
            (Some(0), Some(60))
        );
        assert_eq!(patched.destinations.on_failure, Some(queue));
        assert_eq!(patched.last_modified, Timestamp(2));
        let cleared = EventInvokePatch {
            destinations: Some(Destinations::default()),
            ..EventInvokePatch::default()
        };
        let cleared = patched.patched(&cleared, Timestamp(3));
        assert_eq!(cleared.destinations, Destinations::default());
        assert_eq!(cleared.retries_max, Some(0));
    }
}
