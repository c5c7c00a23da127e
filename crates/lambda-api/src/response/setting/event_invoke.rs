use model::{
    FunctionArn,
    setting::{Destination, EventInvoke},
};
use serde::Serialize;
use serde_json::Number;

use crate::error::or_latest;

/// What happens to asynchronous invocations of a version or an alias.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionEventInvokeConfig {
    last_modified: Number,
    function_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_retry_attempts: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_event_age_in_seconds: Option<u32>,
    destination_config: DestinationConfig,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DestinationConfig {
    on_success: On,
    on_failure: On,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct On {
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<String>,
}

impl FunctionEventInvokeConfig {
    /// Shows what is set at a place. What is set for the function itself is shown at `$LATEST`.
    #[must_use]
    pub fn new(resource: FunctionArn, config: &EventInvoke) -> Self {
        let on = |destination: &Option<Destination>| On {
            destination: destination.as_ref().map(ToString::to_string),
        };
        Self {
            last_modified: epoch_seconds(config.last_modified.as_millis()),
            function_arn: or_latest(resource).to_string(),
            maximum_retry_attempts: config.retries_max,
            maximum_event_age_in_seconds: config.age_max_s,
            destination_config: DestinationConfig {
                on_success: on(&config.destinations.on_success),
                on_failure: on(&config.destinations.on_failure),
            },
        }
    }
}

/// Seconds with a fraction: as a number that JSON can write, whatever the time.
#[allow(
    clippy::cast_precision_loss,
    reason = "milliseconds fit into 53 bits for the next 280 000 years"
)]
fn epoch_seconds(millis: u64) -> Number {
    Number::from_f64(millis as f64 / 1000.0).unwrap_or_else(|| (millis / 1000).into())
}

#[cfg(test)]
mod tests {
    use model::{
        Timestamp,
        setting::{Destinations, EventInvokePatch},
    };
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_set_with_its_time_in_seconds() {
        let values = EventInvokePatch {
            retries_max: Some(1),
            age_max_s: None,
            destinations: None,
        };
        let mut config = EventInvoke::new(&values, Timestamp(1_764_000_000_120));
        let function: FunctionArn = "arn:aws:lambda:us-east-1:123456789012:function:f"
            .parse()
            .unwrap();
        assert_eq!(
            serde_json::to_value(FunctionEventInvokeConfig::new(function.clone(), &config))
                .unwrap(),
            json!({
                "LastModified": 1_764_000_000.12,
                "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST",
                "MaximumRetryAttempts": 1,
                "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
            })
        );
        let queue = "arn:aws:sqs:us-east-1:123456789012:q";
        config.destinations = Destinations {
            on_success: None,
            on_failure: Some(queue.parse().unwrap()),
        };
        let live = function.id.arn(Some("live".parse().unwrap()));
        let shown = serde_json::to_value(FunctionEventInvokeConfig::new(live, &config)).unwrap();
        assert_eq!(
            shown["DestinationConfig"],
            json!({"OnSuccess": {}, "OnFailure": {"Destination": queue}})
        );
        assert_eq!(
            shown["FunctionArn"],
            "arn:aws:lambda:us-east-1:123456789012:function:f:live"
        );
    }
}
