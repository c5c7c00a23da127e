//! Who calls, and the proof that they may.
//!
//! [`authenticate`] turns a signature into a [`Caller`]; [`authorize`] turns a caller and a parsed request into an
//! [`Authorized`], which nothing else can make and every operation demands. An account's own key may do everything in its
//! account; the functions of another account are refused already when their names are parsed, because only a
//! resource-based policy could open them.

use std::fmt;

use http::HeaderMap;
use lambda_api::{
    ApiError, Request, Scope,
    sigv4::{self, Rules, SigV4Error, SignedRequest},
};
use model::{AccountId, Region, Timestamp};

use crate::{error::OperationError, options::AuthMode};

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The account that they act in.
    pub(crate) account: AccountId,
    /// The region that the request was sent to.
    pub(crate) region: Region,
    /// The access key; empty for an anonymous caller of an open cluster.
    pub(crate) access_key: String,
    /// What an SDK calls all attempts of one call (`amz-sdk-invocation-id`).
    pub(crate) call_id: Option<String>,
}

/// A request that its caller may make. Only [`authorize`] and what follows from its answer make one.
#[derive(Debug)]
pub(crate) struct Authorized<T> {
    caller: Caller,
    request: T,
}

/// The proof of an [`Authorized`] whose request was taken out, to be put on a part of it.
#[derive(Debug)]
pub(crate) struct Grant(Caller);

impl Caller {
    /// What an unqualified name of theirs means.
    pub(crate) fn scope(&self) -> Scope {
        Scope {
            account: self.account,
            region: self.region.clone(),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.access_key)
    }
}

impl<T> Authorized<T> {
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Takes the request out.
    pub(crate) fn take(self) -> (T, Grant) {
        (self.request, Grant(self.caller))
    }
}

impl Grant {
    pub(crate) const fn caller(&self) -> &Caller {
        &self.0
    }

    /// The proof for what the request was made of.
    pub(crate) fn of<T>(self, request: T) -> Authorized<T> {
        Authorized {
            caller: self.0,
            request,
        }
    }
}

/// Refuses a request that [`authenticate`] would refuse whatever its body is, before the body is read.
pub(crate) fn precheck(mode: &AuthMode, head: &http::request::Parts) -> Result<(), OperationError> {
    let AuthMode::SigV4(keys) = mode else {
        return Ok(());
    };
    let query = head.uri.query().unwrap_or_default();
    match sigv4::scope_of(&head.headers, query) {
        Some(scope) if keys.get(&scope.access_key_id).is_none() => {
            Err(SigV4Error::UnknownAccessKey.into())
        }
        Some(_) => Ok(()),
        None => Err(SigV4Error::Missing.into()),
    }
}

/// Finds out who sent a request.
pub(crate) fn authenticate(
    mode: &AuthMode,
    cluster_region: &Region,
    request: &SignedRequest<'_>,
    rules: &Rules,
    now: Timestamp,
) -> Result<Caller, OperationError> {
    match mode {
        AuthMode::Open { account } => Ok(open(*account, cluster_region, request)),
        AuthMode::SigV4(keys) => {
            let identity = sigv4::verify(request, rules, now, |id| keys.get(id).cloned())?;
            Ok(Caller {
                account: identity.account,
                region: identity.region,
                access_key: identity.access_key_id,
                call_id: call_id(request.headers),
            })
        }
    }
}

/// The id of a call, if it is one that an SDK would make: a UUID.
fn call_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("amz-sdk-invocation-id")?.to_str().ok()?;
    (id.len() == 36).then(|| id.to_owned())
}

fn open(default: AccountId, region: &Region, request: &SignedRequest<'_>) -> Caller {
    match sigv4::scope_of(request.headers, request.query) {
        Some(scope) => Caller {
            account: scope.access_key_id.parse().unwrap_or(default),
            region: scope.region,
            access_key: scope.access_key_id,
            call_id: call_id(request.headers),
        },
        None => Caller {
            account: default,
            region: region.clone(),
            access_key: String::new(),
            call_id: call_id(request.headers),
        },
    }
}

