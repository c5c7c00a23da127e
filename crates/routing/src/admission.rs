//! Lets invocations in, or refuses them before they cost anything.
//!
//! Three bounds: what this frontend has in flight over all accounts, which keeps its memory bounded; what one account has
//! in flight here; and what one function has in flight here, if it has reserved concurrency. The limit of an account holds
//! for the whole cluster, but frontends do not ask each other on the way of an invocation: each enforces a share of it. The
//! shares add up to more than the limit, because callers are never spread evenly; the limit is soft by that much.
//!
//! A reservation is small, and a share of it would refuse what the function may have. Each frontend enforces the whole of
//! it: nobody exceeds it through one frontend, and a function with a reservation of 0 runs nowhere. That it is not exceeded
//! through several frontends, and that it is kept free for the function, is not promised here.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use model::{AccountId, ErrorKind, Failure, FunctionId};
use parking_lot::Mutex;

/// How much more than its even part of an account's limit one of several frontends admits, in percent.
const HEADROOM_PERCENT: u64 = 50;

/// Counts what is in flight. Clones share the count.
#[derive(Clone, Debug)]
pub struct Admission {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    in_flight_max: u32,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: u32,
    by_account: HashMap<AccountId, u32>,
    /// Of functions with a bound of their own only.
    by_function: HashMap<FunctionId, u32>,
}

/// One invocation's place. Dropping it gives the place back.
#[derive(Debug)]
#[must_use = "the place is given back when this is dropped"]
pub struct Permit {
    shared: Arc<Shared>,
    account: AccountId,
    /// The function, if it had a bound of its own.
    function: Option<FunctionId>,
}

/// The bound that a function has by its reserved concurrency.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// The function.
    pub function: &'a FunctionId,
    /// The most that may be in flight.
    pub executions: u32,
}

/// Nothing was done; a later attempt may be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Throttled {
    /// The account has as much in flight as this frontend admits for it.
    #[error("account {account} has {share} invocations in flight here, its share of {limit}")]
    Account {
        /// The account.
        account: AccountId,
        /// What this frontend admits.
        share: u32,
        /// What the cluster admits.
        limit: u32,
    },
    /// The function has as much in flight here as it has reserved.
    #[error("the function has {limit} invocations in flight, as many as are reserved for it")]
    Function {
        /// What it has reserved.
        limit: u32,
    },
    /// The frontend has as much in flight as it may.
    #[error("this frontend has {limit} invocations in flight, as many as it may")]
    Frontend {
        /// The bound.
        limit: u32,
    },
}

impl Failure for Throttled {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Throttled
    }
}

