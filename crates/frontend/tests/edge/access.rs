//! Who may call.

use frontend::{AuthMode, KeyRing};
use host::Clock;
use http::{HeaderMap, Method};
use lambda_api::sigv4::{self, Credential, Secret, SignedRequest, Signer};
use serde_json::json;

use crate::{cluster::Cluster, http::Reply};

pub(crate) async fn closed() -> Cluster {
    let credential = Credential {
        secret: Secret::new("s3cret"),
        account: "123456789012".parse().unwrap(),
        session: None,
    };
    let keys = KeyRing::from_iter([("AKID".to_owned(), credential)]);
    Cluster::start_with(|o| o.auth = AuthMode::SigV4(keys), |_| {}).await
}

pub(crate) fn signed(
    method: &Method,
    path: &str,
    secret: &str,
    host: &str,
    body: Option<&[u8]>,
) -> HeaderMap {
    signed_by(("AKID", secret, None), method, path, host, body)
}

/// The headers of a request that is signed with a key: its id, its secret half, and a session token.
pub(crate) fn signed_by(
    (access_key_id, secret, token): (&str, &str, Option<&str>),
    method: &Method,
    path: &str,
    host: &str,
    body: Option<&[u8]>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("host", host.parse().unwrap());
    if body.is_none() {
        headers.insert("x-amz-content-sha256", "UNSIGNED-PAYLOAD".parse().unwrap());
    }
    let (secret, region) = (Secret::new(secret), model::Region::default());
    let signer = Signer {
        access_key_id,
        secret: &secret,
        session_token: token,
        region: &region,
        service: "lambda",
    };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let request = SignedRequest {
        method,
        path,
        query,
        headers: &headers,
        authority: None,
        body_sha256: sigv4::body_sha256(body.unwrap_or_default()),
    };
    let added = sigv4::sign(&request, &signer, host::SystemClock.wall()).unwrap();
    headers.extend(added);
    headers.remove("host");
    headers
}

async fn call(
    cluster: &Cluster,
    method: Method,
    path: &str,
    secret: &str,
    body: &[u8],
    sent: &[u8],
) -> Reply {
    let headers = signed(&method, path, secret, "localhost", Some(body));
    let headers: Vec<_> = headers
        .iter()
        .map(|(n, v)| (n.as_str(), v.to_str().unwrap()))
        .collect();
    cluster.http(method.as_str(), path, &headers, sent).await
}

#[tokio::test]
async fn a_signature_is_demanded_and_checked() {
    let cluster = closed().await;
    let list = "/2015-03-31/functions?MaxItems=5";
    assert_eq!(
        cluster.get(list).await.error(),
        (403, "MissingAuthenticationTokenException")
    );
    assert_eq!(
        call(&cluster, Method::GET, list, "s3cret", b"", b"")
            .await
            .status,
        200
    );
    let wrong = call(&cluster, Method::GET, list, "wrong", b"", b"").await;
    assert_eq!(wrong.error(), (403, "InvalidSignatureException"));

    let create = json!({
        "FunctionName": "hello", "Role": "arn:aws:iam::123456789012:role/r",
        "Runtime": "python3.13", "Handler": "h.handler", "Code": { "ZipFile": base64_zip() },
    })
    .to_string();
    let path = "/2015-03-31/functions";
    let changed = create.replace("hello", "hullo");
    let tampered = call(
        &cluster,
        Method::POST,
        path,
        "s3cret",
        create.as_bytes(),
        changed.as_bytes(),
    )
    .await;
    assert_eq!(tampered.error(), (403, "InvalidSignatureException"));
    let created = call(
        &cluster,
        Method::POST,
        path,
        "s3cret",
        create.as_bytes(),
        create.as_bytes(),
    )
    .await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(
        created.json()["FunctionArn"],
        "arn:aws:lambda:us-east-1:123456789012:function:hello"
    );

    // Nobody unknown hears which paths there are.
    let nowhere = call(&cluster, Method::GET, "/nowhere", "wrong", b"", b"").await;
    assert_eq!(nowhere.error(), (403, "InvalidSignatureException"));
    let nowhere = call(&cluster, Method::GET, "/nowhere", "s3cret", b"", b"").await;
    assert_eq!(nowhere.error(), (404, "UnknownOperationException"));

    // A function of another account: no policy opens it.
    let theirs =
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Ahello";
    let denied = call(&cluster, Method::GET, theirs, "s3cret", b"", b"").await;
    assert_eq!(denied.error(), (403, "AccessDeniedException"));
}

#[tokio::test]
async fn nobody_unknown_sends_a_body() {
    let cluster = closed().await;
    let stranger = [
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=NOBODY/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00",
        ),
        ("content-length", "70000000"),
    ];
    // The body never comes; the answer does.
    let reply = cluster
        .http("POST", "/2015-03-31/functions", &stranger, b"")
        .await;
    assert_eq!(reply.error(), (403, "UnrecognizedClientException"));
}

fn base64_zip() -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(crate::http::zip("v1"))
}

#[tokio::test]
async fn calls_over_grpc_are_signed_without_their_body() {
    let cluster = closed().await;
    let channel = tonic::transport::Endpoint::new(format!("http://{}", cluster.grpc)).unwrap();
    let mut client =
        proto::v1::functions_client::FunctionsClient::new(channel.connect().await.unwrap());
    let refused = client
        .list_functions(proto::v1::ListFunctionsRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    assert_eq!(
        refused.metadata().get("dunlin-error-type").unwrap(),
        "MissingAuthenticationTokenException"
    );
    let path = "/dunlin.v1.Functions/ListFunctions";
    for (secret, allowed) in [("s3cret", true), ("wrong", false)] {
        let headers = signed(&Method::POST, path, secret, &cluster.grpc.to_string(), None);
        let mut request = tonic::Request::new(proto::v1::ListFunctionsRequest::default());
        *request.metadata_mut() = tonic::metadata::MetadataMap::from_headers(headers);
        assert_eq!(client.list_functions(request).await.is_ok(), allowed);
    }
}
