//! Sessions of roles: what issues them, and whether one was issued.

use model::{
    ErrorKind, Failure,
    iam::{Hour, RoleArn, Session},
};
use prost::Message as _;
use proto::internal as pb;
use seal::{RoleKey, SessionCredentials, Token};

use super::{DataKeys, SecretError};

/// Why a session token proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is none, was altered, or was never issued.
    #[error("the session token is not one of this cluster's")]
    Invalid,
    /// This node lacks the key that would prove it: it may be genuine.
    #[error("the session token cannot be proven")]
    Key(#[source] SecretError),
}

impl Failure for TokenError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid => ErrorKind::Invalid,
            Self::Key(error) => error.kind(),
        }
    }
}

impl DataKeys {
    /// The key that issues sessions of a role in an hour; `None` if the role's account has no data key yet.
    ///
    /// # Errors
    /// [`SecretError`] if the data key does not open.
    pub fn role_key(&self, role: &RoleArn, hour: Hour) -> Result<Option<RoleKey>, SecretError> {
        let newest = self.newest(role.account())?;
        Ok(newest.map(|key| key.role_key(role, hour)))
    }

    /// Reads a session token that was issued by somebody who could issue sessions of its role in its hour, and gives what
    /// its holder has. Whether the session counts at this moment is for [`Session::check`] to say.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn prove(&self, token: &str) -> Result<(Session, SessionCredentials), TokenError> {
        let invalid = |_| TokenError::Invalid;
        let token = Token::parse(token).map_err(invalid)?;
        let session = read(&token).ok_or(TokenError::Invalid)?;
        let account = session.role.account();
        let key = self
            .generation(account, session.generation)
            .map_err(TokenError::Key)?;
        let role_key = key.role_key(&session.role, session.hour);
        let credentials = role_key.prove(&token).map_err(invalid)?;
        Ok((session, credentials))
    }
}

/// What a token says of itself, if it says something: nothing of it is proven.
#[must_use]
pub fn unproven_session(token: &str) -> Option<Session> {
    read(&Token::parse(token).ok()?)
}

fn read(token: &Token<'_>) -> Option<Session> {
    let message = pb::Session::decode(token.claims()).ok()?;
    message.try_into().ok()
}
