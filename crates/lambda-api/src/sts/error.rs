//! Errors of the service, as its callers see them.

use http::StatusCode;

use super::{NAMESPACE, answer::Xml};
use crate::ApiError;

/// An error as a caller sees it. Its text may repeat what they sent, and is not for any log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StsError {
    /// The caller may not do this.
    #[error("{0}")]
    AccessDenied(String),
    /// Parameters break the constraints of the API.
    #[error("{0}")]
    Validation(String),
    /// The policy of the session cannot be read.
    #[error("{0}")]
    MalformedPolicyDocument(String),
    /// The session token is over.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// The access key or session token is not known.
    #[error("The security token included in the request is invalid.")]
    InvalidClientTokenId,
    /// The signature is wrong, or too old.
    #[error("{0}")]
    SignatureDoesNotMatch(String),
    /// The credential or signature cannot be read.
    #[error("{0}")]
    IncompleteSignature(String),
    /// No credential came with the request.
    #[error("Request is missing Authentication Token")]
    MissingAuthenticationToken,
    /// Nothing is asked for.
    #[error("The request must contain the parameter Action.")]
    MissingAction,
    /// There is no such action here.
    #[error("Could not find operation {action} for version {version}")]
    InvalidAction {
        /// What was asked for.
        action: String,
        /// Of which version of the API.
        version: String,
    },
    /// The form cannot be read.
    #[error("{0}")]
    MalformedQuery(String),
    /// The form is too long.
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

impl StsError {
    const fn class(&self) -> (&'static str, StatusCode) {
        match self {
            Self::AccessDenied(_) => ("AccessDenied", StatusCode::FORBIDDEN),
            Self::Validation(_) => ("ValidationError", StatusCode::BAD_REQUEST),
            Self::MalformedPolicyDocument(_) => {
                ("MalformedPolicyDocument", StatusCode::BAD_REQUEST)
            }
            Self::ExpiredToken => ("ExpiredToken", StatusCode::FORBIDDEN),
            Self::InvalidClientTokenId => ("InvalidClientTokenId", StatusCode::FORBIDDEN),
            Self::SignatureDoesNotMatch(_) => ("SignatureDoesNotMatch", StatusCode::FORBIDDEN),
            Self::IncompleteSignature(_) => ("IncompleteSignature", StatusCode::FORBIDDEN),
            Self::MissingAuthenticationToken => {
                ("MissingAuthenticationToken", StatusCode::FORBIDDEN)
            }
            Self::MissingAction => ("MissingAction", StatusCode::BAD_REQUEST),
            Self::InvalidAction { .. } => ("InvalidAction", StatusCode::BAD_REQUEST),
            Self::MalformedQuery(_) => ("MalformedQueryString", StatusCode::BAD_REQUEST),
            Self::TooLarge(_) => ("RequestEntityTooLarge", StatusCode::PAYLOAD_TOO_LARGE),
            Self::Throttling => ("Throttling", StatusCode::BAD_REQUEST),
            Self::Internal(_) => ("InternalFailure", StatusCode::INTERNAL_SERVER_ERROR),
            Self::Unavailable(_) => ("ServiceUnavailable", StatusCode::SERVICE_UNAVAILABLE),
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
    pub fn to_xml(&self, request_id: &str) -> String {
        let fault = if self.status().is_server_error() {
            "Receiver"
        } else {
            "Sender"
        };
        let mut xml = Xml::default();
        xml.within(&format!("ErrorResponse xmlns=\"{NAMESPACE}\""), |xml| {
            xml.within("Error", |xml| {
                xml.text("Type", fault);
                xml.text("Code", self.code());
                xml.text("Message", &self.to_string());
            });
            xml.text("RequestId", request_id);
        });
        xml.into_text()
    }
}

/// What the same thing is called by this service.
impl From<ApiError> for StsError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::AccessDenied(text) => Self::AccessDenied(text),
            ApiError::MissingAuthenticationToken => Self::MissingAuthenticationToken,
            ApiError::IncompleteSignature(text) => Self::IncompleteSignature(text),
            ApiError::InvalidSignature(text) => Self::SignatureDoesNotMatch(text),
            ApiError::UnrecognizedClient => Self::InvalidClientTokenId,
            ApiError::ExpiredToken => Self::ExpiredToken,
            ApiError::TooManyRequests { .. } => Self::Throttling,
            ApiError::RequestTooLarge(text) | ApiError::RequestEntityTooLarge(text) => {
                Self::TooLarge(text)
            }
            ApiError::InvalidParameterValue(text)
            | ApiError::InvalidRequestContent(text)
            | ApiError::Validation(text)
            | ApiError::ResourceNotFound(text)
            | ApiError::ResourceInUse(text)
            | ApiError::PreconditionFailed(text)
            | ApiError::AliasLimitExceeded(text)
            | ApiError::PolicyLengthExceeded(text)
            | ApiError::ProvisionedConcurrencyConfigNotFound(text)
            | ApiError::CodeVerificationFailed(text)
            | ApiError::CodeSigningConfigNotFound(text)
            | ApiError::CodeStorageExceeded(text)
            | ApiError::UnsupportedMediaType(text) => Self::Validation(text),
            ApiError::UnknownOperation => Self::MissingAction,
            // An upgrade that is not finished, or a key that another frontend has.
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
        let error = StsError::AccessDenied("User: <a&b> is not".to_owned());
        assert_eq!(
            error.to_xml("id"),
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>AccessDenied</Code><Message>User: &lt;a&amp;b&gt; is not</Message></Error>\
             <RequestId>id</RequestId></ErrorResponse>"
        );
        let broken = StsError::Unavailable("later".to_owned());
        assert!(broken.to_xml("id").contains("<Type>Receiver</Type>"));
    }

    #[test]
    fn what_lambda_says_otherwise() {
        for (error, code, status) in [
            (ApiError::UnrecognizedClient, "InvalidClientTokenId", 403),
            (ApiError::ExpiredToken, "ExpiredToken", 403),
            (
                ApiError::InvalidSignature(String::new()),
                "SignatureDoesNotMatch",
                403,
            ),
            (
                ApiError::MissingAuthenticationToken,
                "MissingAuthenticationToken",
                403,
            ),
            (ApiError::AccessDenied(String::new()), "AccessDenied", 403),
            (ApiError::unavailable(), "ServiceUnavailable", 503),
            (ApiError::internal(), "InternalFailure", 500),
        ] {
            let told = StsError::from(error);
            assert_eq!((told.code(), told.status().as_u16()), (code, status));
        }
    }
}
