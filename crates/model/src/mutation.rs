//! What callers may ask the catalog to change, and what it answers.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    AccountId, Alias, AliasName, Architecture, DataKey, Digest, ErrorKind, Failure, FunctionId,
    Generation, RevisionId, Version, VersionId, WrappedKey,
    alias::Canary,
    function::{Code, Config, ConfigPatch, FunctionVersion, Reason, StoredEnvironment},
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
    /// A data key for an account, unless it has one of this generation: the answer holds the one that is there then. Of
    /// format 2, as is a function whose environment is sealed: a controller of format 1 does not know it.
    PutDataKey {
        /// Whose.
        account: AccountId,
        /// Which of them.
        generation: Generation,
        /// The key, wrapped.
        wrapped: WrappedKey,
    },
    /// The same data key under another master key, if it is still wrapped as the caller saw it: the answer holds the one
    /// that is there then, or nothing if there is none. Of format 2.
    RewrapDataKey {
        /// Whose.
        account: AccountId,
        /// Which of them.
        generation: Generation,
        /// How the caller saw it.
        old: WrappedKey,
        /// How it is to be.
        new: WrappedKey,
    },
}

/// What an accepted change gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The version that was created, updated or published.
    Version(Arc<FunctionVersion>),
    /// The alias that was created or updated.
    Alias(Arc<Alias>),
    /// The data key that is there now.
    DataKey(Arc<DataKey>),
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
    /// A command that this build does not understand; the cluster version rule should have kept it away.
    #[error("the command is not known to this version of Dunlin")]
    UnknownCommand,
}

impl Failure for Rejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::FunctionNotFound(_) | Self::AliasNotFound(_) => ErrorKind::NotFound,
            Self::FunctionExists(_)
            | Self::AliasExists(_)
            | Self::RevisionMismatch { .. }
            | Self::UpdateInProgress(_)
            | Self::Pending(_)
            | Self::VersionInUse { .. } => ErrorKind::Conflict,
            Self::CodeMismatch { .. }
            | Self::LatestNotDeletable
            | Self::CanaryIsPrimary(_)
            | Self::LatestWithCanary => ErrorKind::Invalid,
            Self::UnknownCommand => ErrorKind::Internal,
        }
    }
}

impl Mutation {
    /// The function it is about, if it is about one.
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
            Self::PutDataKey { .. } | Self::RewrapDataKey { .. } => return None,
        })
    }

    /// The environment variables that it brings, if it brings any.
    pub fn environment_mut(&mut self) -> Option<&mut StoredEnvironment> {
        match self {
            Self::CreateFunction { config, .. } => config.environment.as_mut(),
            Self::UpdateFunctionConfiguration { patch, .. } => patch.environment.as_mut(),
            _ => None,
        }
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
