//! Signature Version 4, in a header and in a query: what we sign is believed, under no other secret and at no other time; what is
//! believed has the signature that a second implementation computes; and what is believed after one byte of it was changed means
//! what it meant before.
//!
//! The first line is `HOW EDIT AT BYTE`: how the request below it is signed, and the change to the signed one.

#![no_main]

use std::time::Duration;

use fuzz::{
    signature::{Claim, words},
    wire::Wire,
};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use lambda_api::{
    ApiError, Query,
    route::{self, RouteError, Routed},
    sigv4::{
        self, Credential, Identity, Rules, Secret, Session, SigV4Error, SignedRequest, Signer,
    },
};
use libfuzzer_sys::fuzz_target;
use model::Timestamp;

const ACCESS_KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "FwoGZXIvYXdzEXAMPLE//token==";

/// 2026-11-24T01:02:03Z, the moment at which the signed requests of the corpus were signed.
const NOW: Timestamp = Timestamp(1_795_482_123_000);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Parameters that make a query a credential, or would be there twice if we signed.
const OWN: &str = "X-Amz-";

/// Most parameters of a query, with some room for those that a signature adds.
const PARAMETERS_MAX: usize = 200;

/// The longest text of a refusal, in bytes.
const REFUSAL_MAX: usize = 2048;

#[derive(Clone, Copy)]
enum How {
    /// It is signed already, or it is not.
    AsItIs,
    Header,
    Query,
}

struct Plan {
    how: How,
    temporary: bool,
    edit: u8,
    at: usize,
    byte: u8,
}

fuzz_target!(|input: &[u8]| {
    let Some((plan, text)) = plan(input) else {
        return;
    };
    let Some(mut request) = Wire::read(text) else {
        return;
    };
    let signed_by_us = match plan.how {
        How::AsItIs => false,
        How::Header | How::Query => {
            let unsigned = request.clone();
            if sign(&mut request, &plan).is_none() {
                return;
            }
            emptied(unsigned, &plan);
            true
        }
    };
    let before = verify(&request, SECRET, NOW, plan.temporary);
    if signed_by_us {
        let identity = before.as_ref().expect("what we signed");
        assert_eq!(identity.signed_at, NOW);
        held(&request, &plan);
    }
    let Ok(identity) = before else { return };
    by_the_book(&request);
    let other = verify(&request, "another secret", NOW, plan.temporary);
    assert_eq!(other, Err(SigV4Error::SignatureMismatch));
    changed(&request, &identity, &plan);
});

fn plan(input: &[u8]) -> Option<(Plan, &[u8])> {
    let [
        how,
        b' ',
        edit,
        b' ',
        high,
        low,
        b' ',
        byte,
        b'\n',
        text @ ..,
    ] = input
    else {
        return None;
    };
    let (how, temporary) = match how {
        b'=' => (How::AsItIs, false),
        b'~' => (How::AsItIs, true),
        b'h' => (How::Header, false),
        b'H' => (How::Header, true),
        b'q' => (How::Query, false),
        b'Q' => (How::Query, true),
        _ => return None,
    };
    let plan = Plan {
        how,
        temporary,
        edit: *edit,
        at: usize::from(*high) << 8 | usize::from(*low),
        byte: *byte,
    };
    Some((plan, text))
}

/// Signs the request, whatever it says about itself; `None` if it cannot be signed.
fn sign(request: &mut Wire, plan: &Plan) -> Option<()> {
    for name in ["authorization", "x-amz-date", "x-amz-security-token"] {
        request.headers.remove(name);
    }
    let hash = hex::encode(sigv4::body_sha256(&request.body));
    if request.headers.remove("x-amz-content-sha256").is_some() {
        let hash = HeaderValue::from_str(&hash).expect("digits");
        request.headers.insert("x-amz-content-sha256", hash);
    }
    if !request.headers.contains_key("host") {
        return None;
    }
    let query = Query::parse(&request.query).ok()?;
    if query.iter().count() > PARAMETERS_MAX || query.iter().any(|(n, _)| n.starts_with(OWN)) {
        return None;
    }
    let (secret, region) = (Secret::new(SECRET), "eu-west-1".parse().expect("a region"));
    let signer = Signer {
        access_key_id: ACCESS_KEY,
        secret: &secret,
        session_token: plan.temporary.then_some(TOKEN),
        region: &region,
        service: sigv4::SERVICE,
    };
    if matches!(plan.how, How::Query) {
        let query = sigv4::presign(&presented(request), &signer, NOW, HOUR).expect("a query");
        request.query = query;
    } else {
        let added = sigv4::sign(&presented(request), &signer, NOW).expect("a signature");
        request.headers.extend(added);
    }
    Some(())
}

/// It is believed as long as it should be, and no longer.
fn held(request: &Wire, plan: &Plan) {
    let lasts = match plan.how {
        How::Query => HOUR,
        How::AsItIs | How::Header => sigv4::SKEW,
    };
    let at = |now| verify(request, SECRET, now, plan.temporary);
    assert!(at(NOW.plus(lasts)).is_ok());
    let late = at(NOW.plus(lasts + SECOND));
    assert!(matches!(late, Err(SigV4Error::Expired { .. })), "{late:?}");
    let back = |by: Duration| Timestamp(NOW.0 - u64::try_from(by.as_millis()).expect("short"));
    assert!(at(back(sigv4::SKEW)).is_ok());
    let early = at(back(sigv4::SKEW + SECOND));
    assert!(
        matches!(early, Err(SigV4Error::NotYetValid { .. })),
        "{early:?}"
    );
    let otherwise = verify(request, SECRET, NOW, !plan.temporary);
    assert_eq!(otherwise, Err(SigV4Error::InvalidToken));
}

