//! How often an account may call the control API.
//!
//! AWS counts three kinds of calls apart, and so is it here: `GetFunction`, `GetPolicy`, and all others together. Those that read
//! logs are counted beside them, at the rate of the others. Invocations
//! and what durable executions report about themselves are not control calls. Each frontend counts what it is sent itself, so
//! that several let in as much each.
//!
//! A bucket holds the calls of one second and fills again as time passes. One that is full says nothing, and is forgotten.

use std::{collections::HashMap, num::NonZeroU32};

use lambda_api::Operation;
use model::{AccountId, Limits};
use parking_lot::Mutex;
use tokio::time::Instant;

/// How many buckets there are. When there are more, those that are full again are forgotten, and if none is, all: that many
/// accounts within one second are let in too often for once.
const KEPT: usize = 4096;

/// What every frontend counts.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<HashMap<(AccountId, Kind), Bucket>>);

/// An account calls more often than it may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected at most {rate} calls of {kind} a second of account {account}, got more")]
pub(crate) struct TooOften {
    account: AccountId,
    kind: &'static str,
    rate: NonZeroU32,
}

/// Calls that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    GetFunction,
    GetPolicy,
    Logs,
    Other,
}

/// What is left of one second's calls.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// In millionths of a call, so that a fraction of a second brings a fraction of a call.
    left: u64,
    at: Instant,
}

/// One call.
const CALL: u64 = 1_000_000;

impl Rates {
    /// Counts a call, if there may be one.
    ///
    /// # Errors
    /// [`TooOften`] if the account has none left.
    pub(crate) fn count(
        &self,
        limits: &Limits,
        account: AccountId,
        operation: Operation,
    ) -> Result<(), TooOften> {
        match Kind::of(operation) {
            Some(kind) => self.count_one(limits, account, kind),
            None => Ok(()),
        }
    }

    /// Counts a call that reads logs, if there may be one.
    ///
    /// # Errors
    /// As [`Rates::count`].
    pub(crate) fn count_logs(&self, limits: &Limits, account: AccountId) -> Result<(), TooOften> {
        self.count_one(limits, account, Kind::Logs)
    }

    fn count_one(&self, limits: &Limits, account: AccountId, kind: Kind) -> Result<(), TooOften> {
        let Some(rate) = kind.rate(limits) else {
            return Ok(());
        };
        let now = Instant::now();
        let mut buckets = self.0.lock();
        if buckets.len() >= KEPT {
            forget(&mut buckets, now);
        }
        let bucket = buckets.entry((account, kind)).or_insert(Bucket {
            left: full(rate),
            at: now,
        });
        if bucket.take(rate, now) {
            return Ok(());
        }
        Err(TooOften {
            account,
            kind: kind.name(),
            rate,
        })
    }
}

/// Every bucket is full again after a second.
fn forget(buckets: &mut HashMap<(AccountId, Kind), Bucket>, now: Instant) {
    buckets.retain(|_, bucket| now.saturating_duration_since(bucket.at).as_secs() < 1);
    if buckets.len() >= KEPT {
        buckets.clear();
    }
}

fn full(rate: NonZeroU32) -> u64 {
    u64::from(rate.get()) * CALL
}

impl Bucket {
    /// Takes a call out, if there is one.
    fn take(&mut self, rate: NonZeroU32, now: Instant) -> bool {
        // As many millionths come back in a microsecond as calls in a second.
        let passed = now.saturating_duration_since(self.at).as_micros();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        let back = passed.saturating_mul(u64::from(rate.get()));
        self.left = self.left.saturating_add(back).min(full(rate));
        self.at = now;
        match self.left.checked_sub(CALL) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

impl Kind {
    const fn of(operation: Operation) -> Option<Self> {
        match operation {
            Operation::GetFunction => Some(Self::GetFunction),
            Operation::GetPolicy => Some(Self::GetPolicy),
            Operation::Invoke
            | Operation::InvokeAsync
            | Operation::InvokeWithResponseStream
            | Operation::CheckpointDurableExecution
            | Operation::GetDurableExecutionState
            | Operation::SendDurableExecutionCallbackSuccess
            | Operation::SendDurableExecutionCallbackFailure
            | Operation::SendDurableExecutionCallbackHeartbeat => None,
            _ => Some(Self::Other),
        }
    }

    const fn rate(self, limits: &Limits) -> Option<NonZeroU32> {
        NonZeroU32::new(match self {
            Self::GetFunction => limits.get_function_rate,
            Self::GetPolicy => limits.get_policy_rate,
            Self::Logs | Self::Other => limits.control_rate,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::GetFunction => "GetFunction",
            Self::GetPolicy => "GetPolicy",
            Self::Logs => "CloudWatch Logs",
            Self::Other => "all other control operations",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits() -> Limits {
        Limits {
            control_rate: 15,
            get_function_rate: 100,
            ..Limits::default()
        }
    }

    fn account(number: u64) -> AccountId {
        format!("{number:012}").parse().unwrap()
    }

    /// How many calls in a row are let in.
    fn let_in(rates: &Rates, account: AccountId, operation: Operation) -> usize {
        let count = || rates.count(&limits(), account, operation);
        (0..1000).take_while(|_| count().is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_has_so_many_calls_and_they_come_back_evenly() {
        let (rates, one, other) = (Rates::default(), account(1), account(2));
        assert_eq!(let_in(&rates, one, Operation::ListFunctions), 15);
        assert_eq!(let_in(&rates, one, Operation::CreateFunction), 0);
        assert_eq!(let_in(&rates, one, Operation::GetFunction), 100);
        assert_eq!(let_in(&rates, other, Operation::CreateFunction), 15);
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!(let_in(&rates, one, Operation::ListFunctions), 3);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(let_in(&rates, one, Operation::ListFunctions), 15);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_rate_is_not_counted() {
        let rates = Rates::default();
        for operation in [
            Operation::GetPolicy,
            Operation::Invoke,
            Operation::InvokeWithResponseStream,
            Operation::CheckpointDurableExecution,
        ] {
            assert_eq!(let_in(&rates, account(1), operation), 1000, "{operation:?}");
        }
        assert!(rates.0.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_who_has_no_calls_left_is_not_forgotten_for_it() {
        let (rates, busy) = (Rates::default(), account(u64::MAX % 1_000_000_000_000));
        for number in 0..u64::try_from(KEPT).unwrap() - 1 {
            rates
                .count(&limits(), account(number), Operation::ListTags)
                .unwrap();
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(let_in(&rates, busy, Operation::ListTags), 15);
        // There is no room for another, but what is full again goes first.
        rates
            .count(&limits(), account(9_999), Operation::ListTags)
            .unwrap();
        assert_eq!(let_in(&rates, busy, Operation::ListTags), 0);
        assert_eq!(rates.0.lock().len(), 2);
        for number in 10_000..10_000 + 2 * u64::try_from(KEPT).unwrap() {
            rates
                .count(&limits(), account(number), Operation::ListTags)
                .unwrap();
            assert!(rates.0.lock().len() <= KEPT);
        }
    }

    #[test]
    fn the_error_says_what_was_expected() {
        let error = TooOften {
            account: account(1),
            kind: Kind::Other.name(),
            rate: NonZeroU32::new(15).unwrap(),
        };
        assert_eq!(
            error.to_string(),
            "expected at most 15 calls of all other control operations a second of account 000000000001, got more"
        );
    }
}
