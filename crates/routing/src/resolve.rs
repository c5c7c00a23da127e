//! From a function and a qualifier to one version.
//!
//! The local copy answers. Only when it says that there is nothing to run (no such function, version or alias, not ready
//! yet, or not for such a caller) may it be because the copy is behind: then the controllers are asked once how far it
//! should be, for a moment. Without an answer in that moment nobody can know, and the caller is told to try again: no
//! invocation waits for a quorum, and nobody hears that a function does not exist from a node that has not heard of it yet.

use std::{sync::Arc, time::Duration};

use catalog::{Controllers, LocalCopy};
use model::{
    AccountId, ErrorKind, Failure, FunctionArn, FunctionId, Qualifier, Revision, TenantId,
    function::{FunctionVersion, Reason, State},
};
use state::Catalog;
use tokio::{sync::Semaphore, time::Instant};

/// How long a miss may wait for the controllers and for the local copy together.
const PATIENCE: Duration = Duration::from_millis(300);
/// Misses that may ask the controllers at the same time, so that a storm of unknown names does not become one on the
/// leader; more are answered by the local copy alone, if it is [`FRESH`].
const ASKING_MAX: usize = 16;
/// A copy that a controller has confirmed to be complete not longer ago than this.
const FRESH: Duration = Duration::from_secs(1);

/// The version that an invocation runs.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Its record at the moment of resolution: the worker runs exactly this revision of it.
    pub version: Arc<FunctionVersion>,
    /// A position of the catalog that has this record.
    pub revision: Revision,
    /// The ARN as the caller named it.
    pub invoked: FunctionArn,
    /// The most concurrent executions that the function may have, if it has a bound of its own.
    pub reserved: Option<u32>,
    /// The tenant whom the invocation is for: there is one if the version has tenants, and none otherwise.
    pub tenant: Option<TenantId>,
}

impl Resolved {
    /// The same invocation of another revision of its version; `None` if that is none, or cannot run it. A function that has
    /// tenants where this one had none, or the reverse, is another one of the same name.
    pub(crate) fn at(&self, version: Arc<FunctionVersion>, revision: Revision) -> Option<Self> {
        let usable = version.id == self.version.id
            && version.revision_id != self.version.revision_id
            && version.state == State::Active
            && version.config.has_tenants() == self.tenant.is_some();
        usable.then(|| Self {
            version,
            revision,
            ..self.clone()
        })
    }
}

/// Why there is nothing to run. The ARN is as the caller named it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No such function, version or alias.
    #[error("function not found: {0}")]
    NotFound(FunctionArn),
    /// It is still being created.
    #[error("function {0} is still being created")]
    Pending(FunctionArn),
    /// This node does not know it, and no controller could be asked whether it exists.
    #[error("function {0} is not known here, and no controller could be asked; try again")]
    Unconfirmed(FunctionArn),
    /// It can never run.
    #[error("function {arn} cannot run: {} ({})", reason.text, reason.code)]
    Failed {
        /// The function.
        arn: FunctionArn,
        /// Why.
        reason: Reason,
    },
    /// It has tenants, and the invocation names none.
    #[error("function {0} has tenants, and the invocation names none")]
    TenantMissing(FunctionArn),
    /// It has no tenants, and the invocation names one.
    #[error("function {0} has no tenants, and the invocation names one")]
    TenantUnexpected(FunctionArn),
    /// It asks for what no worker can do yet, and would run wrong without it.
    #[error("function {arn} has {member}, which no worker of this cluster can honour")]
    Unmet {
        /// The function.
        arn: FunctionArn,
        /// The member of its configuration, as the API calls it.
        member: &'static str,
    },
}

impl Failure for ResolveError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound(_) => ErrorKind::NotFound,
            Self::Pending(_) | Self::Failed { .. } => ErrorKind::Conflict,
            Self::Unmet { .. } | Self::TenantMissing(_) | Self::TenantUnexpected(_) => {
                ErrorKind::Invalid
            }
            Self::Unconfirmed(_) => ErrorKind::Unavailable,
        }
    }
}

impl ResolveError {
    /// Whether a newer catalog may say otherwise.
    const fn may_be_old(&self) -> bool {
        match self {
            Self::NotFound(_) | Self::Pending(_) => true,
            // Whether there are tenants is said once, at creation; but a function can be made again.
            Self::TenantMissing(_) | Self::TenantUnexpected(_) => true,
            Self::Failed { .. } | Self::Unmet { .. } | Self::Unconfirmed(_) => false,
        }
    }
}

