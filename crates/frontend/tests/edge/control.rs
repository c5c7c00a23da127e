//! Functions, versions, aliases.

use base64::{Engine, engine::general_purpose::STANDARD};
use model::Digest;
use serde_json::json;
use tokio::time::Instant;

use crate::{cluster::Cluster, http::zip};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:hello";
const HELLO: &str = "/2015-03-31/functions/hello";

#[tokio::test]
async fn a_function_from_creation_to_deletion() {
    let cluster = Cluster::start().await;
    let created = cluster
        .create("hello", &json!({ "Tags": { "team": "a" }, "Timeout": 7 }))
        .await;
    assert_eq!(created.status, 201, "{created:?}");
    let shown = created.json();
    assert_eq!(shown["FunctionArn"], ARN);
    assert_eq!(shown["State"], "Pending");
    assert_eq!(shown["Timeout"], 7);
    assert_eq!(shown["CodeSha256"], Digest::of(&zip("v1")).to_base64());

    let again = cluster.create("hello", &json!({})).await;
    assert_eq!(again.error(), (409, "ResourceConflictException"));
    assert_eq!(again.json()["message"], "Function already exist: hello");

    let got = cluster.get(HELLO).await;
    assert_eq!(got.status, 200);
    assert_eq!(got.json()["Configuration"]["State"], "Active");
    assert_eq!(got.json()["Tags"]["team"], "a");
    let configuration = cluster
        .get(&format!("{HELLO}/configuration?Qualifier=%24LATEST"))
        .await;
    assert_eq!(
        configuration.json()["FunctionArn"],
        format!("{ARN}:$LATEST")
    );

    let update = json!({ "MemorySize": 256, "Description": "second" });
    let updated = cluster
        .send("PUT", &format!("{HELLO}/configuration"), &update)
        .await;
    assert_eq!(updated.status, 200, "{updated:?}");
    assert_eq!(updated.json()["LastUpdateStatus"], "InProgress");
    assert_eq!(updated.json()["MemorySize"], 256);

    let deleted = cluster.http("DELETE", HELLO, &[], b"").await;
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    let gone = cluster.get(HELLO).await;
    assert_eq!(gone.error(), (404, "ResourceNotFoundException"));
    assert_eq!(gone.json()["Message"], format!("Function not found: {ARN}"));
    assert_eq!(gone.json()["Type"], "User");
    assert_eq!(gone.header("x-amzn-requestid").unwrap().len(), 36);
}

#[tokio::test]
async fn code_is_updated_published_and_downloaded() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    let code = format!("{HELLO}/code");
    let zip_file = |content| STANDARD.encode(zip(content));

    let dry = json!({ "ZipFile": zip_file("v2"), "DryRun": true });
    let dry = cluster.send("PUT", &code, &dry).await;
    assert_eq!(dry.json()["CodeSha256"], Digest::of(&zip("v2")).to_base64());
    let unchanged = cluster.get(HELLO).await.json();
    let first = Digest::of(&zip("v1")).to_base64();
    assert_eq!(unchanged["Configuration"]["CodeSha256"], first);

    let update = json!({ "ZipFile": zip_file("v2"), "Publish": true });
    let updated = cluster.send("PUT", &code, &update).await.json();
    assert_eq!(updated["Version"], "1");
    assert_eq!(updated["FunctionArn"], format!("{ARN}:1"));

    let stale = json!({ "ZipFile": zip_file("v3"), "RevisionId": unchanged["Configuration"]["RevisionId"] });
    let stale = cluster.send("PUT", &code, &stale).await;
    assert_eq!(stale.error(), (412, "PreconditionFailedException"));
    let stale_dry = json!({ "ZipFile": zip_file("v3"), "DryRun": true, "RevisionId": unchanged["Configuration"]["RevisionId"] });
    let stale_dry = cluster.send("PUT", &code, &stale_dry).await;
    assert_eq!(stale_dry.error(), (412, "PreconditionFailedException"));

    let broken = json!({ "ZipFile": STANDARD.encode("no zip") });
    let broken = cluster.send("PUT", &code, &broken).await;
    assert_eq!(broken.error(), (400, "InvalidParameterValueException"));

    let got = cluster.get(&format!("{HELLO}?Qualifier=1")).await.json();
    let location = got["Code"]["Location"].as_str().unwrap();
    let path = location.strip_prefix("http://localhost").unwrap();
    let download = cluster.get(path).await;
    assert_eq!(download.status, 200);
    assert_eq!(download.body, zip("v2"));
    let forged = path.replace("expires=", "expires=1");
    assert_eq!(
        cluster.get(&forged).await.error(),
        (403, "AccessDeniedException")
    );
}

