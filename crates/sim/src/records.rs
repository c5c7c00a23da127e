//! The kinds of records that clients of a run churn, beside functions, versions and aliases: how each is asked for, and where
//! its answers show the value.

pub(crate) mod identity;
pub(crate) mod lambda;

use crate::history::registers::Act;

/// What of [`Act`] a kind of record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Put,
    Update,
    Delete,
    Remove,
    Read,
}

impl Verb {
    /// The call with a value, if it takes one.
    pub(crate) fn with(self, value: u64) -> Act {
        match self {
            Self::Create => Act::Create(value),
            Self::Put => Act::Put(value),
            Self::Update => Act::Update(value),
            Self::Delete => Act::Delete,
            Self::Remove => Act::Remove,
            Self::Read => Act::Read,
        }
    }
}
