//! The gRPC API.

use futures::StreamExt;
use proto::v1::{self, functions_client::FunctionsClient, invoke_request, invoke_response::Part};
use tonic::{Code, transport::Channel};

use crate::{
    cluster::{Cluster, eventually},
    http::zip,
};

pub(crate) async fn connect(cluster: &Cluster) -> Channel {
    let endpoint = tonic::transport::Endpoint::new(format!("http://{}", cluster.grpc)).unwrap();
    endpoint.connect().await.unwrap()
}

fn create(name: &str) -> v1::CreateFunctionRequest {
    v1::CreateFunctionRequest {
        function_name: name.to_owned(),
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        runtime: "python3.13".to_owned(),
        handler: "h.handler".to_owned(),
        zip_file: zip("v1").into(),
        tags: [("team".to_owned(), "a".to_owned())].into(),
        environment: Some(v1::EnvironmentVariables {
            variables: [("KEY".to_owned(), "value".to_owned())].into(),
        }),
        ..Default::default()
    }
}

fn error_type(status: &tonic::Status) -> &str {
    let name = status.metadata().get("dunlin-error-type");
    name.unwrap().to_str().unwrap()
}

#[tokio::test]
async fn the_same_functions_over_another_wire() {
    let cluster = Cluster::start().await;
    let mut client = FunctionsClient::new(connect(&cluster).await);
    let created = client.create_function(create("hello")).await.unwrap();
    assert_eq!(
        created.metadata().get("dunlin-request-id").unwrap().len(),
        36
    );
    let created = created.into_inner();
    assert_eq!(created.state, "Pending");
    assert_eq!(created.timeout, 3);
    assert_eq!(created.environment.unwrap().variables["KEY"], "value");
    assert_eq!(cluster.get("/2015-03-31/functions/hello").await.status, 200);

    let get = |name: &str| v1::GetFunctionRequest {
        function_name: name.to_owned(),
        qualifier: String::new(),
    };
    let got = client
        .get_function(get("hello"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(got.configuration.unwrap().state, "Active");
    assert_eq!(got.tags["team"], "a");
    let path = got
        .code_location
        .strip_prefix(&format!("http://{}", cluster.public))
        .unwrap();
    assert_eq!(cluster.get(path).await.body, zip("v1"));

    let update = v1::UpdateFunctionConfigurationRequest {
        function_name: "hello".to_owned(),
        memory_size: Some(512),
        ..Default::default()
    };
    let updated = client
        .update_function_configuration(update)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (updated.memory_size, updated.handler.as_str()),
        (512, "h.handler")
    );
    let code = v1::UpdateFunctionCodeRequest {
        function_name: "hello".to_owned(),
        zip_file: zip("v2").into(),
        publish: true,
        ..Default::default()
    };
    assert_eq!(
        client
            .update_function_code(code)
            .await
            .unwrap()
            .into_inner()
            .version,
        "1"
    );
    let publish = v1::PublishVersionRequest {
        function_name: "hello".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        client
            .publish_version(publish)
            .await
            .unwrap()
            .into_inner()
            .version,
        "1"
    );
    let versions = v1::ListVersionsByFunctionRequest {
        function_name: "hello".to_owned(),
        max_items: 1,
        ..Default::default()
    };
    let page = client
        .list_versions_by_function(versions)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (page.versions.len(), page.next_marker.is_empty()),
        (1, false)
    );
    let all = client
        .list_functions(v1::ListFunctionsRequest::default())
        .await
        .unwrap();
    assert_eq!(all.into_inner().functions.len(), 1);
    let settings = client
        .get_account_settings(v1::GetAccountSettingsRequest {})
        .await
        .unwrap();
    assert_eq!(settings.into_inner().function_count, 1);

    let alias = v1::CreateAliasRequest {
        function_name: "hello".to_owned(),
        name: "live".to_owned(),
        function_version: "1".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        client
            .create_alias(alias.clone())
            .await
            .unwrap()
            .into_inner()
            .name,
        "live"
    );
    let twice = client.create_alias(alias).await.unwrap_err();
    assert_eq!(
        (twice.code(), error_type(&twice)),
        (Code::FailedPrecondition, "ResourceConflictException")
    );
    let named = v1::GetAliasRequest {
        function_name: "hello".to_owned(),
        name: "live".to_owned(),
    };
    assert_eq!(
        client
            .get_alias(named.clone())
            .await
            .unwrap()
            .into_inner()
            .function_version,
        "1"
    );
    let update = v1::UpdateAliasRequest {
        function_name: "hello".to_owned(),
        name: "live".to_owned(),
        description: Some("d".to_owned()),
        ..Default::default()
    };
    assert_eq!(
        client
            .update_alias(update)
            .await
            .unwrap()
            .into_inner()
            .description,
        "d"
    );
    let list = v1::ListAliasesRequest {
        function_name: "hello".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        client
            .list_aliases(list)
            .await
            .unwrap()
            .into_inner()
            .aliases
            .len(),
        1
    );
    let delete = v1::DeleteAliasRequest {
        function_name: "hello".to_owned(),
        name: "live".to_owned(),
    };
    client.delete_alias(delete).await.unwrap();
    assert_eq!(
        error_type(&client.get_alias(named).await.unwrap_err()),
        "ResourceNotFoundException"
    );
    let delete = v1::DeleteFunctionRequest {
        function_name: "hello".to_owned(),
        ..Default::default()
    };
    client.delete_function(delete).await.unwrap();
    let gone = client.get_function(get("hello")).await.unwrap_err();
    assert_eq!(
        (gone.code(), error_type(&gone)),
        (Code::NotFound, "ResourceNotFoundException")
    );
    for name in ["", "a b"] {
        let invalid = client.get_function(get(name)).await.unwrap_err();
        assert_eq!(
            (invalid.code(), error_type(&invalid)),
            (Code::InvalidArgument, "ValidationException")
        );
    }
    let incomplete = client
        .create_function(v1::CreateFunctionRequest::default())
        .await
        .unwrap_err();
    assert!(
        incomplete.message().contains("'functionName'"),
        "{incomplete}"
    );
}