impl Admission {
    /// A frontend that may have this many invocations in flight.
    #[must_use]
    pub fn new(in_flight_max: u32) -> Self {
        let shared = Shared {
            in_flight_max,
            counts: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Takes a place for an invocation by `account`, which may have `limit` in flight over `frontends` frontends, of a function
    /// that may have a bound of its own.
    ///
    /// # Errors
    /// [`Throttled`] at once if there is none.
    pub fn admit(
        &self,
        account: AccountId,
        limit: u32,
        frontends: usize,
        bound: Option<Bound<'_>>,
    ) -> Result<Permit, Throttled> {
        let share = share(limit, frontends);
        let mut counts = self.shared.counts.lock();
        if let Some(Bound {
            function,
            executions,
        }) = bound
            && counts.by_function.get(function).copied().unwrap_or(0) >= executions
        {
            return Err(Throttled::Function { limit: executions });
        }
        if counts.total >= self.shared.in_flight_max {
            let limit = self.shared.in_flight_max;
            return Err(Throttled::Frontend { limit });
        }
        let own = counts.by_account.entry(account).or_default();
        if *own >= share {
            return Err(Throttled::Account {
                account,
                share,
                limit,
            });
        }
        *own += 1;
        counts.total += 1;
        let function = bound.map(|bound| bound.function.clone());
        if let Some(function) = function.clone() {
            *counts.by_function.entry(function).or_default() += 1;
        }
        Ok(Permit {
            shared: self.shared.clone(),
            account,
            function,
        })
    }

    /// Invocations in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.shared.counts.lock().total
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.shared.counts.lock();
        counts.total = counts.total.saturating_sub(1);
        give_back(counts.by_account.entry(self.account));
        if let Some(function) = self.function.take() {
            give_back(counts.by_function.entry(function));
        }
    }
}

/// Counts one less, and forgets who has none.
fn give_back<K>(entry: Entry<'_, K, u32>) {
    if let Entry::Occupied(mut own) = entry {
        *own.get_mut() = own.get().saturating_sub(1);
        if *own.get() == 0 {
            own.remove();
        }
    }
}

/// What one of `frontends` admits of a limit: all of it if it is alone, never more than all.
fn share(limit: u32, frontends: usize) -> u32 {
    let frontends = u64::try_from(frontends.max(1)).unwrap_or(u64::MAX);
    let whole = u64::from(limit);
    let part = (whole * (100 + HEADROOM_PERCENT)).div_ceil(frontends.saturating_mul(100));
    u32::try_from(part.min(whole)).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(digit: u8) -> AccountId {
        char::from(b'0' + digit)
            .to_string()
            .repeat(12)
            .parse()
            .unwrap()
    }

    #[test]
    fn an_account_gets_its_limit_and_no_more() {
        let admission = Admission::new(100);
        let held: Vec<_> = (0..3)
            .map(|_| admission.admit(account(1), 3, 1, None).unwrap())
            .collect();
        let refused = admission.admit(account(1), 3, 1, None).unwrap_err();
        assert_eq!(
            refused,
            Throttled::Account {
                account: account(1),
                share: 3,
                limit: 3
            }
        );
        assert!(refused.is_retryable());
        let _other = admission.admit(account(2), 3, 1, None).unwrap();
        drop(held);
        let _again = admission.admit(account(1), 3, 1, None).unwrap();
        assert_eq!(admission.in_flight(), 2);
    }

    #[test]
    fn the_frontend_is_bounded_over_all_accounts() {
        let admission = Admission::new(2);
        let first = admission.admit(account(1), 10, 1, None).unwrap();
        let _second = admission.admit(account(2), 10, 1, None).unwrap();
        assert_eq!(
            admission.admit(account(3), 10, 1, None).unwrap_err(),
            Throttled::Frontend { limit: 2 }
        );
        drop(first);
        assert!(admission.admit(account(3), 10, 1, None).is_ok());
    }

    #[test]
    fn accounts_that_left_are_not_remembered() {
        let admission = Admission::new(2);
        drop(admission.admit(account(1), 10, 1, None));
        assert!(admission.shared.counts.lock().by_account.is_empty());
    }

    #[test]
    fn a_function_gets_what_it_has_reserved_and_no_more() {
        let function = |name: &str| FunctionId {
            account: account(1),
            region: model::Region::default(),
            name: name.parse().unwrap(),
        };
        let (own, other) = (function("own"), function("other"));
        let admission = Admission::new(100);
        let admit = |function, executions| {
            let bound = Bound {
                function,
                executions,
            };
            admission.admit(account(1), 10, 3, Some(bound))
        };
        let held = [admit(&own, 2).unwrap(), admit(&own, 2).unwrap()];
        let refused = admit(&own, 2).unwrap_err();
        assert_eq!(refused, Throttled::Function { limit: 2 });
        assert!(refused.is_retryable());
        assert_eq!(
            admit(&other, 0).unwrap_err(),
            Throttled::Function { limit: 0 }
        );
        let _unbounded = admission.admit(account(1), 10, 3, None).unwrap();
        drop(held);
        assert!(admission.shared.counts.lock().by_function.is_empty());
        let _again = admit(&own, 1).unwrap();
    }

    #[test]
    fn shares_of_a_limit() {
        assert_eq!(share(1000, 0), 1000);
        assert_eq!(share(1000, 1), 1000);
        assert_eq!(share(1000, 3), 500);
        assert_eq!(share(1, 10), 1);
        assert_eq!(share(0, 3), 0);
        assert_eq!(share(u32::MAX, 1), u32::MAX);
    }
}
