//! Every error that a caller can see: its wire name, its status, its body, and the texts that clients look for.
//!
//! Typed clients read the text under the key that the API model gives to each exception, `message` or `Message`; the
//! `Type` says whose fault it is. Both are settled in one exhaustive table, [`ApiError`]'s class.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use model::{
    FunctionArn, Qualifier, Region, SettingKind, Version, iam::Refusal, mutation::Rejection,
};
use package::PackageError;
use serde_json::{Map, Value};

use crate::{Operation, query::InvalidQuery, route::RouteError};

mod config_text;
mod layer_text;
mod settings_text;
mod text;

pub use layer_text::LAYER_POLICY_MAX;

/// The header that names an error.
pub const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// An error as a caller sees it. The text of each is what the body's message says: it may repeat what the caller sent,
/// secrets too, and is not for any log.
///
/// Texts that AWS fixes come from the constructors; use a variant directly only for a text of one's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// A parameter is not acceptable.
    #[error("{0}")]
    InvalidParameterValue(String),
    /// A body that is not the JSON it should be.
    #[error("{0}")]
    InvalidRequestContent(String),
    /// Members break the constraints of the API model.
    #[error("{0}")]
    Validation(String),
    /// What the request names is not there.
    #[error("{0}")]
    ResourceNotFound(String),
    /// The state of a resource forbids the request.
    #[error("{0}")]
    ResourceConflict(String),
    /// A resource is in transition.
    #[error("{0}")]
    ResourceInUse(String),
    /// The revision that the caller expects is not the present one.
    #[error("{0}")]
    PreconditionFailed(String),
    /// A function has too many aliases.
    #[error("{0}")]
    AliasLimitExceeded(String),
    /// A policy is too long.
    #[error("{0}")]
    PolicyLengthExceeded(String),
    /// No environments are kept ready.
    #[error("{0}")]
    ProvisionedConcurrencyConfigNotFound(String),
    /// The code has no signature that the function's configuration accepts.
    #[error("{0}")]
    CodeVerificationFailed(String),
    /// The code-signing configuration that a function is to have is not there.
    #[error("{0}")]
    CodeSigningConfigNotFound(String),
    /// The account's code storage is full.
    #[error("{0}")]
    CodeStorageExceeded(String),
    /// The payload of an invocation is too large.
    #[error("{0}")]
    RequestTooLarge(String),
    /// The body of a control request is too large.
    #[error("{0}")]
    RequestEntityTooLarge(String),
    /// The content type is not acceptable.
    #[error("{0}")]
    UnsupportedMediaType(String),
    /// A limit of rate or concurrency is reached.
    #[error("Rate Exceeded.")]
    TooManyRequests {
        /// Which limit.
        reason: ThrottleReason,
        /// When to try again, in seconds.
        retry_after_s: Option<u32>,
    },
    /// The caller may not do this.
    #[error("{0}")]
    AccessDenied(String),
    /// No credential came with the request.
    #[error("Missing Authentication Token")]
    MissingAuthenticationToken,
    /// The credential or signature cannot be read.
    #[error("{0}")]
    IncompleteSignature(String),
    /// The signature is wrong, or too old.
    #[error("{0}")]
    InvalidSignature(String),
    /// The access key or session token is not known.
    #[error("The security token included in the request is invalid.")]
    UnrecognizedClient,
    /// The session token is over.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// No operation has this method and path.
    #[error("The requested operation does not exist.")]
    UnknownOperation,
    /// The runtime of the function cannot be used.
    #[error("{0}")]
    InvalidRuntime(String),
    /// The deployment package cannot be unpacked.
    #[error("{0}")]
    InvalidZipFile(String),
    /// There is no key for the environment variables of the function.
    #[error("{0}")]
    KmsNotFound(String),
    /// The environment variables of the function do not open with the key that should open them.
    #[error("{0}")]
    KmsInvalidState(String),
    /// The function is not ready to be invoked.
    #[error("{0}")]
    ResourceNotReady(String),
    /// A defect, or something that broke under the request.
    #[error("{0}")]
    Service(String),
    /// Nobody can serve the request now.
    #[error("{0}")]
    ServiceUnavailable(String),
}

/// Which limit a throttled request met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ThrottleReason {
    /// The concurrency of the account.
    ConcurrentInvocationLimitExceeded,
    /// The invocation rate of the account.
    FunctionInvocationRateLimitExceeded,
    /// The reserved concurrency of the function.
    ReservedFunctionConcurrentInvocationLimitExceeded,
    /// The invocation rate of the function's reserved concurrency.
    ReservedFunctionInvocationRateLimitExceeded,
    /// The request rate of the caller.
    CallerRateLimitExceeded,
    /// Concurrent creation of environment snapshots.
    ConcurrentSnapshotCreateLimitExceeded,
}