/// Decides whether a caller may make a request.
///
/// # Errors
/// AccessDenied for a resource of another account.
pub(crate) fn authorize(
    caller: Caller,
    operation: lambda_api::Operation,
    request: Request,
) -> Result<Authorized<Request>, OperationError> {
    if let Some(resource) = request.resource()
        && resource.id.account != caller.account
    {
        return Err(ApiError::other_account(caller.account, operation, &resource).into());
    }
    Ok(Authorized { caller, request })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, header::AUTHORIZATION};
    use lambda_api::sigv4::{Credential, Secret, Signer};

    use super::*;
    use crate::options::KeyRing;

    const NOW: Timestamp = Timestamp(1_764_000_000_000);

    fn request(headers: &HeaderMap) -> SignedRequest<'_> {
        SignedRequest {
            method: &Method::GET,
            path: "/2015-03-31/functions",
            query: "",
            headers,
            authority: None,
            body_sha256: sigv4::body_sha256(b""),
        }
    }

    fn signed(key: &str, secret: &str, region: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("host", "localhost".parse().unwrap());
        let (secret, region) = (Secret::new(secret), region.parse().unwrap());
        let signer = Signer {
            access_key_id: key,
            secret: &secret,
            session_token: None,
            region: &region,
            service: "lambda",
        };
        let added = sigv4::sign(&request(&headers), &signer, NOW).unwrap();
        headers.extend(added);
        headers
    }

    fn check(mode: &AuthMode, headers: &HeaderMap, expected: &str) {
        let region = "eu-west-1".parse().unwrap();
        let got = authenticate(mode, &region, &request(headers), &Rules::default(), NOW);
        let got = match got {
            Ok(c) => format!("{} {} {}", c.account, c.region, c.access_key),
            Err(e) => e.to_string(),
        };
        assert_eq!(got, expected);
    }

    fn account() -> AccountId {
        "123456789012".parse().unwrap()
    }

    #[test]
    fn an_open_cluster_believes_everybody() {
        let mode = AuthMode::Open { account: account() };
        check(&mode, &HeaderMap::new(), "123456789012 eu-west-1 ");
        check(
            &mode,
            &signed("AKID", "anything", "us-west-2"),
            "123456789012 us-west-2 AKID",
        );
        check(
            &mode,
            &signed("210987654321", "x", "us-west-2"),
            "210987654321 us-west-2 210987654321",
        );
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, "Bearer x".parse().unwrap());
        check(&mode, &headers, "123456789012 eu-west-1 ");
    }

    #[test]
    fn a_closed_one_wants_a_signature_of_a_known_key() {
        let credential = Credential {
            secret: Secret::new("s3cret"),
            account: account(),
            session: None,
        };
        let mode = AuthMode::SigV4(KeyRing::from_iter([("AKID".to_owned(), credential)]));
        check(
            &mode,
            &signed("AKID", "s3cret", "eu-west-1"),
            "123456789012 eu-west-1 AKID",
        );
        check(
            &mode,
            &signed("AKID", "wrong", "eu-west-1"),
            "the signature is wrong",
        );
        check(
            &mode,
            &signed("AKID", "s3cret", "us-east-1"),
            "123456789012 us-east-1 AKID",
        );
        check(
            &mode,
            &HeaderMap::new(),
            "the request carries no credential",
        );
        let prechecked = |headers: HeaderMap| {
            let (mut head, ()) = http::Request::new(()).into_parts();
            head.headers = headers;
            precheck(&mode, &head).map_err(|e| e.to_string())
        };
        assert_eq!(prechecked(signed("AKID", "wrong", "eu-west-1")), Ok(()));
        assert_eq!(
            prechecked(signed("OTHER", "s3cret", "eu-west-1")),
            Err("the access key is not known".to_owned())
        );
        assert!(prechecked(HeaderMap::new()).is_err());
    }
}
