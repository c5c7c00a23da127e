//! Functions and their versions.

use std::{collections::BTreeMap, fmt, sync::Arc};

mod optional;

pub use optional::{
    CapacityUse, CustomRuntime, Durable, FileSystem, Image, ImageOverrides, Incompatible,
    OptionalConfig, OptionalMember, OptionalPatch, Origin, UsedLayer, Vpc,
};

use crate::{
    AccountId, Architecture, Digest, EphemeralMib, FunctionArn, FunctionName, MemoryMib, Qualifier,
    Region, RevisionId, Runtime, Sealed, TimeoutSeconds, Timestamp, Version,
};

/// A function's identity in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionId {
    /// Its owner.
    pub account: AccountId,
    /// The region it was created in; a function is invisible from any other.
    pub region: Region,
    /// Its name, unique in account and region.
    pub name: FunctionName,
}

impl FunctionId {
    /// The ARN of this function, with a qualifier or bare.
    #[must_use]
    pub fn arn(&self, qualifier: Option<Qualifier>) -> FunctionArn {
        FunctionArn {
            id: self.clone(),
            qualifier,
        }
    }
}

/// One version of one function.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId {
    /// The function.
    pub function: FunctionId,
    /// The version.
    pub version: Version,
}

/// Environment variables. Values are secrets: `Debug` shows names only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Environment(pub BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Environment variables as a configuration carries them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredEnvironment {
    /// As their owner wrote them: between the caller and the frontend, and in records from before there were master keys.
    Clear(Environment),
    /// Sealed with a data key of the account: everywhere else.
    Sealed(Sealed),
}

impl From<Environment> for StoredEnvironment {
    fn from(environment: Environment) -> Self {
        Self::Clear(environment)
    }
}

/// How much X-Ray sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TracingMode {
    /// Follow the caller's decision.
    #[default]
    PassThrough,
    /// Sample.
    Active,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Lines.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Where a function's log goes, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Logging {
    /// Lines or JSON.
    pub format: LogFormat,
    /// Least level of the function's own records; JSON only.
    pub application_level: Option<String>,
    /// Least level of the platform's records; JSON only.
    pub system_level: Option<String>,
    /// The log group; `None` is `/aws/lambda/NAME`.
    pub group: Option<String>,
}

/// What the owner of a function may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The runtime.
    pub runtime: Runtime,
    /// The entry point, in the runtime's own notation. Optional for `provided` runtimes.
    pub handler: Option<String>,
    /// The ARN of the execution role.
    pub role: String,
    /// Free text, at most 256 characters.
    pub description: String,
    /// How long one invocation may take.
    pub timeout: TimeoutSeconds,
    /// Memory, and with it the share of CPU (1 vCPU = 1769 MiB).
    pub memory: MemoryMib,
    /// Size of `/tmp`.
    pub ephemeral: EphemeralMib,
    /// The instruction set of the code.
    pub architecture: Architecture,
    /// Environment variables; `None` if they were never set.
    pub environment: Option<StoredEnvironment>,
    /// X-Ray mode.
    pub tracing: TracingMode,
    /// Log destination.
    pub logging: Logging,
    /// What few functions have; `None` if it would be empty. Format 2.
    pub optional: Option<Box<OptionalConfig>>,
}

/// A deployment package: a zip, kept as a blob. For a function of an image there is none: [`Code::of_manifest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The SHA-256 of the zip: the blob's name, and `CodeSha256`.
    pub digest: Digest,
    /// The size of the zip in bytes.
    pub size: u64,
    /// The bytes of all its files together; 0 for packages that were stored before this was counted. Format 2.
    pub unzipped: u64,
}

impl Code {
    /// The smallest format of the catalog that can express it.
    #[must_use]
    pub const fn format(&self) -> u32 {
        if self.unzipped == 0 { 1 } else { 2 }
    }

    /// What stands in the place of a package for a function of an image: the digest of the image's manifest, and no bytes
    /// that this cluster keeps.
    #[must_use]
    pub const fn of_manifest(digest: Digest) -> Self {
        Self {
            digest,
            size: 0,
            unzipped: 0,
        }
    }

