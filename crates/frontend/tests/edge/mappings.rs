//! Event source mappings.

use serde_json::json;

use crate::cluster::Cluster;

const PATH: &str = "/2015-03-31/event-source-mappings";
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";

#[tokio::test]
async fn a_mapping_is_made_shown_changed_listed_and_deleted() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    let create = json!({ "FunctionName": "hello", "EventSourceArn": QUEUE });
    let made = cluster.send("POST", PATH, &create).await;
    assert_eq!(
        (made.status, &made.json()["State"]),
        (202, &json!("Creating"))
    );
    let uuid = made.json()["UUID"].as_str().unwrap().to_owned();
    let own = format!("{PATH}/{uuid}");
    let found = cluster.get(&own).await;
    assert_eq!(
        (found.status, &found.json()["State"]),
        (200, &json!("Enabled"))
    );

    let again = cluster.send("POST", PATH, &create).await;
    assert_eq!(again.error(), (409, "ResourceConflictException"));
    assert_eq!(
        again.json()["message"],
        format!(
            "An event source mapping with SQS arn (\" {QUEUE} \") and function (\" hello \") already exists. Please update or delete the existing mapping with UUID {uuid}"
        )
    );
    let listed = cluster.get(&format!("{PATH}?FunctionName=hello")).await;
    assert_eq!(
        listed.json()["EventSourceMappings"][0]["UUID"],
        uuid.as_str()
    );
    let others = cluster.get(&format!("{PATH}?FunctionName=other")).await;
    assert_eq!(others.json(), json!({ "EventSourceMappings": [] }));

    let updated = cluster
        .send("PUT", &own, &json!({ "Enabled": false }))
        .await;
    assert_eq!(
        (updated.status, &updated.json()["State"]),
        (202, &json!("Disabling"))
    );
    let refused = cluster.send("PUT", &own, &json!({ "BatchSize": 11 })).await;
    assert_eq!(refused.error(), (400, "InvalidParameterValueException"));
    let deleted = cluster.http("DELETE", &own, &[], b"").await;
    assert_eq!(
        (deleted.status, &deleted.json()["State"]),
        (202, &json!("Deleting"))
    );
    let gone = cluster.get(&own).await;
    assert_eq!(gone.error(), (404, "ResourceNotFoundException"));
    assert_eq!(
        gone.json()["Message"],
        "The resource you requested does not exist."
    );
}

#[tokio::test]
async fn a_mapping_in_transition_is_left_alone() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    cluster.controller.settles(false);
    let create = json!({ "FunctionName": "hello", "EventSourceArn": QUEUE });
    let made = cluster.send("POST", PATH, &create).await.json();
    let own = format!("{PATH}/{}", made["UUID"].as_str().unwrap());
    let busy = cluster.send("PUT", &own, &json!({})).await;
    assert_eq!(busy.error(), (400, "ResourceInUseException"));
    assert_eq!(
        busy.json()["Message"],
        "Cannot update the event source mapping because it is in use."
    );
    let busy = cluster.http("DELETE", &own, &[], b"").await;
    assert_eq!(busy.error(), (400, "ResourceInUseException"));
    let missing = json!({ "FunctionName": "missing", "EventSourceArn": QUEUE });
    let missing = cluster.send("POST", PATH, &missing).await;
    assert_eq!(missing.json()["message"], "Function does not exist");
}
