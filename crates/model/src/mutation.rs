//! What callers may ask the catalog to change, and what it answers.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    Alias, AliasName, Architecture, CapacityProvider, CapacityProviderId, CodeSigningConfig,
    CodeSigningId, Digest, ErrorKind, Failure, FunctionId, LayerId, LayerVersion, LayerVersionId,
    RevisionId, Runtime, Version, VersionId,
    alias::Canary,
    capacity_provider::CapacityChange,
    code_signing::CodeSigningChange,
    function::{Code, Config, ConfigPatch, FunctionVersion, Incompatible, Reason},
    layer::{LayerDraft, LayerPolicyChange},
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
        /// Its code; the blob must be on a quorum of controllers before this is proposed. [`Code::of_image`] if the
        /// configuration names an image.
        code: Code,
        /// Publish version 1 at once.
        publish: bool,
        /// Its tags.
        tags: BTreeMap<String, String>,
        /// The code-signing configuration that holds for it. Format 2.
        code_signing: Option<CodeSigningId>,
    },
    /// New code for `$LATEST`.
    UpdateFunctionCode {
        /// The function.
        function: FunctionId,
        /// The code; see [`Mutation::CreateFunction::code`].
        code: Code,
        /// The image, of a function that is made of one; `code` is then [`Code::of_image`]. Format 2.
        image: Option<String>,
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
    /// A new version of a layer, and the layer itself if this is its first. Format 2.
    PublishLayerVersion {
        /// The layer.
        layer: LayerId,
        /// Its archive; the blob must be on a quorum of controllers before this is proposed.
        content: Code,
        /// What its author says about it.
        draft: Box<LayerDraft>,
    },
    /// Takes a version of a layer away. Taking away what is not there succeeds. Functions that use it keep it. Format 2.
    DeleteLayerVersion {
        /// The version.
        version: LayerVersionId,
    },
    /// A change to who may use a layer version. Format 2.
    ChangeLayerPolicy {
        /// The version.
        version: LayerVersionId,
        /// The change.
        change: LayerPolicyChange,
        /// Only if its policy still has this revision.
        expected: Option<RevisionId>,
    },
    /// A change to code-signing configurations. Format 2.
    CodeSigning(Box<CodeSigningChange>),
    /// A change to capacity providers. Format 2.
    Capacity(Box<CapacityChange>),
}

/// What an accepted change gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The version that was created, updated or published.
    Version(Arc<FunctionVersion>),
    /// The alias that was created or updated.
    Alias(Arc<Alias>),
    /// The layer version that was published, or whose policy was changed. Format 2.
    LayerVersion(Arc<LayerVersion>),
    /// The code-signing configuration that was created or updated. Format 2.
    CodeSigning(Arc<CodeSigningConfig>),
    /// The capacity provider that was created, updated or deleted. Format 2.
    Capacity(Arc<CapacityProvider>),
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
    /// No such layer version.
    #[error("layer version not found: {0}")]
    LayerVersionNotFound(LayerVersionId),
    /// Somebody changed the policy since the caller looked.
    #[error("the revision is not the latest one of the layer version's policy")]
    LayerRevisionMismatch,
    /// The policy of the layer version has a statement of this id.
    #[error("the policy has a statement {0} already")]
    StatementExists(String),
    /// The policy of the layer version has no statement of this id.
    #[error("the policy has no statement {0}")]
    StatementNotFound(String),
    /// A function cannot use a layer version that does not exist.
    #[error("layer version {0} does not exist")]
    LayerMissing(LayerVersionId),
    /// A zip for a function of an image, or an image for a function of a zip.
    #[error("the function is made of {}", if *.image { "an image" } else { "a zip" })]
    WrongPackage {
        /// Whether the function is made of an image.
        image: bool,
    },
    /// Members of the configuration cannot be together.
    #[error("the configuration cannot have {what:?} on {runtime}")]
    Incompatible {
        /// Which.
        what: Incompatible,
        /// The function's runtime.
        runtime: Runtime,
    },
    /// No such code-signing configuration, asked for by name.
    #[error("code-signing configuration not found: {0}")]
    CodeSigningNotFound(CodeSigningId),
    /// A function cannot have a code-signing configuration that does not exist.
    #[error("code-signing configuration {0} does not exist")]
    CodeSigningMissing(CodeSigningId),
    /// A code-signing configuration that functions have.
    #[error("code-signing configuration {0} is in use")]
    CodeSigningInUse(CodeSigningId),
    /// The function's code-signing configuration takes only signed code.
    #[error("the code has no signature that {0} accepts")]
    CodeNotSigned(CodeSigningId),
    /// No such capacity provider.
    #[error("capacity provider not found: {0}")]
    CapacityNotFound(CapacityProviderId),
    /// The capacity provider exists already.
    #[error("capacity provider already exists: {0}")]
    CapacityExists(CapacityProviderId),
    /// A capacity provider that functions have.
    #[error("capacity provider {0} is in use")]
    CapacityInUse(CapacityProviderId),
    /// A command that this build does not understand; the cluster version rule should have kept it away.
    #[error("the command is not known to this version of Dunlin")]
    UnknownCommand,
}

