//! What callers may ask the catalog to change, and what it answers.

mod format;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    AccountId, Alias, AliasName, Architecture, CapacityProvider, CapacityProviderId,
    CodeSigningConfig, CodeSigningId, DataKey, Digest, ErrorKind, Failure, FunctionId, Generation,
    LayerId, LayerVersion, LayerVersionId, Qualifier, RevisionId, Runtime, Setting, SettingChange,
    SettingKind, Version, VersionId, WrappedKey,
    alias::Canary,
    capacity_provider::CapacityChange,
    code_signing::CodeSigningChange,
    function::{
        Code, Config, ConfigPatch, FunctionVersion, Incompatible, Origin, Publication, Reason,
        StoredEnvironment,
    },
    iam,
    layer::{LayerDraft, LayerPolicyChange},
    mapping::{
        Duplicate, EventSourceMapping, MappingChange, MappingId, Refusal,
        Setting as MappingSetting, Source,
    },
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
        /// Publish version 1, or `$LATEST.PUBLISHED`, at once.
        publish: Option<Publication>,
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
        /// What is said of the package, if anything is. Format 2.
        origin: Option<Box<Origin>>,
        /// Its instruction set, if it changes.
        architecture: Option<Architecture>,
        /// Publish the result.
        publish: Option<Publication>,
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
    /// A copy of `$LATEST`.
    PublishVersion {
        /// The function.
        function: FunctionId,
        /// What the copy becomes.
        to: Publication,
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
    /// The end of an upgrade: the cluster writes this format from here on. Proposed by the leader itself, on an operator's
    /// word or when it begins a cluster; never by callers.
    Finalize {
        /// The format. One that is not newer than the present one changes nothing.
        format: u32,
    },
    /// A change to what is set for a function, or for one qualifier of it, beside its configuration. Format 2.
    Configure {
        /// The function.
        function: FunctionId,
        /// The version or alias; none, or `$LATEST`, is the function itself.
        qualifier: Option<Qualifier>,
        /// What changes.
        change: Box<SettingChange>,
        /// Only if the function, version or alias still has this lock. For policies only: nothing else asks for it.
        expected: Option<RevisionId>,
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
    /// A new event source mapping, in the account and region of its function. Format 2.
    CreateEventSourceMapping {
        /// What it invokes.
        function: crate::FunctionArn,
        /// Where its records come from.
        source: Box<Source>,
        /// The settings that differ from what sources of its kind have.
        settings: Vec<MappingSetting>,
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
    /// A change to accounts, users, roles, policies or access keys. Format 2.
    Iam(Box<iam::Change>),
}

/// What an accepted change gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The version that was created, updated or published.
    Version(Arc<FunctionVersion>),
    /// The alias that was created or updated.
    Alias(Arc<Alias>),
    /// The setting as it is now. Format 2.
    Setting(Arc<Setting>),
    /// A policy changed: the lock of what it belongs to. Its text is the caller's own, and too long to be kept with the
    /// answer. Format 2.
    Lock(RevisionId),
    /// The data key that is there now.
    DataKey(Arc<DataKey>),
    /// The event source mapping that was created or changed, or whose end began.
    Mapping(Arc<EventSourceMapping>),
    /// The layer version that was published, or whose policy was changed. Format 2.
    LayerVersion(Arc<LayerVersion>),
    /// The code-signing configuration that was created or updated. Format 2.
    CodeSigning(Arc<CodeSigningConfig>),
    /// The capacity provider that was created, updated or deleted. Format 2.
    Capacity(Arc<CapacityProvider>),
    /// The user, role, policy, key or account as it is now. Format 2.
    Iam(iam::Shared),
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
    /// Somebody changed the policy, or what it belongs to, since the caller looked. Format 2, as all that follow but the last.
    #[error("the revision of the policy is not the latest one")]
    PolicyRevisionMismatch,
    /// The policy has a statement of this id.
    #[error("the policy has a statement {0:?} already")]
    StatementExists(String),
    /// The policy has no statement of this id.
    #[error("the policy has no statement {0:?}")]
    StatementNotFound(String),
    /// The policy would be too long.
    #[error("expected a policy of at most {limit} bytes, got {size}")]
    PolicyTooLarge {
        /// What it would have.
        size: u64,
        /// What it may have.
        limit: u64,
    },
    /// Nothing of this kind is set there.
    #[error("{resource} has no setting {kind}")]
    SettingNotFound {
        /// The kind.
        kind: SettingKind,
        /// The function, version or alias.
        resource: crate::FunctionArn,
    },
    /// Something of this kind is set there already.
    #[error("{resource} has a setting {kind} already")]
    SettingExists {
        /// The kind.
        kind: SettingKind,
        /// The function, version or alias.
        resource: crate::FunctionArn,
    },
    /// A setting of this kind cannot stand there.
    #[error("{resource} can have no setting {kind}")]
    Misplaced {
        /// The kind.
        kind: SettingKind,
        /// The function, version or alias.
        resource: crate::FunctionArn,
    },
    /// The account does not have as much to keep for one function.
    #[error("{kind} concurrency above the account's unreserved concurrency, {unreserved}")]
    ConcurrencyExceeded {
        /// Reserved or provisioned.
        kind: SettingKind,
        /// What the account has left for it.
        unreserved: u32,
    },
    /// Too little would be left for functions that keep nothing.
    #[error("{kind} concurrency that leaves less than {min} unreserved")]
    UnreservedTooSmall {
        /// Reserved or provisioned.
        kind: SettingKind,
        /// What must be left.
        min: u32,
    },
    /// A reservation below what is provisioned.
    #[error("{reserved} reserved, below the {provisioned} that are provisioned")]
    ReservedBelowProvisioned {
        /// What was to be reserved.
        reserved: u32,
        /// What the function's versions and aliases have provisioned.
        provisioned: u32,
    },
    /// More provisioned than the function has reserved.
    #[error("more provisioned than the {0} that are reserved")]
    ProvisionedAboveReserved(u32),
    /// The version of the alias has environments kept ready for itself.
    #[error("the version of the alias has provisioned concurrency")]
    VersionProvisioned,
    /// An alias that has environments kept ready points to the version.
    #[error("an alias with provisioned concurrency points to the version")]
    AliasProvisioned,
    /// The function would have more tags than it may.
    #[error("expected at most {limit} tags, got more")]
    TooManyTags {
        /// What it may have.
        limit: u32,
    },
    /// The function's tags would be longer than a record may be.
    #[error("expected tags of at most {limit} bytes, got more")]
    TagsTooLarge {
        /// What they may have.
        limit: u32,
    },
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
    /// No such layer version.
    #[error("layer version not found: {0}")]
    LayerVersionNotFound(LayerVersionId),
    /// Somebody changed the policy since the caller looked.
    #[error("the revision is not the latest one of the layer version's policy")]
    LayerRevisionMismatch,
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
    /// Users, roles, policies or access keys cannot be like that.
    #[error(transparent)]
    Iam(#[from] iam::Refusal),
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
            | Self::StatementNotFound(_)
            | Self::SettingNotFound { .. }
            | Self::MappingNotFound(_)
            | Self::MappingWithoutFunction(_) => ErrorKind::NotFound,
            Self::FunctionExists(_)
            | Self::AliasExists(_)
            | Self::RevisionMismatch { .. }
            | Self::UpdateInProgress(_)
            | Self::Pending(_)
            | Self::LayerRevisionMismatch
            | Self::CodeSigningInUse(_)
            | Self::CapacityExists(_)
            | Self::CapacityInUse(_)
            | Self::MappingInUse { .. }
            | Self::MappingExists(_)
            | Self::VersionInUse { .. }
            | Self::PolicyRevisionMismatch
            | Self::StatementExists(_)
            | Self::SettingExists { .. }
            | Self::VersionProvisioned
            | Self::AliasProvisioned => ErrorKind::Conflict,
            Self::CodeMismatch { .. }
            | Self::LatestNotDeletable
            | Self::CanaryIsPrimary(_)
            | Self::MappingRefused(_)
            | Self::LatestWithCanary
            | Self::LayerMissing(_)
            | Self::CodeNotSigned(_)
            | Self::WrongPackage { .. }
            | Self::Incompatible { .. }
            | Self::PolicyTooLarge { .. }
            | Self::Misplaced { .. }
            | Self::ConcurrencyExceeded { .. }
            | Self::UnreservedTooSmall { .. }
            | Self::ReservedBelowProvisioned { .. }
            | Self::ProvisionedAboveReserved(_)
            | Self::TooManyTags { .. }
            | Self::TagsTooLarge { .. } => ErrorKind::Invalid,
            Self::Iam(refusal) => refusal.kind(),
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
            | Self::DeleteAlias { function, .. }
            | Self::Configure { function, .. } => Some(function),
            Self::Settle { version, .. } => Some(&version.function),
            Self::CodeSigning(change) => match &**change {
                CodeSigningChange::Link { function, .. } => Some(function),
                _ => None,
            },
            Self::CreateEventSourceMapping { function, .. } => Some(&function.id),
            Self::PublishLayerVersion { .. }
            | Self::DeleteLayerVersion { .. }
            | Self::ChangeLayerPolicy { .. }
            | Self::Capacity(_)
            | Self::Iam(_)
            | Self::UpdateEventSourceMapping { .. }
            | Self::DeleteEventSourceMapping { .. }
            | Self::SettleEventSourceMapping { .. }
            | Self::Finalize { .. }
            | Self::PutDataKey { .. }
            | Self::RewrapDataKey { .. } => None,
        }
    }

    /// The code that it brings a function, if it does.
    pub fn code_mut(&mut self) -> Option<&mut Code> {
        match self {
            Self::CreateFunction { code, .. } | Self::UpdateFunctionCode { code, .. } => Some(code),
            _ => None,
        }
    }

    /// The environment variables that it brings, if it brings any.
    pub fn environment_mut(&mut self) -> Option<&mut StoredEnvironment> {
        match self {
            Self::CreateFunction { config, .. } => config.environment.as_mut(),
            Self::UpdateFunctionConfiguration { patch, .. } => patch.environment.as_mut(),
            _ => None,
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