/// Resolves against one catalog. Pure; `drawn` is an even draw from `0..1_000_000`.
///
/// # Errors
/// [`ResolveError`].
pub fn resolve_in(
    catalog: &Catalog,
    function: &FunctionId,
    qualifier: Option<&Qualifier>,
    tenant: Option<&TenantId>,
    drawn: u32,
) -> Result<Arc<FunctionVersion>, ResolveError> {
    let arn = || function.arn(qualifier.cloned());
    let version = catalog
        .resolve(function, qualifier, drawn)
        .ok_or_else(|| ResolveError::NotFound(arn()))?;
    match (version.config.has_tenants(), tenant) {
        (true, None) => return Err(ResolveError::TenantMissing(arn())),
        (false, Some(_)) => return Err(ResolveError::TenantUnexpected(arn())),
        (true, Some(_)) | (false, None) => {}
    }
    match &version.state {
        State::Active => match version.config.unmet() {
            None => Ok(version.clone()),
            Some(member) => Err(ResolveError::Unmet { arn: arn(), member }),
        },
        State::Pending => Err(ResolveError::Pending(arn())),
        State::Failed(reason) => Err(ResolveError::Failed {
            arn: arn(),
            reason: reason.clone(),
        }),
    }
}

/// Resolves against the local copy, and against a newer one if the first answer may be old.
#[derive(Clone)]
pub(crate) struct Resolver {
    copy: LocalCopy,
    controllers: Controllers,
    asking: Arc<Semaphore>,
}

impl Resolver {
    pub(crate) fn new(copy: LocalCopy, controllers: Controllers) -> Self {
        Self {
            copy,
            controllers,
            asking: Arc::new(Semaphore::new(ASKING_MAX)),
        }
    }

    /// The concurrent executions of an account that has a limit of its own.
    pub(crate) fn concurrency_of(&self, account: AccountId) -> Option<u32> {
        self.copy.read(|catalog| {
            let own = catalog
                .account(account)?
                .limits
                .get("concurrent_executions")?;
            Some(u32::try_from(*own).unwrap_or(u32::MAX))
        })
    }

    pub(crate) async fn resolve(
        &self,
        function: &FunctionId,
        qualifier: Option<&Qualifier>,
        tenant: Option<&TenantId>,
        drawn: u32,
    ) -> Result<Resolved, ResolveError> {
        match self.resolve_now(function, qualifier, tenant, drawn) {
            Err(error) if error.may_be_old() => match self.catch_up().await {
                CaughtUp::Yes => self.resolve_now(function, qualifier, tenant, drawn),
                CaughtUp::Nearly => Err(error),
                CaughtUp::Unknown => match error {
                    ResolveError::NotFound(arn) => Err(ResolveError::Unconfirmed(arn)),
                    known => Err(known),
                },
            },
            answer => answer,
        }
    }

    /// The record of the same version now, if it is another than the resolved one.
    pub(crate) fn newer(&self, resolved: &Resolved) -> Option<Resolved> {
        let revision = self.copy.revision();
        let version = self
            .copy
            .read(|catalog| catalog.version(&resolved.version.id).cloned())?;
        resolved.at(version, revision)
    }

    fn resolve_now(
        &self,
        function: &FunctionId,
        qualifier: Option<&Qualifier>,
        tenant: Option<&TenantId>,
        drawn: u32,
    ) -> Result<Resolved, ResolveError> {
        // Read before the record: the record is at least as new as this.
        let revision = self.copy.revision();
        let found = self.copy.read(|catalog| {
            let version = resolve_in(catalog, function, qualifier, tenant, drawn)?;
            let reserved = catalog.function(function).and_then(|f| f.reserved());
            Ok((version, reserved))
        });
        let (version, reserved) = found?;
        Ok(Resolved {
            version,
            revision,
            invoked: function.arn(qualifier.cloned()),
            reserved,
            tenant: tenant.cloned(),
        })
    }

