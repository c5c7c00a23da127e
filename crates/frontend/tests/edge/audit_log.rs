//! What calls leave in the audit log.

use std::time::Duration;

use audit::Walk;
use frontend::{AuthMode, KeyRing};
use http::Method;
use lambda_api::sigv4::{Credential, Secret};
use proto::v1::{self, functions_client::FunctionsClient};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    access::signed,
    cluster::{Cluster, eventually},
    grpc::connect,
    http::{Reply, request, zip},
};

const FUNCTIONS: &str = "/2015-03-31/functions";

async fn closed() -> Cluster {
    let credential = Credential {
        secret: Secret::new("s3cret"),
        account: "123456789012".parse().unwrap(),
        session: None,
    };
    let keys = KeyRing::from_iter([("AKID".to_owned(), credential)]);
    Cluster::start_with(|o| o.auth = AuthMode::SigV4(keys), |_| {}).await
}

impl Cluster {
    /// The audit log as text. What waits is brought to disk first.
    pub(crate) async fn log(&self) -> String {
        self.frontend.audit().flush().await;
        self.log_on_disk()
    }

    pub(crate) fn log_on_disk(&self) -> String {
        let root = self.directory.path().join("audit");
        let mut files: Vec<_> = std::fs::read_dir(root)
            .into_iter()
            .flatten()
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        let texts = files.iter().map(|f| std::fs::read_to_string(f).unwrap());
        texts.collect()
    }

    /// The records of calls.
    pub(crate) async fn calls(&self) -> Vec<Value> {
        calls(&self.log().await)
    }

    async fn signed(&self, method: Method, path: &str, secret: &str, body: &Value) -> Reply {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let headers = signed(&method, path, secret, "localhost", Some(body.as_bytes()));
        let headers: Vec<_> = headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.to_str().unwrap()))
            .chain([("user-agent", "tester/1")])
            .collect();
        self.http(method.as_str(), path, &headers, body.as_bytes())
            .await
    }
}

fn calls(log: &str) -> Vec<Value> {
    let records = log.lines().map(|l| serde_json::from_str(l).unwrap());
    records.filter(|r: &Value| r["event"] == "call").collect()
}

/// Some members of a record.
fn some(record: &Value, members: &[&str]) -> Value {
    members.iter().map(|m| record[m].clone()).collect()
}

fn create(name: &str) -> Value {
    use base64::{Engine, engine::general_purpose::STANDARD};
    json!({
        "FunctionName": name, "Role": "arn:aws:iam::123456789012:role/r", "Runtime": "python3.13", "Handler": "h.handler",
        "Code": { "ZipFile": STANDARD.encode(zip("canary-code")) }, "Description": "canary-description",
        "Environment": { "Variables": { "TOKEN": "canary-value" } }, "Tags": { "team": "canary-tag" },
    })
}

