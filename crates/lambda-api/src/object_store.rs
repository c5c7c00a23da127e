//! What an object store that speaks S3 says of an object, and when it does not give one.

use http::{HeaderMap, StatusCode};

/// The header that names the version of an object.
const VERSION: &str = "x-amz-version-id";
/// What it names where no versions are kept.
const NO_VERSION: &str = "null";
/// The longest name of a version.
const VERSION_MAX: usize = 1024;

/// The longest text that is passed on to a caller, in characters.
pub const TEXT_MAX: usize = 300;

/// An error, as the store tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the store calls it, such as `NoSuchKey`; the number of its status if it does not say.
    pub code: String,
    /// What it says; what its status means if it does not.
    pub message: String,
}

impl Refusal {
    /// The error in the body of an answer. The document is small and flat: two of its elements say everything, and an answer
    /// without them is told by its status.
    #[must_use]
    pub fn read(status: StatusCode, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let code = element(&text, "Code").unwrap_or_else(|| status.as_u16().to_string());
        let message = element(&text, "Message");
        let message = message.unwrap_or_else(|| {
            let reason = status.canonical_reason();
            reason.unwrap_or("no reason was given").to_owned()
        });
        Self { code, message }
    }
}

/// The version of an object that is given, if the bucket keeps several.
#[must_use]
pub fn version(headers: &HeaderMap) -> Option<String> {
    let version = headers.get(VERSION)?.to_str().ok()?;
    let is_one = !version.is_empty() && version != NO_VERSION && version.len() <= VERSION_MAX;
    is_one.then(|| version.to_owned())
}

fn element(document: &str, name: &str) -> Option<String> {
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&");
    let text = text.trim();
    (!text.is_empty()).then(|| text.chars().take(TEXT_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, expected: (&str, &str)) {
        let status = StatusCode::from_u16(status).unwrap();
        let Refusal { code, message } = Refusal::read(status, body.as_bytes());
        assert_eq!((code.as_str(), message.as_str()), expected, "{body}");
    }

    #[test]
    fn stores_name_a_version_where_they_keep_several() {
        let said = |value: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(VERSION, http::HeaderValue::from_static(value));
            }
            version(&headers)
        };
        assert_eq!(said(Some("v.1")).as_deref(), Some("v.1"));
        for none in [None, Some(""), Some("null")] {
            assert_eq!(said(none), None);
        }
    }

    #[test]
    fn stores_say_why_or_their_status_does() {
        check(
            404,
            "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>k</Key></Error>",
            ("NoSuchKey", "The specified key does not exist."),
        );
        check(
            403,
            "<Error><Message>a &lt;b&gt; &amp;amp;</Message></Error>",
            ("403", "a <b> &amp;"),
        );
        check(502, "<html>", ("502", "Bad Gateway"));
        check(404, "", ("404", "Not Found"));
        check(404, "<Code></Code><Message>x", ("404", "Not Found"));
    }
}