    /// Brings the local copy to where the leader says that it should be.
    async fn catch_up(&self) -> CaughtUp {
        let Ok(_one_of_few) = self.asking.try_acquire() else {
            return match self.copy.staleness() {
                Some(age) if age <= FRESH => CaughtUp::Nearly,
                _ => CaughtUp::Unknown,
            };
        };
        let deadline = Instant::now() + PATIENCE;
        let revision = match self.controllers.barrier(PATIENCE).await {
            Ok(revision) => revision,
            Err(error) => {
                tracing::debug!(%error, "the controllers could not be asked about a missing function");
                return CaughtUp::Unknown;
            }
        };
        let left = deadline.saturating_duration_since(Instant::now());
        match self.copy.wait_for(revision, left).await {
            Ok(()) => CaughtUp::Yes,
            Err(_behind) => CaughtUp::Unknown,
        }
    }
}

/// How the local copy stands to the controllers' catalog.
enum CaughtUp {
    /// It has all that was acknowledged before it was asked.
    Yes,
    /// It had, a moment ago.
    Nearly,
    /// Nobody answered.
    Unknown,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::{
        Architecture, Digest, Mutation, Timestamp,
        alias::{Canary, Weight},
        function::{Code, Config, Logging, OptionalConfig, Publication, TracingMode},
    };
    use state::{Command, IdempotencyKey, Stamp};

    use super::*;

    fn function() -> FunctionId {
        FunctionId {
            account: model::AccountId::DEFAULT,
            region: model::Region::default(),
            name: "hello".parse().unwrap(),
        }
    }

    fn apply(catalog: &mut Catalog, revision: u64, mutation: Mutation) {
        let command = Command {
            stamp: Stamp {
                at: Timestamp(1),
                seed: u128::from(revision),
            },
            key: IdempotencyKey(0),
            mutation,
        };
        catalog
            .apply(Revision(revision), &command)
            .result
            .expect("accepted");
    }

    fn created() -> Catalog {
        created_with(None)
    }

    fn created_with(optional: Option<OptionalConfig>) -> Catalog {
        let mut catalog = Catalog::default();
        let config = Config {
            runtime: "python3.13".parse().unwrap(),
            handler: Some("h.h".to_owned()),
            role: "arn:aws:iam::000000000000:role/r".to_owned(),
            description: String::new(),
            timeout: model::TimeoutSeconds::default(),
            memory: model::MemoryMib::default(),
            ephemeral: model::EphemeralMib::default(),
            architecture: Architecture::X86_64,
            environment: None,
            tracing: TracingMode::PassThrough,
            logging: Logging::default(),
            optional: optional.and_then(OptionalConfig::boxed),
        };
        let create = Mutation::CreateFunction {
            function: function(),
            config: Box::new(config),
            code: Code {
                digest: Digest::of(b"zip"),
                size: 3,
                unzipped: 0,
            },
            publish: Some(Publication::Number),
            tags: BTreeMap::new(),
            code_signing: None,
        };
        apply(&mut catalog, 1, create);
        catalog
    }

    fn settle(catalog: &mut Catalog, failure: Option<&Reason>) {
        let unsettled: Vec<_> = catalog.unsettled().cloned().collect();
        for (i, version) in unsettled.into_iter().enumerate() {
            let settle = Mutation::Settle {
                version: version.id.clone(),
                revision: version.revision_id,
                failure: failure.cloned(),
            };
            apply(catalog, 10 + u64::try_from(i).unwrap(), settle);
        }
    }

    fn check(catalog: &Catalog, qualifier: Option<&str>, drawn: u32, expected: &str) {
        let qualifier = qualifier.map(|q| q.parse().unwrap());
        let got = resolve_in(catalog, &function(), qualifier.as_ref(), None, drawn);
        let got = got.map_or_else(|e| e.to_string(), |v| v.id.version.to_string());
        assert_eq!(got, expected);
    }

    const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:hello";

    #[test]
    fn every_state_has_its_answer() {
        check(
            &Catalog::default(),
            None,
            0,
            &format!("function not found: {ARN}"),
        );
        let mut catalog = created();
        check(
            &catalog,
            None,
            0,
            &format!("function {ARN} is still being created"),
        );
        let reason = Reason {
            code: "InvalidZipFileException".to_owned(),
            text: "no zip".to_owned(),
        };
        let mut failed = catalog.clone();
        settle(&mut failed, Some(&reason));
        check(
            &failed,
            Some("1"),
            0,
            &format!("function {ARN}:1 cannot run: no zip (InvalidZipFileException)"),
        );
        settle(&mut catalog, None);
        check(&catalog, None, 0, "$LATEST");
        check(&catalog, Some("$LATEST"), 0, "$LATEST");
        check(&catalog, Some("1"), 0, "1");
        check(
            &catalog,
            Some("2"),
            0,
            &format!("function not found: {ARN}:2"),
        );
        check(
            &catalog,
            Some("live"),
            0,
            &format!("function not found: {ARN}:live"),
        );
    }

