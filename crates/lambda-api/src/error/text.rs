//! The texts that AWS fixes, as constructors.

mod durable;
mod mapping;
mod setting;

use std::fmt::Display;

use model::{FunctionName, Limits, Runtime, Version};

use super::{ApiError, FunctionArn, Operation, Region};

/// How much of a content type is repeated, in characters.
const MEDIA_TYPE_SHOWN: usize = 100;

impl ApiError {
    /// A function, or a version or alias of it that a request reaches through the function.
    #[must_use]
    pub fn function_not_found(arn: &(impl Display + ?Sized)) -> Self {
        Self::ResourceNotFound(format!("Function not found: {arn}"))
    }

    /// A function under a qualifier that can name no version and no alias.
    #[must_use]
    pub fn qualifier_not_found(function: &FunctionArn, qualifier: &str) -> Self {
        Self::ResourceNotFound(format!("Function not found: {function}:{qualifier}"))
    }

    /// An alias that `GetAlias` or `UpdateAlias` named.
    #[must_use]
    pub fn alias_not_found(arn: &FunctionArn) -> Self {
        Self::ResourceNotFound(format!("Cannot find alias arn: {arn}"))
    }

    /// An ARN of another region than the one the request was sent to.
    #[must_use]
    pub fn other_region(theirs: &Region, ours: &Region) -> Self {
        Self::ResourceNotFound(format!(
            "Functions from '{theirs}' are not reachable in this region ('{ours}')"
        ))
    }

    /// A caller who may not do something, by their ARN, and why. Page *Troubleshoot access denied error messages* of the IAM
    /// User Guide.
    #[must_use]
    pub fn denied(caller: &str, action: &str, resource: &str, why: &str) -> Self {
        Self::AccessDenied(format!(
            "User: {caller} is not authorized to perform: {action} on resource: {resource} {why}"
        ))
    }

    /// A caller whom no policy allows the operation. `caller` is an ARN.
    #[must_use]
    pub fn not_authorized(
        caller: impl Display,
        operation: Operation,
        resource: impl Display,
    ) -> Self {
        let action = operation.action();
        Self::AccessDenied(format!(
            "User: {caller} is not authorized to perform: {action} on resource: {resource} because no identity-based \
             policy allows the {action} action"
        ))
    }

    /// A function of this name is there already.
    #[must_use]
    pub fn function_exists(name: &FunctionName) -> Self {
        Self::ResourceConflict(format!("Function already exist: {name}"))
    }

    /// An alias of this name is there already.
    #[must_use]
    pub fn alias_exists(arn: &FunctionArn) -> Self {
        Self::ResourceConflict(format!("Alias already exists: {arn}"))
    }

