//! Time of a run: milliseconds since it began.

use std::{fmt, time::Duration};

use host::{Clock, SystemClock};
use serde::Serialize;
use tokio::time::Instant;

/// Milliseconds since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

/// When a run began, by both clocks, so that no step of the wall clock moves what is measured later.
#[derive(Clone, Copy, Debug)]
pub struct Began {
    instant: Instant,
    wall_ms: u64,
}

impl Began {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self::at_wall_ms(SystemClock.wall().as_millis())
    }

    pub(crate) fn at_wall_ms(wall_ms: u64) -> Self {
        Self {
            instant: Instant::now(),
            wall_ms,
        }
    }

    /// The moment that is now.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment::after(self.instant.elapsed())
    }

    /// When that was, in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn wall_ms(&self) -> u64 {
        self.wall_ms
    }

    /// The moment of a wall time that another process measured. What was before the run is its begin.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "milliseconds of wall time fit 53 bits, and a cast from float saturates"
    )]
    pub(crate) fn of_wall_ms(&self, wall_ms: f64) -> Moment {
        Moment((wall_ms - self.wall_ms as f64).round() as u64)
    }
}

impl Moment {
    /// The moment so long after the begin.
    #[must_use]
    pub fn after(since: Duration) -> Self {
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// This much later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(Self::after(span).0))
    }

    /// How long after an earlier moment this is; nothing if it is before it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// `3:07.5`.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minutes, rest) = (self.0 / 60_000, self.0 % 60_000);
        write!(f, "{minutes}:{:02}.{}", rest / 1000, rest % 1000 / 100)
    }
}