impl ThrottleReason {
    /// The reason as the body names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConcurrentInvocationLimitExceeded => "ConcurrentInvocationLimitExceeded",
            Self::FunctionInvocationRateLimitExceeded => "FunctionInvocationRateLimitExceeded",
            Self::ReservedFunctionConcurrentInvocationLimitExceeded => {
                "ReservedFunctionConcurrentInvocationLimitExceeded"
            }
            Self::ReservedFunctionInvocationRateLimitExceeded => {
                "ReservedFunctionInvocationRateLimitExceeded"
            }
            Self::CallerRateLimitExceeded => "CallerRateLimitExceeded",
            Self::ConcurrentSnapshotCreateLimitExceeded => "ConcurrentSnapshotCreateLimitExceeded",
        }
    }
}

/// What is fixed about an error: its place on the wire.
struct Class {
    name: &'static str,
    status: StatusCode,
    /// Whose fault it is; the errors outside the API model do not say.
    fault: Option<&'static str>,
    key: &'static str,
}

const USER: Option<&str> = Some("User");
const SERVICE: Option<&str> = Some("Service");

impl ApiError {
    #[rustfmt::skip]
    const fn class(&self) -> Class {
        match self {
            Self::InvalidParameterValue(_) => class("InvalidParameterValueException", StatusCode::BAD_REQUEST, USER, "message"),
            Self::InvalidRequestContent(_) => class("InvalidRequestContentException", StatusCode::BAD_REQUEST, USER, "message"),
            Self::Validation(_) => class("ValidationException", StatusCode::BAD_REQUEST, None, "message"),
            Self::ResourceNotFound(_) => class("ResourceNotFoundException", StatusCode::NOT_FOUND, USER, "Message"),
            Self::ResourceConflict(_) => class("ResourceConflictException", StatusCode::CONFLICT, USER, "message"),
            Self::ResourceInUse(_) => class("ResourceInUseException", StatusCode::BAD_REQUEST, USER, "Message"),
            Self::PreconditionFailed(_) => class("PreconditionFailedException", StatusCode::PRECONDITION_FAILED, USER, "message"),
            Self::AliasLimitExceeded(_) => class("AliasLimitExceededException", StatusCode::BAD_REQUEST, USER, "message"),
            Self::PolicyLengthExceeded(_) => class("PolicyLengthExceededException", StatusCode::BAD_REQUEST, USER, "message"),
            Self::ProvisionedConcurrencyConfigNotFound(_) => class("ProvisionedConcurrencyConfigNotFoundException", StatusCode::NOT_FOUND, USER, "message"),
            Self::CodeVerificationFailed(_) => class("CodeVerificationFailedException", StatusCode::BAD_REQUEST, USER, "Message"),
            Self::CodeSigningConfigNotFound(_) => class("CodeSigningConfigNotFoundException", StatusCode::NOT_FOUND, USER, "Message"),
            Self::CodeStorageExceeded(_) => class("CodeStorageExceededException", StatusCode::BAD_REQUEST, USER, "message"),
            Self::RequestTooLarge(_) => class("RequestTooLargeException", StatusCode::PAYLOAD_TOO_LARGE, USER, "message"),
            Self::RequestEntityTooLarge(_) => class("RequestEntityTooLargeException", StatusCode::PAYLOAD_TOO_LARGE, None, "message"),
            Self::UnsupportedMediaType(_) => class("UnsupportedMediaTypeException", StatusCode::UNSUPPORTED_MEDIA_TYPE, USER, "message"),
            Self::TooManyRequests { .. } => class("TooManyRequestsException", StatusCode::TOO_MANY_REQUESTS, USER, "message"),
            Self::AccessDenied(_) => class("AccessDeniedException", StatusCode::FORBIDDEN, None, "Message"),
            Self::MissingAuthenticationToken => class("MissingAuthenticationTokenException", StatusCode::FORBIDDEN, None, "message"),
            Self::IncompleteSignature(_) => class("IncompleteSignatureException", StatusCode::FORBIDDEN, None, "message"),
            Self::InvalidSignature(_) => class("InvalidSignatureException", StatusCode::FORBIDDEN, None, "message"),
            Self::UnrecognizedClient => class("UnrecognizedClientException", StatusCode::FORBIDDEN, None, "message"),
            Self::ExpiredToken => class("ExpiredTokenException", StatusCode::FORBIDDEN, None, "message"),
            Self::UnknownOperation => class("UnknownOperationException", StatusCode::NOT_FOUND, None, "message"),
            Self::InvalidRuntime(_) => class("InvalidRuntimeException", StatusCode::BAD_GATEWAY, SERVICE, "Message"),
            Self::InvalidZipFile(_) => class("InvalidZipFileException", StatusCode::BAD_GATEWAY, SERVICE, "Message"),
            Self::KmsNotFound(_) => class("KMSNotFoundException", StatusCode::BAD_GATEWAY, SERVICE, "Message"),
            Self::KmsInvalidState(_) => class("KMSInvalidStateException", StatusCode::BAD_GATEWAY, SERVICE, "Message"),
            Self::ResourceNotReady(_) => class("ResourceNotReadyException", StatusCode::BAD_GATEWAY, SERVICE, "message"),
            Self::Service(_) => class("ServiceException", StatusCode::INTERNAL_SERVER_ERROR, SERVICE, "Message"),
            Self::ServiceUnavailable(_) => class("ServiceUnavailableException", StatusCode::SERVICE_UNAVAILABLE, SERVICE, "Message"),
        }
    }