    /// What stood there when images were recorded and not run: a digest that changes with the image's URI.
    #[must_use]
    pub fn of_image(uri: &str) -> Self {
        Self {
            digest: Digest::of(uri.as_bytes()),
            size: 0,
            unzipped: 0,
        }
    }
}

/// Whether a version can be invoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Being created.
    Pending,
    /// Ready.
    Active,
    /// Can never run: delete and create it again.
    Failed(Reason),
}

/// How the last update of `$LATEST` went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastUpdate {
    /// In effect.
    Successful,
    /// Not in effect yet.
    InProgress,
    /// Could not take effect.
    Failed(Reason),
}

/// Where a copy of `$LATEST` is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Publication {
    /// Under the next number.
    #[default]
    Number,
    /// As `$LATEST.PUBLISHED`. Only a function on a capacity provider has one. Format 2.
    Latest,
}

impl Publication {
    /// The smallest format of the catalog that can ask for it.
    #[must_use]
    pub const fn format(self) -> u32 {
        match self {
            Self::Number => 1,
            Self::Latest => 2,
        }
    }
}

/// Why a state is as it is: AWS's code and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `StateReasonCode` or `LastUpdateStatusReasonCode`.
    pub code: String,
    /// `StateReason` or `LastUpdateStatusReason`.
    pub text: String,
}

/// One version of a function as the catalog holds it. Numbered versions never change once active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionVersion {
    /// Which one.
    pub id: VersionId,
    /// What the owner set.
    pub config: Config,
    /// What runs.
    pub code: Code,
    /// Whether it can be invoked.
    pub state: State,
    /// How its last update went; `None` until the creation is over.
    pub last_update: Option<LastUpdate>,
    /// When it was last modified.
    pub last_modified: Timestamp,
    /// Names what runs: it changes with code, configuration and state, and environments are bound to it.
    pub revision_id: RevisionId,
    /// The optimistic lock, if something beside what runs (its policy, its tags) changed since `revision_id` did. A change
    /// of those must not end warm environments, so that they cannot share one id. Format 2.
    pub touched: Option<RevisionId>,
}

impl FunctionVersion {
    /// The smallest format of the catalog that can express it.
    #[must_use]
    pub fn format(&self) -> u32 {
        let touched = if self.touched.is_some() { 2 } else { 1 };
        let parts = self.config.format().max(self.code.format());
        parts.max(touched).max(self.id.version.format())
    }

    /// The optimistic lock.
    #[must_use]
    pub fn lock(&self) -> RevisionId {
        self.touched.unwrap_or(self.revision_id)
    }
}

/// A function: what all its versions share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Which one.
    pub id: FunctionId,
    /// `$LATEST`.
    pub latest: Arc<FunctionVersion>,
    /// The number that the next published version gets.
    pub next_version: u64,
    /// Tags of the function.
    pub tags: BTreeMap<String, String>,
}

/// Changes to a [`Config`]; `None` leaves a member as it is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConfigPatch {
    /// See [`Config::runtime`].
    pub runtime: Option<Runtime>,
    /// See [`Config::handler`].
    pub handler: Option<String>,
    /// See [`Config::role`].
    pub role: Option<String>,
    /// See [`Config::description`].
    pub description: Option<String>,
    /// See [`Config::timeout`].
    pub timeout: Option<TimeoutSeconds>,
    /// See [`Config::memory`].
    pub memory: Option<MemoryMib>,
    /// See [`Config::ephemeral`].
    pub ephemeral: Option<EphemeralMib>,
    /// See [`Config::environment`]. An empty map clears it.
    pub environment: Option<StoredEnvironment>,
    /// See [`Config::tracing`].
    pub tracing: Option<TracingMode>,
    /// See [`Config::logging`].
    pub logging: Option<Logging>,
    /// See [`Config::optional`]. `None` if no member changes. Format 2.
    pub optional: Option<Box<OptionalPatch>>,
}

impl Config {
    /// The layers, in order.
    #[must_use]
    pub fn layers(&self) -> &[UsedLayer] {
        self.optional.as_ref().map_or(&[], |o| &o.layers)
    }

    /// The image, of a function that is made of one.
    #[must_use]
    pub fn image(&self) -> Option<&Image> {
        self.optional.as_ref()?.image.as_ref()
    }

