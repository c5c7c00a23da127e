//! A request as text: `METHOD TARGET`, a header a line, an empty line, and the body.

use http::{HeaderMap, HeaderName, HeaderValue, Method, uri::PathAndQuery};

/// A request that a server could have read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    pub method: Method,
    /// As it came, without the query.
    pub path: String,
    /// As it came, without its `?`.
    pub query: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Wire {
    /// `None` for what no server would take for a request.
    pub fn read(text: &[u8]) -> Option<Self> {
        let (line, mut rest) = cut(text, b"\n")?;
        let (method, target) = cut(line, b" ")?;
        // The form in which a server gives a target on: no blanks, no control characters, no fragment.
        let target = PathAndQuery::try_from(target).ok()?;
        let mut headers = HeaderMap::new();
        loop {
            let (line, after) = cut(rest, b"\n")?;
            rest = after;
            if line.is_empty() {
                break;
            }
            let (name, value) = cut(line, b": ")?;
            headers.append(
                HeaderName::from_bytes(name).ok()?,
                HeaderValue::from_bytes(value).ok()?,
            );
        }
        Some(Self {
            method: Method::from_bytes(method).ok()?,
            path: target.path().to_owned(),
            query: target.query().unwrap_or_default().to_owned(),
            headers,
            body: rest.to_vec(),
        })
    }

    /// The text that [`Self::read`] reads as this request.
    pub fn write(&self) -> Vec<u8> {
        let mut text = format!("{} {}", self.method, self.path).into_bytes();
        if !self.query.is_empty() {
            text.push(b'?');
            text.extend_from_slice(self.query.as_bytes());
        }
        text.push(b'\n');
        for (name, value) in &self.headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.push(b'\n');
        }
        text.push(b'\n');
        text.extend_from_slice(&self.body);
        text
    }
}

fn cut<'t>(text: &'t [u8], at: &[u8]) -> Option<(&'t [u8], &'t [u8])> {
    let place = text.windows(at.len()).position(|part| part == at)?;
    Some((&text[..place], &text[place + at.len()..]))
}
