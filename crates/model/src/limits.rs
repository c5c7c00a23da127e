//! Limits, with AWS's values as the default profile.

use std::{collections::BTreeMap, time::Duration};

use crate::ByteCount;

/// Every limit that a cluster enforces on what callers send. The default is AWS's ("aws" profile).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Payload of a synchronous invocation.
    pub request_payload: ByteCount,
    /// Response of a synchronous invocation.
    pub response_payload: ByteCount,
    /// Response of an invocation that streams it.
    pub streamed_response: ByteCount,
    /// A deployment package as uploaded.
    pub code_zipped: ByteCount,
    /// A deployment package on disk.
    pub code_unzipped: ByteCount,
    /// The number of entries in a deployment package.
    pub code_entries: u64,
    /// The body of any control request, base64 included.
    pub control_body: ByteCount,
    /// Environment variables, measured as compact JSON.
    pub environment: ByteCount,
    /// Tags on one resource.
    pub tags: usize,
    /// Filters of one event source mapping.
    pub filters: usize,
    /// Aliases of one function.
    pub aliases: usize,
    /// Concurrent executions of one account.
    pub concurrent_executions: u32,
    /// Concurrent executions of one account that no function may reserve.
    pub unreserved_executions_min: u32,
    /// A resource-based policy.
    pub policy: ByteCount,
    /// Stored code of one account.
    pub code_storage: ByteCount,
    /// Tail of the log that comes back with an invocation.
    pub log_tail: ByteCount,
    /// How long an environment may take to initialise before the first invocation takes over.
    pub init_timeout: Duration,
}

impl Limits {
    /// Those that an account can have of its own, by their keys in the configuration: what an account has, and not what a
    /// request may be, because requests are read before it is known whose they are.
    pub const OF_ACCOUNTS: [&str; 3] = [
        "code_storage",
        "concurrent_executions",
        "unreserved_executions_min",
    ];

    /// The limits of an account that has some of its own. Other keys are of a newer build, and mean nothing here.
    #[must_use]
    pub fn of_account(&self, own: &BTreeMap<String, u64>) -> Self {
        let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let mut limits = self.clone();
        for (key, value) in own {
            match key.as_str() {
                "code_storage" => limits.code_storage = ByteCount(*value),
                "concurrent_executions" => limits.concurrent_executions = small(*value),
                "unreserved_executions_min" => limits.unreserved_executions_min = small(*value),
                _ => {}
            }
        }
        limits
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_payload: ByteCount(6_291_456),
            response_payload: ByteCount(6_291_556),
            streamed_response: ByteCount(209_715_200),
            code_zipped: ByteCount(52_428_800),
            code_unzipped: ByteCount(262_144_000),
            code_entries: 100_000,
            control_body: ByteCount(70_167_211),
            environment: ByteCount(4096),
            tags: 50,
            filters: 5,
            aliases: 10_000,
            concurrent_executions: 1000,
            unreserved_executions_min: 100,
            policy: ByteCount(20_480),
            code_storage: ByteCount(75 << 30),
            log_tail: ByteCount(4096),
            init_timeout: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_limits_of_its_own() {
        let cluster = Limits::default();
        assert_eq!(cluster.of_account(&BTreeMap::new()), cluster);
        for key in Limits::OF_ACCOUNTS {
            let own = [(key.to_owned(), 7)].into();
            assert_ne!(cluster.of_account(&own), cluster, "{key}");
        }
        let own = [("of_a_newer_build".to_owned(), 7)].into();
        assert_eq!(cluster.of_account(&own), cluster);
    }
}
