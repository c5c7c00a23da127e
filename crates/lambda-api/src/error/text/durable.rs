//! The texts about durable executions.

use crate::{error::ApiError, request::durable::TokenRefusal};

impl ApiError {
    /// No execution has the ARN.
    #[must_use]
    pub fn execution_not_found(arn: &str) -> Self {
        Self::ResourceNotFound(format!("Durable execution not found: {arn}"))
    }

    /// No callback has the id. It is not repeated: who knows one may complete it.
    #[must_use]
    pub fn callback_not_found() -> Self {
        Self::ResourceNotFound("The callback does not exist.".to_owned())
    }

    /// A token that is not the present one of a running invocation.
    #[must_use]
    pub fn checkpoint_token_refused(spelling: TokenRefusal) -> Self {
        let text = match spelling {
            TokenRefusal::Lower => "Invalid checkpoint token",
            TokenRefusal::Title => "Invalid Checkpoint Token",
        };
        Self::InvalidParameterValue(text.to_owned())
    }
}
