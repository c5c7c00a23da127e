//! The event stream: what is read as a message is written as the same bytes, a part of a message is no message, and no
//! changed bit goes unnoticed; what our own side writes is read.
//!
//! The first byte says what the rest is: a stream as it is, or the headers and the payload of a message, around which lengths
//! and checksums are put that fit, because chance finds no checksum.

#![no_main]

use lambda_api::event_stream::{
    DecodeError, InvokeComplete, Message, decode, exception, invoke_complete, payload_chunks,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    match input {
        [b'r', stream @ ..] => every_message(stream),
        [b'f', headers, rest @ ..] => {
            let (headers, payload) = rest.split_at(usize::from(*headers).min(rest.len()));
            framed(headers, payload);
        }
        [_, rest @ ..] => written(&String::from_utf8_lossy(rest), rest),
        [] => {}
    }
});

fn every_message(mut stream: &[u8]) {
    while let Ok(Some((message, taken))) = decode(stream) {
        let (bytes, rest) = stream.split_at(taken);
        one_message(bytes, &message);
        stream = rest;
    }
}

/// A message that is whole, whatever its headers are.
fn framed(headers: &[u8], payload: &[u8]) {
    let bytes = frame(headers, payload);
    match decode(&bytes) {
        Ok(Some((message, taken))) => {
            assert_eq!(taken, bytes.len());
            assert_eq!(message.payload, payload);
            one_message(&bytes, &message);
        }
        other => assert_eq!(other, Err(DecodeError::Headers)),
    }
}

fn written(text: &str, bytes: &[u8]) {
    let mut read = Vec::new();
    for chunk in payload_chunks(bytes) {
        read.extend(whole(&chunk).payload);
    }
    assert_eq!(read, bytes);
    let broken = whole(&exception(text, text));
    let said: serde_json::Value = serde_json::from_slice(&broken.payload).expect("JSON");
    assert_eq!(said, serde_json::json!({ "message": text }));
    let end = InvokeComplete {
        error_code: Some(text.to_owned()),
        error_details: None,
        log_result: Some(text.to_owned()),
    };
    let said: serde_json::Value =
        serde_json::from_slice(&whole(&invoke_complete(&end)).payload).expect("JSON");
    assert_eq!(
        said,
        serde_json::json!({ "ErrorCode": text, "LogResult": text })
    );
}

fn whole(bytes: &[u8]) -> Message {
    let (message, taken) = decode(bytes).expect("a message").expect("all of it");
    assert_eq!(taken, bytes.len());
    message
}

fn one_message(bytes: &[u8], message: &Message) {
    assert_eq!(frame(&headers(message), &message.payload), bytes);
    // All of a short message; of a long one its beginning and its end.
    let places = (0..bytes.len()).filter(|at| *at < 64 || bytes.len() - at < 64);
    for at in places {
        assert_eq!(decode(&bytes[..at]), Ok(None), "{at} bytes");
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 1 << (at % 8);
        assert!(!matches!(decode(&damaged), Ok(Some(_))), "byte {at}");
    }
}

fn headers(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in &message.headers {
        bytes.push(u8::try_from(name.len()).expect("a length that was one byte"));
        bytes.extend(name.as_bytes());
        bytes.push(7);
        let length = u16::try_from(value.len()).expect("a length that was two bytes");
        bytes.extend(length.to_be_bytes());
        bytes.extend(value.as_bytes());
    }
    bytes
}

fn frame(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = |n: usize| u32::try_from(n).expect("a short message").to_be_bytes();
    let mut bytes = Vec::new();
    bytes.extend(length(16 + headers.len() + payload.len()));
    bytes.extend(length(headers.len()));
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend(headers);
    bytes.extend(payload);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}
