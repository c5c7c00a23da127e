//! What is wrong with what a caller wrote.

use std::borrow::Cow;

use audit::clipped;
use model::iam::InvalidIam;
use policy::InvalidDocument;

/// Characters of a caller's text that an error repeats.
const SHOWN_MAX: usize = 80;

/// A request that says something which cannot be. The texts name the member of the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdentityError {
    /// A name, a path or an id.
    #[error("{member}: {problem}")]
    Text {
        /// Of which member.
        member: &'static str,
        /// What is wrong with it.
        problem: InvalidIam,
    },
    /// A name that is longer than those of its kind.
    #[error("{member}: expected at most {limit} characters, got {length}")]
    Long {
        /// Of which member.
        member: &'static str,
        /// The most that there may be.
        limit: usize,
        /// What came.
        length: usize,
    },
    /// A policy.
    #[error("{member}: {problem}")]
    Document {
        /// Of which member.
        member: &'static str,
        /// What the parser said.
        problem: InvalidDocument,
    },
    /// A value that is none of those that there are.
    #[error("{member}: expected {expected}, got {got:?}")]
    Value {
        /// Of which member.
        member: &'static str,
        /// What it may be.
        expected: Cow<'static, str>,
        /// What came.
        got: String,
    },
}

impl IdentityError {
    pub(super) fn value(
        member: &'static str,
        expected: impl Into<Cow<'static, str>>,
        got: &str,
    ) -> Self {
        Self::Value {
            member,
            expected: expected.into(),
            got: clipped(got, SHOWN_MAX),
        }
    }

    /// IAM's name of the error.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Document { .. } => "MalformedPolicyDocument",
            Self::Text { .. } | Self::Long { .. } | Self::Value { .. } => "ValidationError",
        }
    }
}