fn invoke(kind: &str, payload: &[&str]) -> impl futures::Stream<Item = v1::InvokeRequest> + use<> {
    let head = v1::InvokeHead {
        function_name: "hello".to_owned(),
        invocation_type: kind.to_owned(),
        log_tail: true,
        client_context: r#"{"custom":{}}"#.to_owned(),
        payload: payload[0].to_owned().into(),
        ..Default::default()
    };
    let rest: Vec<_> = payload[1..]
        .iter()
        .map(|p| invoke_request::Part::Payload((*p).to_owned().into()))
        .collect();
    let parts = std::iter::once(invoke_request::Part::Head(head)).chain(rest);
    let messages: Vec<_> = parts
        .map(|part| v1::InvokeRequest { part: Some(part) })
        .collect();
    futures::stream::iter(messages)
}

async fn read(responses: tonic::Streaming<v1::InvokeResponse>) -> (String, v1::InvokeEnd) {
    let parts: Vec<_> = responses.map(|r| r.unwrap().part.unwrap()).collect().await;
    let mut body = String::new();
    let mut end = None;
    for part in parts {
        assert!(end.is_none(), "nothing follows the end");
        match part {
            Part::Chunk(chunk) => body += std::str::from_utf8(&chunk).unwrap(),
            Part::End(e) => end = Some(e),
        }
    }
    (body, end.unwrap())
}

#[tokio::test]
async fn an_invocation_is_streamed_both_ways() {
    let cluster = Cluster::start().await;
    let mut client = FunctionsClient::new(connect(&cluster).await);
    client.create_function(create("hello")).await.unwrap();
    let responses = client
        .invoke(invoke("", &["[1,", "2,", "3]"]))
        .await
        .unwrap();
    let (body, end) = read(responses.into_inner()).await;
    assert_eq!(body, "[1,2,3]");
    assert_eq!(
        (end.executed_version.as_str(), end.function_error.as_str()),
        ("$LATEST", "")
    );
    let head = cluster.worker.heads.lock()[0].clone();
    assert_eq!(
        (end.request_id, r#"{"custom":{}}"#),
        (head.request_id, head.client_context.as_str())
    );

    let (_, end) = read(
        client
            .invoke(invoke("", &["\"error\""]))
            .await
            .unwrap()
            .into_inner(),
    )
    .await;
    assert_eq!(end.function_error, "Unhandled");
    let (_, end) = read(
        client
            .invoke(invoke("", &["\"log\""]))
            .await
            .unwrap()
            .into_inner(),
    )
    .await;
    assert_eq!(end.log_tail, "START\nEND\n");
    let (body, _) = read(
        client
            .invoke(invoke("DryRun", &["1"]))
            .await
            .unwrap()
            .into_inner(),
    )
    .await;
    assert_eq!(body, "");
    let full = client.invoke(invoke("", &["\"full\""])).await.unwrap_err();
    assert_eq!(
        (full.code(), error_type(&full)),
        (Code::ResourceExhausted, "TooManyRequestsException")
    );
    let mut lost = client
        .invoke(invoke("", &["\"lost\""]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(lost.message().await.unwrap_err().code(), Code::Internal);

    // The answer begins with the invocation, before the function is over.
    let held = client.invoke(invoke("", &["\"held\""])).await.unwrap();
    assert_eq!(cluster.frontend.figures().invocations_in_flight, 1);
    drop(held);
    cluster.worker.gate.add_permits(1);
    eventually("the invocation ends", || {
        cluster.frontend.figures().invocations_in_flight == 0
    })
    .await;
}

#[tokio::test]
async fn health_and_reflection_are_there() {
    let cluster = Cluster::start().await;
    let channel = connect(&cluster).await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
    let check = |service: &str| tonic_health::pb::HealthCheckRequest {
        service: service.to_owned(),
    };
    for service in ["", "dunlin.v1.Functions", "dunlin.v1.Identity"] {
        let status = health
            .check(check(service))
            .await
            .unwrap()
            .into_inner()
            .status;
        assert_eq!(
            status,
            tonic_health::pb::health_check_response::ServingStatus::Serving as i32
        );
    }
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(channel);
    let answers = reflection
        .server_reflection_info(futures::stream::iter([request]))
        .await;
    let answer = answers
        .unwrap()
        .into_inner()
        .message()
        .await
        .unwrap()
        .unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}");
    };
    for service in ["dunlin.v1.Functions", "dunlin.v1.Identity"] {
        assert!(list.service.iter().any(|s| s.name == service), "{list:?}");
    }
}
