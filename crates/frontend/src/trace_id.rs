//! The X-Ray trace header: the caller's, or a new one.

use host::Entropy;
use http::{HeaderMap, HeaderName};
use model::Timestamp;

/// The header's name.
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Longest header that is passed on.
const LENGTH_MAX: usize = 512;

/// The trace header of an invocation: what the caller sent if it can be passed on, else a new unsampled trace.
pub(crate) fn of(headers: &HeaderMap, now: Timestamp, entropy: &dyn Entropy) -> String {
    let sent = headers.get(TRACE_ID).and_then(|v| v.to_str().ok());
    sent.filter(|s| is_trace(s))
        .map_or_else(|| new(now, entropy), str::to_owned)
}

fn is_trace(text: &str) -> bool {
    text.len() <= LENGTH_MAX
        && text
            .split(';')
            .any(|part| part.trim_start().starts_with("Root=1-"))
}

fn new(now: Timestamp, entropy: &dyn Entropy) -> String {
    let seconds = now.as_millis() / 1000;
    let unique = entropy.next_u128() >> 32;
    let parent = entropy.next_u64();
    format!("Root=1-{seconds:08x}-{unique:024x};Parent={parent:016x};Sampled=0")
}

#[cfg(test)]
mod tests {
    use host::SeededEntropy;

    use super::*;

    fn check(sent: Option<&str>, kept: bool) {
        let mut headers = HeaderMap::new();
        if let Some(sent) = sent {
            headers.insert(TRACE_ID, sent.parse().unwrap());
        }
        let got = of(
            &headers,
            Timestamp(1_764_000_000_000),
            &SeededEntropy::new(1),
        );
        assert_eq!(Some(got.as_str()) == sent, kept, "{got}");
        assert!(is_trace(&got));
        if !kept {
            assert!(got.starts_with("Root=1-69248100-"), "{got}");
            assert_eq!(
                got.len(),
                "Root=1-12345678-123456789012345678901234;Parent=1234567890123456;Sampled=0".len()
            );
        }
    }

    #[test]
    fn a_trace_goes_on_or_begins() {
        check(None, false);
        check(
            Some("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"),
            true,
        );
        check(
            Some("Self=1-2-3;Root=1-5759e988-bd862e3fe1be46a994272793"),
            true,
        );
        check(Some("nonsense"), false);
        check(Some(&format!("Root=1-{}", "x".repeat(600))), false);
    }
}
