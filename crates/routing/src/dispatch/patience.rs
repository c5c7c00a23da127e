//! Whether to look for a worker again, or to give up and say why. Pure: time comes in.
//!
//! Two clocks run, and what the workers said decides which one counts. Full workers answer in microseconds and will be
//! full for a while: the caller learns of the overload at once. Missing or broken workers are what gossip is about to
//! repair: that is worth seconds.
//!
//! An attempt whose outcome is unknown may have run. Another worker is tried once more, as a client would; after a second
//! one of that kind the search ends, so that an invocation runs twice at most.

use std::time::Duration;

use model::function::Config;
use proto::internal::refused::Reason;
use tokio::time::Instant;

use super::{AttemptError, DispatchError};
use crate::RouterOptions;

const WAIT_MIN: Duration = Duration::from_millis(8);
const WAIT_MAX: Duration = Duration::from_millis(250);
/// Attempts for one invocation over all rounds.
const ATTEMPTS_MAX: u32 = 24;
/// Attempts for one invocation of which nobody knows whether the function ran.
const UNKNOWN_MAX: u32 = 2;

/// How the search for a worker goes so far.
#[derive(Debug)]
pub(super) struct Patience {
    capacity_until: Instant,
    worker_until: Instant,
    wait: Duration,
    attempts: u32,
    unknown: u32,
    /// Whether a worker of this round was full.
    full: bool,
    /// What the last attempt of any round came to.
    last: Option<AttemptError>,
}

/// What to do after a round that gave nothing.
#[derive(Debug)]
pub(super) enum Next {
    LookAgain(Duration),
    GiveUp(Reasoned),
}

/// Why the search ended.
#[derive(Debug)]
pub(super) enum Reasoned {
    Full,
    Nobody,
    Last(AttemptError),
    /// An attempt may have run the function, and nothing better came after it.
    Unknown(AttemptError),
}

impl Patience {
    pub(super) fn new(options: &RouterOptions, now: Instant) -> Self {
        Self {
            capacity_until: now + options.capacity_wait,
            worker_until: now + options.worker_wait,
            wait: WAIT_MIN,
            attempts: 0,
            unknown: 0,
            full: false,
            last: None,
        }
    }

    pub(super) fn begin_round(&mut self) {
        self.full = false;
    }

    /// The number of the attempt that begins.
    pub(super) fn count_attempt(&mut self) -> u32 {
        self.attempts += 1;
        self.attempts
    }

    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(super) fn note(&mut self, error: AttemptError) {
        self.full |= matches!(
            error,
            AttemptError::Refused {
                reason: Reason::NoCapacity,
                ..
            }
        );
        self.unknown += u32::from(error.is_outcome_unknown());
        self.last = Some(error);
    }

    /// Whether a round must not go on to its next candidate.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.worker_until || self.is_used_up()
    }

    fn is_used_up(&self) -> bool {
        self.attempts >= ATTEMPTS_MAX || self.unknown >= UNKNOWN_MAX
    }

    pub(super) fn next(&mut self, now: Instant) -> Next {
        let until = if self.full {
            self.capacity_until
        } else {
            self.worker_until
        };
        if now < until && !self.is_used_up() {
            let wait = self.wait.min(until - now);
            self.wait = (self.wait * 2).min(WAIT_MAX);
            return Next::LookAgain(wait);
        }
        Next::GiveUp(match self.last.take() {
            Some(error) if self.unknown > 0 => Reasoned::Unknown(error),
            _ if self.full => Reasoned::Full,
            Some(error) => Reasoned::Last(error),
            None => Reasoned::Nobody,
        })
    }
}

impl Reasoned {
    pub(super) fn into_error(self, config: &Config, attempts: u32) -> DispatchError {
        match self {
            Self::Full => DispatchError::NoCapacity { attempts },
            Self::Nobody => DispatchError::NoWorker {
                runtime: config.runtime,
                architecture: config.architecture,
            },
            Self::Last(last) => DispatchError::Unavailable { attempts, last },
            Self::Unknown(last) => DispatchError::Unknown { attempts, last },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: Reason) -> AttemptError {
        AttemptError::Refused {
            reason,
            newer: None,
            detail: String::new(),
        }
    }

    /// How long the search goes on, in milliseconds, if every round gives this.
    fn search(answer: impl Fn() -> Option<AttemptError>) -> (u128, Reasoned) {
        let start = Instant::now();
        let mut now = start;
        let mut patience = Patience::new(&RouterOptions::default(), now);
        loop {
            patience.begin_round();
            if let Some(error) = answer() {
                patience.count_attempt();
                patience.note(error);
            }
            match patience.next(now) {
                Next::LookAgain(wait) => now += wait,
                Next::GiveUp(reason) => return ((now - start).as_millis(), reason),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_told_at_once() {
        let (millis, reason) = search(|| Some(refused(Reason::NoCapacity)));
        assert_eq!(millis, 35);
        assert!(matches!(reason, Reasoned::Full));
    }

    #[tokio::test(start_paused = true)]
    async fn missing_workers_are_waited_for() {
        let (millis, reason) = search(|| None);
        assert_eq!(millis, 3000);
        assert!(matches!(reason, Reasoned::Nobody));
        let (millis, reason) = search(|| Some(refused(Reason::UnknownVersion)));
        assert_eq!(millis, 3000);
        assert!(matches!(reason, Reasoned::Last(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_run_is_tried_once_more() {
        let (millis, reason) = search(|| Some(AttemptError::Closed));
        assert_eq!(millis, 8);
        assert!(matches!(reason, Reasoned::Unknown(AttemptError::Closed)));
    }

    #[tokio::test(start_paused = true)]
    async fn full_workers_do_not_hide_that_it_may_have_run() {
        let now = Instant::now();
        let mut patience = Patience::new(&RouterOptions::default(), now);
        patience.note(AttemptError::Closed);
        patience.begin_round();
        patience.note(refused(Reason::NoCapacity));
        assert!(!patience.is_over(now), "another may take it");
        let later = now + Duration::from_secs(1);
        assert!(matches!(
            patience.next(later),
            Next::GiveUp(Reasoned::Unknown(_))
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_are_bounded() {
        let mut patience = Patience::new(&RouterOptions::default(), Instant::now());
        while patience.count_attempt() < ATTEMPTS_MAX {}
        patience.note(refused(Reason::Draining));
        assert!(patience.is_over(Instant::now()));
        assert!(matches!(patience.next(Instant::now()), Next::GiveUp(_)));
    }
}
