//! Percent-encoding as SigV4 and the REST protocols use it (RFC 3986).
//!
//! `+` is an ordinary character: AWS clients send a space as `%20` in paths and in queries.

/// An escape that is not `%` and two hexadecimal digits, or bytes that are not UTF-8 after decoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected UTF-8 text with escapes of % and two hexadecimal digits, got {0:?}")]
pub struct InvalidEncoding(pub String);

/// Undoes percent-encoding.
///
/// # Errors
/// [`InvalidEncoding`] for a broken escape or for bytes that are not UTF-8.
pub fn decode(text: &str) -> Result<String, InvalidEncoding> {
    let invalid = || InvalidEncoding(text.chars().take(200).collect());
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let high = bytes.next().and_then(hex_value).ok_or_else(invalid)?;
        let low = bytes.next().and_then(hex_value).ok_or_else(invalid)?;
        out.push(high << 4 | low);
    }
    String::from_utf8(out).map_err(|_| invalid())
}

/// Encodes every byte outside `A-Z a-z 0-9 - . _ ~`, with upper-case digits.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_encoded(&mut out, text.as_bytes(), |_| false);
    out
}

/// Like [`encode`], but leaves `/` as it is.
#[must_use]
pub fn encode_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    push_encoded(&mut out, path.as_bytes(), |b| b == b'/');
    out
}

fn push_encoded(out: &mut String, bytes: &[u8], also_plain: impl Fn(u8) -> bool) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~')
            || also_plain(byte)
        {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(hex_digit(byte >> 4));
            out.push(hex_digit(byte & 0xf));
        }
    }
}

fn hex_digit(nibble: u8) -> char {
    char::from(if nibble < 10 {
        b'0' + nibble
    } else {
        b'A' + nibble - 10
    })
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn decoding_undoes_encoding(text in ".{0,40}") {
            prop_assert_eq!(&decode(&encode(&text)).unwrap(), &text);
            prop_assert_eq!(decode(&encode_path(&text)).unwrap(), text);
        }

        #[test]
        fn encoded_text_has_only_unreserved_bytes(text in ".{0,40}") {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~%".contains(&b);
            prop_assert!(encode(&text).bytes().all(plain));
        }

        #[test]
        fn decoding_never_panics(text in "[%0-9a-zA-Z+ é]{0,20}") {
            let _ = decode(&text);
        }
    }

    #[test]
    fn known_forms() {
        for (encoded, plain) in [
            ("arn%3Aaws", "arn:aws"),
            ("a%2fb", "a/b"),
            ("a+b", "a+b"),
            ("%C3%A4", "ä"),
            ("", ""),
        ] {
            assert_eq!(decode(encoded).unwrap(), plain);
        }
        assert_eq!(encode("a/b c+ä~"), "a%2Fb%20c%2B%C3%A4~");
        assert_eq!(encode_path("/a%3Ab/c d"), "/a%253Ab/c%20d");
        for broken in ["%", "%2", "%zz", "a%", "%ff", "%c3"] {
            assert_eq!(
                decode(broken),
                Err(InvalidEncoding(broken.to_owned())),
                "{broken}"
            );
        }
    }
}
