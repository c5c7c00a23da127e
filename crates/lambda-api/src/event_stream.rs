//! The framing of `InvokeWithResponseStream` and of followed logs: `application/vnd.amazon.eventstream`.
//!
//! A message is: total length, length of the headers, CRC-32 of these eight bytes, headers, payload, CRC-32 of all that
//! comes before. A header is: length of the name, name, type 7 (text), length of the value, value. Numbers are
//! big-endian.

use serde::Serialize;

/// The content type of a stream of messages.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// Most payload bytes of one message that is made here; the format allows 16 MiB in all.
pub const CHUNK_MAX: usize = 1 << 20;

/// Longest message that is read.
const MESSAGE_MAX: usize = 16 << 20;

/// Most header bytes of a message that is read.
const HEADERS_MAX: usize = 128 << 10;

/// Total length, headers length and their checksum.
const PRELUDE: usize = 12;

/// The checksum at the end.
const TRAILER: usize = 4;

/// The type of a header whose value is text.
const TEXT: u8 = 7;

/// How a streamed invocation ended. Absent members are left out; a success has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InvokeComplete {
    /// The kind of failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// Its details: a text, usually a JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_details: Option<String>,
    /// The end of the log, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_result: Option<String>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The headers, in their order.
    pub headers: Vec<(String, String)>,
    /// The payload.
    pub payload: Vec<u8>,
}

/// Bytes that are not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A length that cannot be.
    #[error("a message of {total} bytes with {headers} bytes of headers cannot be")]
    Length {
        /// Length of the message.
        total: usize,
        /// Length of its headers.
        headers: usize,
    },
    /// A checksum that does not fit.
    #[error("expected the checksum {expected:08x}, got {got:08x}")]
    Checksum {
        /// Computed.
        expected: u32,
        /// In the message.
        got: u32,
    },
    /// Headers that end early, have another type than text, or are not UTF-8.
    #[error("the headers of the message cannot be read")]
    Headers,
}

/// The messages that carry these bytes, at most [`CHUNK_MAX`] in each; none for no bytes.
pub fn payload_chunks(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    bytes
        .chunks(CHUNK_MAX)
        .map(|chunk| event("PayloadChunk", "application/octet-stream", chunk))
}

/// The message that ends a stream.
#[must_use]
pub fn invoke_complete(end: &InvokeComplete) -> Vec<u8> {
    event(
        "InvokeComplete",
        "application/json",
        &crate::response::to_body(end),
    )
}

/// The message that breaks a stream off with an error, for example `ServiceException`.
#[must_use]
pub fn exception(name: &str, message: &str) -> Vec<u8> {
    let body = serde_json::json!({ "message": message }).to_string();
    let headers = [
        (":exception-type", name),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    encode(&headers, body.as_bytes())
}

/// A message with a JSON document.
#[must_use]
pub fn json_event(kind: &str, document: &[u8]) -> Vec<u8> {
    event(kind, "application/json", document)
}

fn event(kind: &str, content_type: &str, payload: &[u8]) -> Vec<u8> {
    encode(
        &[
            (":event-type", kind),
            (":content-type", content_type),
            (":message-type", "event"),
        ],
        payload,
    )
}

/// Lengths fit: payloads are chunks or short JSON, header names and values are short constants or exception names.
fn encode(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for (name, value) in headers {
        let value: String = value.chars().take(256).collect();
        encoded.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        encoded.extend_from_slice(name.as_bytes());
        encoded.push(TEXT);
        encoded.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        encoded.extend_from_slice(value.as_bytes());
    }
    let total = PRELUDE + encoded.len() + payload.len() + TRAILER;
    let mut message = Vec::with_capacity(total);
    message.extend_from_slice(&length(total));
    message.extend_from_slice(&length(encoded.len()));
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message.extend_from_slice(&encoded);
    message.extend_from_slice(payload);
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message
}

fn length(n: usize) -> [u8; 4] {
    u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes()
}

/// Reads the first message of a stream, and how many bytes it took; `None` if it has not come in full.
///
/// # Errors
/// [`DecodeError`] if the stream can never become a message.
pub fn decode(stream: &[u8]) -> Result<Option<(Message, usize)>, DecodeError> {
    let Some(prelude) = stream.get(..PRELUDE) else {
        return Ok(None);
    };
    let (total, headers) = (number(prelude, 0), number(prelude, 4));
    if !(PRELUDE + TRAILER..=MESSAGE_MAX).contains(&total)
        || headers > HEADERS_MAX
        || headers > total - PRELUDE - TRAILER
    {
        return Err(DecodeError::Length { total, headers });
    }
    check_sum(prelude)?;
    let Some(message) = stream.get(..total) else {
        return Ok(None);
    };
    check_sum(message)?;
    let body = message.get(PRELUDE..total - TRAILER).unwrap_or_default();
    let (encoded, payload) = body.split_at_checked(headers).ok_or(DecodeError::Headers)?;
    Ok(Some((
        Message {
            headers: decode_headers(encoded)?,
            payload: payload.to_vec(),
        },
        total,
    )))
}

fn decode_headers(mut rest: &[u8]) -> Result<Vec<(String, String)>, DecodeError> {
    fn take<'b>(rest: &mut &'b [u8], n: usize) -> Result<&'b [u8], DecodeError> {
        rest.split_off(..n).ok_or(DecodeError::Headers)
    }
    fn text(bytes: &[u8]) -> Result<String, DecodeError> {
        String::from_utf8(bytes.to_vec()).map_err(|_| DecodeError::Headers)
    }
    let mut headers = Vec::new();
    while let Some(name_length) = rest.split_off_first() {
        let name = text(take(&mut rest, usize::from(*name_length))?)?;
        let [TEXT, high, low] = take(&mut rest, 3)? else {
            return Err(DecodeError::Headers);
        };
        let value = text(take(
            &mut rest,
            usize::from(u16::from_be_bytes([*high, *low])),
        )?)?;
        headers.push((name, value));
    }
    Ok(headers)
}