    /// Its name on the wire, for example `ResourceNotFoundException`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.class().name
    }

    /// Its status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.class().status
    }

    /// Status, headers and JSON body of the answer. The request id is the caller's to add.
    #[must_use]
    pub fn to_response_parts(&self) -> (StatusCode, HeaderMap, Vec<u8>) {
        let class = self.class();
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(ERROR_TYPE, HeaderValue::from_static(class.name));
        let mut body = Map::new();
        if let Self::TooManyRequests {
            reason,
            retry_after_s,
        } = self
        {
            body.insert("Reason".to_owned(), reason.as_str().into());
            if let Some(seconds) = retry_after_s {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
            }
        }
        if let Some(fault) = class.fault {
            body.insert("Type".to_owned(), fault.into());
        }
        body.insert(class.key.to_owned(), self.to_string().into());
        (
            class.status,
            headers,
            Value::Object(body).to_string().into_bytes(),
        )
    }
}

const fn class(
    name: &'static str,
    status: StatusCode,
    fault: Option<&'static str>,
    key: &'static str,
) -> Class {
    Class {
        name,
        status,
        fault,
        key,
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::FunctionExists(name) => Self::function_exists(&name),
            Rejection::FunctionNotFound(arn) => Self::function_not_found(&arn),
            Rejection::AliasNotFound(arn) => Self::alias_not_found(&arn),
            Rejection::AliasExists(arn) => Self::alias_exists(&arn),
            Rejection::RevisionMismatch { .. } => Self::revision_mismatch(),
            Rejection::UpdateInProgress(arn) => Self::update_in_progress(&arn),
            Rejection::Pending(_) => Self::function_pending(),
            Rejection::CodeMismatch { expected, actual } => {
                Self::code_mismatch(&expected.to_base64(), &actual.to_base64())
            }
            Rejection::LatestNotDeletable => Self::latest_not_deletable(),
            Rejection::VersionInUse { aliases, .. } => Self::version_in_use(&aliases),
            Rejection::CanaryIsPrimary(version) => Self::canary_is_primary(version),
            Rejection::LatestWithCanary => Self::latest_with_canary(),
            Rejection::PolicyRevisionMismatch => Self::policy_revision_mismatch(),
            Rejection::StatementExists(sid) => Self::statement_exists(&sid),
            Rejection::StatementNotFound(sid) => Self::statement_not_found(&sid),
            Rejection::PolicyTooLarge { size, limit } => Self::policy_too_long(size, limit),
            Rejection::SettingNotFound { kind, resource } => setting_not_found(kind, resource),
            Rejection::SettingExists { kind, resource } => setting_exists(kind, &resource),
            Rejection::Misplaced { kind, resource } => Self::misplaced_setting(kind, &resource),
            Rejection::ConcurrencyExceeded { kind, unreserved } => {
                Self::above_unreserved(executions_of(kind), unreserved)
            }
            Rejection::UnreservedTooSmall { kind, min } => {
                Self::below_unreserved_minimum(executions_of(kind), min)
            }
            Rejection::ReservedBelowProvisioned {
                reserved,
                provisioned,
            } => Self::reserved_below_provisioned(reserved, provisioned),
            Rejection::ProvisionedAboveReserved(_) => Self::provisioned_above_reserved(),
            Rejection::VersionProvisioned => Self::version_provisioned(),
            Rejection::AliasProvisioned => Self::alias_provisioned(),
            Rejection::TooManyTags { .. } => Self::too_many_tags(),
            Rejection::TagsTooLarge { limit } => Self::tags_too_long(limit),
            Rejection::MappingNotFound(_) => Self::mapping_not_found(),
            Rejection::MappingInUse { deletion } => Self::mapping_in_use(deletion),
            Rejection::MappingExists(duplicate) => Self::mapping_exists(&duplicate),
            Rejection::MappingWithoutFunction(_) => Self::mapping_without_function(),
            Rejection::MappingRefused(refusal) => refusal.into(),
            Rejection::LayerVersionNotFound(id) => Self::layer_version_not_found(&id),
            Rejection::LayerRevisionMismatch => Self::layer_revision_mismatch(),
            Rejection::LayerMissing(id) => Self::layer_missing(id),
            Rejection::WrongPackage { image } => Self::wrong_package(image),
            Rejection::Incompatible { what, runtime } => Self::incompatible(what, runtime),
            Rejection::CodeSigningNotFound(id) => Self::code_signing_not_found(id),
            Rejection::CodeSigningMissing(id) => Self::code_signing_missing(id),
            Rejection::CodeSigningInUse(id) => Self::code_signing_in_use(id),
            Rejection::CodeNotSigned(_) => Self::code_not_signed(),
            Rejection::CapacityNotFound(id) => Self::capacity_provider_not_found(id),
            Rejection::CapacityExists(id) => Self::capacity_provider_exists(id),
            Rejection::CapacityInUse(id) => Self::capacity_provider_in_use(id),
            Rejection::Iam(refusal) => match refusal {
                Refusal::Exists(_) | Refusal::InUse(_) => {
                    Self::ResourceConflict(refusal.to_string())
                }
                Refusal::NotFound(_) => Self::ResourceNotFound(refusal.to_string()),
                Refusal::TooMany(_) => Self::InvalidParameterValue(refusal.to_string()),
            },
            Rejection::UnknownCommand => Self::Service(rejection.to_string()),
        }
    }
}

