//! Remembers workers that just failed, so that a dead one costs a few callers its detection and not all of them.
//!
//! A worker that failed is ranked behind every other for a while that doubles with each failure in a row. It is not
//! excluded: when nobody else is left, it is tried. One success clears it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::NodeName;
use tokio::time::Instant;

const ASIDE_MIN: Duration = Duration::from_secs(1);
const ASIDE_MAX: Duration = Duration::from_secs(8);
/// How long after its last failure a worker's failures still count as in a row.
const FORGIVEN_AFTER: Duration = Duration::from_secs(30);

/// The workers that failed lately. Time comes in with every call.
#[derive(Debug, Default)]
pub struct Aside {
    failed: BTreeMap<NodeName, Failed>,
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    until: Instant,
    at: Instant,
    wait: Duration,
}

impl Aside {
    /// The worker did not answer, or broke off before it took an invocation.
    pub fn failed(&mut self, worker: &NodeName, now: Instant) {
        self.failed
            .retain(|_, f| now.saturating_duration_since(f.at) < FORGIVEN_AFTER);
        let wait = match self.failed.get(worker) {
            // Calls that were under way together fail together: that is one failure.
            Some(f) if now < f.until => f.wait,
            Some(f) => (f.wait * 2).min(ASIDE_MAX),
            None => ASIDE_MIN,
        };
        let failed = Failed {
            until: now + wait,
            at: now,
            wait,
        };
        self.failed.insert(worker.clone(), failed);
    }

    /// The worker answered.
    pub fn succeeded(&mut self, worker: &NodeName) {
        if !self.failed.is_empty() {
            self.failed.remove(worker);
        }
    }

    /// Who is set aside now.
    #[must_use]
    pub fn now(&self, now: Instant) -> BTreeSet<NodeName> {
        let aside = self.failed.iter().filter(|(_, f)| now < f.until);
        aside.map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(s: &str) -> NodeName {
        s.parse().unwrap()
    }

    fn seconds_aside(aside: &Aside, worker: &NodeName, from: Instant) -> u64 {
        (0..60)
            .take_while(|s| aside.now(from + Duration::from_secs(*s)).contains(worker))
            .count() as u64
    }

    #[tokio::test(start_paused = true)]
    async fn each_failure_in_a_row_doubles_the_wait_up_to_a_limit() {
        let (mut aside, worker) = (Aside::default(), name("w1"));
        let mut now = Instant::now();
        for expected in [1, 2, 4, 8, 8] {
            aside.failed(&worker, now);
            assert_eq!(seconds_aside(&aside, &worker, now), expected);
            now += Duration::from_secs(expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_together_count_once() {
        let (mut aside, worker) = (Aside::default(), name("w1"));
        let now = Instant::now();
        for _ in 0..10 {
            aside.failed(&worker, now);
        }
        assert_eq!(seconds_aside(&aside, &worker, now), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_or_a_long_peace_clears_a_worker() {
        let (mut aside, worker) = (Aside::default(), name("w1"));
        let now = Instant::now();
        aside.failed(&worker, now);
        aside.succeeded(&worker);
        assert!(aside.now(now).is_empty());
        aside.failed(&worker, now);
        let later = now + FORGIVEN_AFTER;
        aside.failed(&worker, later);
        assert_eq!(seconds_aside(&aside, &worker, later), 1);
        aside.failed(&name("w2"), later + FORGIVEN_AFTER);
        assert_eq!(aside.failed.len(), 1);
    }
}