/// The last four bytes are the checksum of those before.
fn check_sum(bytes: &[u8]) -> Result<(), DecodeError> {
    let (covered, sum) = bytes.split_last_chunk::<4>().ok_or(DecodeError::Headers)?;
    let (expected, got) = (crc32fast::hash(covered), u32::from_be_bytes(*sum));
    if expected == got {
        Ok(())
    } else {
        Err(DecodeError::Checksum { expected, got })
    }
}

fn number(bytes: &[u8], at: usize) -> usize {
    let number = bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |four| u32::from_be_bytes(*four));
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header<'m>(message: &'m Message, name: &str) -> &'m str {
        message
            .headers
            .iter()
            .find(|(n, _)| n == name)
            .map_or("", |(_, v)| v)
    }

    #[test]
    fn the_three_kinds_of_message() {
        let chunk = payload_chunks(b"hello").next().unwrap();
        let (message, taken) = decode(&chunk).unwrap().unwrap();
        assert_eq!(taken, chunk.len());
        assert_eq!(message.payload, b"hello");
        assert_eq!(
            (
                header(&message, ":message-type"),
                header(&message, ":event-type")
            ),
            ("event", "PayloadChunk")
        );
        assert_eq!(
            header(&message, ":content-type"),
            "application/octet-stream"
        );

        let end = InvokeComplete {
            error_code: Some("Unhandled".into()),
            ..InvokeComplete::default()
        };
        let (message, _) = decode(&invoke_complete(&end)).unwrap().unwrap();
        assert_eq!(message.payload, br#"{"ErrorCode":"Unhandled"}"#);
        assert_eq!(header(&message, ":event-type"), "InvokeComplete");
        assert_eq!(
            decode(&invoke_complete(&InvokeComplete::default()))
                .unwrap()
                .unwrap()
                .0
                .payload,
            b"{}"
        );

        let (message, _) = decode(&exception("ServiceException", "broken"))
            .unwrap()
            .unwrap();
        assert_eq!(
            (
                header(&message, ":message-type"),
                header(&message, ":exception-type")
            ),
            ("exception", "ServiceException")
        );
        assert_eq!(message.payload, br#"{"message":"broken"}"#);
    }

    #[test]
    fn large_payloads_are_split() {
        let bytes = vec![7; CHUNK_MAX * 2 + 1];
        let sizes: Vec<_> = payload_chunks(&bytes)
            .map(|m| decode(&m).unwrap().unwrap().0.payload.len())
            .collect();
        assert_eq!(sizes, [CHUNK_MAX, CHUNK_MAX, 1]);
        assert_eq!(payload_chunks(b"").count(), 0);
    }

    #[test]
    fn damage_is_noticed() {
        let whole = invoke_complete(&InvokeComplete::default());
        for i in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[i] ^= 1;
            assert!(!matches!(decode(&damaged), Ok(Some(_))), "byte {i}");
        }
        for cut in 0..whole.len() {
            assert_eq!(decode(&whole[..cut]), Ok(None), "{cut} bytes");
        }
        assert_eq!(
            decode(&[0xff; 16]),
            Err(DecodeError::Length {
                total: 0xffff_ffff,
                headers: 0xffff_ffff
            })
        );
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn what_was_encoded_is_decoded(payload in proptest::collection::vec(any::<u8>(), 0..200), value in "[ -~]{0,100}") {
            let message = encode(&[("name", &value)], &payload);
            let (decoded, taken) = decode(&message).unwrap().unwrap();
            prop_assert_eq!(taken, message.len());
            prop_assert_eq!(decoded, Message { headers: vec![("name".to_owned(), value)], payload });
        }
    }
}