/// A header that was signed must be there, although one that is empty has the signature of one that is not.
fn emptied(mut request: Wire, plan: &Plan) {
    const NAME: &str = "x-amz-client-context";
    request.headers.insert(NAME, HeaderValue::from_static(""));
    sign(&mut request, plan).expect("what can be signed without it");
    assert!(verify(&request, SECRET, NOW, plan.temporary).is_ok());
    request.headers.remove(NAME);
    let name = NAME.to_owned();
    let missing = Err(SigV4Error::HeaderMissing { name });
    assert_eq!(verify(&request, SECRET, NOW, plan.temporary), missing);
}

/// What is believed has the signature that it should have.
fn by_the_book(request: &Wire) {
    let claim = Claim::of(request).expect("a credential that was read before");
    if let Some(expected) = claim.expected(request, SECRET) {
        assert_eq!(claim.signature, expected, "{claim:?}");
    }
}

/// One byte is changed, put in or taken out.
fn changed(request: &Wire, identity: &Identity, plan: &Plan) {
    let mut text = request.write();
    let at = plan.at % text.len();
    match plan.edit {
        b'+' => text.insert(at, plan.byte),
        b'-' => drop(text.remove(at)),
        _ => text[at] = plan.byte,
    }
    let Some(after) = Wire::read(&text) else {
        return;
    };
    if let Ok(believed) = verify(&after, SECRET, NOW, plan.temporary) {
        by_the_book(&after);
        assert_eq!(&believed, identity);
        assert_eq!(meaning(&after), meaning(request));
        // A signature is also that of other paths; they belong to nothing.
        match (routed(request), routed(&after)) {
            (Ok(before), Ok(after)) => assert_eq!(before, after),
            (Err(_), Err(_)) => {}
            (Ok(_), Err(_)) => assert!(!is_plain(&after.path), "{}", after.path),
            (Err(_), Ok(_)) => assert!(!is_plain(&request.path), "{}", request.path),
        }
    }
}

fn routed(request: &Wire) -> Result<Routed, RouteError> {
    route::route(&request.method, &request.path, &request.query)
}

/// Whether a path is the one that a signature means.
fn is_plain(path: &str) -> bool {
    let last = path.matches('/').count();
    let odd = |(place, name)| match name {
        "" => place != 0 && place != last,
        name => name == "." || name == "..",
    };
    !path.split('/').enumerate().any(odd)
}

/// What a signed request says: all that we would read of it.
#[derive(Debug, PartialEq)]
struct Meaning {
    method: http::Method,
    query: Vec<(String, String)>,
    body: Vec<u8>,
    headers: Vec<(String, Vec<Vec<u8>>)>,
}

fn meaning(request: &Wire) -> Meaning {
    let query = Query::parse(&request.query).expect("a query that was read before");
    let mut query: Vec<_> = query
        .iter()
        .filter(|(name, _)| *name != "X-Amz-Signature")
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    query.sort();
    let mut headers: Vec<_> = signed_names(request)
        .into_iter()
        .map(|name| {
            let values = request.headers.get_all(&name).iter();
            let values = values.map(|value| words(value.as_bytes())).collect();
            (name, values)
        })
        .collect();
    headers.sort();
    Meaning {
        method: request.method.clone(),
        query,
        body: request.body.clone(),
        headers,
    }
}

/// The host, what says how to read the body if it was signed, and every header of AWS's own.
fn signed_names(request: &Wire) -> Vec<String> {
    let named = |headers: &HeaderMap| {
        let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (_, rest) = text.split_once("SignedHeaders=")?;
        Some(rest.split(',').next()?.to_owned())
    };
    let query = Query::parse(&request.query).expect("a query that was read before");
    let list = named(&request.headers)
        .or_else(|| query.get("X-Amz-SignedHeaders").map(str::to_owned))
        .expect("a list of signed headers");
    let mut names: Vec<String> = list.split(';').map(|n| n.trim().to_owned()).collect();
    let amazon = request.headers.keys().map(|name| name.as_str().to_owned());
    names.extend(amazon.filter(|name| name.starts_with("x-amz-")));
    names.sort();
    names.dedup();
    names
}

fn presented(request: &Wire) -> SignedRequest<'_> {
    SignedRequest {
        method: &request.method,
        path: &request.path,
        query: &request.query,
        headers: &request.headers,
        authority: None,
        body_sha256: sigv4::body_sha256(&request.body),
    }
}

fn verify(
    request: &Wire,
    secret: &str,
    now: Timestamp,
    temporary: bool,
) -> Result<Identity, SigV4Error> {
    let session = temporary.then(|| Session {
        token: Secret::new(TOKEN),
        expires: NOW.plus(HOUR * 2),
    });
    let credential = Credential {
        secret: Secret::new(secret),
        account: "123456789012".parse().expect("an account"),
        session,
    };
    let verified = sigv4::verify(&presented(request), &Rules::default(), now, |key| {
        (key == ACCESS_KEY).then_some(credential)
    });
    if let Err(refusal) = &verified {
        let answer = ApiError::from(refusal.clone());
        assert_eq!(answer.status(), 403, "{answer}");
        assert!(answer.to_string().len() <= REFUSAL_MAX, "{answer}");
    }
    verified
}
