use super::testing::parse;

/// Requests as botocore 1.44.5 puts them on the wire, with the resource that each one is about.
#[test]
fn what_botocore_sends_is_understood() {
    const ARN: &str = "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af%3Alive";
    let create = r#"{"FunctionName": "f", "Runtime": "python3.13", "Role": "arn:aws:iam::123456789012:role/r", "Handler": "h.h", "Code": {"ZipFile": "UEs="}, "Tags": {"a": "b"}, "Environment": {"Variables": {"AB": "c"}}, "Architectures": ["arm64"], "SnapStart": {"ApplyOn": "None"}, "VpcConfig": {}, "Layers": []}"#;
    let invoke = format!("POST /2015-03-31/functions/{ARN}/invocations");
    let get = format!("GET /2015-03-31/functions/{ARN}");
    for (request, body, expected) in [
        ("POST /2015-03-31/functions", create, "CreateFunction f"),
        (&get, "", "GetFunction f:live"),
        (
            "GET /2015-03-31/functions/f/configuration?Qualifier=%24LATEST",
            "",
            "GetFunctionConfiguration f:$LATEST",
        ),
        (
            "GET /2015-03-31/functions?MaxItems=5&FunctionVersion=ALL",
            "",
            "ListFunctions",
        ),
        (
            "PUT /2015-03-31/functions/f/code",
            r#"{"ZipFile": "UEs=", "Publish": true}"#,
            "UpdateFunctionCode f",
        ),
        (
            "PUT /2015-03-31/functions/f/configuration",
            r#"{"Timeout": 5, "LoggingConfig": {"LogFormat": "JSON"}}"#,
            "UpdateFunctionConfiguration f",
        ),
        (
            "DELETE /2015-03-31/functions/f?Qualifier=3",
            "",
            "DeleteFunction f:3",
        ),
        (
            "POST /2015-03-31/functions/f/versions",
            "{}",
            "PublishVersion f",
        ),
        (
            "GET /2015-03-31/functions/f/versions",
            "",
            "ListVersionsByFunction f",
        ),
        (
            "POST /2015-03-31/functions/f/aliases",
            r#"{"Name": "live", "FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}}}"#,
            "CreateAlias f",
        ),
        ("GET /2015-03-31/functions/f/aliases/live", "", "GetAlias f"),
        (
            "PUT /2015-03-31/functions/f/aliases/live",
            r#"{"RoutingConfig": {"AdditionalVersionWeights": {}}}"#,
            "UpdateAlias f",
        ),
        (
            "DELETE /2015-03-31/functions/f/aliases/live",
            "",
            "DeleteAlias f",
        ),
        (
            "GET /2015-03-31/functions/f/aliases?FunctionVersion=1",
            "",
            "ListAliases f",
        ),
        ("GET /2016-08-19/account-settings", "", "GetAccountSettings"),
        (&invoke, "{}", "Invoke f:live"),
    ] {
        let parsed = parse(request, body).unwrap_or_else(|e| panic!("{request}: {e}"));
        let (operation, resource) = expected.split_once(' ').unwrap_or((expected, ""));
        assert!(
            format!("{parsed:?}").starts_with(operation),
            "{request}: {parsed:?}"
        );
        let expected = (!resource.is_empty())
            .then(|| format!("arn:aws:lambda:us-east-1:123456789012:function:{resource}"));
        assert_eq!(
            parsed.resource().map(|arn| arn.to_string()),
            expected,
            "{request}"
        );
    }
}
