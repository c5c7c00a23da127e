//! Signing, for our own client and for URLs that need no credential of their bearer.

use std::time::Duration;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, HOST},
};
use model::{Region, Timestamp};

use super::{
    ALGORITHM, CONTENT_SHA256, DATE, EXPIRES_MAX, Secret, SignedRequest, TOKEN, UNSIGNED_PAYLOAD,
    body_sha256, canonical, date::Date, error::SigV4Error, key, presented::CredentialScope,
};
use crate::{percent, query::Query};

/// Who signs, and for what.
#[derive(Clone)]
pub struct Signer<'a> {
    /// The access key.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret: &'a Secret,
    /// Its session token, if it is a temporary one.
    pub session_token: Option<&'a str>,
    /// The region that the request goes to.
    pub region: &'a Region,
    /// The service that it goes to.
    pub service: &'a str,
}

/// The headers that make this request a signed one: `x-amz-date`, the session token if there is one, and
/// `authorization`. The host, the content type and every `x-amz-*` header of the request are signed with them.
///
/// # Errors
/// [`SigV4Error`] if the query cannot be read, or access key or token do not fit in a header.
pub fn sign(
    request: &SignedRequest<'_>,
    signer: &Signer<'_>,
    now: Timestamp,
) -> Result<HeaderMap, SigV4Error> {
    let date = Date::of(now);
    let query = Query::parse(request.query)?;
    let mut added = HeaderMap::new();
    added.insert(DATE, value(&date.text(), "X-Amz-Date")?);
    if let Some(token) = signer.session_token {
        added.insert(TOKEN, value(token, "X-Amz-Security-Token")?);
    }
    let mut headers = request.headers.clone();
    headers.extend(added.clone());
    let signed_headers = names_to_sign(&headers);
    let scope = CredentialScope::new(signer.access_key_id, &date, signer.region, signer.service);
    let payload = payload_hash(request);
    let request = SignedRequest {
        headers: &headers,
        ..*request
    };
    let canonical = canonical::request(&request, signer.service, &query, &signed_headers, &payload);
    let authorization = format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={}",
        scope.access_key_id,
        scope.to_text(),
        signed_headers.join(";"),
        hex::encode(key::signature(signer.secret, &scope, &date, &canonical))
    );
    added.insert(AUTHORIZATION, value(&authorization, "Authorization")?);
    Ok(added)
}

/// The headers that make a gRPC call of this path, `/package.Service/Method`, at this authority a signed one. The messages are
/// left out of it: a stream has no hash before its end.
///
/// # Errors
/// [`SigV4Error`] if the authority, the access key or the token do not fit in a header.
pub fn sign_call(
    path: &str,
    authority: &str,
    signer: &Signer<'_>,
    now: Timestamp,
) -> Result<HeaderMap, SigV4Error> {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, value(authority, "Host")?);
    headers.insert(CONTENT_SHA256, HeaderValue::from_static(UNSIGNED_PAYLOAD));
    let request = SignedRequest {
        method: &Method::POST,
        path,
        query: "",
        headers: &headers,
        authority: None,
        body_sha256: body_sha256(b""),
    };
    let added = sign(&request, signer, now)?;
    // The connection has the authority.
    headers.remove(HOST);
    headers.extend(added);
    Ok(headers)
}

/// The query of a URL that is valid for `expires`, at most a week, and needs no other credential. The host and every
/// `x-amz-*` header of the request are signed, and must come with it.
///
/// # Errors
/// [`SigV4Error`] if the query cannot be read, or `expires` is out of range.
pub fn presign(
    request: &SignedRequest<'_>,
    signer: &Signer<'_>,
    now: Timestamp,
    expires: Duration,
) -> Result<String, SigV4Error> {
    if !(1..=EXPIRES_MAX.as_secs()).contains(&expires.as_secs()) {
        return Err(SigV4Error::Malformed {
            part: "X-Amz-Expires",
        });
    }
    let date = Date::of(now);
    let scope = CredentialScope::new(signer.access_key_id, &date, signer.region, signer.service);
    let signed_headers = names_to_sign(request.headers);
    let mut parameters = vec![
        ("X-Amz-Algorithm", ALGORITHM.to_owned()),
        (
            "X-Amz-Credential",
            format!("{}/{}", scope.access_key_id, scope.to_text()),
        ),
        ("X-Amz-Date", date.text()),
        ("X-Amz-Expires", expires.as_secs().to_string()),
        ("X-Amz-SignedHeaders", signed_headers.join(";")),
    ];
    if let Some(token) = signer.session_token {
        parameters.push(("X-Amz-Security-Token", token.to_owned()));
    }
    let own = (!request.query.is_empty()).then(|| request.query.to_owned());
    let added = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", percent::encode(value)));
    let raw: Vec<String> = own.into_iter().chain(added).collect();
    let raw = raw.join("&");
    let canonical = canonical::request(
        request,
        signer.service,
        &Query::parse(&raw)?,
        &signed_headers,
        &payload_hash(request),
    );
    let signature = hex::encode(key::signature(signer.secret, &scope, &date, &canonical));
    Ok(format!("{raw}&X-Amz-Signature={signature}"))
}

/// In order, and the host even where only an authority stands for it.
fn names_to_sign(headers: &HeaderMap) -> Vec<String> {
    let signs =
        |name: &&HeaderName| name.as_str() == "content-type" || name.as_str().starts_with("x-amz-");
    let mut names: Vec<String> = headers
        .keys()
        .filter(signs)
        .map(HeaderName::to_string)
        .collect();
    names.push("host".to_owned());
    names.sort_unstable();
    names
}

/// What the request itself says about its body, or the hash of it.
fn payload_hash(request: &SignedRequest<'_>) -> String {
    let said = request
        .headers
        .get(CONTENT_SHA256)
        .and_then(|v| v.to_str().ok());
    said.map_or_else(|| hex::encode(request.body_sha256), str::to_owned)
}

fn value(text: &str, part: &'static str) -> Result<HeaderValue, SigV4Error> {
    HeaderValue::from_str(text).map_err(|_| SigV4Error::Malformed { part })
}
