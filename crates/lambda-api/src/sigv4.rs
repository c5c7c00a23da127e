//! Signature Version 4: who sent a request, and that nothing of it was changed on the way.
//!
//! A request carries exactly one credential, in its `Authorization` header or in its query (a presigned URL). The
//! signature covers method, path, query, the signed headers and the hash of the body. What must hold beyond the
//! signature itself: the credential's scope names the day of the request's own date, our service, and a region, which
//! the caller of this module decides on; the date is within [`SKEW`] of ours, or the URL has not expired; the host and
//! every `x-amz-*` header are signed, and every signed header is there, so that nobody can add meaning to a signed
//! request or take some away. Signatures and session tokens are compared in constant time.
//!
//! [`sign`] and [`presign`] make what [`verify`] accepts, for our own client.

use std::time::Duration;

use http::{HeaderMap, Method};
use model::{AccountId, Region, Timestamp};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::query::Query;

mod canonical;
mod date;
mod error;
mod key;
mod presented;
mod signer;

pub use error::SigV4Error;
pub use key::Secret;
pub use presented::CredentialScope;
pub use signer::{Signer, presign, sign, sign_call};

use presented::{Presented, Source};

/// How far the clocks of a client and of this cluster may differ.
pub const SKEW: Duration = Duration::from_secs(300);

/// How long a presigned URL may be valid.
pub const EXPIRES_MAX: Duration = Duration::from_secs(604_800);

/// The service that requests to this API are signed for.
pub const SERVICE: &str = "lambda";

pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
pub(crate) const TERMINATOR: &str = "aws4_request";
pub(crate) const DATE: &str = "x-amz-date";
pub(crate) const TOKEN: &str = "x-amz-security-token";
pub(crate) const CONTENT_SHA256: &str = "x-amz-content-sha256";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// What a signature covers.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path as it came, percent-encoded and without the query.
    pub path: &'a str,
    /// The query as it came, without its `?`.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The authority of an HTTP/2 request, which stands for a `Host` header that is not there.
    pub authority: Option<&'a str>,
    /// The SHA-256 of the body that came: see [`body_sha256`].
    pub body_sha256: [u8; 32],
}

/// What a verifier insists on.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// The service in the credential's scope.
    pub service: &'static str,
    /// Whether a request may leave its body out of the signature. Only behind TLS.
    pub unsigned_payload: UnsignedPayload,
}

/// Whether a request may leave its body out of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnsignedPayload {
    /// It may not.
    #[default]
    Refused,
    /// It may, if it says so.
    Allowed,
}

/// What the cluster knows about an access key.
#[derive(Clone)]
pub struct Credential {
    /// The secret access key.
    pub secret: Secret,
    /// The account it acts for.
    pub account: AccountId,
    /// The session token that must come with it, if it is a temporary one.
    pub session: Option<Session>,
}

/// What makes a credential temporary.
#[derive(Clone)]
pub struct Session {
    /// The token.
    pub token: Secret,
    /// When it is over.
    pub expires: Timestamp,
}

/// Who signed a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The access key.
    pub access_key_id: String,
    /// The account it acts for.
    pub account: AccountId,
    /// The region that the request was signed for.
    pub region: Region,
    /// When it was signed, by the client's clock.
    pub signed_at: Timestamp,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            service: SERVICE,
            unsigned_payload: UnsignedPayload::Refused,
        }
    }
}