    #[test]
    fn who_has_tenants_is_invoked_for_one_and_nobody_else_is() {
        let of = |catalog: &Catalog, tenant: Option<&str>| {
            let tenant = tenant.map(|t| t.parse().unwrap());
            resolve_in(catalog, &function(), None, tenant.as_ref(), 0).map(|v| v.id.version)
        };
        let arn = || function().arn(None);
        let mut without = created();
        settle(&mut without, None);
        assert_eq!(of(&without, None), Ok(model::Version::Latest));
        assert_eq!(
            of(&without, Some("blue")),
            Err(ResolveError::TenantUnexpected(arn()))
        );
        let mut with = created_with(Some(OptionalConfig {
            tenant_isolation: true,
            ..OptionalConfig::default()
        }));
        // Another function may have had this name, and be all that this copy knows of it.
        assert!(of(&without, Some("blue")).is_err_and(|e| e.may_be_old()));
        assert!(of(&with, None).is_err_and(|e| e.may_be_old()));
        // Whom it is for is asked before it is ready, as AWS does.
        assert_eq!(of(&with, None), Err(ResolveError::TenantMissing(arn())));
        assert_eq!(of(&with, Some("blue")), Err(ResolveError::Pending(arn())));
        settle(&mut with, None);
        assert_eq!(of(&with, Some("blue")), Ok(model::Version::Latest));
        assert_eq!(of(&with, None), Err(ResolveError::TenantMissing(arn())));
    }

    #[test]
    fn a_revision_of_another_tenancy_is_another_function() {
        let latest = |optional| {
            let mut catalog = created_with(optional);
            settle(&mut catalog, None);
            catalog.resolve(&function(), None, 0).cloned().unwrap()
        };
        let shared = latest(None);
        let isolated = latest(Some(OptionalConfig {
            tenant_isolation: true,
            ..OptionalConfig::default()
        }));
        let resolved = |version: &Arc<FunctionVersion>, tenant: Option<&str>| Resolved {
            version: version.clone(),
            revision: Revision(1),
            invoked: function().arn(None),
            reserved: None,
            tenant: tenant.map(|t| t.parse().unwrap()),
        };
        let renewed = |version: &Arc<FunctionVersion>| {
            let mut newer = (**version).clone();
            newer.revision_id = model::RevisionId::from_random(99);
            Arc::new(newer)
        };
        let blue = resolved(&isolated, Some("blue"));
        let newer = blue.at(renewed(&isolated), Revision(2)).unwrap();
        assert_eq!(newer.tenant, blue.tenant);
        assert!(blue.at(renewed(&shared), Revision(2)).is_none());
        let nobody = resolved(&shared, None);
        assert!(nobody.at(renewed(&shared), Revision(2)).is_some());
        assert!(nobody.at(renewed(&isolated), Revision(2)).is_none());
        assert!(nobody.at(shared, Revision(2)).is_none(), "nothing newer");
    }

    #[test]
    fn the_draw_decides_between_an_alias_and_its_canary() {
        let mut catalog = created();
        settle(&mut catalog, None);
        let patch = model::function::ConfigPatch {
            memory: Some(model::MemoryMib::new(256).unwrap()),
            ..Default::default()
        };
        let update = Mutation::UpdateFunctionConfiguration {
            function: function(),
            patch: Box::new(patch),
            expected: None,
        };
        apply(&mut catalog, 20, update);
        settle(&mut catalog, None);
        let publish = Mutation::PublishVersion {
            function: function(),
            to: Publication::Number,
            code_sha256: None,
            description: None,
            expected: None,
        };
        apply(&mut catalog, 30, publish);
        settle(&mut catalog, None);
        let alias = Mutation::CreateAlias {
            function: function(),
            name: "live".parse().unwrap(),
            version: "1".parse().unwrap(),
            canary: Some(Canary {
                version: 2.try_into().unwrap(),
                weight: Weight::from_fraction(0.25).unwrap(),
            }),
            description: String::new(),
        };
        apply(&mut catalog, 31, alias);
        check(&catalog, Some("live"), 249_999, "2");
        check(&catalog, Some("live"), 250_000, "1");
    }
}
