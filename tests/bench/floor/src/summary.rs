//! What many measured times come to.

use std::time::Duration;

use serde::Serialize;

/// The figures of one measurement. Times are in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// How many were measured.
    pub(crate) count: usize,
    /// How many of them went wrong; their times count all the same.
    pub(crate) failures: u64,
    /// How long the whole took, in seconds.
    pub(crate) seconds: f64,
    /// How many there were in a second.
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    /// How many took less than each power of two of microseconds, and at least the one before: (bound, count).
    pub(crate) histogram: Vec<(u64, u64)>,
}

impl Summary {
    /// The figures of these times, taken within `whole`.
    pub(crate) fn of(mut times: Vec<Duration>, failures: u64, whole: Duration) -> Self {
        times.sort_unstable();
        Self {
            count: times.len(),
            failures,
            seconds: whole.as_secs_f64(),
            per_second: count(times.len()) / whole.as_secs_f64().max(f64::EPSILON),
            p50_us: percentile(&times, 50),
            p90_us: percentile(&times, 90),
            p99_us: percentile(&times, 99),
            max_us: percentile(&times, 100),
            histogram: histogram(&times),
        }
    }
}

/// The smallest time that at least this share of all times does not exceed; 0 if there is none.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted
        .get(rank)
        .map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

fn histogram(sorted: &[Duration]) -> Vec<(u64, u64)> {
    let mut buckets: Vec<(u64, u64)> = Vec::new();
    for time in sorted {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 4);
        let bound = (micros + 1).next_power_of_two();
        match buckets.last_mut() {
            Some((last, count)) if *last == bound => *count += 1,
            _ => buckets.push((bound, 1)),
        }
    }
    buckets
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(times: &[u64]) -> Vec<Duration> {
        times.iter().copied().map(Duration::from_micros).collect()
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let summary = Summary::of(micros(&[40, 10, 30, 20]), 1, Duration::from_secs(2));
        assert_eq!((summary.count, summary.failures), (4, 1));
        assert_eq!(
            (summary.p50_us, summary.p90_us, summary.max_us),
            (20.0, 40.0, 40.0)
        );
        assert_eq!(summary.per_second, 2.0);
        let hundred: Vec<u64> = (1..=100).collect();
        let summary = Summary::of(micros(&hundred), 0, Duration::from_secs(1));
        assert_eq!(
            (summary.p50_us, summary.p99_us, summary.max_us),
            (50.0, 99.0, 100.0)
        );
    }

    #[test]
    fn nothing_measured_is_all_zero() {
        let summary = Summary::of(Vec::new(), 0, Duration::from_secs(1));
        assert_eq!(
            (summary.count, summary.p50_us, summary.max_us),
            (0, 0.0, 0.0)
        );
        assert!(summary.histogram.is_empty());
    }

    #[test]
    fn the_histogram_counts_by_powers_of_two() {
        let summary = Summary::of(micros(&[0, 1, 2, 3, 4, 1000]), 0, Duration::from_secs(1));
        assert_eq!(
            summary.histogram,
            [(1, 1), (2, 1), (4, 2), (8, 1), (1024, 1)]
        );
    }
}
