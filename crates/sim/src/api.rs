//! The calls of the AWS API that workloads make.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::Method;
use model::{RevisionId, Version};
use serde_json::{Value, json};

use crate::{
    caller::{Answer, Caller, NoAnswer},
    calls::{Invocation, Outcome},
    guest::OWNER,
    history::{Act, Op, Reading},
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
    let body = creation(name, zip, description);
    send(caller, frontend, Method::POST, FUNCTIONS, &body).await
}

/// Creates a function, again and again until it is there or it is time to stop.
pub(crate) async fn create_until_there(caller: &Caller, name: &str, zip: &[u8], description: &str) {
    let create = async || {
        let created = create(caller, &caller.frontend(), name, zip, description).await;
        // One that was lost may have been taken.
        created.is_ok_and(|a| a.is_success() || a.status == 409)
    };
    caller.insist(create).await;
}

/// Publishes the first version of a function, again and again until it is there or it is time to stop: it cannot be published
/// while its code is being prepared. The same again makes no second one.
pub(crate) async fn publish_until_there(caller: &Caller, name: &str) {
    let path = format!("{FUNCTIONS}/{name}/versions");
    let publish = async || {
        let frontend = caller.frontend();
        let published = send(caller, &frontend, Method::POST, &path, &json!({})).await;
        published.is_ok_and(|a| a.is_success())
    };
    caller.insist(publish).await;
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

/// `PutFunctionConcurrency`, or `DeleteFunctionConcurrency` if nothing shall be reserved.
pub(crate) async fn reserve(
    caller: &Caller,
    frontend: &str,
    name: &str,
    limit: Option<u32>,
) -> Result<Answer, NoAnswer> {
    let path = format!("/2017-10-31/functions/{name}/concurrency");
    match limit {
        Some(limit) => {
            let body = json!({ "ReservedConcurrentExecutions": limit });
            send(caller, frontend, Method::PUT, &path, &body).await
        }
        None => bare(caller, frontend, Method::DELETE, &path).await,
    }
}

/// `UpdateAlias` or `CreateAlias` with a canary: what it runs, and what share of calls another version gets.
pub(crate) async fn split(
    caller: &Caller,
    frontend: &str,
    (function, alias): (&str, &str),
    exists: bool,
    version: u64,
    (canary, weight): (u64, f64),
) -> Result<Answer, NoAnswer> {
    let aliases = format!("{FUNCTIONS}/{function}/aliases");
    let weights = json!({ "AdditionalVersionWeights": { (canary.to_string()): weight } });
    let (method, path) = match exists {
        true => (Method::PUT, format!("{aliases}/{alias}")),
        false => (Method::POST, aliases),
    };
    let body = json!({
        "Name": alias, "FunctionVersion": version.to_string(), "RoutingConfig": weights,
    });
    send(caller, frontend, method, &path, &body).await
}

/// Any operation that a history can take down. A package is the one of its operation's marker.
pub(crate) async fn act(caller: &Caller, frontend: &str, op: &Op) -> Reading {
    let Some(request) = Request::of(caller, op) else {
        return Reading::Refused;
    };
    let Request { method, path, body } = request;
    let answer = match body {
        Some(body) => send(caller, frontend, method, &path, &body).await,
        None => bare(caller, frontend, method, &path).await,
    };
    match answer {
        Ok(answer) => Reading::of(op, answer.status, &answer.json()),
        Err(NoAnswer::NotSent(_)) => Reading::Refused,
        Err(NoAnswer::Lost(_)) => Reading::Unknown,
    }
}

struct Request {
    method: Method,
    path: String,
    body: Option<Value>,
}

impl Request {
    /// How an operation is asked for.
    fn of(caller: &Caller, op: &Op) -> Option<Self> {
        let with = |method, path, body| {
            Some(Self {
                method,
                path,
                body: Some(body),
            })
        };
        let plain = |method, path| {
            let body = None;
            Some(Self { method, path, body })
        };
        let Op::On { function, act } = op else {
            return plain(Method::GET, format!("{FUNCTIONS}/"));
        };
        let own = format!("{FUNCTIONS}/{function}");
        let condition = |mut body: Value, expected: &Option<RevisionId>| {
            if let (Some(revision), Some(object)) = (expected, body.as_object_mut()) {
                object.insert("RevisionId".to_owned(), revision.to_string().into());
            }
            body
        };
        let qualified = |version: &Version| match version {
            Version::Latest => String::new(),
            Version::LatestPublished | Version::Number(_) => format!("?Qualifier={version}"),
        };
        match act {
            Act::Create { marker, code } => {
                let zip = caller.package_of(code)?;
                with(
                    Method::POST,
                    FUNCTIONS.to_owned(),
                    creation(function, &zip, marker),
                )
            }
            Act::UpdateConfiguration { marker, expected } => {
                let body = condition(json!({ "Description": marker }), expected);
                with(Method::PUT, format!("{own}/configuration"), body)
            }
            Act::UpdateCode { code, expected } => {
                let zip = caller.package_of(code)?;
                let body = json!({ "ZipFile": BASE64_STANDARD.encode(zip) });
                with(
                    Method::PUT,
                    format!("{own}/code"),
                    condition(body, expected),
                )
            }
            Act::Delete => plain(Method::DELETE, own),
            Act::DeleteVersion { version } => {
                plain(Method::DELETE, format!("{own}?Qualifier={version}"))
            }
            Act::Publish { marker, expected } => {
                let body = match marker {
                    Some(marker) => json!({ "Description": marker }),
                    None => json!({}),
                };
                with(
                    Method::POST,
                    format!("{own}/versions"),
                    condition(body, expected),
                )
            }
            Act::Get { version } => plain(
                Method::GET,
                format!("{own}/configuration{}", qualified(version)),
            ),
            Act::ListVersions => plain(Method::GET, format!("{own}/versions")),
            Act::CreateAlias {
                alias,
                version,
                marker,
            } => {
                let body = json!({
                    "Name": alias, "FunctionVersion": version.to_string(), "Description": marker,
                });
                with(Method::POST, format!("{own}/aliases"), body)
            }
            Act::UpdateAlias {
                alias,
                version,
                marker,
                expected,
            } => {
                let mut body = json!({});
                if let Some(object) = body.as_object_mut() {
                    if let Some(version) = version {
                        object.insert("FunctionVersion".to_owned(), version.to_string().into());
                    }
                    if let Some(marker) = marker {
                        object.insert("Description".to_owned(), marker.clone().into());
                    }
                }
                let body = condition(body, expected);
                with(Method::PUT, format!("{own}/aliases/{alias}"), body)
            }
            Act::DeleteAlias { alias } => plain(Method::DELETE, format!("{own}/aliases/{alias}")),
            Act::GetAlias { alias } => plain(Method::GET, format!("{own}/aliases/{alias}")),
            Act::ListAliases => plain(Method::GET, format!("{own}/aliases")),
        }
    }
}

fn creation(name: &str, zip: &[u8], description: &str) -> Value {
    json!({
        "FunctionName": name,
        "Runtime": "provided.al2023",
        "Role": "arn:aws:iam::000000000000:role/any",
        "Handler": "bootstrap",
        "Description": description,
        "Timeout": 3,
        "Environment": { "Variables": { OWNER: name } },
        "Code": { "ZipFile": BASE64_STANDARD.encode(zip) },
    })
}

/// `Invoke`, taken note of.
pub(crate) async fn invoke(
    caller: &Caller,
    frontend: &str,
    function: &str,
    told: &'static str,
    millis: u64,
) -> Invocation {
    invoke_qualified(caller, frontend, (function, None), told, millis).await
}

/// `Invoke` of a version or an alias, taken note of.
pub(crate) async fn invoke_qualified(
    caller: &Caller,
    frontend: &str,
    (function, qualifier): (&str, Option<&str>),
    told: &'static str,
    millis: u64,
) -> Invocation {
    let id = format!("{:016x}", caller.entropy.next_u64());
    let body = json!({ "id": id, "do": told, "ms": millis });
    let query = qualifier.map_or(String::new(), |q| format!("?Qualifier={q}"));
    let path = format!("{FUNCTIONS}/{function}/invocations{query}");
    let starts = caller.starts(frontend);
    let sent = caller.world.elapsed.now();
    let answer = send(caller, frontend, Method::POST, &path, &body).await;
    let outcome = outcome(answer, &id);
    let invocation = Invocation {
        id,
        function: function.to_owned(),
        qualifier: qualifier.map(str::to_owned),
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
    caller.call(frontend, method, path, &[], Bytes::new()).await
}
