//! The texts about code-signing configurations and capacity providers, as constructors.

use std::fmt::Display;

use model::AccountId;

use super::{ApiError, Operation, Region};

impl ApiError {
    /// A code-signing configuration that a request names by itself.
    #[must_use]
    pub fn code_signing_not_found(arn: impl Display) -> Self {
        Self::ResourceNotFound(format!(
            "The Lambda code signing configuration {arn} can not be found."
        ))
    }

    /// A code-signing configuration that a function is to have.
    #[must_use]
    pub fn code_signing_missing(arn: impl Display) -> Self {
        Self::CodeSigningConfigNotFound(format!(
            "The code signing configuration cannot be found. Check that the provided configuration is not deleted: {arn}."
        ))
    }

    /// A code-signing configuration that functions have.
    #[must_use]
    pub fn code_signing_in_use(arn: impl Display) -> Self {
        Self::ResourceConflict(format!(
            "The code signing configuration {arn} is in use by functions. Remove it from them first."
        ))
    }

    /// Code that the function's configuration does not accept.
    #[must_use]
    pub fn code_not_signed() -> Self {
        Self::CodeVerificationFailed(
            "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client \
             is not configured to accept. Check the provided signature for unsigned."
                .to_owned(),
        )
    }

    /// A capacity provider that is not there. `name` is as the caller wrote it, or its ARN.
    #[must_use]
    pub fn capacity_provider_not_found(name: impl Display) -> Self {
        Self::ResourceNotFound(format!("Capacity provider not found: {name}"))
    }

    /// A new capacity provider's name is too long.
    #[must_use]
    pub fn capacity_provider_name_too_long(most: usize) -> Self {
        Self::InvalidParameterValue(format!(
            "The name of a capacity provider must not be longer than {most} characters."
        ))
    }

    /// A capacity provider of this name is there already.
    #[must_use]
    pub fn capacity_provider_exists(arn: impl Display) -> Self {
        Self::ResourceConflict(format!("Capacity provider already exists: {arn}"))
    }

    /// A capacity provider that functions have.
    #[must_use]
    pub fn capacity_provider_in_use(arn: impl Display) -> Self {
        Self::ResourceConflict(format!(
            "The capacity provider {arn} is in use by function versions. Delete them first."
        ))
    }

    /// Something of another account, which no policy opens to the caller. `resource` is its ARN.
    #[must_use]
    pub fn resource_of_other_account(
        caller: AccountId,
        region: &Region,
        operation: Operation,
        resource: impl Display,
    ) -> Self {
        let partition = region.partition();
        let action = operation.action();
        Self::AccessDenied(format!(
            "User: arn:{partition}:iam::{caller}:root is not authorized to perform: {action} on resource: {resource} \
             because no resource-based policy allows the {action} action"
        ))
    }
}