impl Failure for Rejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::FunctionNotFound(_)
            | Self::AliasNotFound(_)
            | Self::LayerVersionNotFound(_)
            | Self::CodeSigningNotFound(_)
            | Self::CodeSigningMissing(_)
            | Self::CapacityNotFound(_)
            | Self::StatementNotFound(_) => ErrorKind::NotFound,
            Self::FunctionExists(_)
            | Self::AliasExists(_)
            | Self::RevisionMismatch { .. }
            | Self::UpdateInProgress(_)
            | Self::Pending(_)
            | Self::VersionInUse { .. }
            | Self::LayerRevisionMismatch
            | Self::CodeSigningInUse(_)
            | Self::CapacityExists(_)
            | Self::CapacityInUse(_)
            | Self::StatementExists(_) => ErrorKind::Conflict,
            Self::CodeMismatch { .. }
            | Self::LatestNotDeletable
            | Self::CanaryIsPrimary(_)
            | Self::LatestWithCanary
            | Self::LayerMissing(_)
            | Self::CodeNotSigned(_)
            | Self::WrongPackage { .. }
            | Self::Incompatible { .. } => ErrorKind::Invalid,
            Self::UnknownCommand => ErrorKind::Internal,
        }
    }
}

impl Mutation {
    /// The function it is about, if it is about one.
    #[must_use]
    pub fn function(&self) -> Option<&FunctionId> {
        match self {
            Self::CreateFunction { function, .. }
            | Self::UpdateFunctionCode { function, .. }
            | Self::UpdateFunctionConfiguration { function, .. }
            | Self::DeleteFunction { function, .. }
            | Self::PublishVersion { function, .. }
            | Self::CreateAlias { function, .. }
            | Self::UpdateAlias { function, .. }
            | Self::DeleteAlias { function, .. } => Some(function),
            Self::Settle { version, .. } => Some(&version.function),
            Self::CodeSigning(change) => match &**change {
                CodeSigningChange::Link { function, .. } => Some(function),
                _ => None,
            },
            Self::PublishLayerVersion { .. }
            | Self::DeleteLayerVersion { .. }
            | Self::ChangeLayerPolicy { .. }
            | Self::Capacity(_) => None,
        }
    }

    /// The code that must be on a quorum of controllers before this may be proposed; none for an image.
    #[must_use]
    pub fn code(&self) -> Option<&Code> {
        match self {
            Self::CreateFunction { code, config, .. } => config.image().is_none().then_some(code),
            Self::UpdateFunctionCode { code, image, .. } => image.is_none().then_some(code),
            Self::PublishLayerVersion { content, .. } => Some(content),
            _ => None,
        }
    }
}