    /// An update of the function is not over.
    #[must_use]
    pub fn update_in_progress(arn: &FunctionArn) -> Self {
        Self::ResourceConflict(format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {arn}"
        ))
    }

    /// The function is still being created.
    #[must_use]
    pub fn function_pending() -> Self {
        Self::ResourceConflict(
            "The operation cannot be performed at this time. The function is currently in the following state: Pending"
                .to_owned(),
        )
    }

    /// The `RevisionId` of the request is not the present one of a function or of an alias.
    #[must_use]
    pub fn revision_mismatch() -> Self {
        Self::stale_revision("GetFunction/GetAlias")
    }

    pub(super) fn stale_revision(call: &str) -> Self {
        Self::PreconditionFailed(format!(
            "The Revision Id provided does not match the latest Revision Id. Call the {call} API to retrieve the \
             latest Revision Id"
        ))
    }

    /// The qualifier in the function's name and the `Qualifier` parameter disagree.
    #[must_use]
    pub fn qualifier_mismatch() -> Self {
        Self::InvalidParameterValue(
            "The derived qualifier from the function name does not match the specified qualifier."
                .to_owned(),
        )
    }

    /// An operation on a whole function was sent to one of its versions or aliases.
    #[must_use]
    pub fn qualified_function() -> Self {
        Self::InvalidParameterValue(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
             operation. Please specify either a function name or an unqualified function ARN."
                .to_owned(),
        )
    }

    /// `DeleteFunction` was sent to an alias.
    #[must_use]
    pub fn alias_deletion() -> Self {
        Self::InvalidParameterValue("Deletion of aliases is not currently supported.".to_owned())
    }

    /// `PublishVersion` named another code than `$LATEST` has; both in base64.
    #[must_use]
    pub fn code_mismatch(expected: &str, actual: &str) -> Self {
        Self::InvalidParameterValue(format!(
            "CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST ({actual}). Please try again \
             with the CodeSHA256 in $LATEST."
        ))
    }

    /// `$LATEST` cannot be deleted alone.
    #[must_use]
    pub fn latest_not_deletable() -> Self {
        Self::InvalidParameterValue(
            "$LATEST version cannot be deleted without deleting the function.".to_owned(),
        )
    }

    /// A version that aliases point to cannot be deleted.
    #[must_use]
    pub fn version_in_use(aliases: &[String]) -> Self {
        let aliases = aliases.join(", ");
        Self::ResourceConflict(format!(
            "Unable to delete version because the following aliases reference it: [{aliases}]"
        ))
    }

    /// An alias cannot split traffic between a version and itself.
    #[must_use]
    pub fn canary_is_primary(version: Version) -> Self {
        Self::InvalidParameterValue(format!(
            "Invalid function version {version}. Function version {version} is already included in routing \
             configuration."
        ))
    }

    /// `$LATEST` cannot have a canary beside it.
    #[must_use]
    pub fn latest_with_canary() -> Self {
        Self::InvalidParameterValue(
            "$LATEST is not supported for an alias pointing to more than 1 version".to_owned(),
        )
    }

    /// An alias has more than one canary.
    #[must_use]
    pub fn too_many_canaries() -> Self {
        Self::InvalidParameterValue(
            "Number of items in AdditionalVersionWeights cannot be greater than 1".to_owned(),
        )
    }

    /// A function has as many aliases as it may have.
    #[must_use]
    pub fn too_many_aliases(function: &FunctionName, limit: usize) -> Self {
        Self::AliasLimitExceeded(format!(
            "Function {function} has reached its limit of {limit} aliases."
        ))
    }

    /// A resource has more tags than it may have.
    #[must_use]
    pub fn too_many_tags() -> Self {
        Self::InvalidParameterValue("Number of tags exceeds resource tag limit.".to_owned())
    }

    /// Environment variables are too large, measured as compact JSON.
    #[must_use]
    pub fn environment_too_large(limits: &Limits, measured: &str) -> Self {
        Self::InvalidParameterValue(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided exceeded the {}KB limit. String measured: {measured}",
            limits.environment.0 / 1024
        ))
    }

    /// The environment variables of a function are sealed with a key that is not here.
    #[must_use]
    pub fn environment_key_not_found() -> Self {
        Self::KmsNotFound(
            "Lambda was unable to decrypt the environment variables because the key was not found. Please try again; \
             if it happens again, the operator of the cluster can tell which key is missing."
                .to_owned(),
        )
    }

    /// The environment variables of a function do not open.
    #[must_use]
    pub fn environment_damaged() -> Self {
        Self::KmsInvalidState(
            "Lambda was unable to decrypt the environment variables. Please set the environment variables of the \
             function again."
                .to_owned(),
        )
    }

    /// Environment variables whose names the platform keeps for itself.
    #[must_use]
    pub fn reserved_environment(keys: &[&str]) -> Self {
        Self::InvalidParameterValue(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided contains reserved keys that are currently not supported for modification. Reserved keys used in \
             this request: {}",
            keys.join(", ")
        ))
    }

    /// A runtime that functions can no longer be created with or moved to.
    #[must_use]
    pub fn retired_runtime(runtime: Runtime) -> Self {
        Self::InvalidParameterValue(format!(
            "The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. \
             We recommend you use a supported runtime while creating or updating functions."
        ))
    }

    /// A text that is not a runtime.
    #[must_use]
    pub fn unknown_runtime(runtime: &str) -> Self {
        let known: Vec<_> = Runtime::all()
            .filter(|r| r.is_supported())
            .map(Runtime::as_str)
            .collect();
        Self::InvalidParameterValue(format!(
            "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or \
             be a valid ARN",
            known.join(", ")
        ))
    }

    /// A function of a deployment package lacks runtime or handler.
    #[must_use]
    pub fn runtime_and_handler_required() -> Self {
        Self::InvalidParameterValue(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.".to_owned(),
        )
    }

    /// No code was sent.
    #[must_use]
    pub fn code_required() -> Self {
        Self::InvalidParameterValue("Please provide a source for function code.".to_owned())
    }

    /// A zip and another source of code were sent together.
    #[must_use]
    pub fn code_ambiguous() -> Self {
        Self::InvalidParameterValue(
            "Please do not provide other FunctionCode parameters when providing a ZipFile."
                .to_owned(),
        )
    }

    /// A member that this cluster does not implement.
    #[must_use]
    pub fn unsupported_member(member: &str) -> Self {
        Self::InvalidParameterValue(format!("{member} is not supported by this cluster."))
    }

    /// A number that the API model allows and a function of this kind does not.
    #[must_use]
    pub fn above_quota(member: &str, quota: impl Display) -> Self {
        Self::InvalidParameterValue(format!(
            "'{member}' value failed to satisfy constraint: Member must have value less than or equal to {quota}"
        ))
    }

    /// A marker that no page of ours ended with.
    #[must_use]
    pub fn invalid_marker() -> Self {
        Self::InvalidParameterValue("The provided Marker is invalid.".to_owned())
    }

    /// A deployment package that is not a zip, or not one that can be unpacked safely.
    #[must_use]
    pub fn not_unzippable() -> Self {
        Self::InvalidParameterValue(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
                .to_owned(),
        )
    }

    /// A deployment package without any file.
    #[must_use]
    pub fn empty_package() -> Self {
        Self::InvalidParameterValue("Uploaded file must be a non-empty zip".to_owned())
    }

    /// A deployment package that is too large once unpacked.
    #[must_use]
    pub fn unzipped_too_large(limit: u64) -> Self {
        Self::InvalidParameterValue(format!("Unzipped size must be smaller than {limit} bytes"))
    }

    /// A deployment package that is too large as uploaded.
    #[must_use]
    pub fn zipped_too_large(limit: u64) -> Self {
        Self::RequestEntityTooLarge(format!("Zipped size must be smaller than {limit} bytes"))
    }

    /// A deployment package with more entries than a package may have.
    #[must_use]
    pub fn too_many_entries(limit: u64) -> Self {
        Self::InvalidParameterValue(format!("Uploaded file must have at most {limit} entries"))
    }

    /// The body of a control request is larger than any may be.
    #[must_use]
    pub fn body_too_large(limits: &Limits, operation: Operation) -> Self {
        let (limit, operation) = (limits.control_body.0, operation.name());
        Self::RequestEntityTooLarge(format!(
            "Request must be smaller than {limit} bytes for the {operation} operation"
        ))
    }

    /// The payload of an invocation is larger than `limit` bytes.
    #[must_use]
    pub fn payload_too_large(limit: u64) -> Self {
        Self::RequestTooLarge(format!(
            "Request must be smaller than {limit} bytes for the InvokeFunction operation"
        ))
    }

    /// A body of a control request that is not the JSON object it should be.
    #[must_use]
    pub fn unreadable_body(detail: impl Display) -> Self {
        Self::InvalidRequestContent(format!("Could not parse request body into json: {detail}"))
    }

    /// The body of a control request says that it is no JSON.
    #[must_use]
    pub fn media_type(given: &str) -> Self {
        let shown: String = given.chars().take(MEDIA_TYPE_SHOWN).collect();
        Self::UnsupportedMediaType(format!(
            "Unsupported content type: expected application/json, got {shown}"
        ))
    }

    /// The payload of an invocation that is not JSON.
    #[must_use]
    pub fn unreadable_payload(detail: impl Display) -> Self {
        Self::unreadable_body(format_args!("Could not parse payload into json: {detail}"))
    }

    /// A client context that is not base64 of JSON.
    #[must_use]
    pub fn invalid_client_context() -> Self {
        Self::InvalidRequestContent(
            "Client context must be a valid Base64-encoded JSON object.".to_owned(),
        )
    }

    /// Nobody can serve the request now; the client's own retry will try again.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::ServiceUnavailable("Service is temporarily unavailable. Please try again.".to_owned())
    }

    /// Something broke under the request. What, is for the operator's log and not for the caller.
    #[must_use]
    pub fn internal() -> Self {
        Self::Service("An internal error occurred. Please try again.".to_owned())
    }
}
