//! Versions on their way to a caller.

use std::sync::Arc;

use lambda_api::{
    ApiError, Operation,
    response::{Detail, FunctionConfiguration, ShownEnvironment, to_body},
    target::Target,
};
use model::{Qualifier, Version, function::FunctionVersion, mutation::Changed};
use state::{Catalog, FunctionEntry};

use super::Workbench;
use crate::{error::OperationError, respond::Answer};

/// A version with its environment opened, and the qualifier that its ARN is to have. Whoever makes one must know that the
/// caller may see it.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) version: Arc<FunctionVersion>,
    pub(crate) qualifier: Option<Qualifier>,
    pub(crate) environment: Option<ShownEnvironment>,
}

impl Shown {
    pub(crate) fn new(
        bench: &Workbench,
        version: Arc<FunctionVersion>,
        qualifier: Option<Qualifier>,
    ) -> Self {
        Self {
            environment: bench.control.shown_environment(&version),
            version,
            qualifier,
        }
    }

    /// The version under its own number, or `$LATEST`.
    pub(crate) fn qualified(bench: &Workbench, version: Arc<FunctionVersion>) -> Self {
        let qualifier = Some(Qualifier::Version(version.id.version));
        Self::new(bench, version, qualifier)
    }

    /// A published version under its own name, `$LATEST` under a bare ARN.
    pub(crate) fn published(bench: &Workbench, version: Arc<FunctionVersion>) -> Self {
        match version.id.version {
            Version::Latest => Self::bare(bench, version),
            Version::LatestPublished | Version::Number(_) => Self::qualified(bench, version),
        }
    }

    /// The version under a bare ARN.
    pub(crate) fn bare(bench: &Workbench, version: Arc<FunctionVersion>) -> Self {
        Self::new(bench, version, None)
    }

    /// As AWS shows it.
    pub(crate) fn configuration(&self, detail: Detail) -> FunctionConfiguration {
        let environment = self.environment.clone();
        FunctionConfiguration::new(&self.version, environment, self.qualifier.clone(), detail)
    }

    /// The answer of an operation that shows one version.
    pub(crate) fn answer(&self, operation: Operation) -> Answer {
        Answer::json(
            operation.success(),
            to_body(&self.configuration(Detail::Full)),
        )
    }
}

/// The function of a catalog, and the version that a target means: an alias means its own version, never its canary.
pub(super) fn find<'c>(
    catalog: &'c Catalog,
    target: &Target,
) -> Result<(&'c FunctionEntry, Arc<FunctionVersion>), ApiError> {
    let missing = || ApiError::function_not_found(&target.arn());
    let entry = catalog.function(&target.function).ok_or_else(missing)?;
    let version = match &target.qualifier {
        None => Version::Latest,
        Some(Qualifier::Version(version)) => *version,
        Some(Qualifier::Alias(name)) => entry.aliases.get(name).ok_or_else(missing)?.version,
    };
    let version = entry.versions.get(&version).ok_or_else(missing)?;
    Ok((entry, version.clone()))
}

/// The version that a change gave.
pub(super) fn changed(
    changed: Changed,
    operation: Operation,
) -> Result<Arc<FunctionVersion>, OperationError> {
    match changed {
        Changed::Version(version) => Ok(version),
        _ => Err(OperationError::WrongAnswer {
            operation: operation.name(),
        }),
    }
}
