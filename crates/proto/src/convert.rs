//! Between messages and `model` types. Into a message it always works; out of one it may fail, with the path of the field.

mod alias;
mod capacity;
mod code_signing;
mod config;
mod data_key;
mod iam;
mod ids;
mod layer;
mod mapping;
mod mutation;
mod object;
mod optional;
mod outcome;
mod session;
mod setting;
mod version;

use crate::FORMATS;

/// A message that means nothing to this build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// A member that must be there is not.
    #[error("expected a value in {0}, got none")]
    Missing(&'static str),
    /// A member holds what its type does not allow.
    #[error("{field}: {why}")]
    Field {
        /// Which member.
        field: &'static str,
        /// What was expected and what came.
        why: String,
    },
    /// A newer build wrote this.
    #[error("expected a format from {oldest} to {newest}, got {0}; finish the upgrade of this node", oldest = FORMATS.oldest, newest = FORMATS.newest)]
    Format(u32),
}

impl InvalidMessage {
    pub(crate) fn field(field: &'static str) -> impl FnOnce(&dyn std::fmt::Display) -> Self {
        move |why| Self::Field {
            field,
            why: why.to_string(),
        }
    }
}

/// Parses a member that is text on the wire.
fn text<T>(field: &'static str, s: &str) -> Result<T, InvalidMessage>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    s.parse()
        .map_err(|e: T::Err| InvalidMessage::field(field)(&e))
}

fn present<T>(field: &'static str, value: Option<T>) -> Result<T, InvalidMessage> {
    value.ok_or(InvalidMessage::Missing(field))
}