#[tokio::test]
async fn versions_and_aliases() {
    let cluster = Cluster::start().await;
    let created = cluster
        .create("hello", &json!({ "Publish": true }))
        .await
        .json();
    assert_eq!(
        (created["Version"].as_str(), created["FunctionArn"].as_str()),
        (Some("1"), Some(ARN))
    );
    let update = json!({ "MemorySize": 256 });
    cluster
        .send("PUT", &format!("{HELLO}/configuration"), &update)
        .await;
    let published = cluster
        .send(
            "POST",
            &format!("{HELLO}/versions"),
            &json!({ "Description": "two" }),
        )
        .await;
    assert_eq!(published.status, 201, "{published:?}");
    assert_eq!(published.json()["FunctionArn"], format!("{ARN}:2"));

    let versions = cluster
        .get(&format!("{HELLO}/versions?MaxItems=2"))
        .await
        .json();
    assert_eq!(
        versions["Versions"][0]["FunctionArn"],
        format!("{ARN}:$LATEST")
    );
    assert_eq!(versions["Versions"][1]["Version"], "1");
    assert!(versions["Versions"][1].get("State").is_none());
    let marker = versions["NextMarker"].as_str().unwrap();
    let rest = cluster
        .get(&format!("{HELLO}/versions?Marker={marker}"))
        .await
        .json();
    assert_eq!(rest["Versions"].as_array().unwrap().len(), 1);
    assert_eq!(rest["Versions"][0]["Version"], "2");

    let alias = json!({
        "Name": "live", "FunctionVersion": "1",
        "RoutingConfig": { "AdditionalVersionWeights": { "2": 0.25 } },
    });
    let alias = cluster
        .send("POST", &format!("{HELLO}/aliases"), &alias)
        .await;
    assert_eq!(alias.status, 201, "{alias:?}");
    assert_eq!(alias.json()["AliasArn"], format!("{ARN}:live"));
    let live = format!("{HELLO}/aliases/live");
    let updated = cluster
        .send(
            "PUT",
            &live,
            &json!({ "FunctionVersion": "2", "RoutingConfig": {} }),
        )
        .await;
    assert_eq!(updated.json()["FunctionVersion"], "2");
    assert_eq!(cluster.get(&live).await.json()["FunctionVersion"], "2");
    let through = cluster.get(&format!("{HELLO}?Qualifier=live")).await.json();
    assert_eq!(
        through["Configuration"]["FunctionArn"],
        format!("{ARN}:live")
    );
    assert_eq!(through["Configuration"]["Version"], "2");
    let pointing = cluster
        .get(&format!("{HELLO}/aliases?FunctionVersion=1"))
        .await
        .json();
    assert_eq!(pointing["Aliases"], json!([]));
    let pointing = cluster
        .get(&format!("{HELLO}/aliases?FunctionVersion=2"))
        .await
        .json();
    assert_eq!(pointing["Aliases"][0]["Name"], "live");

    let in_use = cluster
        .http("DELETE", &format!("{HELLO}?Qualifier=2"), &[], b"")
        .await;
    assert_eq!(in_use.error(), (409, "ResourceConflictException"));
    assert_eq!(cluster.http("DELETE", &live, &[], b"").await.status, 204);
    let missing = cluster.get(&live).await;
    assert_eq!(
        missing.json()["Message"],
        format!("Cannot find alias arn: {ARN}:live")
    );
    assert_eq!(
        cluster
            .http("DELETE", &format!("{HELLO}?Qualifier=2"), &[], b"")
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn functions_are_listed_in_pages() {
    let cluster = Cluster::start().await;
    for name in ["a", "b", "c"] {
        assert_eq!(
            cluster
                .create(name, &json!({ "Publish": name == "b" }))
                .await
                .status,
            201
        );
    }
    let mut listed = Vec::new();
    for query in ["", "FunctionVersion=ALL&"] {
        let mut marker = String::new();
        loop {
            let path = format!("/2015-03-31/functions/?{query}MaxItems=2{marker}");
            let page = cluster.get(&path).await.json();
            for function in page["Functions"].as_array().unwrap() {
                let arn = function["FunctionArn"].as_str().unwrap();
                listed.push(arn.rsplit("function:").next().unwrap().to_owned());
            }
            let Some(next) = page["NextMarker"].as_str() else {
                break;
            };
            marker = format!("&Marker={next}");
        }
    }
    assert_eq!(
        listed,
        ["a", "b", "c", "a:$LATEST", "b:$LATEST", "b:1", "c:$LATEST"]
    );
    let settings = cluster.get("/2016-08-19/account-settings").await.json();
    assert_eq!(settings["AccountUsage"]["FunctionCount"], 3);
    assert_eq!(settings["AccountLimit"]["ConcurrentExecutions"], 1000);
}

#[tokio::test]
async fn without_a_leader_control_calls_fail_within_seconds_and_invocations_go_on() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    assert_eq!(cluster.invoke("hello", &[], "1").await.status, 200);
    cluster.controller.leads(false);
    let before = Instant::now();
    let read = cluster.get(HELLO).await;
    assert_eq!(read.error(), (503, "ServiceUnavailableException"));
    assert!(
        before.elapsed().as_millis() < 1300,
        "{:?}",
        before.elapsed()
    );
    let before = Instant::now();
    let write = cluster.create("other", &json!({})).await;
    assert_eq!(write.error(), (503, "ServiceUnavailableException"));
    assert!(
        before.elapsed().as_millis() < 1300,
        "{:?}",
        before.elapsed()
    );
    assert_eq!(cluster.invoke("hello", &[], "2").await.text(), "2");
    let missing = cluster.invoke("missing", &[], "2").await;
    assert_eq!(missing.error(), (503, "ServiceUnavailableException"));
    cluster.controller.leads(true);
    let missing = cluster.invoke("missing", &[], "2").await;
    assert_eq!(missing.error(), (404, "ResourceNotFoundException"));
    assert_eq!(cluster.create("other", &json!({})).await.status, 201);
}

#[tokio::test]
async fn an_account_has_room_for_so_much_code_and_so_many_aliases() {
    let size = zip("v1").len() as u64;
    let cluster = Cluster::start_with(
        |o| {
            o.limits.code_storage = model::ByteCount(size + 1);
            o.limits.aliases = 1;
        },
        |_| {},
    )
    .await;
    assert_eq!(cluster.create("hello", &json!({})).await.status, 201);
    let second = cluster.create("second", &json!({})).await;
    assert_eq!(second.error(), (400, "CodeStorageExceededException"));
    let alias = |name| json!({ "Name": name, "FunctionVersion": "$LATEST" });
    let path = format!("{HELLO}/aliases");
    assert_eq!(cluster.send("POST", &path, &alias("one")).await.status, 201);
    let second = cluster.send("POST", &path, &alias("two")).await;
    assert_eq!(second.error(), (400, "AliasLimitExceededException"));
}

#[tokio::test]
async fn a_call_that_an_sdk_repeats_is_done_once() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    let delete = async |call: &str| {
        let headers = [("amz-sdk-invocation-id", call)];
        cluster.http("DELETE", HELLO, &headers, b"").await
    };
    let first = "6b2f8a3c-0a53-4f0e-9d54-9a1c4c2f1d01";
    assert_eq!(delete(first).await.status, 204);
    assert_eq!(delete(first).await.status, 204, "its answer was lost");
    let another = "6b2f8a3c-0a53-4f0e-9d54-9a1c4c2f1d02";
    assert_eq!(
        delete(another).await.error(),
        (404, "ResourceNotFoundException")
    );
}
