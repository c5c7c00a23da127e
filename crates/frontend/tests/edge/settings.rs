//! What is set for a function beside its configuration.

use serde_json::{Value, json};

use crate::cluster::Cluster;

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:hello";
const NAME: &str = "functions/hello";

/// A function with a version 1 and an alias `live` of it.
async fn published() -> Cluster {
    let cluster = Cluster::start().await;
    let created = cluster.create("hello", &json!({ "Publish": true })).await;
    assert_eq!(created.status, 201, "{created:?}");
    let alias = json!({ "Name": "live", "FunctionVersion": "1" });
    let path = format!("/2015-03-31/{NAME}/aliases");
    assert_eq!(cluster.send("POST", &path, &alias).await.status, 201);
    cluster
}

#[tokio::test]
async fn a_function_that_reserves_nothing_runs_nowhere() {
    let cluster = published().await;
    let invoke = format!("/2015-03-31/{NAME}/invocations");
    assert_eq!(cluster.http("POST", &invoke, &[], b"{}").await.status, 200);
    let put = format!("/2017-10-31/{NAME}/concurrency");
    let zero = json!({ "ReservedConcurrentExecutions": 0 });
    let answered = cluster.send("PUT", &put, &zero).await;
    assert_eq!((answered.status, answered.json()), (200, zero.clone()));
    let refused = cluster.http("POST", &invoke, &[], b"{}").await;
    assert_eq!(refused.error(), (429, "TooManyRequestsException"));
    assert_eq!(
        refused.json()["Reason"],
        "ReservedFunctionConcurrentInvocationLimitExceeded"
    );
    let shown = cluster.get(&format!("/2015-03-31/{NAME}")).await.json();
    assert_eq!(shown["Concurrency"], zero);

    assert_eq!(cluster.http("DELETE", &put, &[], b"").await.status, 204);
    assert_eq!(cluster.http("POST", &invoke, &[], b"{}").await.status, 200);
    let get = format!("/2019-09-30/{NAME}/concurrency");
    assert_eq!(cluster.get(&get).await.json(), json!({}));
}

