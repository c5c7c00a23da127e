//! What a gRPC caller is told of an error: a status, and AWS's name for the error in a trailer.

use lambda_api::ApiError;
use model::{RequestId, iam::Refusal, mutation::Rejection};
use tonic::{
    Code, Status,
    metadata::{AsciiMetadataValue, MetadataMap},
};

use crate::{error::OperationError, figures::Counters, respond};

/// The trailer that names the error.
pub(crate) const ERROR_TYPE: &str = "dunlin-error-type";
/// The trailer, or header of a success, with the id of the request.
pub(super) const REQUEST_ID: &str = "dunlin-request-id";

/// The status for an error, which is logged and counted here.
pub(super) fn of(counters: &Counters, request_id: RequestId, error: OperationError) -> Status {
    respond::log(&error);
    let named = identity(&error);
    let error = respond::api_error(error);
    counters.answered(error.status());
    let (code, name) = named.unwrap_or_else(|| (code(&error), error.name()));
    let mut metadata = MetadataMap::new();
    metadata.insert(ERROR_TYPE, AsciiMetadataValue::from_static(name));
    if let Ok(id) = AsciiMetadataValue::try_from(request_id.to_string()) {
        metadata.insert(REQUEST_ID, id);
    }
    Status::with_metadata(code, error.to_string(), metadata)
}

/// What IAM calls an error about identities. Only the service that keeps them gives one.
const fn identity(error: &OperationError) -> Option<(Code, &'static str)> {
    match error {
        OperationError::Identity(error) => Some((Code::InvalidArgument, error.name())),
        OperationError::Rejected(Rejection::Iam(refusal)) => Some(match refusal {
            Refusal::Exists(_) => (Code::AlreadyExists, "EntityAlreadyExists"),
            Refusal::NotFound(_) => (Code::NotFound, "NoSuchEntity"),
            Refusal::InUse(_) => (Code::FailedPrecondition, "DeleteConflict"),
            Refusal::TooMany(_) => (Code::ResourceExhausted, "LimitExceeded"),
        }),
        _ => None,
    }
}

const fn code(error: &ApiError) -> Code {
    match error {
        ApiError::InvalidParameterValue(_)
        | ApiError::InvalidRequestContent(_)
        | ApiError::Validation(_)
        | ApiError::RequestTooLarge(_)
        | ApiError::RequestEntityTooLarge(_)
        | ApiError::UnsupportedMediaType(_)
        | ApiError::CodeVerificationFailed(_) => Code::InvalidArgument,
        ApiError::ResourceNotFound(_)
        | ApiError::ProvisionedConcurrencyConfigNotFound(_)
        | ApiError::CodeSigningConfigNotFound(_) => Code::NotFound,
        ApiError::ResourceConflict(_)
        | ApiError::ResourceInUse(_)
        | ApiError::InvalidRuntime(_)
        | ApiError::InvalidZipFile(_)
        | ApiError::KmsNotFound(_)
        | ApiError::KmsInvalidState(_)
        | ApiError::ResourceNotReady(_) => Code::FailedPrecondition,
        ApiError::PreconditionFailed(_) => Code::Aborted,
        ApiError::AliasLimitExceeded(_)
        | ApiError::PolicyLengthExceeded(_)
        | ApiError::CodeStorageExceeded(_)
        | ApiError::TooManyRequests { .. } => Code::ResourceExhausted,
        ApiError::AccessDenied(_) => Code::PermissionDenied,
        ApiError::MissingAuthenticationToken
        | ApiError::IncompleteSignature(_)
        | ApiError::InvalidSignature(_)
        | ApiError::UnrecognizedClient
        | ApiError::ExpiredToken => Code::Unauthenticated,
        ApiError::UnknownOperation => Code::Unimplemented,
        ApiError::Service(_) => Code::Internal,
        ApiError::ServiceUnavailable(_) => Code::Unavailable,
    }
}
