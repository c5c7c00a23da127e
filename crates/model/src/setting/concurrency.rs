use crate::{Limits, Timestamp};

/// Environments that are to be kept ready for a version or an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// How many.
    pub executions: u32,
    /// When it was set.
    pub last_modified: Timestamp,
}

/// What an account may have running, and how much of that must stay for functions that keep nothing for themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConcurrencyBounds {
    /// Concurrent executions of the account.
    pub account: u32,
    /// Concurrent executions that no function may keep for itself.
    pub unreserved_min: u32,
}

impl From<&Limits> for ConcurrencyBounds {
    fn from(limits: &Limits) -> Self {
        Self {
            account: limits.concurrent_executions,
            unreserved_min: limits.unreserved_executions_min,
        }
    }
}
