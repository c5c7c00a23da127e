//! Versions on their way to a caller.

use std::sync::Arc;

use lambda_api::{
    ApiError, Operation,
    response::{Detail, FunctionConfiguration, to_body},
    target::Target,
};
use model::{Qualifier, Version, function::FunctionVersion, mutation::Changed};
use state::{Catalog, FunctionEntry};

use crate::{error::OperationError, respond::Answer};

/// A version, and the qualifier that its ARN is to have.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) version: Arc<FunctionVersion>,
    pub(crate) qualifier: Option<Qualifier>,
}

impl Shown {
    /// The version under its own number, or `$LATEST`.
    pub(crate) fn qualified(version: Arc<FunctionVersion>) -> Self {
        let qualifier = Some(Qualifier::Version(version.id.version));
        Self { version, qualifier }
    }

    /// The version under its number if it has one, `$LATEST` under a bare ARN.
    pub(crate) fn published(version: Arc<FunctionVersion>) -> Self {
        match version.id.version {
            Version::Latest => Self::bare(version),
            Version::Number(_) => Self::qualified(version),
        }
    }

    /// The version under a bare ARN.
    pub(crate) fn bare(version: Arc<FunctionVersion>) -> Self {
        Self {
            version,
            qualifier: None,
        }
    }

    /// As AWS shows it.
    pub(crate) fn configuration(&self, detail: Detail) -> FunctionConfiguration {
        FunctionConfiguration::new(&self.version, self.qualifier.clone(), detail)
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
        Changed::Alias(_)
        | Changed::LayerVersion(_)
        | Changed::CodeSigning(_)
        | Changed::Capacity(_)
        | Changed::Nothing => Err(OperationError::WrongAnswer {
            operation: operation.name(),
        }),
    }
}
