//! Records of the AWS API.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::Verb;
use crate::{
    caller::{Caller, NoAnswer, package},
    history::registers::{Act, Answer, Fate},
};

/// A kind of record.
pub(crate) struct Kind {
    /// What reports call it.
    pub(crate) name: &'static str,
    /// Whether it belongs to the function that is its place, and goes with it.
    pub(crate) is_of_function: bool,
    /// What can be done to one whose name is known.
    pub(crate) verbs: &'static [Verb],
    /// How it is made, if the catalog gives the name.
    pub(crate) minted: Option<Minted>,
    /// How it is asked for: its place (a function, or the name that the catalog gave) and the call.
    request: fn(&str, Act) -> Request,
    /// The value that an answer shows; `None` if it shows that there is no record.
    shown: fn(&Value) -> Option<u64>,
}

/// A record whose name the catalog makes up.
pub(crate) struct Minted {
    request: fn(&str, u64) -> Request,
    /// The name, as an answer tells it.
    name: fn(&Value) -> Option<String>,
}

/// A request of the API.
pub(crate) struct Request {
    method: Method,
    path: String,
    body: Value,
}

const EACH: &[Verb] = &[Verb::Create, Verb::Update, Verb::Delete, Verb::Read];

/// All kinds.
pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: "reserved concurrency",
        is_of_function: true,
        verbs: &[Verb::Put, Verb::Remove, Verb::Read],
        minted: None,
        request: |function, act| match act {
            Act::Put(value) => put(
                format!("/2017-10-31/functions/{function}/concurrency"),
                json!({ "ReservedConcurrentExecutions": value }),
            ),
            Act::Remove => delete(format!("/2017-10-31/functions/{function}/concurrency")),
            _ => get(format!("/2019-09-30/functions/{function}/concurrency")),
        },
        shown: |body| body.get("ReservedConcurrentExecutions")?.as_u64(),
    },
    Kind {
        name: "event-invoke configuration",
        is_of_function: true,
        verbs: &[Verb::Put, Verb::Update, Verb::Delete, Verb::Read],
        minted: None,
        request: |function, act| {
            let path = format!("/2019-09-25/functions/{function}/event-invoke-config");
            let body = |value| json!({ "MaximumEventAgeInSeconds": 60 + value });
            match act {
                Act::Put(value) => put(path, body(value)),
                Act::Update(value) => post(path, body(value)),
                Act::Delete => delete(path),
                _ => get(path),
            }
        },
        shown: |body| {
            body.get("MaximumEventAgeInSeconds")?
                .as_u64()?
                .checked_sub(60)
        },
    },
    Kind {
        name: "function URL",
        is_of_function: true,
        verbs: EACH,
        minted: None,
        request: |function, act| {
            let path = format!("/2021-10-31/functions/{function}/url");
            let body = |value| json!({ "AuthType": "NONE", "Cors": { "MaxAge": value } });
            match act {
                Act::Create(value) => post(path, body(value)),
                Act::Update(value) => put(path, body(value)),
                Act::Delete => delete(path),
                _ => get(path),
            }
        },
        shown: |body| body.get("Cors")?.get("MaxAge")?.as_u64(),
    },
    Kind {
        name: "tag",
        is_of_function: true,
        verbs: &[Verb::Put, Verb::Remove, Verb::Read],
        minted: None,
        request: |function, act| {
            let path = format!("/2017-03-31/tags/{ARN}function%3A{function}");
            match act {
                Act::Put(value) => post(path, json!({ "Tags": { "turn": value.to_string() } })),
                Act::Remove => delete(format!("{path}?tagKeys=turn")),
                _ => get(path),
            }
        },
        shown: |body| body.get("Tags")?.get("turn")?.as_str()?.parse().ok(),
    },
    Kind {
        name: "permission",
        is_of_function: true,
        verbs: &[Verb::Create, Verb::Delete, Verb::Read],
        minted: None,
        request: |function, act| {
            let path = format!("/2015-03-31/functions/{function}/policy");
            match act {
                Act::Create(value) => post(
                    path,
                    json!({
                        "StatementId": "turn", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
                        "SourceAccount": format!("{value:012}"),
                    }),
                ),
                Act::Delete => delete(format!("{path}/turn")),
                _ => get(path),
            }
        },
        shown: |body| {
            let policy: Value = serde_json::from_str(body.get("Policy")?.as_str()?).ok()?;
            let condition = policy.get("Statement")?.get(0)?.get("Condition")?;
            let account = condition.get("StringEquals")?.get("AWS:SourceAccount")?;
            account.as_str()?.parse().ok()
        },
    },
    Kind {
        name: "provisioned concurrency",
        is_of_function: true,
        verbs: &[Verb::Put, Verb::Remove, Verb::Read],
        minted: None,
        request: |function, act| {
            let path =
                format!("/2019-09-30/functions/{function}/provisioned-concurrency?Qualifier=1");
            match act {
                Act::Put(value) => put(path, json!({ "ProvisionedConcurrentExecutions": value })),
                Act::Remove => delete(path),
                _ => get(path),
            }
        },
        shown: |body| {
            body.get("RequestedProvisionedConcurrentExecutions")?
                .as_u64()
        },
    },
    Kind {
        name: "permission of a layer",
        is_of_function: false,
        verbs: &[Verb::Create, Verb::Delete, Verb::Read],
        minted: None,
        request: |layer, act| {
            let path = format!("/2018-10-31/layers/{layer}/versions/1/policy");
            match act {
                Act::Create(value) => post(
                    path,
                    json!({
                        "StatementId": "turn", "Action": "lambda:GetLayerVersion", "Principal": format!("{value:012}"),
                    }),
                ),
                Act::Delete => delete(format!("{path}/turn")),
                _ => get(path),
            }
        },
        shown: |body| {
            let policy: Value = serde_json::from_str(body.get("Policy")?.as_str()?).ok()?;
            let principal = policy.get("Statement")?.get(0)?.get("Principal")?;
            let arn = principal.get("AWS")?.as_str()?;
            arn.split(':').nth(4)?.parse().ok()
        },
    },
    Kind {
        name: "capacity provider",
        is_of_function: false,
        verbs: EACH,
        minted: None,
        request: |name, act| {
            let path = format!("/2025-11-30/capacity-providers/{name}");
            let scaling = |value| json!({ "MaxVCpuCount": 2 + value });
            match act {
                Act::Create(value) => post(
                    "/2025-11-30/capacity-providers".to_owned(),
                    json!({
                        "CapacityProviderName": name,
                        "VpcConfig": { "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"] },
                        "PermissionsConfig": { "CapacityProviderOperatorRoleArn": ROLE },
                        "CapacityProviderScalingConfig": scaling(value),
                    }),
                ),
                Act::Update(value) => put(
                    path,
                    json!({ "CapacityProviderScalingConfig": scaling(value) }),
                ),
                Act::Delete => delete(path),
                _ => get(path),
            }
        },
        shown: |body| {
            let provider = body.get("CapacityProvider")?;
            let scaling = provider.get("CapacityProviderScalingConfig")?;
            scaling.get("MaxVCpuCount")?.as_u64()?.checked_sub(2)
        },
    },
    Kind {
        name: "code-signing configuration",
        is_of_function: false,
        verbs: &[Verb::Update, Verb::Delete, Verb::Read],
        minted: Some(Minted {
            request: |_, value| {
                post(
                    "/2020-04-22/code-signing-configs".to_owned(),
                    json!({ "AllowedPublishers": publishers(), "Description": value.to_string() }),
                )
            },
            name: |body| {
                let arn = body.get("CodeSigningConfig")?.get("CodeSigningConfigArn")?;
                Some(arn.as_str()?.to_owned())
            },
        }),
        request: |arn, act| {
            let path = format!(
                "/2020-04-22/code-signing-configs/{}",
                arn.replace(':', "%3A")
            );
            match act {
                Act::Update(value) => put(path, json!({ "Description": value.to_string() })),
                Act::Delete => delete(path),
                _ => get(path),
            }
        },
        shown: |body| {
            body.get("CodeSigningConfig")?
                .get("Description")?
                .as_str()?
                .parse()
                .ok()
        },
    },
    Kind {
        name: "event source mapping",
        is_of_function: false,
        verbs: &[Verb::Update, Verb::Delete, Verb::Read],
        minted: Some(Minted {
            request: |function, value| {
                post(
                    "/2015-03-31/event-source-mappings".to_owned(),
                    json!({
                        "FunctionName": function,
                        // Two of one source are refused.
                        "EventSourceArn": format!("arn:aws:sqs:us-east-1:000000000000:queue-{value}"),
                        "BatchSize": value, "MaximumBatchingWindowInSeconds": 1,
                    }),
                )
            },
            name: |body| Some(body.get("UUID")?.as_str()?.to_owned()),
        }),
        request: |uuid, act| {
            let path = format!("/2015-03-31/event-source-mappings/{uuid}");
            match act {
                Act::Update(value) => put(path, json!({ "BatchSize": value })),
                Act::Delete => delete(path),
                _ => get(path),
            }
        },
        // One whose end has begun is as good as gone: nothing can be done to it any more.
        shown: |body| match body.get("State")?.as_str()? {
            "Deleting" => None,
            _ => body.get("BatchSize")?.as_u64(),
        },
    },
    Kind {
        name: "layer version",
        is_of_function: false,
        verbs: &[Verb::Remove, Verb::Read],
        minted: Some(Minted {
            request: |_, value| {
                let zip = BASE64_STANDARD.encode(package("a layer", 0));
                post(
                    "/2018-10-31/layers/shared/versions".to_owned(),
                    json!({ "Content": { "ZipFile": zip }, "Description": value.to_string() }),
                )
            },
            name: |body| Some(body.get("Version")?.as_u64()?.to_string()),
        }),
        request: |number, act| {
            let path = format!("/2018-10-31/layers/shared/versions/{number}");
            match act {
                Act::Remove => delete(path),
                _ => get(path),
            }
        },
        shown: |body| body.get("Description")?.as_str()?.parse().ok(),
    },
];

