//! Why a document, a statement or a principal is refused.

use std::fmt::Display;

use model::{ErrorKind, Failure};

/// How much of an unexpected text is shown.
const SHOWN_MAX: usize = 80;

/// A text that is no policy document of its kind. Paths begin with `$`, the document itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDocument {
    /// Too long to be read at all.
    #[error("expected a policy of at most {limit} bytes, got {size}")]
    TooLarge {
        /// The most that is allowed.
        limit: usize,
        /// What came.
        size: usize,
    },
    /// Not JSON, or nested deeper than any policy.
    #[error("expected JSON, at line {line}, column {column}: {reason}")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What the parser said.
        reason: String,
    },
    /// Something else than what belongs there.
    #[error("at ${at}: expected {expected}, got {got}")]
    Unexpected {
        /// The path below the document: `.Statement[0].Action`.
        at: String,
        /// What belongs there.
        expected: &'static str,
        /// What was there.
        got: String,
    },
    /// A member that stands twice in one object.
    #[error("at ${at}: expected every member once, got {member:?} again")]
    DuplicateMember {
        /// The path of the object.
        at: String,
        /// The member.
        member: String,
    },
    /// Two statements with one id.
    #[error(transparent)]
    DuplicateSid(#[from] DuplicateSid),
}

/// A statement id that the document has already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the document has a statement {0:?} already")]
pub struct DuplicateSid(pub String);

/// A text that names no principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got {got:?}")]
pub struct InvalidPrincipal {
    /// What would have been one.
    pub expected: &'static str,
    /// What came.
    pub got: String,
}

/// A permission of which no statement can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPermission {
    /// The principal is no service, account or ARN of one.
    #[error("the principal of the permission is invalid")]
    Principal(#[source] InvalidPrincipal),
    /// Another part of it cannot stand in a statement.
    #[error("the permission makes no valid statement")]
    Statement(#[source] InvalidDocument),
}

impl InvalidDocument {
    pub(crate) fn unexpected(expected: &'static str, got: impl Into<String>) -> Self {
        Self::Unexpected {
            at: String::new(),
            expected,
            got: got.into(),
        }
    }

    /// What stands there is the text `got`.
    pub(crate) fn text(expected: &'static str, got: &str) -> Self {
        Self::unexpected(expected, format!("{:?}", shortened(got)))
    }

    /// The same error, seen from one level higher: `step` leads down to where it happened.
    pub(crate) fn below(mut self, step: impl Display) -> Self {
        match &mut self {
            Self::Unexpected { at, .. } | Self::DuplicateMember { at, .. } => {
                *at = format!("{step}{at}");
            }
            Self::TooLarge { .. } | Self::NotJson { .. } | Self::DuplicateSid(_) => {}
        }
        self
    }
}

impl InvalidPrincipal {
    pub(crate) fn new(expected: &'static str, got: &str) -> Self {
        Self {
            expected,
            got: shortened(got),
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

impl Failure for InvalidDocument {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl Failure for InvalidPrincipal {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl Failure for InvalidPermission {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl Failure for DuplicateSid {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Conflict
    }
}