/// The hash of a body, as a signature covers it.
#[must_use]
pub fn body_sha256(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// Access key and region of a request, without any check: for a cluster that trusts its network.
/// `None` without a readable credential.
#[must_use]
pub fn scope_of(headers: &HeaderMap, query: &str) -> Option<CredentialScope> {
    presented::scope_of(headers, &Query::parse(query).ok()?)
}

/// The session token of a request, without any check. `None` for one that has none, or more than one.
#[must_use]
pub fn token_of(headers: &HeaderMap, query: &str) -> Option<String> {
    let mut sent = headers.get_all(TOKEN).iter();
    match (sent.next(), sent.next()) {
        (Some(token), None) => token.to_str().ok().map(str::to_owned),
        (Some(_), Some(_)) => None,
        (None, _) => {
            let query = Query::parse(query).ok()?;
            query.get("X-Amz-Security-Token").map(str::to_owned)
        }
    }
}

/// Verifies a request. `credential_of` looks an access key up.
///
/// # Errors
/// [`SigV4Error`]: the request must be refused.
pub fn verify(
    request: &SignedRequest<'_>,
    rules: &Rules,
    now: Timestamp,
    credential_of: impl FnOnce(&str) -> Option<Credential>,
) -> Result<Identity, SigV4Error> {
    let query = Query::parse(request.query)?;
    let presented = Presented::find(request.headers, &query)?;
    check_scope(&presented, rules)?;
    check_time(&presented, now)?;
    check_signed_headers(&presented, request)?;
    let payload = payload_hash(request, rules)?;

    let scope = &presented.scope;
    let credential = credential_of(&scope.access_key_id).ok_or(SigV4Error::UnknownAccessKey)?;
    check_session(&presented, &credential, now)?;
    let signed_headers = &presented.signed_headers;
    let canonical = canonical::request(request, rules.service, &query, signed_headers, &payload);
    let expected = key::signature(&credential.secret, scope, &presented.date, &canonical);
    if !bool::from(expected.as_slice().ct_eq(&presented.signature)) {
        return Err(SigV4Error::SignatureMismatch);
    }
    Ok(Identity {
        access_key_id: presented.scope.access_key_id,
        account: credential.account,
        region: presented.scope.region,
        signed_at: presented.date.at,
    })
}

fn check_scope(presented: &Presented, rules: &Rules) -> Result<(), SigV4Error> {
    let scope = &presented.scope;
    if scope.day != presented.date.day() {
        return Err(SigV4Error::ScopeDay {
            scope: scope.day.clone(),
            date: presented.date.text(),
        });
    }
    if scope.service != rules.service {
        return Err(SigV4Error::ScopeService {
            expected: rules.service,
        });
    }
    Ok(())
}

fn check_time(presented: &Presented, now: Timestamp) -> Result<(), SigV4Error> {
    let signed_at = presented.date.at;
    if signed_at.since(now) > SKEW {
        return Err(SigV4Error::NotYetValid { signed_at, now });
    }
    let valid_for = match presented.source {
        Source::Header => SKEW,
        Source::Query { expires } => expires,
    };
    if now.since(signed_at) > valid_for {
        return Err(SigV4Error::Expired {
            signed_at,
            now,
            valid_for,
        });
    }
    Ok(())
}

/// A header that means something to us must not be addable by whoever got hold of a signed request. One that was signed must
/// be there: the signature is the same for one that is not and for one that is empty.
fn check_signed_headers(
    presented: &Presented,
    request: &SignedRequest<'_>,
) -> Result<(), SigV4Error> {
    let signed = |name: &str| presented.signed_headers.iter().any(|signed| signed == name);
    if !signed("host") {
        return Err(SigV4Error::HostNotSigned);
    }
    let there = |name: &str| {
        request.headers.contains_key(name) || (name == "host" && request.authority.is_some())
    };
    if let Some(name) = presented.signed_headers.iter().find(|name| !there(name)) {
        return Err(SigV4Error::HeaderMissing { name: name.clone() });
    }
    let unsigned = request
        .headers
        .keys()
        .find(|name| name.as_str().starts_with("x-amz-") && !signed(name.as_str()));
    match unsigned {
        Some(name) => Err(SigV4Error::HeaderNotSigned {
            name: name.to_string(),
        }),
        None => Ok(()),
    }
}

/// The hash of the body as the signature has it.
fn payload_hash(request: &SignedRequest<'_>, rules: &Rules) -> Result<String, SigV4Error> {
    let actual = hex::encode(request.body_sha256);
    let Some(claimed) = request.headers.get(CONTENT_SHA256) else {
        return Ok(actual);
    };
    let allowed = rules.unsigned_payload == UnsignedPayload::Allowed;
    match claimed.to_str() {
        Ok(UNSIGNED_PAYLOAD) if allowed => Ok(UNSIGNED_PAYLOAD.to_owned()),
        Ok(claimed) if claimed.eq_ignore_ascii_case(&actual) => Ok(claimed.to_owned()),
        Ok(_) | Err(_) => Err(SigV4Error::PayloadHash),
    }
}

fn check_session(
    presented: &Presented,
    credential: &Credential,
    now: Timestamp,
) -> Result<(), SigV4Error> {
    match (&credential.session, &presented.token) {
        (None, None) => Ok(()),
        (Some(session), Some(token)) => {
            if !session.token.is(token) {
                return Err(SigV4Error::InvalidToken);
            }
            if now > session.expires {
                Err(SigV4Error::ExpiredToken)
            } else {
                Ok(())
            }
        }
        (None, Some(_)) | (Some(_), None) => Err(SigV4Error::InvalidToken),
    }
}

#[cfg(test)]
mod tests;
