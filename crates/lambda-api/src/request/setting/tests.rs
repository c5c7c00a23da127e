use super::*;
use crate::request::{Request, testing};

/// Parses a request of an operation on a setting.
#[track_caller]
pub(super) fn parse(request: &str, body: &str) -> SettingRequest {
    match testing::parse(request, body) {
        Ok(Request::Setting(parsed)) => parsed,
        other => panic!("{request}: {other:?}"),
    }
}

#[test]
fn a_key_prints_as_it_is_read_and_the_function_comes_first() {
    let keys = [".", "2", "10", "a", "live"];
    let parsed: Vec<PlaceKey> = keys.iter().map(|k| k.parse().unwrap()).collect();
    assert!(parsed.is_sorted());
    for (key, text) in parsed.iter().zip(keys) {
        assert_eq!(key.to_string(), text);
    }
    assert!("a.b".parse::<PlaceKey>().is_err());
}

/// Requests as botocore puts them on the wire, with the resource that each one is about.
#[test]
fn what_botocore_sends_is_understood() {
    const F: &str = "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af";
    let policy = r#"{"Policy": "{\"Version\": \"2012-10-17\", \"Statement\": {\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": \"*\", \"Resource\": \"*\"}}"}"#;
    let permission = r#"{"StatementId": "a", "Action": "lambda:InvokeFunction", "Principal": "*"}"#;
    let retries = r#"{"MaximumRetryAttempts": 1}"#;
    let mut seen = Vec::new();
    for (request, body, expected) in [
        (
            "POST /2015-03-31/functions/f/policy?Qualifier=live",
            permission,
            "AddPermission f:live",
        ),
        (
            "GET /2015-03-31/functions/f%3A1/policy",
            "",
            "GetPolicy f:1",
        ),
        (
            "DELETE /2015-03-31/functions/f/policy/a",
            "",
            "RemovePermission f",
        ),
        (
            &format!("PUT /2026-07-09/resource-policy/{F}%3Alive"),
            policy,
            "PutResourcePolicy f:live",
        ),
        (
            &format!("GET /2026-07-09/resource-policy/{F}"),
            "",
            "GetResourcePolicy f",
        ),
        (
            &format!("DELETE /2026-07-09/resource-policy/{F}"),
            "",
            "DeleteResourcePolicy f",
        ),
        (
            "PUT /2017-10-31/functions/f/concurrency",
            r#"{"ReservedConcurrentExecutions": 1}"#,
            "PutFunctionConcurrency f",
        ),
        (
            "GET /2019-09-30/functions/f/concurrency",
            "",
            "GetFunctionConcurrency f",
        ),
        (
            "DELETE /2017-10-31/functions/f/concurrency",
            "",
            "DeleteFunctionConcurrency f",
        ),
        (
            "PUT /2019-09-30/functions/f/provisioned-concurrency?Qualifier=1",
            r#"{"ProvisionedConcurrentExecutions": 1}"#,
            "PutProvisionedConcurrencyConfig f:1",
        ),
        (
            "GET /2019-09-30/functions/f/provisioned-concurrency?Qualifier=1",
            "",
            "GetProvisionedConcurrencyConfig f:1",
        ),
        (
            "DELETE /2019-09-30/functions/f/provisioned-concurrency?Qualifier=1",
            "",
            "DeleteProvisionedConcurrencyConfig f:1",
        ),
        (
            "GET /2019-09-30/functions/f/provisioned-concurrency?List=ALL&MaxItems=2",
            "",
            "ListProvisionedConcurrencyConfigs f",
        ),
        (
            "PUT /2019-09-25/functions/f/event-invoke-config",
            retries,
            "PutFunctionEventInvokeConfig f",
        ),
        (
            "POST /2019-09-25/functions/f/event-invoke-config",
            retries,
            "UpdateFunctionEventInvokeConfig f",
        ),
        (
            "GET /2019-09-25/functions/f/event-invoke-config?Qualifier=live",
            "",
            "GetFunctionEventInvokeConfig f:live",
        ),
        (
            "DELETE /2019-09-25/functions/f/event-invoke-config",
            "",
            "DeleteFunctionEventInvokeConfig f",
        ),
        (
            "GET /2019-09-25/functions/f/event-invoke-config/list",
            "",
            "ListFunctionEventInvokeConfigs f",
        ),
        (
            "POST /2021-10-31/functions/f/url",
            r#"{"AuthType": "NONE"}"#,
            "CreateFunctionUrlConfig f",
        ),
        (
            "GET /2021-10-31/functions/f/url?Qualifier=live",
            "",
            "GetFunctionUrlConfig f:live",
        ),
        (
            "PUT /2021-10-31/functions/f/url",
            "{}",
            "UpdateFunctionUrlConfig f",
        ),
        (
            "DELETE /2021-10-31/functions/f/url",
            "",
            "DeleteFunctionUrlConfig f",
        ),
        (
            "GET /2021-10-31/functions/f/urls",
            "",
            "ListFunctionUrlConfigs f",
        ),
        (
            "PUT /2021-07-20/functions/f/runtime-management-config",
            r#"{"UpdateRuntimeOn": "Auto"}"#,
            "PutRuntimeManagementConfig f",
        ),
        (
            "GET /2021-07-20/functions/f/runtime-management-config?Qualifier=1",
            "",
            "GetRuntimeManagementConfig f:1",
        ),
        (
            "PUT /2024-08-31/functions/f/recursion-config",
            r#"{"RecursiveLoop": "Allow"}"#,
            "PutFunctionRecursionConfig f",
        ),
        (
            "GET /2024-08-31/functions/f/recursion-config",
            "",
            "GetFunctionRecursionConfig f",
        ),
        (
            "PUT /2025-11-30/functions/f/function-scaling-config?Qualifier=1",
            "{}",
            "PutFunctionScalingConfig f:1",
        ),
        (
            "GET /2025-11-30/functions/f/function-scaling-config?Qualifier=1",
            "",
            "GetFunctionScalingConfig f:1",
        ),
        (
            &format!("POST /2017-03-31/tags/{F}"),
            r#"{"Tags": {"a": "b"}}"#,
            "TagResource f",
        ),
        (
            &format!("DELETE /2017-03-31/tags/{F}?tagKeys=a"),
            "",
            "UntagResource f",
        ),
        (&format!("GET /2017-03-31/tags/{F}"), "", "ListTags f"),
    ] {
        let parsed = parse(request, body);
        let (operation, resource) = expected.split_once(' ').unwrap();
        assert!(
            format!("{parsed:?}").starts_with(operation),
            "{request}: {parsed:?}"
        );
        let arn = format!("arn:aws:lambda:us-east-1:123456789012:function:{resource}");
        assert_eq!(
            parsed.resource().map(|a| a.to_string()),
            Some(arn),
            "{request}"
        );
        seen.push(operation.to_owned());
    }
    seen.dedup();
    assert_eq!(seen.len(), 32);
}
