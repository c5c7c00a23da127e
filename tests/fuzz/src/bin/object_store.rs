//! Answers of an object store: whatever comes, a refusal has a name and a text that are short, and a version is one that can be
//! asked for again; what is written as the store writes it is read as what it was.
//!
//! The first two bytes are the status. The rest is the body of the answer; up to its first zero byte it is also a name, from there a
//! text, of an error that is written down, and a version.

#![no_main]

use http::{HeaderMap, HeaderValue, StatusCode};
use lambda_api::object_store::{Refusal, TEXT_MAX, version};
use libfuzzer_sys::fuzz_target;

/// The longest name of a version.
const VERSION_MAX: usize = 1024;

fuzz_target!(|input: &[u8]| {
    let [high, low, rest @ ..] = input else {
        return;
    };
    let Ok(status) = StatusCode::from_u16(u16::from_be_bytes([*high, *low])) else {
        return;
    };
    bounded(&Refusal::read(status, rest));
    let text = String::from_utf8_lossy(rest);
    let (code, message) = text.split_once('\0').unwrap_or((&text, ""));
    written(status, code, message);
    versioned(rest);
});

fn bounded(refusal: &Refusal) {
    for text in [&refusal.code, &refusal.message] {
        assert!(!text.is_empty());
        assert!(text.chars().count() <= TEXT_MAX, "{text}");
    }
}

/// An error as a store writes it.
fn written(status: StatusCode, code: &str, message: &str) {
    let document = format!(
        "<?xml version=\"1.0\"?>\n<Error><Code>{}</Code><Message>{}</Message><Key>k</Key></Error>",
        escaped(code),
        escaped(message)
    );
    let read = Refusal::read(status, document.as_bytes());
    bounded(&read);
    for (read, wrote) in [(read.code, code), (read.message, message)] {
        let wrote: String = wrote.trim().chars().take(TEXT_MAX).collect();
        if !wrote.is_empty() {
            assert_eq!(read, wrote);
        }
    }
}

fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&apos;".to_owned(),
        '&' => "&amp;".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}

fn versioned(text: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(text) else {
        return;
    };
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-version-id", value);
    if let Some(version) = version(&headers) {
        assert_eq!(version.as_bytes(), text);
        assert!((1..=VERSION_MAX).contains(&version.len()) && version != "null");
    }
}
