//! The calls of the AWS API that workloads make.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::{
    caller::{Answer, Caller, NoAnswer},
    calls::{Invocation, Outcome},
};

const FUNCTIONS: &str = "/2015-03-31/functions";

/// `CreateFunction` with a guest's script.
pub(crate) async fn create(
    caller: &Caller,
    frontend: &str,
    name: &str,
    zip: &[u8],
    description: &str,
) -> Result<Answer, NoAnswer> {
    let body = json!({
        "FunctionName": name,
        "Runtime": "provided.al2023",
        "Role": "arn:aws:iam::000000000000:role/any",
        "Handler": "bootstrap",
        "Description": description,
        "Timeout": 3,
        "Code": { "ZipFile": BASE64_STANDARD.encode(zip) },
    });
    send(caller, frontend, Method::POST, FUNCTIONS, &body).await
}

/// `UpdateFunctionCode`.
pub(crate) async fn update_code(
    caller: &Caller,
    frontend: &str,
    name: &str,
    zip: &[u8],
) -> Result<Answer, NoAnswer> {
    let body = json!({ "ZipFile": BASE64_STANDARD.encode(zip) });
    let path = format!("{FUNCTIONS}/{name}/code");
    send(caller, frontend, Method::PUT, &path, &body).await
}

/// `UpdateFunctionConfiguration` of the description, under a condition if there is a revision id.
pub(crate) async fn describe(
    caller: &Caller,
    frontend: &str,
    name: &str,
    description: &str,
    revision: Option<&str>,
) -> Result<Answer, NoAnswer> {
    let mut body = json!({ "Description": description });
    if let (Some(revision), Some(object)) = (revision, body.as_object_mut()) {
        object.insert("RevisionId".to_owned(), Value::from(revision));
    }
    let path = format!("{FUNCTIONS}/{name}/configuration");
    send(caller, frontend, Method::PUT, &path, &body).await
}

/// `GetFunctionConfiguration`.
pub(crate) async fn get(caller: &Caller, frontend: &str, name: &str) -> Result<Answer, NoAnswer> {
    let path = format!("{FUNCTIONS}/{name}/configuration");
    bare(caller, frontend, Method::GET, &path).await
}

/// `DeleteFunction`.
pub(crate) async fn delete(
    caller: &Caller,
    frontend: &str,
    name: &str,
) -> Result<Answer, NoAnswer> {
    let path = format!("{FUNCTIONS}/{name}");
    bare(caller, frontend, Method::DELETE, &path).await
}

/// `PublishVersion`.
pub(crate) async fn publish(
    caller: &Caller,
    frontend: &str,
    name: &str,
    description: &str,
) -> Result<Answer, NoAnswer> {
    let path = format!("{FUNCTIONS}/{name}/versions");
    let body = json!({ "Description": description });
    send(caller, frontend, Method::POST, &path, &body).await
}

/// `CreateAlias`.
pub(crate) async fn create_alias(
    caller: &Caller,
    frontend: &str,
    name: &str,
    alias: &str,
    version: u64,
    description: &str,
) -> Result<Answer, NoAnswer> {
    let path = format!("{FUNCTIONS}/{name}/aliases");
    let body = json!({
        "Name": alias, "FunctionVersion": version.to_string(), "Description": description,
    });
    send(caller, frontend, Method::POST, &path, &body).await
}

/// `UpdateAlias`.
pub(crate) async fn update_alias(
    caller: &Caller,
    frontend: &str,
    name: &str,
    alias: &str,
    version: u64,
    description: &str,
) -> Result<Answer, NoAnswer> {
    let path = format!("{FUNCTIONS}/{name}/aliases/{alias}");
    let body = json!({ "FunctionVersion": version.to_string(), "Description": description });
    send(caller, frontend, Method::PUT, &path, &body).await
}

/// `GetAlias`.
pub(crate) async fn get_alias(
    caller: &Caller,
    frontend: &str,
    name: &str,
    alias: &str,
) -> Result<Answer, NoAnswer> {
    let path = format!("{FUNCTIONS}/{name}/aliases/{alias}");
    bare(caller, frontend, Method::GET, &path).await
}

/// `DeleteAlias`.
pub(crate) async fn delete_alias(
    caller: &Caller,
    frontend: &str,
    name: &str,
    alias: &str,
) -> Result<Answer, NoAnswer> {
    let path = format!("{FUNCTIONS}/{name}/aliases/{alias}");
    bare(caller, frontend, Method::DELETE, &path).await
}

/// `Invoke`, taken note of.
pub(crate) async fn invoke(
    caller: &Caller,
    frontend: &str,
    function: &str,
    told: &'static str,
    millis: u64,
) -> Invocation {
    let id = format!("{:016x}", caller.entropy.next_u64());
    let body = json!({ "id": id, "do": told, "ms": millis });
    let path = format!("{FUNCTIONS}/{function}/invocations");
    let starts = caller.starts(frontend);
    let sent = caller.world.elapsed.now();
    let answer = send(caller, frontend, Method::POST, &path, &body).await;
    let outcome = outcome(answer, &id);
    let invocation = Invocation {
        id,
        function: function.to_owned(),
        told,
        frontend: (frontend.to_owned(), starts),
        sent,
        ended: caller.world.elapsed.now(),
        outcome,
    };
    caller.world.count("invoke", invocation.was_served());
    caller.world.calls.add(invocation.clone());
    invocation
}

fn outcome(answer: Result<Answer, NoAnswer>, id: &str) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(NoAnswer::NotSent(_)) => return Outcome::NotSent,
        Err(NoAnswer::Lost(_)) => return Outcome::Lost,
    };
    let (status, error) = (answer.status, answer.error());
    match status {
        200 if answer.headers.contains_key("x-amz-function-error") => {
            let why = answer.text("errorType");
            Outcome::FunctionFailed { why }
        }
        200 => {
            let whose = answer.text("id");
            let marker = match whose == id {
                true => answer.text("marker"),
                false => format!("the answer to {whose}"),
            };
            Outcome::Answered { marker }
        }
        400..500 => Outcome::Refused { status, error },
        _ => Outcome::Failed { status, error },
    }
}

async fn send(
    caller: &Caller,
    frontend: &str,
    method: Method,
    path: &str,
    body: &Value,
) -> Result<Answer, NoAnswer> {
    let body = Bytes::from(body.to_string());
    caller.call(frontend, method, path, &[], body).await
}

async fn bare(
    caller: &Caller,
    frontend: &str,
    method: Method,
    path: &str,
) -> Result<Answer, NoAnswer> {
    caller
        .call(frontend, method, path, &[], Bytes::new())
        .await
}
