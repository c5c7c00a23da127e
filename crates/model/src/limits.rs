//! Limits, with AWS's values as the default profile.

use std::{collections::BTreeMap, time::Duration};

use crate::ByteCount;

/// Every limit that a cluster enforces on what callers send. The default is AWS's ("aws" profile), but for the rates of calls:
/// what they protect on AWS is shared with strangers.
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
    /// Control calls of one account in a second at one frontend, but for those of the two that follow; 0 for any number.
    pub control_rate: u32,
    /// Calls of `GetFunction` of one account in a second at one frontend; 0 for any number.
    pub get_function_rate: u32,
    /// Calls of `GetPolicy` of one account in a second at one frontend; 0 for any number.
    pub get_policy_rate: u32,
    /// Tail of the log that comes back with an invocation.
    pub log_tail: ByteCount,
    /// How long an environment may take to initialise before the first invocation takes over.
    pub init_timeout: Duration,
}

/// The longest policy: with what belongs to it, it is one record of the catalog, and a record has 32 KiB.
pub const POLICY_MAX: ByteCount = ByteCount(24 << 10);

/// A limit that an account can have of its own, in place of the cluster's.
#[derive(Debug)]
pub struct AccountLimit {
    /// Its key in the section `[limits]` of the configuration.
    pub key: &'static str,
    /// How much an account can have.
    pub most: Most,
    of: fn(&mut Limits) -> Slot<'_>,
}

/// How much of something an account can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Most {
    /// What its operator says.
    Any,
    /// What the operator says, up to this.
    At(u64),
    /// As much as the cluster says, and no more: nodes read, keep and unpack what their configuration says, whosever it
    /// is.
    Cluster,
}

/// Where a limit stands, whatever it counts.
enum Slot<'a> {
    Bytes(&'a mut ByteCount),
    Count(&'a mut usize),
    Small(&'a mut u32),
    Wide(&'a mut u64),
}

impl AccountLimit {
    const fn new(key: &'static str, most: Most, of: fn(&mut Limits) -> Slot<'_>) -> Self {
        Self { key, most, of }
    }

    /// The most that an account can have, if this is more.
    #[must_use]
    pub const fn exceeded_by(&self, value: u64) -> Option<u64> {
        match self.most {
            Most::At(most) if value > most => Some(most),
            Most::At(_) | Most::Any | Most::Cluster => None,
        }
    }

    fn apply(&self, limits: &mut Limits, value: u64) {
        let slot = (self.of)(limits);
        let value = match self.most {
            Most::Any => value,
            Most::At(most) => value.min(most),
            Most::Cluster => value.min(slot.get()),
        };
        slot.set(value);
    }
}

impl Slot<'_> {
    fn get(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.0,
            Self::Count(count) => u64::try_from(**count).unwrap_or(u64::MAX),
            Self::Small(count) => u64::from(**count),
            Self::Wide(count) => **count,
        }
    }

    fn set(self, value: u64) {
        match self {
            Self::Bytes(bytes) => bytes.0 = value,
            Self::Count(count) => *count = usize::try_from(value).unwrap_or(usize::MAX),
            Self::Small(count) => *count = u32::try_from(value).unwrap_or(u32::MAX),
            Self::Wide(count) => *count = value,
        }
    }
}

impl Limits {
    /// Those that an account can have of its own: what AWS documents as quotas of an account or of a function. Whoever reads
    /// a limit once it is known whose request it is reads it through [`Limits::of_account`]. What workers hold to is not
    /// here: they are told which version to run, and not what its account may.
    pub const OF_ACCOUNTS: &'static [AccountLimit] = &[
        AccountLimit::new("aliases", Most::Any, |l| Slot::Count(&mut l.aliases)),
        AccountLimit::new("code_entries", Most::Cluster, |l| {
            Slot::Wide(&mut l.code_entries)
        }),
        AccountLimit::new("code_storage", Most::Any, |l| {
            Slot::Bytes(&mut l.code_storage)
        }),
        AccountLimit::new("code_unzipped", Most::Cluster, |l| {
            Slot::Bytes(&mut l.code_unzipped)
        }),
        AccountLimit::new("code_zipped", Most::Cluster, |l| {
            Slot::Bytes(&mut l.code_zipped)
        }),
        AccountLimit::new("concurrent_executions", Most::Any, |l| {
            Slot::Small(&mut l.concurrent_executions)
        }),
        AccountLimit::new("control_rate", Most::Any, |l| {
            Slot::Small(&mut l.control_rate)
        }),
        AccountLimit::new("environment", Most::Cluster, |l| {
            Slot::Bytes(&mut l.environment)
        }),
        AccountLimit::new("filters", Most::Any, |l| Slot::Count(&mut l.filters)),
        AccountLimit::new("get_function_rate", Most::Any, |l| {
            Slot::Small(&mut l.get_function_rate)
        }),
        AccountLimit::new("get_policy_rate", Most::Any, |l| {
            Slot::Small(&mut l.get_policy_rate)
        }),
        AccountLimit::new("policy", Most::At(POLICY_MAX.0), |l| {
            Slot::Bytes(&mut l.policy)
        }),
        AccountLimit::new("request_payload", Most::Cluster, |l| {
            Slot::Bytes(&mut l.request_payload)
        }),
        AccountLimit::new("streamed_response", Most::Any, |l| {
            Slot::Bytes(&mut l.streamed_response)
        }),
        AccountLimit::new("tags", Most::Cluster, |l| Slot::Count(&mut l.tags)),
        AccountLimit::new("unreserved_executions_min", Most::Any, |l| {
            Slot::Small(&mut l.unreserved_executions_min)
        }),
    ];

    /// The limit of this key, if an account can have one of its own.
    #[must_use]
    pub fn of_accounts(key: &str) -> Option<&'static AccountLimit> {
        Self::OF_ACCOUNTS.iter().find(|limit| limit.key == key)
    }

    /// The limits of an account that has some of its own. Other keys are of a newer build, and mean nothing here.
    #[must_use]
    pub fn of_account(&self, own: &BTreeMap<String, u64>) -> Self {
        let mut limits = self.clone();
        for (key, value) in own {
            if let Some(limit) = Self::of_accounts(key) {
                limit.apply(&mut limits, *value);
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
            control_rate: 0,
            get_function_rate: 0,
            get_policy_rate: 0,
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
        for limit in Limits::OF_ACCOUNTS {
            let own = [(limit.key.to_owned(), 7)].into();
            assert_ne!(cluster.of_account(&own), cluster, "{}", limit.key);
        }
        let own = [("of_a_newer_build".to_owned(), 7)].into();
        assert_eq!(cluster.of_account(&own), cluster);
    }

    #[test]
    fn an_account_has_as_much_as_nodes_can_take() {
        let cluster = Limits::default();
        let own = |key: &str, value| cluster.of_account(&[(key.to_owned(), value)].into());
        assert_eq!(own("filters", 10).filters, 10);
        assert_eq!(own("tags", 51).tags, 50);
        assert_eq!(own("policy", u64::MAX).policy, POLICY_MAX);
        assert_eq!(own("request_payload", u64::MAX), cluster);
        assert_eq!(
            own("concurrent_executions", u64::MAX).concurrent_executions,
            u32::MAX
        );
        let policy = Limits::of_accounts("policy").unwrap();
        assert_eq!(policy.exceeded_by(24 << 10), None);
        assert_eq!(policy.exceeded_by((24 << 10) + 1), Some(24 << 10));
        assert!(Limits::of_accounts("control_body").is_none());
    }
}
