//! Texts about what is set for a function beside its configuration.

use std::fmt::Display;

use model::setting::Destinations;

use crate::error::{ApiError, FunctionArn};

impl ApiError {
    /// What a request names has nothing of the kind that it asks for.
    #[must_use]
    pub fn nothing_there() -> Self {
        Self::ResourceNotFound("The resource you requested does not exist.".to_owned())
    }

    /// The `RevisionId` of the request is not the present one of what a policy belongs to.
    #[must_use]
    pub fn policy_revision_mismatch() -> Self {
        Self::stale_revision("GetPolicy")
    }

    /// `RemovePermission` for a function that is not there.
    #[must_use]
    pub fn no_policy_of(function: &FunctionArn) -> Self {
        Self::ResourceNotFound(format!("No policy found for: {function}"))
    }

    /// A policy was to be changed or shown where there is none.
    #[must_use]
    pub fn no_policy() -> Self {
        Self::ResourceNotFound("No policy is associated with the given resource.".to_owned())
    }

    /// A policy has no statement of this id.
    #[must_use]
    pub fn statement_not_found(sid: &str) -> Self {
        Self::ResourceNotFound(format!("Statement {sid} is not found in resource policy."))
    }

    /// A policy has a statement of this id already.
    #[must_use]
    pub fn statement_exists(sid: &str) -> Self {
        Self::ResourceConflict(format!(
            "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the \
             existing statement."
        ))
    }

    /// A permission for nobody that there could be.
    #[must_use]
    pub fn invalid_principal() -> Self {
        Self::InvalidParameterValue(
            "The provided principal was invalid. Please check the principal and try again."
                .to_owned(),
        )
    }

    /// A policy document, or a statement of one, that cannot be one.
    #[must_use]
    pub fn invalid_policy(detail: impl Display) -> Self {
        Self::InvalidParameterValue(format!("The provided policy is invalid: {detail}"))
    }

    /// A policy was to be set for `$LATEST` by name.
    #[must_use]
    pub fn policy_of_latest() -> Self {
        Self::InvalidParameterValue(
            "We currently do not support adding policies for $LATEST.".to_owned(),
        )
    }

    /// A policy would be too long.
    #[must_use]
    pub fn policy_too_long(size: u64, limit: u64) -> Self {
        Self::PolicyLengthExceeded(format!(
            "The final policy size ({size}) is bigger than the limit ({limit})."
        ))
    }

    /// A resource of a kind that carries tags, although not this one.
    #[must_use]
    pub fn qualified_tags() -> Self {
        Self::InvalidParameterValue(
            "Tags on function aliases and versions are not supported. Please specify a function ARN."
                .to_owned(),
        )
    }

    /// `TagResource` without tags.
    #[must_use]
    pub fn no_tags() -> Self {
        Self::InvalidParameterValue(
            "An error occurred and the request cannot be processed.".to_owned(),
        )
    }

    /// Tags that are longer together than they may be.
    #[must_use]
    pub fn tags_too_long(limit: impl Display) -> Self {
        Self::InvalidParameterValue(format!(
            "The tags of a resource must have at most {limit} bytes together."
        ))
    }

    /// More is to be kept for a function than nobody has reserved. `member` is the member of the request.
    #[must_use]
    pub fn above_unreserved(member: &str, unreserved: u32) -> Self {
        Self::InvalidParameterValue(format!(
            "Specified {member} for function is greater than account's unreserved concurrency [{unreserved}]."
        ))
    }

    /// So much is to be kept for a function that too little would be left. `member` is the member of the request.
    #[must_use]
    pub fn below_unreserved_minimum(member: &str, min: u32) -> Self {
        Self::InvalidParameterValue(format!(
            "Specified {member} for function decreases account's UnreservedConcurrentExecution below its minimum value \
             of [{min}]."
        ))
    }

    /// A reservation below what is provisioned.
    #[must_use]
    pub fn reserved_below_provisioned(reserved: u32, provisioned: u32) -> Self {
        // Both spaces at the beginning and in the middle are AWS's.
        Self::InvalidParameterValue(format!(
            " ReservedConcurrentExecutions  {reserved} should not be lower than function's total provisioned \
             concurrency [{provisioned}]."
        ))
    }

    /// More is to be provisioned than the function has reserved.
    #[must_use]
    pub fn provisioned_above_reserved() -> Self {
        Self::InvalidParameterValue(
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
                .to_owned(),
        )
    }

    /// `$LATEST` cannot have environments kept ready.
    #[must_use]
    pub fn unpublished_provisioned() -> Self {
        Self::InvalidParameterValue(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
                .to_owned(),
        )
    }

    /// `$LATEST` was asked for environments that are kept ready.
    #[must_use]
    pub fn published_only() -> Self {
        Self::InvalidParameterValue(
            "The function resource provided must be an alias or a published version.".to_owned(),
        )
    }

    /// No environments are kept ready.
    #[must_use]
    pub fn no_provisioned() -> Self {
        Self::ProvisionedConcurrencyConfigNotFound(
            "No Provisioned Concurrency Config found for this function".to_owned(),
        )
    }