/// Publishes version 1 of a layer, again and again until it is there or it is time to stop.
pub(crate) async fn make_layer(caller: &Caller, name: &str) {
    let zip = BASE64_STANDARD.encode(package(name, 0));
    let make = async || {
        let path = format!("/2018-10-31/layers/{name}/versions");
        let request = post(path, json!({ "Content": { "ZipFile": zip } }));
        let made = request.send(caller, &caller.frontend()).await;
        matches!(made, Ok((200..300, _)))
    };
    caller.insist(make).await;
}

const ARN: &str = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3A";
const ROLE: &str = "arn:aws:iam::000000000000:role/any";

fn publishers() -> Value {
    let profile = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/mine/0123456789";
    json!({ "SigningProfileVersionArns": [profile] })
}

impl Kind {
    /// Makes a call on a record of this kind, and tells its fate.
    pub(crate) async fn call(
        &self,
        caller: &Caller,
        frontend: &str,
        place: &str,
        act: Act,
    ) -> Fate {
        let (status, body) = match (self.request)(place, act).send(caller, frontend).await {
            Ok(answer) => answer,
            Err(fate) => return fate,
        };
        match (status, act) {
            (200..300, Act::Read) => Fate::Known(Answer::Shown((self.shown)(&body))),
            (200..300, _) => Fate::Known(Answer::Done),
            (404, Act::Read) => Fate::Known(Answer::Shown(None)),
            (404, Act::Update(_) | Act::Delete) => Fate::Known(Answer::NotFound),
            (409, Act::Create(_)) => Fate::Known(Answer::Conflict),
            (400..500, _) => Fate::Refused,
            _ => Fate::Unknown,
        }
    }
}

