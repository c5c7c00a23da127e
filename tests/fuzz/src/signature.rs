//! Signature Version 4 a second time, step by step as AWS describes it: what is signed and what is believed is held against
//! it. It shares with the product only the hash function.

use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};

use crate::wire::Wire;

/// What a request says of its own signature.
#[derive(Debug)]
pub struct Claim {
    /// Key, day, region, service and `aws4_request`.
    credential: Vec<String>,
    date: String,
    names: String,
    /// In hexadecimal digits.
    pub signature: String,
}

impl Claim {
    /// The claim of a request with one readable credential, in its header or else in its query.
    pub fn of(request: &Wire) -> Option<Self> {
        let header = |name| request.headers.get(name)?.to_str().ok();
        let query = parameters(&request.query);
        let in_query = |name: &str| {
            let found = query.iter().find(|(n, _)| n == name)?;
            Some(found.1.clone())
        };
        let (credential, names, signature, date) = match header("authorization") {
            Some(text) => {
                let part = |name: &str| {
                    let mut parts = text.split([' ', ',']);
                    parts.find_map(|p| p.trim().strip_prefix(name)?.strip_prefix('='))
                };
                let parts = (part("Credential")?, part("SignedHeaders")?);
                let date = header("x-amz-date").or_else(|| header("date"))?;
                let date = date.trim().to_owned();
                (
                    parts.0.to_owned(),
                    parts.1.to_owned(),
                    part("Signature")?.to_owned(),
                    date,
                )
            }
            None => (
                in_query("X-Amz-Credential")?,
                in_query("X-Amz-SignedHeaders")?,
                in_query("X-Amz-Signature")?,
                in_query("X-Amz-Date")?,
            ),
        };
        Some(Self {
            credential: credential.split('/').map(str::to_owned).collect(),
            date,
            names,
            signature: signature.to_ascii_lowercase(),
        })
    }

    /// The signature that the request should have, in hexadecimal digits. `None` where AWS leaves open which: for a path with
    /// the segments `.` and `..`, and for a date in another form.
    pub fn expected(&self, request: &Wire, secret: &str) -> Option<String> {
        let compact = self.date.len() == 16 && self.date.ends_with('Z');
        if !compact || request.path.split('/').any(|s| s == "." || s == "..") {
            return None;
        }
        let scope = self.credential.get(1..)?;
        let hash = hex::encode(Sha256::digest(self.canonical(request)));
        let text = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{hash}",
            self.date,
            scope.join("/")
        );
        let mut key = format!("AWS4{secret}").into_bytes();
        for step in scope.iter().chain([&text]) {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length");
            mac.update(step.as_bytes());
            key = mac.finalize().into_bytes().to_vec();
        }
        Some(hex::encode(key))
    }

    fn canonical(&self, request: &Wire) -> Vec<u8> {
        let mut path = request.path.clone();
        while path.contains("//") {
            path = path.replace("//", "/");
        }
        let mut query: Vec<(String, String)> = parameters(&request.query)
            .iter()
            .filter(|(name, _)| name != "X-Amz-Signature")
            .map(|(name, value)| (escaped(name, ""), escaped(value, "")))
            .collect();
        query.sort();
        let query: Vec<String> = query.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let mut text = [
            request.method.as_str(),
            &escaped(&path, "/"),
            &query.join("&"),
        ]
        .join("\n");
        text.push('\n');
        let mut text = text.into_bytes();
        for name in self.names.split(';') {
            let values = request.headers.get_all(name).iter();
            let values: Vec<Vec<u8>> = values.map(|value| words(value.as_bytes())).collect();
            text.extend([name.as_bytes(), b":", &values.join(&b','), b"\n"].concat());
        }
        let body = match request.headers.get("x-amz-content-sha256") {
            Some(hash) => hash.as_bytes().to_vec(),
            None => hex::encode(Sha256::digest(&request.body)).into_bytes(),
        };
        text.extend([b"\n", self.names.as_bytes(), b"\n", &body].concat());
        text
    }
}

/// Blanks between words, and around them, mean nothing.
pub fn words(value: &[u8]) -> Vec<u8> {
    let words = value.split(u8::is_ascii_whitespace);
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join(&b' ')
}

/// The parameters of a query that can be read.
fn parameters(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (unescaped(name), unescaped(value))
    };
    parts.map(pair).collect()
}

fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.extend(hex::decode(digits).expect("an escape that was read before"));
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).expect("a text that was read before")
}

fn escaped(text: &str, plain: &str) -> String {
    let byte = |b: u8| match char::from(b) {
        c if c.is_ascii_alphanumeric() || "-._~".contains(c) || plain.contains(c) => c.to_string(),
        _ => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}
