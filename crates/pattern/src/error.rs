//! What is wrong with a text that is no pattern.

use crate::COMBINATIONS_MAX;

/// A text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at '{path}'")]
pub struct PatternError {
    /// Where, as names joined by points; empty for the whole.
    pub path: String,
    /// What.
    #[source]
    pub reason: Reason,
}

/// What is wrong at one place of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The text is not JSON.
    #[error("not JSON")]
    NotJson,
    /// The pattern, or an alternative of it, is not an object.
    #[error("expected an object")]
    NotAnObject,
    /// A member of an object is neither an object nor a list.
    #[error("expected an object or a list")]
    NotABranch,
    /// An object that demands nothing.
    #[error("an empty object")]
    EmptyObject,
    /// A list that nothing can satisfy.
    #[error("an empty list")]
    EmptyList,
    /// A list inside a list of values.
    #[error("a list inside a list")]
    NestedList,
    /// An object inside a list that has not exactly one operator.
    #[error("expected one operator")]
    NotOneOperator,
    /// An operator that does not exist.
    #[error("an operator that is not known")]
    UnknownOperator,
    /// An operator on what it does not take.
    #[error("a value that the operator does not take")]
    BadOperand,
    /// A numeric comparison that is none, or a range without any number in it.
    #[error("not a comparison of numbers")]
    BadComparison,
    /// Alternatives that are not a list of patterns.
    #[error("expected a list of patterns")]
    BadAlternatives,
    /// Alternatives that multiply to too many.
    #[error("more than {COMBINATIONS_MAX} combinations of alternatives")]
    TooManyCombinations,
}
