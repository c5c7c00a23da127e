//! The one form in which signer and verifier write a request.

use http::HeaderMap;

use super::SignedRequest;
use crate::{percent, query::Query};

/// The service whose keys are paths: it takes them as they come.
const S3: &str = "s3";

/// The canonical request. The path is put in order and encoded once more than it came, as every service but S3 does.
pub(super) fn request(
    request: &SignedRequest<'_>,
    service: &str,
    query: &Query,
    signed_headers: &[String],
    payload_hash: &str,
) -> Vec<u8> {
    let path = if service == S3 {
        request.path.to_owned()
    } else {
        percent::encode_path(&normalize_path(request.path))
    };
    let mut out = format!("{}\n{path}\n{}\n", request.method, canonical_query(query)).into_bytes();
    for name in signed_headers {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        push_header(&mut out, request, name);
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(signed_headers.join(";").as_bytes());
    out.push(b'\n');
    out.extend_from_slice(payload_hash.as_bytes());
    out
}

/// Without `.` and `..` segments (RFC 3986, 5.2.4) and without doubled slashes.
fn normalize_path(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    let end = if path.ends_with('/') && !kept.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", kept.join("/"))
}

/// Encoded, sorted by name and then by value, without the signature itself.
fn canonical_query(query: &Query) -> String {
    let mut pairs: Vec<_> = query
        .iter()
        .filter(|(name, _)| *name != "X-Amz-Signature")
        .map(|(name, value)| (percent::encode(name), percent::encode(value)))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

fn push_header(out: &mut Vec<u8>, request: &SignedRequest<'_>, name: &str) {
    if name == "host" && !request.headers.contains_key(name) {
        push_trimmed(out, request.authority.unwrap_or_default().as_bytes());
        return;
    }
    for (i, value) in values(request.headers, name).enumerate() {
        if i > 0 {
            out.push(b',');
        }
        push_trimmed(out, value);
    }
}

fn values<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h [u8]> {
    headers
        .get_all(name)
        .iter()
        .map(http::HeaderValue::as_bytes)
}

/// Without white space at the ends, and with one space for each run of it inside.
fn push_trimmed(out: &mut Vec<u8>, value: &[u8]) {
    let words = value
        .split(|b| b.is_ascii_whitespace())
        .filter(|word| !word.is_empty());
    for (i, word) in words.enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (path, expected) in [
            ("", "/"),
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("//a///b", "/a/b"),
            ("/a/./b/../c", "/a/c"),
            ("/../..", "/"),
            ("/a/..", "/"),
            ("/a%2F..%2Fb", "/a%2F..%2Fb"),
        ] {
            assert_eq!(normalize_path(path), expected, "{path}");
        }
    }

    #[test]
    fn queries_are_sorted_as_encoded() {
        let canonical = |raw| canonical_query(&Query::parse(raw).unwrap());
        assert_eq!(
            canonical("b=2&a=2&a=1&A=x&flag&a%2Bb=%2f&X-Amz-Signature=s"),
            "A=x&a=1&a=2&a%2Bb=%2F&b=2&flag="
        );
        assert_eq!(canonical(""), "");
    }
}