fn setting_not_found(kind: SettingKind, resource: FunctionArn) -> ApiError {
    match kind {
        SettingKind::Policy => ApiError::no_policy(),
        SettingKind::Provisioned => ApiError::no_provisioned(),
        SettingKind::EventInvoke => ApiError::no_event_invoke(&or_latest(resource)),
        SettingKind::Url
        | SettingKind::Reserved
        | SettingKind::RuntimeManagement
        | SettingKind::Recursion
        | SettingKind::Scaling => ApiError::nothing_there(),
    }
}

fn setting_exists(kind: SettingKind, resource: &FunctionArn) -> ApiError {
    match kind {
        SettingKind::Url => ApiError::url_exists(resource),
        other => ApiError::ResourceConflict(format!("{resource} has a {other} configuration.")),
    }
}

/// What AWS calls the executions that a function keeps for itself.
const fn executions_of(kind: SettingKind) -> &'static str {
    match kind {
        SettingKind::Reserved => "ReservedConcurrentExecutions",
        _ => "ConcurrentExecutions",
    }
}

/// The same function; what is set for asynchronous invocations of the function itself is shown at `$LATEST`.
#[must_use]
pub fn or_latest(arn: FunctionArn) -> FunctionArn {
    let latest = Qualifier::Version(Version::Latest);
    FunctionArn {
        qualifier: arn.qualifier.or(Some(latest)),
        id: arn.id,
    }
}

impl From<RouteError> for ApiError {
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::UnknownPath | RouteError::UnknownMethod => Self::UnknownOperation,
            RouteError::Label { .. } => Self::Validation(error.to_string()),
        }
    }
}

impl From<PackageError> for ApiError {
    fn from(error: PackageError) -> Self {
        match error {
            PackageError::Empty => Self::empty_package(),
            PackageError::ZippedTooLarge { limit, .. } => Self::zipped_too_large(limit),
            PackageError::UnzippedTooLarge { limit } => Self::unzipped_too_large(limit),
            PackageError::TooManyEntries { limit } => Self::too_many_entries(limit),
            PackageError::Unreadable(_)
            | PackageError::UnsafeName { .. }
            | PackageError::Duplicate { .. }
            | PackageError::BeneathNonDirectory { .. }
            | PackageError::SpecialFile { .. }
            | PackageError::EscapingLink { .. }
            | PackageError::SharedData
            | PackageError::Damaged { .. } => Self::not_unzippable(),
        }
    }
}

impl From<InvalidQuery> for ApiError {
    fn from(error: InvalidQuery) -> Self {
        Self::Validation(error.to_string())
    }
}

#[cfg(test)]
mod tests;
