//! What is stored under a key.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    Alias, CapacityProvider, CodeSigningConfig, CodeSigningName, DataKey, EventSourceMapping,
    FunctionId, LayerId, LayerVersion, Qualifier, Setting, function::FunctionVersion, iam,
};

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
        /// The code-signing configuration that holds for it, of its own account and region. Format 2.
        code_signing: Option<CodeSigningName>,
    },
    /// One version.
    Version(Arc<FunctionVersion>),
    /// One alias.
    Alias(Arc<Alias>),
    /// What is set for a function beside its configuration. Format 2.
    Setting {
        /// The function.
        function: FunctionId,
        /// The version or alias; `None` is the function itself.
        place: Option<Qualifier>,
        /// What is set.
        setting: Arc<Setting>,
    },
    /// A data key of an account, wrapped.
    DataKey(Arc<DataKey>),
    /// One event source mapping. Format 2.
    Mapping(Arc<EventSourceMapping>),
    /// What all versions of a layer share. Format 2.
    Layer {
        /// Which one.
        id: LayerId,
        /// The number that the next version gets: never one that there was already.
        next_version: u64,
    },
    /// One version of a layer. Format 2.
    LayerVersion(Arc<LayerVersion>),
    /// One code-signing configuration. Format 2.
    CodeSigning(Arc<CodeSigningConfig>),
    /// One capacity provider. Format 2.
    Capacity(Arc<CapacityProvider>),
    /// An account, a user, a role, a policy or an access key. Format 2.
    Iam(iam::Shared),
    /// The answer to a command.
    Answer(Box<Answer>),
    /// The format that the cluster writes. There is none before the first upgrade that was finished: format 1.
    Format(u32),
}

impl Record {
    /// The key that this record stands under.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Function { id, .. } => Key::Function(id.clone()),
            Self::Version(v) => Key::Version(v.id.clone()),
            Self::Alias(a) => Key::Alias(a.function.clone(), a.name.clone()),
            Self::Setting {
                function,
                place,
                setting,
            } => Key::Setting(function.clone(), setting.kind(), place.clone()),
            Self::DataKey(k) => Key::DataKey(k.account, k.generation),
            Self::Mapping(m) => Key::Mapping(m.id.clone()),
            Self::Layer { id, .. } => Key::Layer(id.clone()),
            Self::LayerVersion(v) => Key::LayerVersion(v.id.clone()),
            Self::CodeSigning(c) => Key::CodeSigning(c.id.clone()),
            Self::Capacity(c) => Key::Capacity(c.id.clone()),
            Self::Iam(e) => Key::Iam(e.id()),
            Self::Answer(a) => Key::Answer(a.key),
            Self::Format(_) => Key::Format,
        }
    }

    /// The smallest format that can express it: what it is written with. A member that is newer than its record counts as
    /// soon as it is set.
    #[must_use]
    pub fn format(&self) -> u32 {
        match self {
            Self::Version(version) => version.format(),
            Self::Function {
                code_signing: Some(_),
                ..
            } => 2,
            Self::Function { .. } => 1,
            Self::Alias(alias) => alias.format(),
            Self::Answer(a) => match &a.result {
                Ok(changed) => changed.format(),
                Err(rejection) => rejection.format(),
            },
            // Whoever reads less than what the cluster writes must not take it for a catalog of its own.
            Self::Format(format) => (*format).max(2),
            Self::Setting { .. }
            | Self::DataKey(_)
            | Self::Mapping(_)
            | Self::Layer { .. }
            | Self::LayerVersion(_)
            | Self::CodeSigning(_)
            | Self::Capacity(_)
            | Self::Iam(_) => 2,
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