    /// An alias points to a version that has environments kept ready for itself.
    #[must_use]
    pub fn version_provisioned() -> Self {
        Self::ResourceConflict(
            "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version".to_owned(),
        )
    }

    /// A version to which an alias points that has environments kept ready.
    #[must_use]
    pub fn alias_provisioned() -> Self {
        Self::ResourceConflict("Version is pointed by a Provisioned Concurrency alias".to_owned())
    }

    /// A function whose asynchronous invocations were to be set up is not there.
    #[must_use]
    pub fn no_function_for_events() -> Self {
        Self::ResourceNotFound("The function doesn't exist.".to_owned())
    }

    /// Nothing is set for asynchronous invocations of this version or alias.
    #[must_use]
    pub fn no_event_invoke(resource: &FunctionArn) -> Self {
        Self::ResourceNotFound(format!(
            "The function {resource} doesn't have an EventInvokeConfig"
        ))
    }

    /// Nothing was given to be set for asynchronous invocations.
    #[must_use]
    pub fn empty_event_invoke() -> Self {
        Self::InvalidParameterValue(
            "You must specify at least one of error handling or destination setting.".to_owned(),
        )
    }

    /// A function as its own destination.
    #[must_use]
    pub fn own_destination() -> Self {
        Self::InvalidParameterValue(
            "You can't specify the function as a destination for itself.".to_owned(),
        )
    }

    /// A function as a destination that is not there.
    #[must_use]
    pub fn destination_not_found(arn: impl Display) -> Self {
        Self::InvalidParameterValue(format!("The destination ARN {arn} is invalid."))
    }

    /// Destinations of which one cannot be one; as they came.
    #[must_use]
    pub fn invalid_destinations(on_success: Option<&str>, on_failure: Option<&str>) -> Self {
        let part = |name: &str, arn: Option<&str>| {
            arn.map_or_else(
                || "null".to_owned(),
                |arn| format!("{name}(destination={arn})"),
            )
        };
        let (success, failure) = (part("OnSuccess", on_success), part("OnFailure", on_failure));
        Self::InvalidParameterValue(format!(
            "The provided destination config DestinationConfig(onSuccess={success}, onFailure={failure}) is invalid."
        ))
    }

    /// Destinations of which one cannot be one.
    #[must_use]
    pub fn unusable_destinations(destinations: &Destinations) -> Self {
        let [on_success, on_failure] = [&destinations.on_success, &destinations.on_failure]
            .map(|d| d.as_ref().map(model::setting::Destination::as_str));
        Self::invalid_destinations(on_success, on_failure)
    }

    /// A function or alias that was to get a URL is not there.
    #[must_use]
    pub fn no_function_for_url() -> Self {
        Self::ResourceNotFound("Function does not exist".to_owned())
    }

    /// There is a URL already.
    #[must_use]
    pub fn url_exists(resource: &FunctionArn) -> Self {
        // Both spaces after the colon are AWS's.
        Self::ResourceConflict(format!(
            "Failed to create function url config for [functionArn = {resource}]. Error message:  FunctionUrlConfig \
             exists for this Lambda function"
        ))
    }

    /// Rules of cross-origin sharing that are longer together than they may be.
    #[must_use]
    pub fn cors_too_long(limit: usize) -> Self {
        Self::InvalidParameterValue(format!(
            "The lists of a Cors configuration must have at most {limit} bytes together."
        ))
    }

    /// A runtime was to be chosen by hand, and none was named.
    #[must_use]
    pub fn runtime_version_required() -> Self {
        Self::InvalidParameterValue(
            "RuntimeVersionArn is required if UpdateRuntimeOn is Manual.".to_owned(),
        )
    }

    /// A runtime was named that nobody was to choose by hand.
    #[must_use]
    pub fn runtime_version_unwanted() -> Self {
        Self::InvalidParameterValue(
            "RuntimeVersionArn can be given only if UpdateRuntimeOn is Manual.".to_owned(),
        )
    }

    /// A version of a runtime that the function cannot run on.
    #[must_use]
    pub fn unknown_runtime_version(arn: &str, known: &str) -> Self {
        Self::InvalidParameterValue(format!(
            "The runtime version {arn} is not available for this function. The available one is {known}."
        ))
    }

    /// A setting that aliases do not have.
    #[must_use]
    pub fn not_for_aliases() -> Self {
        Self::InvalidParameterValue(
            "Aliases do not support this operation. Please specify a version number or $LATEST."
                .to_owned(),
        )
    }

    /// A least number of environments above the greatest.
    #[must_use]
    pub fn scaling_out_of_order(min: u32, max: u32) -> Self {
        Self::InvalidParameterValue(format!(
            "MinExecutionEnvironments ({min}) must not be greater than MaxExecutionEnvironments ({max})."
        ))
    }

    /// A setting that cannot stand where it was to be put.
    #[must_use]
    pub fn misplaced_setting(kind: impl Display, resource: &FunctionArn) -> Self {
        Self::InvalidParameterValue(format!("{resource} can have no {kind} configuration."))
    }
}
