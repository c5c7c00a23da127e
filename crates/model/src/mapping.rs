//! Event source mappings: what feeds a function with records, and how.
//!
//! A mapping is its [`Source`], which never changes, and its [`Settings`], which do. What a kind of source takes, and what
//! fits together, is decided by [`Settings::changed`] alone: whoever creates or changes a mapping goes through it.

mod id;
mod refusal;
mod settings;
mod source;

use std::collections::BTreeMap;

pub use id::{MappingId, MappingUuid};
pub use refusal::{Member, Refusal};
pub use settings::{
    Access, AccessKind, ConsumptionMode, DocumentDb, FullDocument, LogLevel, Metric, Pollers,
    RecordFormat, SchemaRegistry, Setting, Settings, Until,
};
pub use source::{Kafka, Source, SourceKind, Start};

use crate::{FunctionArn, RevisionId, Timestamp};

/// Most bytes of text in one mapping, tags included: it must stay a small record.
pub const TEXT_BYTES_MAX: usize = 24 << 10;

/// An event source mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSourceMapping {
    /// Its identity.
    pub id: MappingId,
    /// What it invokes, with the qualifier that its owner gave. Whether that still exists is not promised: a function may be
    /// deleted, and its mappings stay until they are deleted themselves.
    pub function: FunctionArn,
    /// Where the records come from.
    pub source: Source,
    /// How they are read, cut into batches and retried.
    pub settings: Settings,
    /// Whether it should read: what it becomes when its present change is over.
    pub enabled: bool,
    /// Where it is on the way.
    pub state: MappingState,
    /// When it or its state changed last.
    pub last_modified: Timestamp,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Changes with every change; who ends a change names the one that it saw.
    pub revision: RevisionId,
}

/// Where a mapping is on its way to what its owner wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MappingState {
    /// It was created and does not read yet.
    Creating,
    /// It was told to read.
    Enabling,
    /// It reads.
    Enabled,
    /// It was told not to read any more.
    Disabling,
    /// It does not read.
    Disabled,
    /// Its settings were changed and are not in effect yet.
    Updating,
    /// It was deleted and is not gone yet.
    Deleting,
}

/// The mapping that is in the way of another one: it feeds the same function from the same source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Which one.
    pub uuid: MappingUuid,
    /// The kind of the source.
    pub kind: SourceKind,
    /// The source: an ARN, or hosts with commas between them.
    pub source: String,
    /// The topic; empty if the source has none.
    pub topic: String,
    /// The function.
    pub function: FunctionArn,
}

/// A change to a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MappingChange {
    /// Its owner changes it. `None` leaves a member as it is.
    Configure {
        /// What it invokes.
        function: Option<FunctionArn>,
        /// Whether it should read.
        enabled: Option<bool>,
        /// Settings.
        settings: Vec<Setting>,
        /// The consumer group that it is believed to have; another one is refused.
        consumer_group: Option<String>,
    },
    /// Tags are set and taken away. That is no transition: it may happen at any time, and shows at once.
    Tag {
        /// Tags to set.
        set: BTreeMap<String, String>,
        /// Names of tags to take away.
        unset: Vec<String>,
        /// Most tags that it may have afterwards.
        at_most: usize,
    },
}

impl EventSourceMapping {
    /// The consumer group of a Kafka source: what its owner chose, else the mapping's own id.
    #[must_use]
    pub fn consumer_group(&self) -> Option<String> {
        let kafka = self.source.kafka()?;
        let chosen = kafka.consumer_group.clone();
        Some(chosen.unwrap_or_else(|| self.id.uuid.to_string()))
    }

    /// Whether both feed the same function from the same source.
    #[must_use]
    pub fn is_duplicate_of(&self, other: &Self) -> bool {
        let collection = |m: &Self| m.settings.document_db.clone();
        self.function == other.function
            && self.source.overlaps(&other.source)
            && collection(self) == collection(other)
    }

    /// How a duplicate of it is told about it.
    #[must_use]
    pub fn as_duplicate(&self) -> Duplicate {
        let topic = self.source.kafka().map(|kafka| kafka.topic.clone());
        Duplicate {
            uuid: self.id.uuid,
            kind: self.source.kind(),
            source: self.source.name(),
            topic: topic.unwrap_or_default(),
            function: self.function.clone(),
        }
    }

    /// Looks whether it is small enough to be kept.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] if it is not.
    pub fn check_size(&self) -> Result<(), Refusal> {
        let tags = self
            .tags
            .iter()
            .map(|(name, value)| name.len() + value.len());
        let bytes = tags.sum::<usize>() + self.source.text_bytes() + self.settings.text_bytes();
        if bytes > TEXT_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        Ok(())
    }
}

impl MappingState {
    const NAMES: [(Self, &'static str); 7] = [
        (Self::Creating, "Creating"),
        (Self::Enabling, "Enabling"),
        (Self::Enabled, "Enabled"),
        (Self::Disabling, "Disabling"),
        (Self::Disabled, "Disabled"),
        (Self::Updating, "Updating"),
        (Self::Deleting, "Deleting"),
    ];

    /// The state as AWS names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        crate::mapping::named(&Self::NAMES, self)
    }

    /// Whether no change is under way.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Enabled | Self::Disabled)
    }

    /// The state without a change under way.
    #[must_use]
    pub const fn settled(enabled: bool) -> Self {
        if enabled {
            Self::Enabled
        } else {
            Self::Disabled
        }
    }
}

/// A text that is not one of AWS's words for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected one of the words of the API, got {0:?}")]
pub struct UnknownWord(pub String);

/// The name of a value in a table of all values.
fn named<T: PartialEq + Copy>(names: &[(T, &'static str)], value: T) -> &'static str {
    names
        .iter()
        .find(|(v, _)| *v == value)
        .map_or("", |(_, name)| name)
}

/// The value of a name in a table of all values.
fn value<T: Copy>(names: &[(T, &'static str)], name: &str) -> Result<T, UnknownWord> {
    names
        .iter()
        .find(|(_, n)| *n == name)
        .map(|(v, _)| *v)
        .ok_or_else(|| UnknownWord(name.chars().take(100).collect()))
}

/// Gives a type the words of its table `NAMES`.
macro_rules! words {
    ($($name:ty),*) => {$(
        impl std::str::FromStr for $name {
            type Err = $crate::mapping::UnknownWord;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                $crate::mapping::value(&Self::NAMES, s)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}
use words;

words!(MappingState);

#[cfg(test)]
mod tests;
