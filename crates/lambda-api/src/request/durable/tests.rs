use http::{HeaderMap, HeaderValue, header::USER_AGENT};

use super::*;
use crate::request::{
    Request,
    testing::{parse, parse_with, refused},
};

const ARN: &str = "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af%3A1%2Fdurable-execution%2Forder-7%2F0b1c";
const PATH: &str = "/2025-12-01/durable-executions";

fn durable(request: &str, body: &str) -> Durable {
    match parse(request, body) {
        Ok(Request::Durable(durable)) => durable,
        other => panic!("{request}: {other:?}"),
    }
}

#[test]
fn an_execution_is_named_by_its_arn() {
    for request in [
        format!("GET {PATH}/{ARN}"),
        format!(
            "GET {PATH}/{ARN}/history?MaxItems=10&ReverseOrder=true&IncludeExecutionData=false"
        ),
        format!("POST {PATH}/{ARN}/stop"),
        format!("POST {PATH}/{ARN}/pause"),
        format!("POST {PATH}/{ARN}/resume"),
        format!("DELETE {PATH}/{ARN}"),
    ] {
        let Durable::Execution(execution) = durable(&request, "") else {
            panic!("{request}")
        };
        assert!(
            execution
                .arn
                .ends_with(":f:1/durable-execution/order-7/0b1c")
        );
        assert!(execution.function.to_string().ends_with(":function:f:1"));
    }
}

#[test]
fn an_execution_of_others_is_not_shown() {
    let of = |region: &str, account: &str| {
        format!(
            "GET {PATH}/arn%3Aaws%3Alambda%3A{region}%3A{account}%3Afunction%3Af%3A1%2Fdurable-execution%2Fa%2Fb"
        )
    };
    // Whether that of another account may be seen is decided on what is demanded here.
    let request = crate::request::testing::parse(&of("us-east-1", "210987654321"), "").unwrap();
    let theirs = request.resource().unwrap().id.account;
    assert_eq!(theirs.to_string(), "210987654321");
    assert_eq!(
        refused(&of("eu-west-1", "123456789012"), ""),
        "ResourceNotFoundException: Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
    );
    assert!(refused(&format!("GET {PATH}/f"), "").starts_with("ValidationException"));
}

#[test]
fn a_refusal_of_a_token_is_spelled_as_the_caller_knows_it() {
    let spelled = |agent: &'static str| {
        let headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(agent))]);
        let request = format!("GET {PATH}/{ARN}/state?CheckpointToken=abcd");
        match parse_with(&request, &headers, "") {
            Ok(Request::Durable(Durable::Token(_, refusal))) => refusal,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        spelled("Boto3/1.44 aws-durable-execution-sdk-python/3.0.0"),
        TokenRefusal::Lower
    );
    assert_eq!(
        spelled("aws-sdk-js/3 aws-durable-execution-sdk-js/2.4.0"),
        TokenRefusal::Title
    );
    assert_eq!(
        spelled("aws-sdk-java/2 aws-durable-execution-sdk-java/1.0"),
        TokenRefusal::Title
    );
    assert_eq!(spelled("curl/8"), TokenRefusal::Lower);
}

#[test]
fn callbacks_and_lists() {
    let id = "YWJj%2Fd%3D%3D";
    for what in ["succeed", "fail", "heartbeat"] {
        let request = format!("POST /2025-12-01/durable-execution-callbacks/{id}/{what}");
        assert_eq!(
            durable(&request, ""),
            Durable::Callback("YWJj/d==".to_owned())
        );
    }
    let list =
        "GET /2025-12-01/functions/f/durable-executions?Qualifier=live&MaxItems=0&Statuses=RUNNING";
    let Durable::OfFunction(target) = durable(list, "") else {
        panic!()
    };
    assert!(target.arn().to_string().ends_with(":f:live"));
    assert_eq!(
        refused(&format!("{list}&Marker=x"), ""),
        "InvalidParameterValueException: The provided Marker is invalid."
    );
    assert!(
        refused(
            "GET /2025-12-01/functions/f/durable-executions?MaxItems=1001",
            ""
        )
        .starts_with("ValidationException")
    );
}

