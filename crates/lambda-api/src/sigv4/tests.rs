use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use proptest::prelude::*;

use super::*;
use crate::ApiError;

mod presence;
mod vectors;
use vectors::{ACCESS_KEY, SECRET, TOKEN_TEXT, VECTORS, Vector};

const HOST: &str = "lambda.local:9000";

/// The moment of the vectors: 2026-11-24T01:02:03Z.
const NOW: Timestamp = Timestamp(1_795_482_123_000);

fn seconds_later(n: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(n))
}

/// A request that owns its parts, so that a test can change one of them.
#[derive(Clone, Debug)]
struct Owned {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Owned {
    fn new(vector: &Vector) -> Self {
        let (method, target) = vector.request.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HeaderMap::new();
        headers.insert("host", HOST.parse().unwrap());
        for (name, value) in vector.headers {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        Self {
            method: method.parse().unwrap(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: vector.body.to_vec(),
        }
    }

    fn named(name: &str) -> Self {
        Self::new(VECTORS.iter().find(|v| v.name == name).unwrap())
    }

    fn signed(&self) -> SignedRequest<'_> {
        SignedRequest {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            authority: None,
            body_sha256: body_sha256(&self.body),
        }
    }

    fn verify(&self, now: Timestamp) -> Result<Identity, SigV4Error> {
        self.verify_by(&Rules::default(), now)
    }

    fn verify_by(&self, rules: &Rules, now: Timestamp) -> Result<Identity, SigV4Error> {
        let temporary = self.headers.contains_key(TOKEN) || self.query.contains("Security-Token");
        verify(&self.signed(), rules, now, |key| {
            (key == ACCESS_KEY).then(|| credential(temporary))
        })
    }

    fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    fn replace_authorization(mut self, from: &str, to: &str) -> Self {
        let text = self.headers[AUTHORIZATION].to_str().unwrap();
        assert!(text.contains(from));
        let text = text.replace(from, to);
        self.headers.insert(AUTHORIZATION, text.parse().unwrap());
        self
    }
}

fn credential(temporary: bool) -> Credential {
    let session = Session {
        token: Secret::new(TOKEN_TEXT),
        expires: seconds_later(900),
    };
    Credential {
        secret: Secret::new(SECRET),
        account: "123456789012".parse().unwrap(),
        session: temporary.then_some(session),
    }
}

#[test]
fn what_botocore_signs_is_accepted() {
    let lenient = Rules {
        unsigned_payload: UnsignedPayload::Allowed,
        ..Rules::default()
    };
    for vector in VECTORS {
        let identity = Owned::new(vector)
            .verify_by(&lenient, NOW)
            .unwrap_or_else(|e| panic!("{}: {e}", vector.name));
        assert_eq!(
            identity,
            Identity {
                access_key_id: ACCESS_KEY.to_owned(),
                account: "123456789012".parse().unwrap(),
                region: "eu-west-1".parse().unwrap(),
                signed_at: NOW,
            }
        );
    }
}

#[test]
fn we_sign_what_botocore_signs() {
    for vector in VECTORS
        .iter()
        .filter(|v| !v.request.contains("X-Amz-Signature") && v.name != "date header")
    {
        let mut request = Owned::new(vector);
        let expected = request.headers.remove(AUTHORIZATION).unwrap();
        request.headers.remove(DATE);
        let token = request
            .headers
            .remove(TOKEN)
            .map(|t| t.to_str().unwrap().to_owned());
        let (secret, region) = (Secret::new(SECRET), "eu-west-1".parse().unwrap());
        let signer = Signer {
            access_key_id: ACCESS_KEY,
            secret: &secret,
            session_token: token.as_deref(),
            region: &region,
            service: SERVICE,
        };
        let added = sign(&request.signed(), &signer, NOW).unwrap();
        assert_eq!(added[AUTHORIZATION], expected, "{}", vector.name);
    }
}

#[test]
fn we_presign_what_botocore_presigns() {
    let (secret, region) = (Secret::new(SECRET), "eu-west-1".parse().unwrap());
    for (name, token, expires) in [
        ("presigned", None, 60),
        ("presigned with token", Some(TOKEN_TEXT), 604_800),
    ] {
        let mut request = Owned::named(name);
        let expected = request.query.clone();
        let own = expected
            .split("X-Amz-Algorithm")
            .next()
            .unwrap()
            .trim_end_matches('&')
            .to_owned();
        request.query = own;
        let signer = Signer {
            access_key_id: ACCESS_KEY,
            secret: &secret,
            session_token: token,
            region: &region,
            service: SERVICE,
        };
        assert_eq!(
            presign(
                &request.signed(),
                &signer,
                NOW,
                Duration::from_secs(expires)
            )
            .unwrap(),
            expected,
            "{name}"
        );
        for bad in [0, 604_801] {
            assert!(presign(&request.signed(), &signer, NOW, Duration::from_secs(bad)).is_err());
        }
    }
}

#[test]
fn every_signed_part_matters() {
    let wrong = Err(SigV4Error::SignatureMismatch);
    let change = |name: &str, change: fn(&mut Owned)| {
        let mut request = Owned::named(name);
        change(&mut request);
        request.verify(NOW)
    };
    assert_eq!(change("post", |r| r.method = Method::PUT), wrong);
    assert_eq!(change("post", |r| r.path.push('x')), wrong);
    assert_eq!(change("post", |r| r.body.push(b' ')), wrong);
    assert_eq!(change("post", |r| r.query = "Qualifier=1".into()), wrong);
    assert_eq!(
        change("query", |r| r.query =
            r.query.replace("MaxItems=5", "MaxItems=6")),
        wrong
    );
    assert_eq!(
        change("path", |r| r.path = r.path.replace("%3A", ":")),
        wrong
    );
    assert_eq!(
        change("post", |r| drop(
            r.headers
                .insert("x-amz-invocation-type", "DryRun".parse().unwrap())
        )),
        wrong
    );
    assert_eq!(
        change("post", |r| drop(
            r.headers.insert("host", "other".parse().unwrap())
        )),
        wrong
    );
    assert_eq!(
        change("post", |r| drop(
            r.headers
                .insert("content-type", "text/plain".parse().unwrap())
        )),
        wrong
    );
    assert_eq!(
        change("presigned", |r| r.query =
            r.query.replace("X-Amz-Expires=60", "X-Amz-Expires=61")),
        wrong
    );
    assert_eq!(change("presigned", |r| r.body = b"x".to_vec()), wrong);
    let verified = Owned::named("get").verify(NOW);
    assert!(verified.is_ok(), "{verified:?}");
    let other_secret = verify(
        &Owned::named("get").signed(),
        &Rules::default(),
        NOW,
        |_| {
            Some(Credential {
                secret: Secret::new("other"),
                ..credential(false)
            })
        },
    );
    assert_eq!(other_secret, wrong);
}

#[test]
fn the_authority_stands_for_the_host() {
    let mut request = Owned::named("get");
    request.headers.remove("host");
    let with = |authority| {
        let signed = SignedRequest {
            authority,
            ..request.signed()
        };
        verify(&signed, &Rules::default(), NOW, |_| Some(credential(false)))
    };
    assert!(with(Some(HOST)).is_ok());
    let name = "host".into();
    assert_eq!(with(None), Err(SigV4Error::HeaderMissing { name }));
}

#[test]
fn clocks_may_differ_by_five_minutes() {
    let request = Owned::named("get");
    assert!(request.verify(seconds_later(300)).is_ok());
    assert!(request.verify(Timestamp(NOW.0 - 300_000)).is_ok());
    assert!(matches!(
        request.verify(seconds_later(301)),
        Err(SigV4Error::Expired { .. })
    ));
    assert!(matches!(
        request.verify(Timestamp(NOW.0 - 301_000)),
        Err(SigV4Error::NotYetValid { .. })
    ));
    let presigned = Owned::named("presigned");
    assert!(presigned.verify(seconds_later(60)).is_ok());
    assert!(matches!(
        presigned.verify(seconds_later(61)),
        Err(SigV4Error::Expired { .. })
    ));
    assert!(matches!(
        presigned.verify(Timestamp(NOW.0 - 301_000)),
        Err(SigV4Error::NotYetValid { .. })
    ));
}

#[test]
fn session_tokens() {
    let request = Owned::named("token");
    assert!(request.verify(NOW).is_ok());
    let by = |credential: Credential, now| {
        verify(&request.signed(), &Rules::default(), now, |_| {
            Some(credential)
        })
    };
    assert_eq!(by(credential(false), NOW), Err(SigV4Error::InvalidToken));
    let session = Session {
        token: Secret::new(TOKEN_TEXT),
        expires: Timestamp(NOW.0 - 1),
    };
    assert_eq!(
        by(
            Credential {
                session: Some(session),
                ..credential(true)
            },
            NOW
        ),
        Err(SigV4Error::ExpiredToken)
    );
    let session = Session {
        token: Secret::new("other"),
        expires: seconds_later(1),
    };
    assert_eq!(
        by(
            Credential {
                session: Some(session),
                ..credential(true)
            },
            NOW
        ),
        Err(SigV4Error::InvalidToken)
    );
    let without = verify(
        &Owned::named("get").signed(),
        &Rules::default(),
        NOW,
        |_| Some(credential(true)),
    );
    assert_eq!(without, Err(SigV4Error::InvalidToken));
}

#[test]
fn the_scope_must_be_ours_and_of_the_day() {
    let get = || Owned::named("get");
    assert_eq!(
        get()
            .replace_authorization("20261124/", "20261123/")
            .verify(NOW),
        Err(SigV4Error::ScopeDay {
            scope: "20261123".into(),
            date: "20261124T010203Z".into()
        })
    );
    assert_eq!(
        get().replace_authorization("/lambda/", "/s3/").verify(NOW),
        Err(SigV4Error::ScopeService { expected: "lambda" })
    );
    let malformed = Err(SigV4Error::Malformed { part: "Credential" });
    assert_eq!(
        get()
            .replace_authorization("aws4_request", "aws5_request")
            .verify(NOW),
        malformed
    );
    assert_eq!(
        get().replace_authorization("eu-west-1", "EU").verify(NOW),
        malformed
    );
    assert_eq!(
        get().replace_authorization("AKIDEXAMPLE/", "/").verify(NOW),
        malformed
    );
    // Another region is the caller's to judge, but it is signed.
    assert_eq!(
        get()
            .replace_authorization("eu-west-1", "us-east-1")
            .verify(NOW),
        Err(SigV4Error::SignatureMismatch)
    );
    assert_eq!(
        get()
            .replace_authorization("AKIDEXAMPLE", "AKIDOTHER")
            .verify(NOW),
        Err(SigV4Error::UnknownAccessKey)
    );
}

#[test]
fn exactly_one_credential() {
    let get = || Owned::named("get");
    let mut none = get();
    none.headers.remove(AUTHORIZATION);
    assert_eq!(none.verify(NOW), Err(SigV4Error::Missing));
    let mut both = get();
    both.query = Owned::named("presigned").query;
    assert_eq!(both.verify(NOW), Err(SigV4Error::Several));
    both.query = "X-Amz-Credential=x".into();
    assert_eq!(both.verify(NOW), Err(SigV4Error::Several));
    for name in ["authorization", "x-amz-date"] {
        let mut twice = get();
        let value = twice.headers[name].clone();
        twice.headers.append(name, value);
        assert_eq!(twice.verify(NOW), Err(SigV4Error::Several), "{name}");
    }
    let mut twice = Owned::named("presigned");
    twice.query.push_str("&X-Amz-Signature=0");
    assert_eq!(twice.verify(NOW), Err(SigV4Error::Several));
    assert_eq!(
        get()
            .replace_authorization("Signature=", "Signature=00, Signature=")
            .verify(NOW),
        Err(SigV4Error::Several)
    );
}

#[test]
fn what_must_be_signed() {
    let get = || Owned::named("get");
    let unsigned = get()
        .with_header("x-amz-invocation-type", "Event")
        .verify(NOW);
    assert_eq!(
        unsigned,
        Err(SigV4Error::HeaderNotSigned {
            name: "x-amz-invocation-type".into()
        })
    );
    assert_eq!(
        get()
            .replace_authorization("host;x-amz-date", "x-amz-date")
            .verify(NOW),
        Err(SigV4Error::HostNotSigned)
    );
    assert_eq!(
        get()
            .replace_authorization("host;x-amz-date", "host")
            .verify(NOW),
        Err(SigV4Error::HeaderNotSigned {
            name: "x-amz-date".into()
        })
    );
    // Headers of tracing and of transport are not ours to insist on.
    let traced = get()
        .with_header("x-amzn-trace-id", "Root=1")
        .with_header("amz-sdk-request", "attempt=1");
    assert!(traced.verify(NOW).is_ok());
}

#[test]
fn the_hash_of_the_body() {
    assert!(Owned::named("content hash").verify(NOW).is_ok());
    let mut changed = Owned::named("content hash");
    changed.body = b"{} ".to_vec();
    assert_eq!(changed.verify(NOW), Err(SigV4Error::PayloadHash));
    assert_eq!(
        Owned::named("unsigned payload").verify(NOW),
        Err(SigV4Error::PayloadHash)
    );
    let streaming = Owned::named("content hash")
        .with_header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let lenient = Rules {
        unsigned_payload: UnsignedPayload::Allowed,
        ..Rules::default()
    };
    assert_eq!(
        streaming.verify_by(&lenient, NOW),
        Err(SigV4Error::PayloadHash)
    );
}

#[test]
fn what_cannot_be_read() {
    let get = || Owned::named("get");
    for authorization in [
        "Basic YTpi",
        "Bearer x",
        "AWS4-ECDSA-P256-SHA256 Credential=x",
        "AWS4-HMAC-SHA256",
    ] {
        assert_eq!(
            get()
                .with_header("authorization", authorization)
                .verify(NOW),
            Err(SigV4Error::Algorithm),
            "{authorization}"
        );
    }
    let incomplete = |part| Err(SigV4Error::Incomplete { part });
    let authorization =
        "AWS4-HMAC-SHA256 Credential=A/20261124/eu-west-1/lambda/aws4_request, Signature=00";
    assert_eq!(
        get()
            .with_header("authorization", authorization)
            .verify(NOW),
        incomplete("SignedHeaders")
    );
    assert_eq!(
        get()
            .with_header("authorization", "AWS4-HMAC-SHA256 ")
            .verify(NOW),
        Err(SigV4Error::Algorithm)
    );
    assert_eq!(
        get()
            .with_header("authorization", "AWS4-HMAC-SHA256 ,")
            .verify(NOW),
        incomplete("Credential")
    );
    let malformed = |part| Err(SigV4Error::Malformed { part });
    assert_eq!(
        get().with_header("x-amz-date", "20261124").verify(NOW),
        malformed("X-Amz-Date")
    );
    assert_eq!(
        get()
            .replace_authorization("Signature=00", "Signature=zz")
            .verify(NOW),
        malformed("Signature")
    );
    assert_eq!(
        get().replace_authorization("host;", "Host;").verify(NOW),
        malformed("SignedHeaders")
    );
    assert_eq!(
        get()
            .replace_authorization("host;x-amz-date", "x-amz-date;host")
            .verify(NOW),
        malformed("SignedHeaders")
    );
    let mut undated = get();
    undated.headers.remove(DATE);
    assert_eq!(undated.verify(NOW), incomplete("X-Amz-Date"));
    let expires = |text: &str| {
        let mut request = Owned::named("presigned");
        request.query = request
            .query
            .replace("X-Amz-Expires=60", &format!("X-Amz-Expires={text}"));
        request.verify(NOW)
    };
    for bad in ["0", "604801", "-1", "%2B60", "x"] {
        assert_eq!(expires(bad), malformed("X-Amz-Expires"), "{bad}");
    }
    assert_eq!(expires(""), incomplete("X-Amz-Expires"));
    let mut broken = get();
    broken.query = "a=%zz".into();
    assert!(matches!(broken.verify(NOW), Err(SigV4Error::Query(_))));
}

#[test]
fn a_refusal_has_the_text_of_aws() {
    let get = || Owned::named("get");
    let told = |result: Result<Identity, SigV4Error>| {
        let error = ApiError::from(result.unwrap_err());
        format!("{} {}: {error}", error.status().as_u16(), error.name())
    };
    let mut none = get();
    none.headers.remove(AUTHORIZATION);
    for (result, expected) in [
        (
            none.verify(NOW),
            "403 MissingAuthenticationTokenException: Missing Authentication Token",
        ),
        (
            get().with_header("authorization", "Basic x").verify(NOW),
            "403 IncompleteSignatureException: Authorization cannot be read: the request is not signed with AWS4-HMAC-SHA256.",
        ),
        (
            get().verify(seconds_later(600)),
            "403 InvalidSignatureException: Signature expired: 20261124T010203Z is now earlier than 20261124T010703Z (20261124T011203Z - 5 min.)",
        ),
        (
            get().verify(Timestamp(NOW.0 - 600_000)),
            "403 InvalidSignatureException: Signature not yet current: 20261124T010203Z is still later than 20261124T005703Z (20261124T005203Z + 5 min.)",
        ),
        (
            get()
                .replace_authorization("20261124/", "20261123/")
                .verify(NOW),
            "403 InvalidSignatureException: Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261123' != '20261124', from '20261124T010203Z'.",
        ),
        (
            get().replace_authorization("/lambda/", "/s3/").verify(NOW),
            "403 InvalidSignatureException: Credential should be scoped to correct service: 'lambda'. ",
        ),
        (
            get()
                .replace_authorization("AKIDEXAMPLE", "AKIDOTHER")
                .verify(NOW),
            "403 UnrecognizedClientException: The security token included in the request is invalid.",
        ),
        (
            get().with_header("host", "x").verify(NOW),
            "403 InvalidSignatureException: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        ),
        (
            Err(SigV4Error::ExpiredToken),
            "403 ExpiredTokenException: The security token included in the request is expired",
        ),
    ] {
        assert_eq!(told(result), expected);
    }
}

#[test]
fn the_scope_is_there_without_a_check() {
    for vector in VECTORS {
        let request = Owned::new(vector);
        let scope = scope_of(&request.headers, &request.query).unwrap();
        assert_eq!(
            (scope.access_key_id.as_str(), scope.region.as_str()),
            (ACCESS_KEY, "eu-west-1"),
            "{}",
            vector.name
        );
    }
    assert_eq!(scope_of(&HeaderMap::new(), ""), None);
    assert_eq!(scope_of(&HeaderMap::new(), "X-Amz-Credential=x"), None);
    let basic = HeaderMap::from_iter([(
        AUTHORIZATION,
        HeaderValue::from_static("Basic Credential=a/b/c/d/aws4_request"),
    )]);
    assert_eq!(scope_of(&basic, ""), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_signed_is_accepted_and_nothing_else(
        path in "(/[a-zA-Z0-9:$%. ä-]{0,8}){1,4}/?",
        query in proptest::collection::vec(("[a-zA-Z0-9 /+=&ä]{1,6}", "[a-zA-Z0-9 /+=&%ä]{0,6}"), 0..5),
        header in "[ -~\t]{0,20}",
        body in proptest::collection::vec(any::<u8>(), 0..40),
        flip in any::<prop::sample::Index>(),
    ) {
        let query: Vec<_> = query.iter().map(|(n, v)| format!("{}={}", crate::percent::encode(n), crate::percent::encode(v))).collect();
        let mut headers = HeaderMap::new();
        headers.insert("host", HOST.parse().unwrap());
        headers.insert("x-amz-client-context", HeaderValue::from_str(&header).unwrap());
        let mut request = Owned { method: Method::POST, path, query: query.join("&"), headers, body };
        let (secret, region) = (Secret::new(SECRET), "eu-west-1".parse().unwrap());
        let signer = Signer { access_key_id: ACCESS_KEY, secret: &secret, session_token: None, region: &region, service: SERVICE };

        let mut presigned = request.clone();
        presigned.query = presign(&request.signed(), &signer, NOW, Duration::from_secs(60)).unwrap();
        prop_assert!(presigned.verify(NOW).is_ok());

        let added = sign(&request.signed(), &signer, NOW).unwrap();
        request.headers.extend(added);
        prop_assert!(request.verify(NOW).is_ok());
        request.body.push(0);
        prop_assert_eq!(request.verify(NOW), Err(SigV4Error::SignatureMismatch));
        request.body.pop();
        let authorization = request.headers[AUTHORIZATION].as_bytes().to_vec();
        let at = authorization.len() - 64 + flip.index(64);
        let mut forged = authorization;
        forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
        request.headers.insert(AUTHORIZATION, HeaderValue::from_bytes(&forged).unwrap());
        prop_assert_eq!(request.verify(NOW), Err(SigV4Error::SignatureMismatch));
    }

    #[test]
    fn any_authorization_is_answered(authorization in "(AWS4-HMAC-SHA256 )?[ -~]{0,80}", query in "[!-~]{0,60}") {
        let mut request = Owned::named("get").with_header("authorization", &authorization);
        request.query = query;
        prop_assert!(request.verify(NOW).is_err());
        let _ = scope_of(&request.headers, &request.query);
    }
}

/// The path of an object is signed as it came: encoded once, with everything that looks like climbing or doubling.
#[test]
fn objects_are_signed_as_the_official_client_signs_them() {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("s3.local:9000"));
    let hash = hex::encode(body_sha256(b""));
    headers.insert(CONTENT_SHA256, hash.parse().unwrap());
    let request = SignedRequest {
        method: &Method::GET,
        path: "/bucket/a//b/%C3%A4%20%3D.zip",
        query: "versionId=v1",
        headers: &headers,
        authority: None,
        body_sha256: body_sha256(b""),
    };
    let signer = Signer {
        access_key_id: "AKIDEXAMPLE",
        secret: &Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session_token: None,
        region: &Region::default(),
        service: "s3",
    };
    let added = sign(&request, &signer, NOW).unwrap();
    assert_eq!(
        added[AUTHORIZATION],
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/us-east-1/s3/aws4_request, \
         SignedHeaders=host;x-amz-content-sha256;x-amz-date, \
         Signature=1a0716b8322a9e74cecb32bbb25896bec586c09d9e64a7ce1cf30fd09587bce1"
    );
}
