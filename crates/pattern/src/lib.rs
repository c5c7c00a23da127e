//! Patterns: what the filter of an event source mapping may say, in EventBridge's language, and which lines of a log somebody
//! wants to see, in that of CloudWatch Logs ([`LogFilter`]).
//!
//! A pattern is a JSON object that has the shape of the records it lets pass. Its leaves are lists of [`Matcher`]s, of which
//! one must hold; the members of an object must all hold; `$or` holds if one of its patterns does. [`Pattern::parse`] is the
//! only way to one, so that a pattern that exists is well formed.
//!
//! It is *not* the evaluation: whoever reads records from a source asks the parsed pattern, and nothing here knows a record.
//!
//! Invariants: no object and no list of a pattern is empty; a range has its lower bound below its upper one; a pattern stands
//! for at most [`COMBINATIONS_MAX`] combinations of alternatives.

mod error;
mod log_filter;
mod matcher;
mod read;

use std::collections::BTreeMap;

pub use error::{PatternError, Reason};
pub use log_filter::{InvalidLogFilter, LOG_FILTER_MAX, LogFilter};
pub use matcher::{Bound, Except, Matcher, Range, Scalar, Text};

/// How many combinations of alternatives a pattern may stand for: `$or`s beside and beneath each other multiply.
pub const COMBINATIONS_MAX: usize = 1000;

/// A well-formed pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// What each member of the record must be. All must hold.
    pub members: BTreeMap<String, Branch>,
    /// Patterns of which one must hold besides; empty without a `$or`.
    pub alternatives: Vec<Self>,
}

/// What one member of a record must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Branch {
    /// An object.
    Object(Pattern),
    /// A value that one of these accepts.
    Any(Vec<Matcher>),
}

impl Pattern {
    /// Parses the text of a pattern.
    ///
    /// # Errors
    /// [`PatternError`] for what is no pattern, with the place of the first mistake.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        read::pattern(text)
    }

    /// How many combinations of alternatives it stands for; the largest number if it cannot be counted.
    pub(crate) fn combinations(&self) -> usize {
        let nested = self.members.values().map(|branch| match branch {
            Branch::Object(pattern) => pattern.combinations(),
            Branch::Any(_) => 1,
        });
        let own = nested.fold(1, usize::saturating_mul);
        let alternatives = self.alternatives.iter().map(Self::combinations);
        own.saturating_mul(alternatives.fold(0, usize::saturating_add).max(1))
    }
}

#[cfg(test)]
mod tests;