#[tokio::test]
async fn every_call_leaves_one_record_with_who_what_and_how_it_ended() {
    let cluster = closed().await;
    let function = format!("{FUNCTIONS}/hello");
    let other =
        format!("{FUNCTIONS}/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Ahello");
    let made = cluster
        .signed(Method::POST, FUNCTIONS, "s3cret", &create("hello"))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    // On disk before it was answered.
    let on_disk = calls(&cluster.log_on_disk());
    assert_eq!(on_disk.len(), 1);
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:hello";
    let record = &on_disk[0];
    assert_eq!(
        some(
            record,
            &[
                "operation",
                "account",
                "caller",
                "principal",
                "access_key",
                "region",
                "resource",
                "outcome",
                "status",
                "error"
            ]
        ),
        json!([
            "CreateFunction",
            "123456789012",
            "123456789012/AKID",
            "arn:aws:iam::123456789012:root",
            "AKID",
            "us-east-1",
            arn,
            "done",
            201,
            null
        ])
    );
    assert_eq!(
        some(record, &["api", "user_agent", "node", "seq"]),
        json!(["aws", "tester/1", "n", 2])
    );
    assert!(record["source"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(record["parameters"]["Environment"], json!(["TOKEN"]));
    assert_eq!(record["parameters"]["Tags"], json!(["team"]));

    let get = |secret: &'static str, path: &str| {
        let path = path.to_owned();
        let cluster = &cluster;
        async move {
            cluster
                .signed(Method::GET, &path, secret, &Value::Null)
                .await
        }
    };
    let replies = [
        made,
        get("s3cret", &function).await,
        get("s3cret", &format!("{FUNCTIONS}/nothing")).await,
        get("s3cret", &other).await,
        get("wrong", &function).await,
        get("s3cret", "/nowhere").await,
        cluster.get(FUNCTIONS).await,
        cluster
            .signed(Method::POST, FUNCTIONS, "s3cret", &create("no/name"))
            .await,
        cluster
            .signed(Method::DELETE, &function, "s3cret", &Value::Null)
            .await,
    ];
    let told: Vec<_> = cluster
        .calls()
        .await
        .iter()
        .map(|r| {
            some(
                r,
                &[
                    "operation",
                    "account",
                    "target",
                    "outcome",
                    "status",
                    "error",
                ],
            )
        })
        .collect();
    let (account, other) = (
        "123456789012",
        "arn:aws:lambda:us-east-1:000000000000:function:hello",
    );
    assert_eq!(
        told,
        [
            json!(["CreateFunction", account, null, "done", 201, null]),
            json!(["GetFunction", account, "hello", "done", 200, null]),
            json!([
                "GetFunction",
                account,
                "nothing",
                "failed",
                404,
                "ResourceNotFoundException"
            ]),
            json!([
                "GetFunction",
                account,
                other,
                "failed",
                403,
                "AccessDeniedException"
            ]),
            json!([
                "GetFunction",
                null,
                "hello",
                "failed",
                403,
                "InvalidSignatureException"
            ]),
            json!([
                "Unknown",
                account,
                null,
                "failed",
                404,
                "UnknownOperationException"
            ]),
            json!([
                "ListFunctions",
                null,
                null,
                "failed",
                403,
                "MissingAuthenticationTokenException"
            ]),
            json!([
                "CreateFunction",
                account,
                null,
                "failed",
                400,
                "ValidationException"
            ]),
            json!(["DeleteFunction", account, "hello", "done", 204, null]),
        ]
    );
    // The id that a caller was told is the id of the record.
    let ids: Vec<_> = cluster
        .calls()
        .await
        .iter()
        .map(|r| r["request_id"].clone())
        .collect();
    let answered: Vec<_> = replies
        .iter()
        .map(|r| json!(r.header("x-amzn-requestid").unwrap()))
        .collect();
    assert_eq!(ids, answered);
    // A key that nobody proved to have is told apart from a caller.
    let stranger = &cluster.calls().await[4];
    assert_eq!(
        some(stranger, &["caller", "principal", "access_key"]),
        json!([null, null, "AKID"])
    );

    let log = cluster.log().await;
    for secret in ["canary", "s3cret", "Signature"] {
        assert!(
            !log.replace("InvalidSignatureException", "")
                .contains(secret),
            "{secret} in {log}"
        );
    }
    let mut walk = Walk::new(Some(cluster.frontend.audit().figures().head));
    walk.segment(1, log.as_bytes());
    assert!(walk.finish().is_sound());
}

#[tokio::test]
async fn invocations_are_recorded_only_if_that_is_asked_for() {
    for (recorded, expected) in [(false, 1), (true, 2)] {
        let cluster = Cluster::start_with(|o| o.audit_invocations = recorded, |_| {}).await;
        assert_eq!(cluster.create("hello", &json!({})).await.status, 201);
        let invoked = cluster.invoke("hello", &[], "\"canary\"").await;
        let calls = cluster.calls().await;
        assert_eq!(calls.len(), expected);
        if recorded {
            assert_eq!(calls[1]["operation"], "Invoke");
            assert_eq!(calls[1]["status"], invoked.status);
            assert!(!cluster.log().await.contains("canary"));
        }
    }
}

#[tokio::test]
async fn downloads_of_code_are_recorded() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    let got = cluster.get(&format!("{FUNCTIONS}/hello")).await.json();
    let url = got["Code"]["Location"].as_str().unwrap();
    let path = &url[url.find("/_dunlin").unwrap()..];
    assert_eq!(cluster.get(path).await.status, 200);
    assert_eq!(cluster.get("/_dunlin/code/x").await.status, 403);
    let told: Vec<_> = cluster
        .calls()
        .await
        .iter()
        .map(|r| some(r, &["operation", "outcome"]))
        .collect();
    assert_eq!(
        told[2..],
        [
            json!(["DownloadCode", "done"]),
            json!(["DownloadCode", "failed"])
        ]
    );
    let calls = cluster.calls().await;
    assert_eq!(
        calls[2]["parameters"]["CodeSha256"],
        got["Configuration"]["CodeSha256"]
    );
    assert!(!cluster.log().await.contains("signature="));
}

#[tokio::test]
async fn a_caller_who_goes_away_is_recorded_all_the_same() {
    let cluster = Cluster::start().await;
    let body = create("hello").to_string();
    let bytes = request("POST", FUNCTIONS, &[], body.as_bytes());
    let mut stream = TcpStream::connect(cluster.public).await.unwrap();
    // All but the end of the body.
    stream.write_all(&bytes[..bytes.len() - 1]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(stream);
    eventually("a record", || !calls(&cluster.log_on_disk()).is_empty()).await;
    let calls = cluster.calls().await;
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0]["operation"], "CreateFunction");
    assert_ne!(calls[0]["outcome"], "done");
}