#[tokio::test]
async fn every_setting_is_written_and_read_back() {
    let cluster = published().await;
    let scaling = json!({ "MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 2 });
    for (path, qualifier, body, put, got) in [
        (
            format!("/2024-08-31/{NAME}/recursion-config"),
            "",
            json!({ "RecursiveLoop": "Allow" }),
            json!({ "RecursiveLoop": "Allow" }),
            None,
        ),
        (
            format!("/2021-07-20/{NAME}/runtime-management-config"),
            "?Qualifier=1",
            json!({ "UpdateRuntimeOn": "FunctionUpdate" }),
            json!({ "UpdateRuntimeOn": "FunctionUpdate", "FunctionArn": format!("{ARN}:1") }),
            None,
        ),
        (
            format!("/2025-11-30/{NAME}/function-scaling-config"),
            "?Qualifier=1",
            json!({ "FunctionScalingConfig": scaling }),
            json!({ "FunctionState": "Active" }),
            Some(
                json!({ "FunctionArn": format!("{ARN}:1"), "RequestedFunctionScalingConfig": scaling }),
            ),
        ),
    ] {
        let path = format!("{path}{qualifier}");
        assert_eq!(cluster.send("PUT", &path, &body).await.json(), put);
        assert_eq!(cluster.get(&path).await.json(), got.unwrap_or(put));
    }
    let event = format!("/2019-09-25/{NAME}/event-invoke-config?Qualifier=live");
    let body = json!({ "MaximumRetryAttempts": 1 });
    let put = cluster.send("PUT", &event, &body).await;
    assert_eq!(put.status, 200, "{put:?}");
    assert_eq!(cluster.get(&event).await.json(), put.json());
    let listed = cluster
        .get(&format!("/2019-09-25/{NAME}/event-invoke-config/list"))
        .await;
    assert_eq!(
        listed.json()["FunctionEventInvokeConfigs"],
        Value::Array(vec![put.json()])
    );
    let provisioned = format!("/2019-09-30/{NAME}/provisioned-concurrency?Qualifier=live");
    let body = json!({ "ProvisionedConcurrentExecutions": 2 });
    let put = cluster.send("PUT", &provisioned, &body).await;
    assert_eq!(put.status, 202, "{put:?}");
    assert_eq!(put.json()["Status"], "IN_PROGRESS");
    assert_eq!(cluster.get(&provisioned).await.json(), put.json());
    let unset = cluster.http("DELETE", &provisioned, &[], b"").await;
    assert_eq!(unset.status, 204);
    assert_eq!(
        cluster.get(&provisioned).await.error(),
        (404, "ProvisionedConcurrencyConfigNotFoundException")
    );
}

#[tokio::test]
async fn a_url_stands_in_the_domain_of_the_cluster() {
    let cluster = Cluster::start_with(|o| o.url_suffix = "example.org".to_owned(), |_| {}).await;
    cluster.create("hello", &json!({})).await;
    let path = format!("/2021-10-31/{NAME}/url");
    let created = cluster
        .send("POST", &path, &json!({ "AuthType": "NONE" }))
        .await;
    assert_eq!(created.status, 201, "{created:?}");
    let made = created.json();
    let url = made["FunctionUrl"].as_str().unwrap();
    let host = url.strip_prefix("https://").unwrap();
    let (id, rest) = host.split_at(32);
    assert_eq!(rest, ".lambda-url.us-east-1.example.org/");
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    assert!(id.bytes().all(legal), "{id}");
    let got = cluster.get(&path).await.json();
    assert_eq!(got["FunctionUrl"], made["FunctionUrl"]);
    assert!(made.get("LastModifiedTime").is_none() && got.get("LastModifiedTime").is_some());
    let again = cluster
        .send("POST", &path, &json!({ "AuthType": "NONE" }))
        .await;
    assert_eq!(again.error(), (409, "ResourceConflictException"));
}

#[tokio::test]
async fn tags_are_those_of_the_function() {
    let cluster = published().await;
    let path = |arn: &str| format!("/2017-03-31/tags/{}", arn.replace(':', "%3A"));
    let tags = path(ARN);
    let body = json!({ "Tags": { "a": "1", "b": "2" } });
    assert_eq!(cluster.send("POST", &tags, &body).await.status, 204);
    assert_eq!(cluster.get(&tags).await.json(), body);
    let untag = format!("{tags}?tagKeys=a&tagKeys=x");
    assert_eq!(cluster.http("DELETE", &untag, &[], b"").await.status, 204);
    let shown = cluster.get(&format!("/2015-03-31/{NAME}")).await.json();
    assert_eq!(shown["Tags"], json!({ "b": "2" }));
    let qualified = cluster.get(&path(&format!("{ARN}:live"))).await;
    assert_eq!(qualified.error(), (400, "InvalidParameterValueException"));
    let mapping = "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:0f8fad5b-d9cb-469f-a165-70867728950e";
    let absent = cluster.get(&path(mapping)).await;
    assert_eq!(absent.error(), (404, "ResourceNotFoundException"));
    let config = json!({
        "AllowedPublishers": {
            "SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/0"],
        },
    });
    let made = cluster.send("POST", "/2020-04-22/code-signing-configs/", &config);
    let made = made.await.json();
    let signing = path(
        made["CodeSigningConfig"]["CodeSigningConfigArn"]
            .as_str()
            .unwrap(),
    );
    assert_eq!(cluster.send("POST", &signing, &body).await.status, 204);
    let untag = format!("{signing}?tagKeys=a");
    assert_eq!(cluster.http("DELETE", &untag, &[], b"").await.status, 204);
    let left = cluster.get(&signing).await.json();
    assert_eq!(left, json!({ "Tags": { "b": "2" } }));
}
