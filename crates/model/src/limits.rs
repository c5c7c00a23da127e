//! Limits, with AWS's values as the default profile.

use std::time::Duration;

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