/// The first rule that the updates of a checkpoint break; empty if they break none.
fn broken(updates: &str) -> String {
    let request = format!("POST {PATH}/{ARN}/checkpoint");
    let body = format!(r#"{{"CheckpointToken":"abcd","Updates":[{updates}]}}"#);
    match parse(&request, &body) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn updates_that_can_be_one_checkpoint() {
    for updates in [
        "",
        r#"{"Id":"a","Type":"STEP","Action":"START","Name":"n"},{"Id":"a","Type":"STEP","Action":"SUCCEED","Name":"n","Payload":"1"}"#,
        r#"{"Id":"a","Type":"STEP","Action":"RETRY","StepOptions":{"NextAttemptDelaySeconds":1},"Error":{"ErrorType":"E"}}"#,
        r#"{"Id":"c","Type":"CONTEXT","Action":"START"},{"Id":"w","Type":"WAIT","Action":"START","ParentId":"c","WaitOptions":{"WaitSeconds":60}}"#,
        r#"{"Id":"x","Type":"CALLBACK","Action":"START"},{"Id":"e","Type":"EXECUTION","Action":"FAIL","Error":{}}"#,
    ] {
        assert_eq!(broken(updates), "", "{updates}");
    }
}

#[test]
fn updates_that_can_not() {
    let end = r#"{"Id":"e","Type":"EXECUTION","Action":"SUCCEED"}"#;
    let start =
        r#"{"Id":"a","Type":"STEP","Action":"START","Name":"n","SubType":"s","ParentId":"p"}"#;
    for (updates, rule) in [
        (
            format!(r#"{end},{{"Id":"f","Type":"EXECUTION","Action":"FAIL"}}"#),
            "Cannot checkpoint multiple EXECUTION updates.",
        ),
        (
            format!("{end},{start}"),
            "EXECUTION checkpoint must be the last update.",
        ),
        (
            format!("{start},{start},{start}"),
            "Cannot checkpoint multiple operations with the same ID.",
        ),
        (
            r#"{"Id":"a","Type":"WAIT","Action":"START"},{"Id":"a","Type":"WAIT","Action":"CANCEL"}"#.to_owned(),
            "Cannot checkpoint multiple operations with the same ID.",
        ),
        (
            format!(r#"{start},{{"Id":"a","Type":"CONTEXT","Action":"SUCCEED"}}"#),
            "Inconsistent operation type.",
        ),
        (
            format!(r#"{start},{{"Id":"a","Type":"STEP","Action":"FAIL"}}"#),
            "Inconsistent operation subtype.",
        ),
        (
            format!(r#"{start},{{"Id":"a","Type":"STEP","Action":"FAIL","SubType":"s"}}"#),
            "Inconsistent operation name.",
        ),
        (
            format!(r#"{start},{{"Id":"a","Type":"STEP","Action":"FAIL","SubType":"s","Name":"n"}}"#),
            "Inconsistent parent operation id.",
        ),
        (
            r#"{"Id":"a","Type":"WAIT","Action":"RETRY"}"#.to_owned(),
            "Invalid action for the given operation type.",
        ),
        (
            r#"{"Id":"a","Type":"STEP","Action":"RETRY"}"#.to_owned(),
            "Invalid StepOptions for the given action.",
        ),
        (
            r#"{"Id":"a","Type":"STEP","Action":"START","StepOptions":{}}"#.to_owned(),
            "Invalid StepOptions for the given action.",
        ),
        (
            r#"{"Id":"a","Type":"STEP","Action":"FAIL","Payload":"1"}"#.to_owned(),
            "Cannot provide a Payload for FAIL action.",
        ),
        (
            r#"{"Id":"a","Type":"CONTEXT","Action":"SUCCEED","Error":{}}"#.to_owned(),
            "Cannot provide an Error for SUCCEED action.",
        ),
        (
            r#"{"Id":"a","Type":"STEP","Action":"RETRY","StepOptions":{"NextAttemptDelaySeconds":1},"Error":{},"Payload":"1"}"#.to_owned(),
            "Cannot provide both error and payload to RETRY a STEP.",
        ),
    ] {
        assert_eq!(broken(&updates), rule, "{updates}");
    }
}
