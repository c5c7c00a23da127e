//! What callers may ask the catalog to change, and what it answers.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    Alias, AliasName, Architecture, Digest, ErrorKind, Failure, FunctionId, RevisionId, Version,
    VersionId,
    alias::Canary,
    function::{Code, Config, ConfigPatch, FunctionVersion, Reason},
    mapping::{Duplicate, EventSourceMapping, MappingChange, MappingId, Refusal, Setting, Source},
};

/// A change to the catalog, as the edge parsed it. Times and generated ids are stamped by the leader, not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A new function.
    CreateFunction {
        /// Its identity.
        function: FunctionId,
        /// Its configuration.
        config: Box<Config>,
        /// Its code; the blob must be on a quorum of controllers before this is proposed.
        code: Code,
        /// Publish version 1 at once.
        publish: bool,
        /// Its tags.
        tags: BTreeMap<String, String>,
    },
    /// New code for `$LATEST`.
    UpdateFunctionCode {
        /// The function.
        function: FunctionId,
        /// The code; see [`Mutation::CreateFunction::code`].
        code: Code,
        /// Its instruction set, if it changes.
        architecture: Option<Architecture>,
        /// Publish the result.
        publish: bool,
        /// Only if `$LATEST` still has this revision.
        expected: Option<RevisionId>,
    },
    /// New configuration for `$LATEST`.
    UpdateFunctionConfiguration {
        /// The function.
        function: FunctionId,
        /// The changes.
        patch: Box<ConfigPatch>,
        /// Only if `$LATEST` still has this revision.
        expected: Option<RevisionId>,
    },
    /// The whole function, or one numbered version.
    DeleteFunction {
        /// The function.
        function: FunctionId,
        /// The version to delete; `None` deletes everything.
        version: Option<Version>,
    },
    /// A numbered copy of `$LATEST`.
    PublishVersion {
        /// The function.
        function: FunctionId,
        /// Only if `$LATEST` runs this code.
        code_sha256: Option<Digest>,
        /// A description of its own.
        description: Option<String>,
        /// Only if `$LATEST` still has this revision.
        expected: Option<RevisionId>,
    },
    /// A new alias.
    CreateAlias {
        /// The function.
        function: FunctionId,
        /// Its name.
        name: AliasName,
        /// Where it points.
        version: Version,
        /// A second version with a share.
        canary: Option<Canary>,
        /// Its description.
        description: String,
    },
    /// Changes to an alias; `None` leaves a member as it is.
    UpdateAlias {
        /// The function.
        function: FunctionId,
        /// The alias.
        name: AliasName,
        /// Where it points.
        version: Option<Version>,
        /// The canary: `Some(None)` takes it away.
        canary: Option<Option<Canary>>,
        /// Its description.
        description: Option<String>,
        /// Only if the alias still has this revision.
        expected: Option<RevisionId>,
    },
    /// Takes an alias away. Taking away what is not there succeeds.
    DeleteAlias {
        /// The function.
        function: FunctionId,
        /// The alias.
        name: AliasName,
    },
    /// The end of a creation or update of one version; proposed by the leader's reconciler, never by callers.
    Settle {
        /// Which version.
        version: VersionId,
        /// The revision whose preparation ended; a later one is left alone.
        revision: RevisionId,
        /// `None` if it can be invoked now.
        failure: Option<Reason>,
    },
    /// A new event source mapping, in the account and region of its function. Format 2.
    CreateEventSourceMapping {
        /// What it invokes.
        function: crate::FunctionArn,
        /// Where its records come from.
        source: Box<Source>,
        /// The settings that differ from what sources of its kind have.
        settings: Vec<Setting>,
        /// Whether it should read.
        enabled: bool,
        /// Its tags.
        tags: BTreeMap<String, String>,
    },
    /// Changes to an event source mapping. Format 2.
    UpdateEventSourceMapping {
        /// The mapping.
        mapping: MappingId,
        /// The changes.
        change: Box<MappingChange>,
    },
    /// Begins the end of an event source mapping. Format 2.
    DeleteEventSourceMapping {
        /// The mapping.
        mapping: MappingId,
    },
    /// The end of a change to an event source mapping; proposed by the leader's reconciler, never by callers. Format 2.
    SettleEventSourceMapping {
        /// The mapping.
        mapping: MappingId,
        /// The revision whose change ended; a later one is left alone.
        revision: RevisionId,
    },
}

/// What an accepted change gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The version that was created, updated or published.
    Version(Arc<FunctionVersion>),
    /// The alias that was created or updated.
    Alias(Arc<Alias>),
    /// The event source mapping that was created or changed, or whose end began.
    Mapping(Arc<EventSourceMapping>),
    /// Nothing to show.
    Nothing,
}