    /// What is said of the package, if anything is.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.optional.as_ref().map(|o| &o.origin)
    }

    /// Takes over what is said of a new package.
    pub fn set_origin(&mut self, origin: Origin) {
        let mut optional = self.optional.take().map_or_else(Default::default, |o| *o);
        optional.origin = origin;
        self.optional = optional.boxed();
    }

    /// Whether every tenant has environments of its own: each invocation then names one.
    #[must_use]
    pub fn has_tenants(&self) -> bool {
        self.optional.as_ref().is_some_and(|o| o.tenant_isolation)
    }

    /// Whether it runs on the instances of a capacity provider.
    #[must_use]
    pub fn is_managed(&self) -> bool {
        self.optional.as_ref().is_some_and(|o| o.capacity.is_some())
    }

    /// What in it cannot be together, if anything.
    #[must_use]
    pub fn incompatible(&self) -> Option<Incompatible> {
        optional::incompatible(self)
    }

    /// See [`OptionalConfig::unmet`].
    #[must_use]
    pub fn unmet(&self) -> Option<&'static str> {
        self.optional.as_ref()?.unmet()
    }
}

impl FunctionVersion {
    /// The deployment package; `None` for a function of an image.
    #[must_use]
    pub fn package(&self) -> Option<&Code> {
        self.config.image().is_none().then_some(&self.code)
    }

    /// The digest of its image's manifest; `None` for a package, and for an image of which only the URI was recorded.
    #[must_use]
    pub fn image_digest(&self) -> Option<Digest> {
        let image = self.config.image()?;
        (self.code != Code::of_image(&image.uri)).then_some(self.code.digest)
    }

    /// Every blob that is needed to run it: its package and the archives of its layers.
    pub fn blobs(&self) -> impl Iterator<Item = Digest> {
        let layers = self.config.layers().iter().map(|l| l.content.digest);
        self.package().map(|p| p.digest).into_iter().chain(layers)
    }
}

impl Config {
    /// The smallest format of the catalog that can express it.
    #[must_use]
    pub fn format(&self) -> u32 {
        match self.optional {
            Some(_) => 2,
            None => environment_format(self.environment.as_ref()),
        }
    }
}

fn environment_format(environment: Option<&StoredEnvironment>) -> u32 {
    match environment {
        None | Some(StoredEnvironment::Clear(_)) => 1,
        Some(StoredEnvironment::Sealed(_)) => 2,
    }
}

impl ConfigPatch {
    /// The smallest format of the catalog that can express it.
    #[must_use]
    pub fn format(&self) -> u32 {
        match self.optional {
            Some(_) => 2,
            None => environment_format(self.environment.as_ref()),
        }
    }

    /// The configuration after these changes.
    #[must_use]
    pub fn apply_to(&self, old: &Config) -> Config {
        Config {
            runtime: self.runtime.unwrap_or(old.runtime),
            handler: self.handler.clone().or_else(|| old.handler.clone()),
            role: self.role.clone().unwrap_or_else(|| old.role.clone()),
            description: self
                .description
                .clone()
                .unwrap_or_else(|| old.description.clone()),
            timeout: self.timeout.unwrap_or(old.timeout),
            memory: self.memory.unwrap_or(old.memory),
            ephemeral: self.ephemeral.unwrap_or(old.ephemeral),
            architecture: old.architecture,
            environment: self.environment.clone().or_else(|| old.environment.clone()),
            tracing: self.tracing.unwrap_or(old.tracing),
            logging: self.logging.clone().unwrap_or_else(|| old.logging.clone()),
            optional: self.patched_optional(old),
        }
    }

    fn patched_optional(&self, old: &Config) -> Option<Box<OptionalConfig>> {
        let mut new = match &self.optional {
            Some(patch) => patch.apply_to(old.optional.as_deref()),
            None => old.optional.clone(),
        };
        // A customer's runtime goes with the identifier that stands for it.
        if self.runtime.is_some_and(|r| !r.is_custom())
            && let Some(mut config) = new.take()
        {
            config.custom_runtime = None;
            new = config.boxed();
        }
        new
    }
}
