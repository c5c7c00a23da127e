//! Why a request is not believed, and what its sender is told.

use std::time::Duration;

use model::Timestamp;

use super::date;
use crate::{error::ApiError, query::InvalidQuery, validate::clip};

/// The most of a credential or of the name of a header that an answer repeats, in characters.
const NAME_MAX: usize = 256;

/// Why a request is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigV4Error {
    /// It carries no credential.
    #[error("the request carries no credential")]
    Missing,
    /// It carries one in its header and one in its query, or several.
    #[error("the request carries more than one credential")]
    Several,
    /// The credential is not one of Signature Version 4.
    #[error("the request is not signed with AWS4-HMAC-SHA256")]
    Algorithm,
    /// A part of the credential is missing.
    #[error("the credential lacks {part}")]
    Incomplete {
        /// Which part.
        part: &'static str,
    },
    /// A part of the credential cannot be read.
    #[error("the credential's {part} cannot be read")]
    Malformed {
        /// Which part.
        part: &'static str,
    },
    /// The query cannot be read.
    #[error("the query cannot be read")]
    Query(#[from] InvalidQuery),
    /// The scope names another day than the request's date.
    #[error("the credential's scope names the day {scope}, the request's date is {date}")]
    ScopeDay {
        /// The day in the scope.
        scope: String,
        /// The date of the request.
        date: String,
    },
    /// The scope names another service.
    #[error("the credential's scope names another service than {expected}")]
    ScopeService {
        /// Our service.
        expected: &'static str,
    },
    /// The request, or the presigned URL, is too old.
    #[error("the signature is too old")]
    Expired {
        /// When it was signed, by the client's clock.
        signed_at: Timestamp,
        /// By ours.
        now: Timestamp,
        /// How long it was valid.
        valid_for: Duration,
    },
    /// The request was signed in our future.
    #[error("the signature is from the future")]
    NotYetValid {
        /// When it was signed, by the client's clock.
        signed_at: Timestamp,
        /// By ours.
        now: Timestamp,
    },
    /// The host is not signed.
    #[error("the host is not among the signed headers")]
    HostNotSigned,
    /// A header that means something to us is not signed.
    #[error("the header {name} is not among the signed headers")]
    HeaderNotSigned {
        /// Which one.
        name: String,
    },
    /// A header that was signed is not there.
    #[error("the signed header {name} is not there")]
    HeaderMissing {
        /// Which one.
        name: String,
    },
    /// The body is not the one that was signed, or was left out of the signature.
    #[error("the body is not covered by the signature")]
    PayloadHash,
    /// The access key is not known.
    #[error("the access key is not known")]
    UnknownAccessKey,
    /// The session token is wrong, missing, or not expected.
    #[error("the session token is not the one of this access key")]
    InvalidToken,
    /// The session is over.
    #[error("the session is over")]
    ExpiredToken,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    SignatureMismatch,
}

impl From<SigV4Error> for ApiError {
    fn from(error: SigV4Error) -> Self {
        let invalid = |text: String| Self::InvalidSignature(text);
        match error {
            SigV4Error::Missing => Self::MissingAuthenticationToken,
            SigV4Error::Several
            | SigV4Error::Algorithm
            | SigV4Error::Incomplete { .. }
            | SigV4Error::Malformed { .. }
            | SigV4Error::Query(_) => Self::IncompleteSignature(format!("Authorization cannot be read: {error}.")),
            SigV4Error::ScopeDay { ref scope, ref date } => {
                let (day, scope) = (date.get(..8).unwrap_or_default(), clip(scope, NAME_MAX));
                invalid(format!(
                    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                     '{scope}' != '{day}', from '{date}'."
                ))
            }
            SigV4Error::ScopeService { expected } => {
                invalid(format!("Credential should be scoped to correct service: '{expected}'. "))
            }
            SigV4Error::Expired { signed_at, now, valid_for } => {
                let earliest = Timestamp(now.0.saturating_sub(u64::try_from(valid_for.as_millis()).unwrap_or(u64::MAX)));
                let [signed_at, earliest, now] = [signed_at, earliest, now].map(date::text);
                invalid(format!(
                    "Signature expired: {signed_at} is now earlier than {earliest} ({now} - {}.)",
                    minutes(valid_for)
                ))
            }
            SigV4Error::NotYetValid { signed_at, now } => {
                let latest = now.plus(super::SKEW);
                let [signed_at, latest, now] = [signed_at, latest, now].map(date::text);
                invalid(format!(
                    "Signature not yet current: {signed_at} is still later than {latest} ({now} + {}.)",
                    minutes(super::SKEW)
                ))
            }
            SigV4Error::HostNotSigned => invalid(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
            ),
            SigV4Error::HeaderNotSigned { ref name } => {
                invalid(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."))
            }
            SigV4Error::HeaderMissing { ref name } => {
                invalid(format!("The 'SignedHeader' '{}' is not in the request.", clip(name, NAME_MAX)))
            }
            SigV4Error::PayloadHash | SigV4Error::SignatureMismatch => invalid(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                 Access Key and signing method. Consult the service documentation for details."
                    .to_owned(),
            ),
            SigV4Error::UnknownAccessKey | SigV4Error::InvalidToken => Self::UnrecognizedClient,
            SigV4Error::ExpiredToken => Self::ExpiredToken,
        }
    }
}

fn minutes(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds.is_multiple_of(60) {
        format!("{} min", seconds / 60)
    } else {
        format!("{seconds} s")
    }
}