#[tokio::test]
async fn without_an_audit_log_nothing_is_changed_and_functions_run() {
    let cluster = Cluster::start().await;
    assert_eq!(cluster.create("hello", &json!({})).await.status, 201);
    let function = format!("{FUNCTIONS}/hello");
    assert_eq!(cluster.get(&function).await.status, 200);
    // A file that somebody took away is an error like any of the disk's.
    let audit = cluster.directory.path().join("audit");
    std::fs::rename(&audit, cluster.directory.path().join("aside")).unwrap();
    std::fs::remove_dir_all(cluster.directory.path().join("aside")).unwrap();
    std::fs::write(&audit, "in the way").unwrap();
    let refused = cluster.create("other", &json!({})).await;
    assert_eq!(refused.error(), (503, "ServiceUnavailableException"));
    assert!(refused.text().contains("audit log"), "{}", refused.text());
    for refused in [
        cluster.create("third", &json!({})).await,
        cluster.get(&function).await,
    ] {
        assert_eq!(refused.error(), (503, "ServiceUnavailableException"));
    }
    let mut client = FunctionsClient::new(connect(&cluster).await);
    let refused = client
        .list_functions(v1::ListFunctionsRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable);
    let invoked = cluster.invoke("hello", &[], "1").await;
    assert_eq!(invoked.status, 200, "{invoked:?}");
    assert!(!cluster.frontend.audit().figures().writable);

    std::fs::remove_file(&audit).unwrap();
    let audit = cluster.frontend.audit();
    eventually("the log works again", || audit.figures().writable).await;
    assert_eq!(cluster.get(&function).await.status, 200);
    // The change was made and could not be recorded then: it is now.
    let made = cluster
        .calls()
        .await
        .iter()
        .any(|r| r["parameters"]["Handler"] == "h.handler" && r["outcome"] == "done");
    assert!(made);
    // What was never asked of the controllers was not done.
    assert_eq!(cluster.get(&format!("{FUNCTIONS}/third")).await.status, 404);
    assert_eq!(cluster.get(&format!("{FUNCTIONS}/other")).await.status, 200);
}

#[tokio::test]
async fn calls_over_grpc_are_recorded_alike() {
    let cluster = closed().await;
    let mut client = FunctionsClient::new(connect(&cluster).await);
    let path = |method: &str| format!("/dunlin.v1.Functions/{method}");
    let target = cluster.grpc.to_string();
    let call =
        |method: &str, secret: &str| signed(&Method::POST, &path(method), secret, &target, None);

    let mut make = tonic::Request::new(v1::CreateFunctionRequest {
        function_name: "hello".to_owned(),
        role: "arn:aws:iam::123456789012:role/r".to_owned(),
        runtime: "python3.13".to_owned(),
        handler: "h.handler".to_owned(),
        zip_file: zip("v1").into(),
        environment: Some(v1::EnvironmentVariables {
            variables: [("KEY".to_owned(), "canary".to_owned())].into(),
        }),
        ..Default::default()
    });
    *make.metadata_mut() =
        tonic::metadata::MetadataMap::from_headers(call("CreateFunction", "s3cret"));
    let made = client.create_function(make).await.unwrap();
    let id = made
        .metadata()
        .get("dunlin-request-id")
        .unwrap()
        .to_str()
        .unwrap();
    assert_eq!(calls(&cluster.log_on_disk())[0]["request_id"], id);
    for (name, secret) in [
        ("nothing", "s3cret"),
        ("arn:aws:lambda:us-east-1:000000000000:function:f", "s3cret"),
        ("hello", "wrong"),
    ] {
        let mut get = tonic::Request::new(v1::GetFunctionRequest {
            function_name: name.to_owned(),
            qualifier: String::new(),
        });
        *get.metadata_mut() =
            tonic::metadata::MetadataMap::from_headers(call("GetFunction", secret));
        client.get_function(get).await.unwrap_err();
    }
    let records = cluster.calls().await;
    let told: Vec<_> = records
        .iter()
        .map(|r| {
            some(
                r,
                &[
                    "api",
                    "operation",
                    "account",
                    "target",
                    "outcome",
                    "status",
                    "error",
                ],
            )
        })
        .collect();
    let account = "123456789012";
    let other = "arn:aws:lambda:us-east-1:000000000000:function:f";
    assert_eq!(
        told,
        [
            json!(["grpc", "CreateFunction", account, null, "done", 0, null]),
            json!([
                "grpc",
                "GetFunction",
                account,
                "nothing",
                "failed",
                5,
                "ResourceNotFoundException"
            ]),
            json!([
                "grpc",
                "GetFunction",
                account,
                other,
                "failed",
                7,
                "AccessDeniedException"
            ]),
            json!([
                "grpc",
                "GetFunction",
                null,
                null,
                "failed",
                16,
                "InvalidSignatureException"
            ]),
        ]
    );
    assert_eq!(
        records[0]["resource"],
        "arn:aws:lambda:us-east-1:123456789012:function:hello"
    );
    assert_eq!(records[0]["parameters"]["CodeSize"], zip("v1").len());
    assert!(
        records[0]["source"]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1:")
    );
    assert!(!cluster.log().await.contains("canary"));
}