/// Why the catalog refused a change. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The function exists already.
    #[error("function already exists: {0}")]
    FunctionExists(crate::FunctionName),
    /// No such function or version.
    #[error("function not found: {0}")]
    FunctionNotFound(crate::FunctionArn),
    /// No such alias, asked for by name.
    #[error("alias not found: {0}")]
    AliasNotFound(crate::FunctionArn),
    /// The alias exists already.
    #[error("alias already exists: {0}")]
    AliasExists(crate::FunctionArn),
    /// Somebody changed it since the caller looked.
    #[error("the revision is not the latest one")]
    RevisionMismatch {
        /// Whether an alias (and not a function) was asked for.
        alias: bool,
    },
    /// An update is under way.
    #[error("an update is in progress for {0}")]
    UpdateInProgress(crate::FunctionArn),
    /// The function is still being created.
    #[error("the function {0} is being created")]
    Pending(crate::FunctionArn),
    /// `PublishVersion` named another code than `$LATEST` has.
    #[error("code {expected} is not the code of $LATEST, {actual}")]
    CodeMismatch {
        /// What the caller named.
        expected: Digest,
        /// What `$LATEST` has.
        actual: Digest,
    },
    /// `$LATEST` cannot be deleted alone.
    #[error("$LATEST cannot be deleted without deleting the function")]
    LatestNotDeletable,
    /// A version that aliases point to cannot be deleted.
    #[error("version {version} is in use by aliases {aliases:?}")]
    VersionInUse {
        /// The version.
        version: crate::FunctionArn,
        /// The aliases.
        aliases: Vec<String>,
    },
    /// An alias cannot split traffic between a version and itself.
    #[error("version {0} is already the version of the alias")]
    CanaryIsPrimary(Version),
    /// `$LATEST` cannot have a canary.
    #[error("$LATEST is not supported for an alias with a canary")]
    LatestWithCanary,
    /// No such event source mapping.
    #[error("event source mapping not found: {}", .0.arn())]
    MappingNotFound(MappingId),
    /// A change to the event source mapping is under way.
    #[error("the event source mapping is in transition")]
    MappingInUse {
        /// Whether it was to be deleted, and not to be changed.
        deletion: bool,
    },
    /// Another event source mapping feeds the function from the same source.
    #[error("the event source mapping {} is there already", .0.uuid)]
    MappingExists(Box<Duplicate>),
    /// The function that an event source mapping should invoke is not there.
    #[error("no function to be invoked by an event source mapping: {0}")]
    MappingWithoutFunction(crate::FunctionArn),
    /// The event source mapping cannot be like that.
    #[error("no event source mapping can be like that: {0}")]
    MappingRefused(Refusal),
    /// A command that this build does not understand; the cluster version rule should have kept it away.
    #[error("the command is not known to this version of Dunlin")]
    UnknownCommand,
}

impl Failure for Rejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::FunctionNotFound(_)
            | Self::AliasNotFound(_)
            | Self::MappingNotFound(_)
            | Self::MappingWithoutFunction(_) => ErrorKind::NotFound,
            Self::FunctionExists(_)
            | Self::AliasExists(_)
            | Self::RevisionMismatch { .. }
            | Self::UpdateInProgress(_)
            | Self::Pending(_)
            | Self::MappingInUse { .. }
            | Self::MappingExists(_)
            | Self::VersionInUse { .. } => ErrorKind::Conflict,
            Self::CodeMismatch { .. }
            | Self::LatestNotDeletable
            | Self::CanaryIsPrimary(_)
            | Self::MappingRefused(_)
            | Self::LatestWithCanary => ErrorKind::Invalid,
            Self::UnknownCommand => ErrorKind::Internal,
        }
    }
}

impl Mutation {
    /// The function it is about; `None` if it is about something else.
    #[must_use]
    pub const fn function(&self) -> Option<&FunctionId> {
        Some(match self {
            Self::CreateFunction { function, .. }
            | Self::UpdateFunctionCode { function, .. }
            | Self::UpdateFunctionConfiguration { function, .. }
            | Self::DeleteFunction { function, .. }
            | Self::PublishVersion { function, .. }
            | Self::CreateAlias { function, .. }
            | Self::UpdateAlias { function, .. }
            | Self::DeleteAlias { function, .. } => function,
            Self::Settle { version, .. } => &version.function,
            Self::CreateEventSourceMapping { function, .. } => &function.id,
            Self::UpdateEventSourceMapping { .. }
            | Self::DeleteEventSourceMapping { .. }
            | Self::SettleEventSourceMapping { .. } => return None,
        })
    }

    /// The code that must be on a quorum of controllers before this may be proposed.
    #[must_use]
    pub const fn code(&self) -> Option<&Code> {
        match self {
            Self::CreateFunction { code, .. } | Self::UpdateFunctionCode { code, .. } => Some(code),
            _ => None,
        }
    }
}
