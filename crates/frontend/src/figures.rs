//! What a frontend counts.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use http::StatusCode;

/// Upper bounds of the buckets of durations, in milliseconds; one more bucket holds what is above.
pub const DURATION_BOUNDS: [u64; 12] = [1, 2, 5, 10, 25, 50, 100, 250, 1000, 5000, 30_000, 300_000];

const BUCKETS: usize = DURATION_BOUNDS.len() + 1;

/// The figures of a frontend at one moment. Everything but `requests_in_flight` and `invocations_in_flight` only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrontendFigures {
    /// Requests answered, over both APIs.
    pub requests: u64,
    /// Of these, answered with a status from 400 to 499 other than 429.
    pub requests_refused: u64,
    /// Answered with 429.
    pub requests_throttled: u64,
    /// Answered with a status of 500 and above.
    pub requests_failed: u64,
    /// Requests being served.
    pub requests_in_flight: u64,
    /// Invocations that a runtime took.
    pub invocations: u64,
    /// Of these, in a new environment.
    pub cold_starts: u64,
    /// Ended with a function error.
    pub function_errors: u64,
    /// Lost on the way of their response.
    pub invocations_lost: u64,
    /// Invocations that were refused for want of concurrency or capacity.
    pub invocations_throttled: u64,
    /// Invocations in flight.
    pub invocations_in_flight: u64,
    /// Workers that were asked and did not take an invocation.
    pub attempts_failed: u64,
    /// Invocations by the time from acceptance of the request to the end of the response; see [`DURATION_BOUNDS`].
    pub invocation_durations: [u64; BUCKETS],
    /// The sum of these times, in microseconds.
    pub invocation_duration_sum_us: u64,
}

/// The counters.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    requests_refused: AtomicU64,
    requests_throttled: AtomicU64,
    requests_failed: AtomicU64,
    invocations: AtomicU64,
    cold_starts: AtomicU64,
    function_errors: AtomicU64,
    invocations_lost: AtomicU64,
    invocations_throttled: AtomicU64,
    attempts_failed: AtomicU64,
    durations: [AtomicU64; BUCKETS],
    duration_sum_us: AtomicU64,
}

impl Counters {
    pub(crate) fn answered(&self, status: StatusCode) {
        add(&self.requests, 1);
        match status.as_u16() {
            429 => add(&self.requests_throttled, 1),
            400..=499 => add(&self.requests_refused, 1),
            500.. => add(&self.requests_failed, 1),
            _ => {}
        }
    }

    pub(crate) fn throttled(&self) {
        add(&self.invocations_throttled, 1);
    }

    pub(crate) fn accepted(&self, accepted: &routing::Accepted) {
        add(&self.invocations, 1);
        add(&self.cold_starts, u64::from(accepted.cold));
        add(
            &self.attempts_failed,
            u64::from(accepted.attempts.saturating_sub(1)),
        );
    }

    pub(crate) fn not_accepted(&self, attempts: u32) {
        add(&self.attempts_failed, u64::from(attempts));
    }

    pub(crate) fn lost(&self) {
        add(&self.invocations_lost, 1);
    }

    pub(crate) fn finished(&self, function_error: bool, took: Duration) {
        add(&self.function_errors, u64::from(function_error));
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let bucket = DURATION_BOUNDS.partition_point(|bound| *bound < millis);
        if let Some(bucket) = self.durations.get(bucket) {
            add(bucket, 1);
        }
        add(
            &self.duration_sum_us,
            u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        );
    }

    pub(crate) fn figures(
        &self,
        requests_in_flight: usize,
        invocations_in_flight: u32,
    ) -> FrontendFigures {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut invocation_durations = [0; BUCKETS];
        for (figure, counter) in invocation_durations.iter_mut().zip(&self.durations) {
            *figure = get(counter);
        }
        FrontendFigures {
            requests: get(&self.requests),
            requests_refused: get(&self.requests_refused),
            requests_throttled: get(&self.requests_throttled),
            requests_failed: get(&self.requests_failed),
            requests_in_flight: u64::try_from(requests_in_flight).unwrap_or(u64::MAX),
            invocations: get(&self.invocations),
            cold_starts: get(&self.cold_starts),
            function_errors: get(&self.function_errors),
            invocations_lost: get(&self.invocations_lost),
            invocations_throttled: get(&self.invocations_throttled),
            invocations_in_flight: u64::from(invocations_in_flight),
            attempts_failed: get(&self.attempts_failed),
            invocation_durations,
            invocation_duration_sum_us: get(&self.duration_sum_us),
        }
    }
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_their_buckets() {
        let counters = Counters::default();
        for millis in [0, 1, 2, 3, 300_000, 300_001] {
            counters.finished(false, Duration::from_millis(millis));
        }
        let figures = counters.figures(0, 0);
        assert_eq!(figures.invocation_durations[..3], [2, 1, 1]);
        assert_eq!(figures.invocation_durations[11..], [1, 1]);
        assert_eq!(figures.invocation_duration_sum_us, 600_007_000);
    }

    #[test]
    fn statuses_are_told_apart() {
        let counters = Counters::default();
        for status in [200, 204, 404, 429, 500, 503] {
            counters.answered(StatusCode::from_u16(status).unwrap());
        }
        let f = counters.figures(0, 0);
        let by_kind = (
            f.requests,
            f.requests_refused,
            f.requests_throttled,
            f.requests_failed,
        );
        assert_eq!(by_kind, (6, 1, 1, 2));
    }
}
