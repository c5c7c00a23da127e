//! What is stored under a key.

use std::{collections::BTreeMap, sync::Arc};

use model::{Alias, EventSourceMapping, FunctionId, function::FunctionVersion};

use crate::{Answer, Key};

/// One record of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// What all versions of a function share.
    Function {
        /// Which one.
        id: FunctionId,
        /// The number that the next published version gets.
        next_version: u64,
        /// Its tags.
        tags: BTreeMap<String, String>,
        /// The description that `$LATEST` had when the newest version was published; that version may have its own.
        published_description: String,
    },
    /// One version.
    Version(Arc<FunctionVersion>),
    /// One alias.
    Alias(Arc<Alias>),
    /// One event source mapping. Format 2.
    Mapping(Arc<EventSourceMapping>),
    /// The answer to a command.
    Answer(Box<Answer>),
}

impl Record {
    /// The key that this record stands under.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Function { id, .. } => Key::Function(id.clone()),
            Self::Version(v) => Key::Version(v.id.clone()),
            Self::Alias(a) => Key::Alias(a.function.clone(), a.name.clone()),
            Self::Mapping(m) => Key::Mapping(m.id.clone()),
            Self::Answer(a) => Key::Answer(a.key),
        }
    }
}

/// One record that an apply wrote or took away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The record as it is now.
    Put(Record),
    /// The record is gone.
    Gone(Key),
}
