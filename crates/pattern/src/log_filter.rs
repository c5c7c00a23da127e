//! Filter patterns of CloudWatch Logs: which lines of a log somebody wants to see.
//!
//! Page *Filter pattern syntax* of the CloudWatch Logs User Guide. Two of its kinds are here. Words: `ERROR timeout` are lines
//! with both, `"a phrase"` is one word with what stands in it, `?ERROR ?WARN` are lines with either, `-DEBUG` those without.
//! JSON: `{ $.level = "ERROR" && $.ms > 100 }`. What is not understood is refused, regular expressions and lists of columns
//! among it: a filter that is believed and does something else hides what somebody looks for.

mod json;
mod read;
#[cfg(test)]
mod tests;

use json::Condition;

/// The longest pattern, in bytes.
pub const LOG_FILTER_MAX: usize = 1024;

/// A filter pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct LogFilter(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Words(Words),
    Json(Condition),
}

/// What stands in a line, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Words {
    /// All of these.
    all: Vec<String>,
    /// One of these, if there are any.
    any: Vec<String>,
    /// None of these.
    none: Vec<String>,
}

/// A text that is no filter pattern, or one of a kind that is not known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at character {at} of the filter pattern")]
pub struct InvalidLogFilter {
    /// What should stand there.
    pub expected: &'static str,
    /// Where, counted in characters from 1.
    pub at: usize,
}

impl LogFilter {
    /// Reads a pattern; an empty one lets every line pass.
    ///
    /// # Errors
    /// [`InvalidLogFilter`] with the place of the first mistake.
    pub fn parse(text: &str) -> Result<Self, InvalidLogFilter> {
        read::filter(text)
    }

    /// Whether a line passes. One that is no JSON object passes no pattern about JSON.
    #[must_use]
    pub fn matches(&self, line: &str) -> bool {
        match &self.0 {
            Kind::Words(words) => words.matches(line),
            Kind::Json(condition) => {
                let line = line.trim();
                line.starts_with('{')
                    && serde_json::from_str(line).is_ok_and(|record| condition.holds(&record))
            }
        }
    }
}

impl Words {
    fn matches(&self, line: &str) -> bool {
        let has = |word: &String| line.contains(word.as_str());
        self.all.iter().all(has)
            && (self.any.is_empty() || self.any.iter().any(has))
            && !self.none.iter().any(has)
    }
}
