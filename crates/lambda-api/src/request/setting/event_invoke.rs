//! What happens to asynchronous invocations.

use model::{
    SettingChange,
    setting::{Destination, Destinations, EventInvokePatch, Service},
};
use serde::Deserialize;

use super::{Configure, target};
use crate::{error::ApiError, request::Input, target::Target};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    maximum_retry_attempts: Option<u8>,
    maximum_event_age_in_seconds: Option<u32>,
    destination_config: Option<DestinationConfig>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct DestinationConfig {
    on_success: Option<On>,
    on_failure: Option<On>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct On {
    destination: Option<String>,
}

pub(super) fn put(input: &Input<'_>) -> Result<Configure, ApiError> {
    let (target, patch) = parse(input)?;
    Ok(Configure::new(target, SettingChange::PutEventInvoke(patch)))
}

pub(super) fn update(input: &Input<'_>) -> Result<Configure, ApiError> {
    let (target, patch) = parse(input)?;
    Ok(Configure::new(
        target,
        SettingChange::PatchEventInvoke(patch),
    ))
}

pub(super) fn delete(input: &Input<'_>) -> Result<Configure, ApiError> {
    Ok(Configure::new(
        target(input)?,
        SettingChange::DeleteEventInvoke,
    ))
}

fn parse(input: &Input<'_>) -> Result<(Target, EventInvokePatch), ApiError> {
    let shape: Shape = input.body()?;
    if shape.maximum_retry_attempts.is_none()
        && shape.maximum_event_age_in_seconds.is_none()
        && shape.destination_config.is_none()
    {
        return Err(ApiError::empty_event_invoke());
    }
    let target = target(input)?;
    let destinations = shape
        .destination_config
        .map(|config| destinations(&config, &target))
        .transpose()?;
    let patch = EventInvokePatch {
        retries_max: shape.maximum_retry_attempts,
        age_max_s: shape.maximum_event_age_in_seconds,
        destinations,
    };
    Ok((target, patch))
}

fn destinations(config: &DestinationConfig, target: &Target) -> Result<Destinations, ApiError> {
    // The empty text takes a destination away.
    let [success, failure] = [&config.on_success, &config.on_failure].map(|on| {
        let on = on.as_ref();
        on.and_then(|on| on.destination.as_deref())
            .filter(|arn| !arn.is_empty())
    });
    let invalid = || ApiError::invalid_destinations(success, failure);
    let parse = |arn: Option<&str>| -> Result<Option<Destination>, ApiError> {
        arn.map(|arn| arn.parse().map_err(|_| invalid()))
            .transpose()
    };
    let destinations = Destinations {
        on_failure: parse(failure)?,
        on_success: parse(success)?,
    };
    for destination in [&destinations.on_failure, &destinations.on_success] {
        let function = destination.as_ref().and_then(Destination::function);
        if function.is_some_and(|arn| arn.id == target.function) {
            return Err(ApiError::own_destination());
        }
    }
    // A bucket takes failures only.
    match &destinations.on_success {
        Some(success) if success.service() == Service::S3 => Err(invalid()),
        Some(_) | None => Ok(destinations),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{
        setting::{SettingRequest, tests::parse},
        testing::refused,
    };

    const PATH: &str = "/2019-09-25/functions/f/event-invoke-config";
    const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:q";

    fn put(body: &str) -> EventInvokePatch {
        let SettingRequest::PutFunctionEventInvokeConfig(configure) =
            parse(&format!("PUT {PATH}"), body)
        else {
            panic!()
        };
        let SettingChange::PutEventInvoke(patch) = configure.change else {
            panic!()
        };
        patch
    }

    #[test]
    fn what_is_given_is_set() {
        assert_eq!(
            put(r#"{"MaximumRetryAttempts": 0}"#),
            EventInvokePatch {
                retries_max: Some(0),
                ..EventInvokePatch::default()
            }
        );
        let body = format!(
            r#"{{"MaximumEventAgeInSeconds": 60, "DestinationConfig": {{"OnFailure": {{"Destination": "{QUEUE}"}}, "OnSuccess": {{"Destination": ""}}}}}}"#
        );
        let destinations = Destinations {
            on_success: None,
            on_failure: Some(QUEUE.parse().unwrap()),
        };
        assert_eq!(
            put(&body),
            EventInvokePatch {
                retries_max: None,
                age_max_s: Some(60),
                destinations: Some(destinations),
            }
        );
        let empty = put(r#"{"DestinationConfig": {}}"#).destinations;
        assert_eq!(empty, Some(Destinations::default()));
    }

    #[test]
    fn refusals() {
        let check = |body: &str, expected: &str| {
            for method in ["PUT", "POST"] {
                assert_eq!(refused(&format!("{method} {PATH}"), body), expected);
            }
        };
        check(
            "{}",
            "InvalidParameterValueException: You must specify at least one of error handling or destination setting.",
        );
        check(
            r#"{"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:lambda:us-east-1:123456789012:function:f:live"}}}"#,
            "InvalidParameterValueException: You can't specify the function as a destination for itself.",
        );
        check(
            r#"{"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:s3:::bucket"}}}"#,
            "InvalidParameterValueException: The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=arn:aws:s3:::bucket), onFailure=null) is invalid.",
        );
        check(
            r#"{"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}}}"#,
            "InvalidParameterValueException: The provided destination config DestinationConfig(onSuccess=null, onFailure=OnFailure(destination=arn:aws:kinesis:us-east-1:123456789012:stream/s)) is invalid.",
        );
        assert!(
            refused(&format!("PUT {PATH}"), r#"{"MaximumRetryAttempts": 3}"#)
                .starts_with("ValidationException: 1 validation error")
        );
    }
}