impl Minted {
    /// Makes a record, and tells its name and the fate of the call.
    pub(crate) async fn make(
        &self,
        caller: &Caller,
        frontend: &str,
        place: &str,
        value: u64,
    ) -> (Option<String>, Fate) {
        match (self.request)(place, value).send(caller, frontend).await {
            Ok((200..300, body)) => match (self.name)(&body) {
                Some(name) => (Some(name), Fate::Known(Answer::Done)),
                None => (None, Fate::Unknown),
            },
            Ok((400..500, _)) => (None, Fate::Refused),
            Ok(_) => (None, Fate::Unknown),
            Err(fate) => (None, fate),
        }
    }
}

impl Request {
    async fn send(self, caller: &Caller, frontend: &str) -> Result<(u16, Value), Fate> {
        let body = match self.body {
            Value::Null => Bytes::new(),
            body => Bytes::from(body.to_string()),
        };
        let answer = caller
            .call(frontend, self.method, &self.path, &[], body)
            .await;
        match answer {
            Ok(answer) => Ok((answer.status, answer.json())),
            Err(NoAnswer::NotSent(_)) => Err(Fate::Refused),
            Err(NoAnswer::Lost(_)) => Err(Fate::Unknown),
        }
    }
}

fn get(path: String) -> Request {
    let (method, body) = (Method::GET, Value::Null);
    Request { method, path, body }
}

fn delete(path: String) -> Request {
    let (method, body) = (Method::DELETE, Value::Null);
    Request { method, path, body }
}

fn put(path: String, body: Value) -> Request {
    let method = Method::PUT;
    Request { method, path, body }
}

fn post(path: String, body: Value) -> Request {
    let method = Method::POST;
    Request { method, path, body }
}
