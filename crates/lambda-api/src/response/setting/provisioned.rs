use model::{FunctionArn, setting::Provisioned};
use serde::Serialize;

/// Environments that are kept ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProvisionedConcurrencyConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    function_arn: Option<String>,
    requested_provisioned_concurrent_executions: u32,
    allocated_provisioned_concurrent_executions: u32,
    available_provisioned_concurrent_executions: u32,
    status: &'static str,
    last_modified: String,
}

impl ProvisionedConcurrencyConfig {
    /// Shows what was asked for. No environment is kept ready by now, so that it stays in progress.
    #[must_use]
    pub fn new(provisioned: &Provisioned) -> Self {
        Self {
            function_arn: None,
            requested_provisioned_concurrent_executions: provisioned.executions,
            allocated_provisioned_concurrent_executions: 0,
            available_provisioned_concurrent_executions: 0,
            status: "IN_PROGRESS",
            last_modified: provisioned.last_modified.to_aws_string(),
        }
    }

    /// The same as an item of a list, which says what it belongs to.
    #[must_use]
    pub fn of(self, resource: &FunctionArn) -> Self {
        Self {
            function_arn: Some(resource.to_string()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_ready() {
        let provisioned = Provisioned {
            executions: 5,
            last_modified: Timestamp(1_767_323_045_123),
        };
        let shape = ProvisionedConcurrencyConfig::new(&provisioned);
        let mut expected = json!({
            "RequestedProvisionedConcurrentExecutions": 5,
            "AllocatedProvisionedConcurrentExecutions": 0,
            "AvailableProvisionedConcurrentExecutions": 0,
            "Status": "IN_PROGRESS",
            "LastModified": "2026-01-02T03:04:05.123+0000",
        });
        assert_eq!(serde_json::to_value(shape.clone()).unwrap(), expected);
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f:live";
        expected["FunctionArn"] = arn.into();
        let item = shape.of(&arn.parse().unwrap());
        assert_eq!(serde_json::to_value(item).unwrap(), expected);
    }
}
