//! Settings of functions, as AWS shows them.

mod event_invoke;
mod function_url;
mod policy;
mod provisioned;

pub use event_invoke::FunctionEventInvokeConfig;
pub use function_url::FunctionUrlConfig;
pub use policy::{AddedPermission, Policy};
pub use provisioned::ProvisionedConcurrencyConfig;

use std::collections::BTreeMap;

use model::{
    FunctionArn,
    function::State,
    setting::{RecursiveLoop, RuntimeManagement, Scaling},
};
use serde::Serialize;

/// The answer to `PutFunctionConcurrency` and `GetFunctionConcurrency`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionConcurrency {
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved_concurrent_executions: Option<u32>,
}

/// The answer to `PutFunctionRecursionConfig` and `GetFunctionRecursionConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionRecursionConfig {
    recursive_loop: &'static str,
}

/// The answer to `PutRuntimeManagementConfig` and `GetRuntimeManagementConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RuntimeManagementConfig {
    update_runtime_on: &'static str,
    function_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_version_arn: Option<String>,
}

/// The answer to `PutFunctionScalingConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScalingState {
    function_state: &'static str,
}

/// The answer to `GetFunctionScalingConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionScalingConfig {
    function_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_function_scaling_config: Option<ScalingBounds>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ScalingBounds {
    #[serde(skip_serializing_if = "Option::is_none")]
    min_execution_environments: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_execution_environments: Option<u32>,
}

/// The answer to `ListTags`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tags {
    tags: BTreeMap<String, String>,
}

impl FunctionConcurrency {
    /// Shows a reservation, if there is one.
    #[must_use]
    pub const fn new(reserved: Option<u32>) -> Self {
        Self {
            reserved_concurrent_executions: reserved,
        }
    }
}

impl FunctionRecursionConfig {
    /// Shows what happens in a loop.
    #[must_use]
    pub const fn new(recursion: RecursiveLoop) -> Self {
        let recursive_loop = match recursion {
            RecursiveLoop::Allow => "Allow",
            RecursiveLoop::Terminate => "Terminate",
        };
        Self { recursive_loop }
    }
}

impl RuntimeManagementConfig {
    /// Shows when the runtime of a version is updated. AWS names the runtime only where it was chosen by hand.
    #[must_use]
    pub fn new(version: &FunctionArn, management: &RuntimeManagement) -> Self {
        let (update_runtime_on, arn) = match management {
            RuntimeManagement::Auto => ("Auto", None),
            RuntimeManagement::FunctionUpdate => ("FunctionUpdate", None),
            RuntimeManagement::Manual(arn) => ("Manual", Some(arn.clone())),
        };
        Self {
            update_runtime_on,
            function_arn: version.to_string(),
            runtime_version_arn: arn,
        }
    }
}

impl ScalingState {
    /// Shows the state of a version.
    #[must_use]
    pub const fn new(state: &State) -> Self {
        let function_state = match state {
            State::Pending => "Pending",
            State::Active => "Active",
            State::Failed(_) => "Failed",
        };
        Self { function_state }
    }
}

impl FunctionScalingConfig {
    /// Shows what was asked for. What is applied is left out: no version of this cluster runs on a capacity provider, so that
    /// nothing is.
    #[must_use]
    pub fn new(version: &FunctionArn, requested: Option<Scaling>) -> Self {
        Self {
            function_arn: version.to_string(),
            requested_function_scaling_config: requested.map(|scaling| ScalingBounds {
                min_execution_environments: scaling.environments_min,
                max_execution_environments: scaling.environments_max,
            }),
        }
    }
}

impl Tags {
    /// Shows the tags of a resource.
    #[must_use]
    pub const fn new(tags: BTreeMap<String, String>) -> Self {
        Self { tags }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(shape: &impl Serialize, expected: &Value) {
        assert_eq!(&serde_json::to_value(shape).unwrap(), expected);
    }

    fn arn(qualifier: &str) -> FunctionArn {
        format!("arn:aws:lambda:us-east-1:123456789012:function:f:{qualifier}")
            .parse()
            .unwrap()
    }

    #[test]
    fn what_is_not_set_is_left_out() {
        check(&FunctionConcurrency::new(None), &json!({}));
        check(
            &FunctionConcurrency::new(Some(0)),
            &json!({"ReservedConcurrentExecutions": 0}),
        );
        check(&Tags::new(BTreeMap::new()), &json!({"Tags": {}}));
        let bare = json!({"FunctionArn": arn("1").to_string()});
        check(&FunctionScalingConfig::new(&arn("1"), None), &bare);
        let scaling = Scaling {
            environments_min: Some(0),
            environments_max: None,
        };
        check(
            &FunctionScalingConfig::new(&arn("1"), Some(scaling)),
            &json!({
                "FunctionArn": arn("1").to_string(),
                "RequestedFunctionScalingConfig": {"MinExecutionEnvironments": 0},
            }),
        );
    }

    #[test]
    fn words() {
        check(
            &FunctionRecursionConfig::new(RecursiveLoop::default()),
            &json!({"RecursiveLoop": "Terminate"}),
        );
        check(
            &ScalingState::new(&State::Active),
            &json!({"FunctionState": "Active"}),
        );
        let latest = arn("$LATEST");
        check(
            &RuntimeManagementConfig::new(&latest, &RuntimeManagement::Auto),
            &json!({"UpdateRuntimeOn": "Auto", "FunctionArn": latest.to_string()}),
        );
        check(
            &RuntimeManagementConfig::new(&latest, &RuntimeManagement::Manual("r".to_owned())),
            &json!({"UpdateRuntimeOn": "Manual", "FunctionArn": latest.to_string(), "RuntimeVersionArn": "r"}),
        );
    }
}
