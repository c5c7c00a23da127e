//! `GetAccountSettings`.

use model::Limits;
use serde::Serialize;

/// Limits and usage of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccountSettings {
    account_limit: AccountLimit,
    account_usage: AccountUsage,
}

/// What an account uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Stored code of every version, in bytes.
    pub code_bytes: u64,
    /// Functions.
    pub functions: u64,
    /// Concurrent executions that are reserved for functions.
    pub reserved_concurrency: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AccountLimit {
    total_code_size: u64,
    code_size_unzipped: u64,
    code_size_zipped: u64,
    concurrent_executions: u32,
    unreserved_concurrent_executions: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AccountUsage {
    total_code_size: u64,
    function_count: u64,
}

impl AccountSettings {
    /// Shows the limits of the cluster and the usage of an account.
    #[must_use]
    pub const fn new(limits: &Limits, usage: Usage) -> Self {
        Self {
            account_limit: AccountLimit {
                total_code_size: limits.code_storage.0,
                code_size_unzipped: limits.code_unzipped.0,
                code_size_zipped: limits.code_zipped.0,
                concurrent_executions: limits.concurrent_executions,
                unreserved_concurrent_executions: limits
                    .concurrent_executions
                    .saturating_sub(usage.reserved_concurrency),
            },
            account_usage: AccountUsage {
                total_code_size: usage.code_bytes,
                function_count: usage.functions,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_of_aws_and_usage() {
        let usage = Usage {
            code_bytes: 7,
            functions: 2,
            reserved_concurrency: 100,
        };
        assert_eq!(
            serde_json::to_value(AccountSettings::new(&Limits::default(), usage)).unwrap(),
            json!({
                "AccountLimit": {
                    "TotalCodeSize": 80_530_636_800_u64, "CodeSizeUnzipped": 262_144_000, "CodeSizeZipped": 52_428_800,
                    "ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900,
                },
                "AccountUsage": {"TotalCodeSize": 7, "FunctionCount": 2},
            })
        );
    }
}
