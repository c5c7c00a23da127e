//! What the tests of the requests share: from a request line and a body to a parsed request.

use super::*;

pub(crate) fn parse_with(
    request: &str,
    headers: &HeaderMap,
    body: &str,
) -> Result<Request, ApiError> {
    with_input(request, headers, body, Request::parse)
}

/// What a request is found to be by the schema alone.
pub(crate) fn checked(request: &str, body: &str) -> Result<(), ApiError> {
    with_input(request, &HeaderMap::new(), body, crate::schema::check)
}

/// As [`checked`], with headers.
pub(crate) fn checked_with(request: &str, headers: &HeaderMap, body: &str) -> Result<(), ApiError> {
    with_input(request, headers, body, crate::schema::check)
}

fn with_input<T>(
    request: &str,
    headers: &HeaderMap,
    body: &str,
    then: impl FnOnce(&Input<'_>) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let (method, target) = request.split_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let routed = crate::route::route(&method.parse().unwrap(), path, query).unwrap();
    then(&Input {
        operation: routed.operation,
        labels: &routed.labels,
        query: &Query::parse(query).unwrap(),
        headers,
        body: body.as_bytes(),
        scope: &Scope {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
        },
        limits: &Limits::default(),
    })
}

/// Parses a request such as `GET /2015-03-31/functions/f?Qualifier=1`.
pub(crate) fn parse(request: &str, body: &str) -> Result<Request, ApiError> {
    parse_with(request, &HeaderMap::new(), body)
}

/// The name and text of the error that a request is answered with.
#[track_caller]
pub(crate) fn refused(request: &str, body: &str) -> String {
    match parse(request, body) {
        Ok(request) => format!("accepted: {request:?}"),
        Err(e) => format!("{}: {e}", e.name()),
    }
}
