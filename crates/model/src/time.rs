//! Points in time and function timeouts.

use std::{str::FromStr, time::Duration};

/// Milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This long after.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// How long after `earlier`; zero if it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// `2026-01-02T03:04:05.123+0000`, as `FunctionConfiguration.LastModified` is printed.
    #[must_use]
    pub fn to_aws_string(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S%.3f+0000")
    }

    /// `2026-01-02T03:04:05.123Z`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S%.3fZ")
    }

    /// Formats in UTC by a `strftime` pattern.
    #[must_use]
    pub fn format(self, pattern: &str) -> String {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        jiff::Timestamp::from_millisecond(millis)
            .unwrap_or_default()
            .strftime(pattern)
            .to_string()
    }
}

/// A text that is no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a time such as 2026-01-02T03:04:05Z, got {0:?}")]
pub struct InvalidTimestamp(pub String);

/// Reads RFC 3339, with any offset.
impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let parsed = s.parse::<jiff::Timestamp>().ok();
        parsed
            .and_then(|time| u64::try_from(time.as_millisecond()).ok())
            .map(Self)
            .ok_or_else(|| InvalidTimestamp(s.chars().take(100).collect()))
    }
}

/// A function's timeout: 1–900 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimeoutSeconds(u16);

/// A timeout outside 1–900 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a timeout of 1 to 900 s, got {0}")]
pub struct InvalidTimeout(pub u64);

impl TimeoutSeconds {
    /// # Errors
    /// [`InvalidTimeout`] outside 1–900.
    pub fn new(seconds: u64) -> Result<Self, InvalidTimeout> {
        u16::try_from(seconds)
            .ok()
            .filter(|s| (1..=900).contains(s))
            .map(Self)
            .ok_or(InvalidTimeout(seconds))
    }

    /// The timeout in seconds.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The timeout as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

impl Default for TimeoutSeconds {
    fn default() -> Self {
        Self(3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_prints_milliseconds_and_a_numeric_zone() {
        assert_eq!(
            Timestamp(1_767_323_045_123).to_aws_string(),
            "2026-01-02T03:04:05.123+0000"
        );
        assert_eq!(
            Timestamp(1_767_323_045_000).to_rfc3339(),
            "2026-01-02T03:04:05.000Z"
        );
    }

    #[test]
    fn times_are_read_as_they_are_printed() {
        let time = Timestamp(1_767_323_045_123);
        assert_eq!(time.to_rfc3339().parse(), Ok(time));
        assert_eq!("2026-01-02T05:04:05.123+02:00".parse(), Ok(time));
        for text in ["", "2026-01-02", "1969-01-02T03:04:05Z", "yesterday"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
