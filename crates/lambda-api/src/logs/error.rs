//! Errors of the service, as its callers see them.

use http::StatusCode;

use crate::ApiError;

/// An error as a caller sees it. Its text may repeat what they sent, and is not for any log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogsError {
    /// A parameter is not what it should be, or not supported here.
    #[error("{0}")]
    InvalidParameter(String),
    /// There is no such group or stream.
    #[error("{0}")]
    ResourceNotFound(String),
    /// As many of something as there may be.
    #[error("{0}")]
    LimitExceeded(String),
    /// The body is no JSON object.
    #[error("{0}")]
    Serialization(String),
    /// There is no such operation here.
    #[error(
        "The operation is not supported: logs are read here, and written by what functions print."
    )]
    UnknownOperation,
    /// The caller may not do this.
    #[error("{0}")]
    AccessDenied(String),
    /// The access key is not known.
    #[error("The security token included in the request is invalid.")]
    UnrecognizedClient,
    /// The session token is over.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// The signature is wrong, or too old.
    #[error("{0}")]
    InvalidSignature(String),
    /// The credential or signature cannot be read.
    #[error("{0}")]
    IncompleteSignature(String),
    /// No credential came with the request.
    #[error("Missing Authentication Token")]
    MissingAuthenticationToken,
    /// The request is too long.
    #[error("{0}")]
    TooLarge(String),
    /// A limit of rate is reached.
    #[error("Rate exceeded")]
    Throttling,
    /// A defect, or something that broke under the request.
    #[error("{0}")]
    Internal(String),
    /// Nobody can serve the request now.
    #[error("{0}")]
    Unavailable(String),
}

impl LogsError {
    /// There is no such group.
    #[must_use]
    pub fn no_group() -> Self {
        Self::ResourceNotFound("The specified log group does not exist.".to_owned())
    }

    /// There is no such stream.
    #[must_use]
    pub fn no_stream() -> Self {
        Self::ResourceNotFound("The specified log stream does not exist.".to_owned())
    }

    const fn class(&self) -> (&'static str, StatusCode) {
        match self {
            Self::InvalidParameter(_) => ("InvalidParameterException", StatusCode::BAD_REQUEST),
            Self::ResourceNotFound(_) => ("ResourceNotFoundException", StatusCode::BAD_REQUEST),
            Self::LimitExceeded(_) => ("LimitExceededException", StatusCode::BAD_REQUEST),
            Self::Serialization(_) => ("SerializationException", StatusCode::BAD_REQUEST),
            Self::UnknownOperation => ("UnknownOperationException", StatusCode::BAD_REQUEST),
            Self::AccessDenied(_) => ("AccessDeniedException", StatusCode::BAD_REQUEST),
            Self::UnrecognizedClient => ("UnrecognizedClientException", StatusCode::BAD_REQUEST),
            Self::ExpiredToken => ("ExpiredTokenException", StatusCode::BAD_REQUEST),
            Self::InvalidSignature(_) => ("InvalidSignatureException", StatusCode::BAD_REQUEST),
            Self::IncompleteSignature(_) => {
                ("IncompleteSignatureException", StatusCode::BAD_REQUEST)
            }
            Self::MissingAuthenticationToken => (
                "MissingAuthenticationTokenException",
                StatusCode::BAD_REQUEST,
            ),
            Self::TooLarge(_) => (
                "RequestEntityTooLargeException",
                StatusCode::PAYLOAD_TOO_LARGE,
            ),
            Self::Throttling => ("ThrottlingException", StatusCode::BAD_REQUEST),
            Self::Internal(_) => ("InternalFailure", StatusCode::INTERNAL_SERVER_ERROR),
            Self::Unavailable(_) => (
                "ServiceUnavailableException",
                StatusCode::SERVICE_UNAVAILABLE,
            ),
        }
    }

    /// Its name on the wire.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.class().0
    }

    /// Its status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.class().1
    }

    /// The document that tells it.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let document = serde_json::json!({ "__type": self.code(), "message": self.to_string() });
        document.to_string().into_bytes()
    }
}

/// What the same thing is called by this service.
impl From<ApiError> for LogsError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::AccessDenied(text) => Self::AccessDenied(text),
            ApiError::MissingAuthenticationToken => Self::MissingAuthenticationToken,
            ApiError::IncompleteSignature(text) => Self::IncompleteSignature(text),
            ApiError::InvalidSignature(text) => Self::InvalidSignature(text),
            ApiError::UnrecognizedClient => Self::UnrecognizedClient,
            ApiError::ExpiredToken => Self::ExpiredToken,
            ApiError::TooManyRequests { .. } => Self::Throttling,
            ApiError::RequestTooLarge(text) | ApiError::RequestEntityTooLarge(text) => {
                Self::TooLarge(text)
            }
            ApiError::ResourceNotFound(text) => Self::ResourceNotFound(text),
            ApiError::InvalidRequestContent(text) | ApiError::UnsupportedMediaType(text) => {
                Self::Serialization(text)
            }
            ApiError::InvalidParameterValue(text)
            | ApiError::Validation(text)
            | ApiError::ResourceInUse(text)
            | ApiError::PreconditionFailed(text)
            | ApiError::AliasLimitExceeded(text)
            | ApiError::PolicyLengthExceeded(text)
            | ApiError::ProvisionedConcurrencyConfigNotFound(text)
            | ApiError::CodeVerificationFailed(text)
            | ApiError::CodeSigningConfigNotFound(text)
            | ApiError::CodeStorageExceeded(text) => Self::InvalidParameter(text),
            ApiError::UnknownOperation => Self::UnknownOperation,
            ApiError::ResourceConflict(text)
            | ApiError::KmsNotFound(text)
            | ApiError::ResourceNotReady(text)
            | ApiError::ServiceUnavailable(text) => Self::Unavailable(text),
            ApiError::InvalidRuntime(text)
            | ApiError::InvalidZipFile(text)
            | ApiError::KmsInvalidState(text)
            | ApiError::Service(text) => Self::Internal(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_as_sdks_read_it() {
        let error = LogsError::no_group();
        let told: serde_json::Value = serde_json::from_slice(&error.to_json()).unwrap();
        assert_eq!(
            told,
            serde_json::json!({"__type": "ResourceNotFoundException", "message": "The specified log group does not exist."})
        );
        for (error, code, status) in [
            (
                ApiError::UnrecognizedClient,
                "UnrecognizedClientException",
                400,
            ),
            (ApiError::ExpiredToken, "ExpiredTokenException", 400),
            (
                ApiError::AccessDenied(String::new()),
                "AccessDeniedException",
                400,
            ),
            (ApiError::unavailable(), "ServiceUnavailableException", 503),
            (ApiError::internal(), "InternalFailure", 500),
        ] {
            let told = LogsError::from(error);
            assert_eq!((told.code(), told.status().as_u16()), (code, status));
        }
    }
}
