//! Requests of every operation, from the line to the parsed body: what is refused is refused as a caller's mistake, in few
//! words and without a secret; what is accepted is within the limits, and policies are asked for what it is about; and how a body
//! is spaced and in which order its members stand makes no difference.

#![no_main]

use std::collections::BTreeMap;

use fuzz::wire::Wire;
use lambda_api::{
    ApiError, Holder, Operation, Query, Request, Scope, invoke,
    request::{Input, setting::SettingRequest},
    route::{self, Labels},
};
use libfuzzer_sys::fuzz_target;
use model::{
    ByteCount, Limits,
    function::StoredEnvironment,
    invocation::InvocationType,
    mapping::{MappingChange, Setting},
    setting::SettingChange,
};
use serde_json::Value;

/// The longest text of a refusal, in bytes, whatever came.
const REFUSAL_MAX: usize = 64 << 10;

/// Members of a body that hold secrets, and a text that stands for one in the corpus.
const SECRETS: [&str; 6] = [
    "Environment",
    "ErrorData",
    "ErrorMessage",
    "ErrorType",
    "Reason",
    "StackTrace",
];
const SECRET: &str = "hunter2";

fuzz_target!(|text: &[u8]| {
    let Some(wire) = Wire::read(text) else {
        return;
    };
    let routed = match route::route(&wire.method, &wire.path, &wire.query) {
        Ok(routed) => routed,
        Err(unknown) => return refused(&unknown.into()),
    };
    let query = match Query::parse(&wire.query) {
        Ok(query) => query,
        Err(unreadable) => return refused(&unreadable.into()),
    };
    let asked = Asked {
        operation: routed.operation,
        labels: routed.labels,
        query,
        wire,
        limits: limits(),
    };
    let parsed = asked.parse(&asked.wire.body);
    match &parsed {
        Ok(request) => {
            demanded(request, asked.operation);
            within_limits(&asked, request);
        }
        Err(error) => {
            refused(error);
            keeps_the_secret(&asked, error);
        }
    }
    spacing_means_nothing(&asked, &parsed);
    grown(&asked, &parsed);
    payload(&asked);
});

struct Asked {
    operation: Operation,
    labels: Labels,
    query: Query,
    wire: Wire,
    limits: Limits,
}

impl Asked {
    fn parse(&self, body: &[u8]) -> Result<Request, ApiError> {
        self.parse_within(body, &self.limits)
    }

    fn parse_within(&self, body: &[u8], limits: &Limits) -> Result<Request, ApiError> {
        Request::parse(&Input {
            operation: self.operation,
            labels: &self.labels,
            query: &self.query,
            headers: &self.wire.headers,
            body,
            scope: &scope(),
            limits,
        })
    }
}

fn scope() -> Scope {
    Scope {
        account: "123456789012".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
    }
}

/// Low enough for short inputs to reach them.
fn limits() -> Limits {
    Limits {
        request_payload: ByteCount(64),
        environment: ByteCount(128),
        tags: 3,
        filters: 2,
        policy: ByteCount(512),
        ..Limits::default()
    }
}

fn refused(error: &ApiError) {
    let (status, _, body) = error.to_response_parts();
    assert!(status.is_client_error(), "{status} {error}");
    let text = error.to_string();
    assert!(
        text.len() <= REFUSAL_MAX,
        "{} bytes: {:.300}",
        text.len(),
        text
    );
    let body: Value = serde_json::from_slice(&body).expect("a body of JSON");
    let said = body.get("message").or_else(|| body.get("Message"));
    assert_eq!(said.and_then(Value::as_str), Some(&*text));
}

/// Policies are asked for the operation itself on what the request is about, and are told whose that is.
fn demanded(request: &Request, operation: Operation) {
    let demands = request.demands(operation, &scope());
    assert_eq!(demands[0].action, operation.action());
    if let Some(Holder::Function(function)) = &demands[0].holder {
        assert_eq!(Some(function), request.resource().as_ref());
    }
    for demand in &demands {
        let said = match &demand.holder {
            None => demand.resource.clone(),
            Some(Holder::Function(function)) => {
                assert_eq!(demand.resource.parse().as_ref(), Ok(function));
                function.to_string()
            }
            Some(Holder::LayerVersion(id)) => id.to_string(),
            Some(Holder::Mapping(id)) => id.arn(),
            Some(Holder::CodeSigningConfig(id)) => id.to_string(),
            Some(Holder::CapacityProvider(id)) => id.to_string(),
        };
        assert_eq!(demand.resource, said);
        let parts: Vec<&str> = demand.resource.split(':').collect();
        match *parts.as_slice() {
            ["*"] => assert_eq!(demand.account, scope().account),
            ["arn", "aws", "lambda", region, account, ..] => {
                assert_eq!((region, account), ("us-east-1", demand.account.as_str()));
            }
            ["arn", _, "iam", "", ..] => assert_eq!(demand.action, "iam:PassRole"),
            ["arn", "aws", "s3", "", "", ..] => {
                assert!(demand.action.starts_with("s3:GetObject"), "{demand:?}");
            }
            _ => panic!("{demand:?}"),
        }
    }
}

