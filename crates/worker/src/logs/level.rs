//! Levels of the records of a function.
//!
//! The runtimes of Python and Node.js leave out what is below `ApplicationLogLevel` themselves. What any program prints as a
//! record with a level and a time is held against it here, as Lambda does; a record without both counts as no record of a
//! logger's, and is kept.

use std::str::FromStr;

use model::{
    Timestamp,
    function::{LogFormat, Logging},
};
use serde::Deserialize;

/// How much a record matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

/// A text that is no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnknownLevel;

#[derive(Deserialize)]
struct Record<'r> {
    timestamp: std::borrow::Cow<'r, str>,
    level: std::borrow::Cow<'r, str>,
}

impl Level {
    /// The least level that a function's log keeps; `None` if it is not JSON.
    pub(crate) fn least_of(logging: &Logging) -> Option<Self> {
        let level = logging.application_level.as_deref().unwrap_or("INFO");
        match logging.format {
            LogFormat::Text => None,
            LogFormat::Json => level.parse().ok(),
        }
    }

    /// The least level of what the platform says in a log of JSON.
    pub(crate) fn system_of(logging: &Logging) -> Self {
        let level = logging.system_level.as_deref();
        level
            .and_then(|level| level.parse().ok())
            .unwrap_or(Self::Info)
    }

    /// Whether a line is a record below this level.
    pub(crate) fn is_above(self, line: Option<&[u8]>) -> bool {
        let Some(line) = line.filter(|line| line.starts_with(b"{")) else {
            return false;
        };
        serde_json::from_slice::<Record<'_>>(line).is_ok_and(|record| {
            let level = record.level.parse::<Self>();
            record.timestamp.parse::<Timestamp>().is_ok() && level.is_ok_and(|level| level < self)
        })
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Ok(match text.to_ascii_uppercase().as_str() {
            "TRACE" => Self::Trace,
            "DEBUG" => Self::Debug,
            "INFO" => Self::Info,
            "WARN" | "WARNING" => Self::Warn,
            "ERROR" => Self::Error,
            "FATAL" | "CRITICAL" => Self::Fatal,
            _ => return Err(UnknownLevel),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_records_with_a_level_and_a_time_are_below_one() {
        for (line, below) in [
            (
                r#"{"timestamp":"2026-01-02T03:04:05.1Z","level":"debug"}"#,
                true,
            ),
            (
                r#"{"timestamp":"2026-01-02T03:04:05Z","level":"INFO"}"#,
                false,
            ),
            (
                r#"{"timestamp":"2026-01-02T03:04:05Z","level":"LOUD"}"#,
                false,
            ),
            (r#"{"timestamp":"yesterday","level":"DEBUG"}"#, false),
            (r#"{"level":"DEBUG"}"#, false),
            (
                r#"{"time":"2026-01-02T03:04:05Z","type":"platform.start"}"#,
                false,
            ),
            ("DEBUG", false),
        ] {
            assert_eq!(Level::Info.is_above(Some(line.as_bytes())), below, "{line}");
        }
    }

    #[test]
    fn a_text_log_keeps_everything() {
        let mut logging = Logging::default();
        assert_eq!(Level::least_of(&logging), None);
        logging.format = LogFormat::Json;
        assert_eq!(Level::least_of(&logging), Some(Level::Info));
        logging.application_level = Some("TRACE".into());
        assert_eq!(Level::least_of(&logging), Some(Level::Trace));
    }
}
