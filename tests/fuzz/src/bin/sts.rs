//! Forms of the Security Token Service: what is refused is refused as a caller's mistake, in few words and without the policy
//! that came; what is accepted keeps to the API's bounds, and says the same however its form is escaped and whatever the order
//! of its parameters.

#![no_main]

use lambda_api::{
    percent,
    sts::{Form, Request, StsError},
};
use libfuzzer_sys::fuzz_target;

/// The longest text of a refusal, in bytes, whatever came.
const REFUSAL_MAX: usize = 64 << 10;
/// What stands for a secret in policies of the corpus.
const SECRET: &str = "hunter2";

fuzz_target!(|body: &[u8]| {
    let form = match Form::of_body(body) {
        Ok(form) => form,
        Err(error) => return refused(body, &error),
    };
    let request = match form.request() {
        Ok(request) => request,
        Err(error) => return refused(body, &error),
    };
    let action = form.action().expect("the action of a request");
    match &request {
        Request::GetCallerIdentity => assert_eq!(action.as_str(), "GetCallerIdentity"),
        Request::AssumeRole(wanted) => {
            assert_eq!(action.as_str(), "AssumeRole");
            if let Some(duration) = wanted.duration {
                assert!((900..=43_200).contains(&duration.as_secs()), "{duration:?}");
            }
            let policy = wanted.policy.as_deref().map(|p| p.chars().count());
            assert!(policy.is_none_or(|length| (1..=2048).contains(&length)));
            assert!((2..=64).contains(&wanted.session.as_str().len()));
        }
    }
    written_otherwise(body, &request);
});

/// The parameters of a form, decoded.
fn parameters(body: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(body).ok()?;
    let decoded = |part: &str| percent::decode(&part.replace('+', "%20")).ok();
    let parts = text.split('&').filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        Some((decoded(name)?, decoded(value)?))
    };
    parts.map(pair).collect()
}

/// With every byte escaped, and the other way round.
fn written_otherwise(body: &[u8], request: &Request) {
    let mut pairs = parameters(body).expect("a form that was read before");
    let again = |pairs: &[(String, String)]| {
        let escape = |text: &str| {
            let bytes = text.bytes().map(|byte| format!("%{byte:02x}"));
            bytes.collect::<String>()
        };
        let pairs = pairs
            .iter()
            .map(|(n, v)| format!("{}={}", escape(n), escape(v)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let form = Form::of_body(body.as_bytes()).expect("what was read before");
        form.request()
    };
    assert_eq!(again(&pairs).as_ref(), Ok(request));
    // The first of several of one name counts: only where there is one of each can they change places.
    let is_once = |name: &str| pairs.iter().filter(|(n, _)| n == name).count() == 1;
    if pairs.iter().all(|(name, _)| is_once(name)) {
        pairs.reverse();
        assert_eq!(again(&pairs).as_ref(), Ok(request));
    }
}

fn refused(body: &[u8], error: &StsError) {
    let text = error.to_string();
    assert!(error.status().is_client_error(), "{error:?}");
    assert!(
        text.len() <= REFUSAL_MAX,
        "{} bytes: {text:.300}",
        text.len()
    );
    let pairs = parameters(body).unwrap_or_default();
    let mut telling = pairs
        .iter()
        .filter(|(name, value)| name.contains(SECRET) || value.contains(SECRET));
    if telling.all(|(name, _)| name == "Policy") {
        assert!(!text.contains(SECRET), "{text}");
    }
}