/// What is accepted fits: under a limit that is just as high it still does, under the next lower one it does not.
fn within_limits(asked: &Asked, request: &Request) {
    let exactly = |measured: usize, allowed: u64, limit: fn(&mut Limits, usize)| {
        assert!(u64::try_from(measured).expect("short") <= allowed);
        let within = |most: usize| {
            let mut limits = asked.limits.clone();
            limit(&mut limits, most);
            asked.parse_within(&asked.wire.body, &limits)
        };
        assert_eq!(within(measured).as_ref(), Ok(request));
        if let Some(less) = measured.checked_sub(1) {
            assert!(within(less).is_err(), "{measured} within {less}");
        }
    };
    let limits = &asked.limits;
    let count = |n: usize| u64::try_from(n).expect("short");
    let tags = |tags: &BTreeMap<String, String>| {
        exactly(tags.len(), count(limits.tags), |to, n| to.tags = n);
    };
    let environment = |environment: Option<&StoredEnvironment>| {
        if let Some(StoredEnvironment::Clear(variables)) = environment {
            let measured = serde_json::to_vec(&variables.0).expect("JSON").len();
            exactly(measured, limits.environment.0, |to, n| {
                to.environment = ByteCount(u64::try_from(n).expect("short"))
            });
        }
    };
    let filters = |settings: &[Setting]| {
        for setting in settings {
            if let Setting::Filters(filters) = setting {
                exactly(filters.len(), count(limits.filters), |to, n| to.filters = n);
            }
        }
    };
    match request {
        Request::CreateFunction(request) => {
            tags(&request.tags);
            environment(request.config.environment.as_ref());
        }
        Request::UpdateFunctionConfiguration(request) => {
            environment(request.patch.environment.as_ref());
        }
        Request::CreateEventSourceMapping(request) => {
            tags(&request.tags);
            filters(&request.settings);
        }
        Request::UpdateEventSourceMapping(request) => {
            let MappingChange::Configure { settings, .. } = &request.change else {
                panic!("another change");
            };
            filters(settings);
        }
        Request::Setting(SettingRequest::PutResourcePolicy(request)) => {
            let SettingChange::PutPolicy(policy) = &request.configure.change else {
                panic!("another change");
            };
            assert!(count(policy.size()) <= limits.policy.0);
        }
        _ => {}
    }
}

/// Secrets are not repeated, but where AWS repeats environment variables: when they are too large.
fn keeps_the_secret(asked: &Asked, error: &ApiError) {
    if matches!(error, ApiError::InvalidParameterValue(_)) || !error.to_string().contains(SECRET) {
        return;
    }
    let Ok(mut body) = serde_json::from_slice::<Value>(&asked.wire.body) else {
        return;
    };
    if let Some(members) = body.as_object_mut() {
        members.retain(|name, _| !SECRETS.contains(&&**name));
    }
    let mut rest = asked.wire.clone();
    rest.body = body.to_string().into_bytes();
    let rest = rest.write();
    let elsewhere = rest.windows(SECRET.len()).any(|part| part == SECRET.as_bytes())
        // It may be hidden behind an escape.
        || rest.contains(&b'%') || rest.contains(&b'\\');
    assert!(elsewhere, "{error}");
}

/// What is wrong once may be wrong a thousand times, and is told in few words all the same.
fn grown(asked: &Asked, parsed: &Result<Request, ApiError>) {
    const COPIES: usize = 1500;
    if !matches!(parsed, Err(ApiError::Validation(_))) {
        return;
    }
    let Ok(Value::Object(mut body)) = serde_json::from_slice(&asked.wire.body) else {
        return;
    };
    let mut lists = body.values_mut().filter_map(Value::as_array_mut);
    if let Some(list) = lists.find(|list| (1..8).contains(&list.len())) {
        *list = list.iter().cycle().take(COPIES).cloned().collect();
        let body = serde_json::to_vec(&body).expect("JSON");
        if let Err(error) = asked.parse(&body) {
            refused(&error);
        }
    }
}

fn spacing_means_nothing(asked: &Asked, parsed: &Result<Request, ApiError>) {
    let Ok(body) = serde_json::from_slice::<Value>(&asked.wire.body) else {
        return;
    };
    if matches!(
        asked.operation,
        Operation::Invoke | Operation::InvokeWithResponseStream | Operation::InvokeAsync
    ) {
        return;
    }
    let spaced = serde_json::to_vec_pretty(&body).expect("JSON");
    match (parsed, asked.parse(&spaced)) {
        (Ok(parsed), again) => assert_eq!(again.as_ref(), Ok(parsed)),
        // A member that came twice is there once now.
        (Err(ApiError::InvalidRequestContent(_)), _) => {}
        (Err(error), again) => assert_eq!(again.as_ref(), Err(error)),
    }
}

/// The payload of an invocation: one JSON value, within the limit, as it came.
fn payload(asked: &Asked) {
    let body = &asked.wire.body;
    for how in [InvocationType::RequestResponse, InvocationType::Event] {
        match invoke::payload(body.clone().into(), how, &asked.limits) {
            Ok(payload) if body.is_empty() => assert_eq!(&*payload, b"{}"),
            Ok(payload) => {
                assert_eq!(&*payload, &**body);
                let size = u64::try_from(payload.len()).expect("short");
                assert!(size <= invoke::payload_max(how, &asked.limits));
            }
            Err(error) => refused(&error),
        }
    }
}
