//! What requests demand.

use super::*;
use crate::request::testing::parse;

const F: &str = "/2015-03-31/functions/f";

fn scope() -> Scope {
    Scope {
        account: "123456789012".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    }
}

/// What a request demands, a line each.
fn check(operation: Operation, request: &str, body: &str, expected: &[&str]) {
    let parsed = parse(request, body).unwrap();
    let demands = parsed.demands(operation, &scope());
    let lines: Vec<String> = demands
        .iter()
        .map(|d| {
            let keys: Vec<String> = d
                .keys
                .iter()
                .map(|(k, v)| format!(" {k}={}", v.join(",")))
                .collect();
            format!("{} {}{}", d.action, d.resource, keys.concat())
        })
        .collect();
    assert_eq!(lines, expected, "{request}");
}

#[test]
fn operations_demand_their_action_on_their_resource() {
    let arn = "arn:aws:lambda:us-east-1:123456789012";
    check(
        Operation::Invoke,
        &format!("POST {F}/invocations?Qualifier=live"),
        "",
        &[&format!(
            "lambda:InvokeFunction {arn}:function:f:live lambda:InvokedViaFunctionUrl=false"
        )],
    );
    check(
        Operation::ListFunctions,
        "GET /2015-03-31/functions",
        "",
        &["lambda:ListFunctions *"],
    );
    check(
        Operation::GetLayerVersion,
        "GET /2018-10-31/layers/l/versions/3",
        "",
        &[&format!("lambda:GetLayerVersion {arn}:layer:l:3")],
    );
    check(
        Operation::AddPermission,
        &format!("POST {F}/policy"),
        r#"{"StatementId":"s","Action":"lambda:InvokeFunction","Principal":"s3.amazonaws.com"}"#,
        &[&format!(
            "lambda:AddPermission {arn}:function:f lambda:Principal=s3.amazonaws.com"
        )],
    );
    check(
        Operation::UntagResource,
        &format!(
            "DELETE /2017-03-31/tags/{}?tagKeys=a&tagKeys=b",
            crate::percent::encode(&format!(
                "{arn}:event-source-mapping:0f8fad5b-d9cb-469f-a165-70867728950e"
            ))
        ),
        "",
        &[&format!(
            "lambda:UntagResource {arn}:event-source-mapping:0f8fad5b-d9cb-469f-a165-70867728950e aws:TagKeys=a,b"
        )],
    );
}

#[test]
fn a_function_demands_leave_to_pass_its_role_and_to_use_its_layers() {
    let arn = "arn:aws:lambda:us-east-1:123456789012";
    let body =
        format!(r#"{{"Role":"arn:aws:iam::123456789012:role/r","Layers":["{arn}:layer:l:3"]}}"#);
    check(
        Operation::UpdateFunctionConfiguration,
        &format!("PUT {F}/configuration"),
        &body,
        &[
            &format!(
                "lambda:UpdateFunctionConfiguration {arn}:function:f lambda:Layer={arn}:layer:l:3"
            ),
            "iam:PassRole arn:aws:iam::123456789012:role/r iam:PassedToService=lambda.amazonaws.com iam:AssociatedResourceArn=arn:aws:lambda:us-east-1:123456789012:function:f",
            &format!("lambda:GetLayerVersion {arn}:layer:l:3"),
        ],
    );
}

#[test]
fn conditions_can_ask_for_what_a_request_says() {
    let arn = "arn:aws:lambda:us-east-1:123456789012";
    let role = "arn:aws:iam::123456789012:role/r";
    let csc = format!("{arn}:code-signing-config:csc-0123456789abcdef0");
    let body = format!(
        r#"{{"FunctionName":"f","Role":"{role}","Runtime":"python3.13","Handler":"h","Code":{{"ZipFile":"UEs="}},
            "VpcConfig":{{"SubnetIds":["subnet-1","subnet-2"],"SecurityGroupIds":["sg-1"]}},"Tags":{{"a":"b"}},
            "CodeSigningConfigArn":"{csc}"}}"#
    );
    check(
        Operation::CreateFunction,
        "POST /2015-03-31/functions",
        &body,
        &[
            &format!(
                "lambda:CreateFunction {arn}:function:f aws:RequestTag/a=b aws:TagKeys=a lambda:SubnetIds=subnet-1,subnet-2 \
                 lambda:SecurityGroupIds=sg-1 lambda:CodeSigningConfigArn={csc}"
            ),
            &format!(
                "iam:PassRole {role} iam:PassedToService=lambda.amazonaws.com iam:AssociatedResourceArn={arn}:function:f"
            ),
        ],
    );
    check(
        Operation::AddPermission,
        &format!("POST {F}/policy"),
        r#"{"StatementId":"s","Action":"lambda:InvokeFunctionUrl","Principal":"*","FunctionUrlAuthType":"NONE"}"#,
        &[&format!(
            "lambda:AddPermission {arn}:function:f lambda:Principal=* lambda:FunctionUrlAuthType=NONE"
        )],
    );
    let url = "/2021-10-31/functions/f/url";
    for (operation, method) in [
        (Operation::CreateFunctionUrlConfig, "POST"),
        (Operation::UpdateFunctionUrlConfig, "PUT"),
    ] {
        check(
            operation,
            &format!("{method} {url}"),
            r#"{"AuthType":"NONE"}"#,
            &[&format!(
                "{} {arn}:function:f lambda:FunctionArn={arn}:function:f lambda:FunctionUrlAuthType=NONE",
                operation.action()
            )],
        );
    }
    check(
        Operation::CreateCodeSigningConfig,
        "POST /2020-04-22/code-signing-configs",
        r#"{"AllowedPublishers":{"SigningProfileVersionArns":["arn:aws:signer:us-east-1:123456789012:/signing-profiles/p/0123456789"]},"Tags":{"a":"b"}}"#,
        &["lambda:CreateCodeSigningConfig * aws:RequestTag/a=b aws:TagKeys=a"],
    );
}

/// What a request asks the catalog for.
fn holder_and_stored(
    operation: Operation,
    request: &str,
    body: &str,
) -> (Option<Holder>, Option<Stored>) {
    let demands = parse(request, body).unwrap().demands(operation, &scope());
    let first = demands.into_iter().next().unwrap();
    (first.holder, first.stored)
}

#[test]
fn conditions_can_ask_for_what_is_there() {
    let of: FunctionArn = "arn:aws:lambda:us-east-1:123456789012:function:f:live"
        .parse()
        .unwrap();
    let on = Some(Holder::Function(of.clone()));
    for (operation, method, body) in [
        (Operation::GetFunctionUrlConfig, "GET", ""),
        (Operation::DeleteFunctionUrlConfig, "DELETE", ""),
        (Operation::UpdateFunctionUrlConfig, "PUT", "{}"),
    ] {
        let request = format!("{method} /2021-10-31/functions/f/url?Qualifier=live");
        let expected = (on.clone(), Some(Stored::UrlAuth(of.clone())));
        assert_eq!(holder_and_stored(operation, &request, body), expected);
    }
    let remove = format!("DELETE {F}/policy/s?Qualifier=live");
    let statement = Stored::Statement {
        of,
        sid: "s".to_owned(),
    };
    assert_eq!(
        holder_and_stored(Operation::RemovePermission, &remove, ""),
        (on, Some(statement))
    );
    let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let mapping = Holder::Mapping(MappingId {
        account: scope().account,
        region: scope().region,
        uuid: uuid.parse().unwrap(),
    });
    let update = format!("PUT /2015-03-31/event-source-mappings/{uuid}");
    let arn = format!("arn:aws:lambda:us-east-1:123456789012:event-source-mapping:{uuid}");
    check(
        Operation::UpdateEventSourceMapping,
        &update,
        r#"{"FunctionName":"g"}"#,
        &[
            &format!("lambda:UpdateEventSourceMapping {arn}"),
            &format!(
                "lambda:UpdateEventSourceMapping {arn} lambda:FunctionArn=arn:aws:lambda:us-east-1:123456789012:function:g"
            ),
        ],
    );
    let tags = format!("GET /2017-03-31/tags/{}", crate::percent::encode(&arn));
    for (operation, request) in [
        (Operation::UpdateEventSourceMapping, update),
        (Operation::ListTags, tags),
    ] {
        assert_eq!(
            holder_and_stored(operation, &request, "").0,
            Some(mapping.clone())
        );
    }
}

#[test]
fn a_package_that_is_named_must_be_the_callers_to_read() {
    let arn = "arn:aws:lambda:us-east-1:123456789012";
    check(
        Operation::UpdateFunctionCode,
        &format!("PUT {F}/code"),
        r#"{"S3Bucket":"bucket","S3Key":"a/b.zip"}"#,
        &[
            &format!("lambda:UpdateFunctionCode {arn}:function:f"),
            "s3:GetObject arn:aws:s3:::bucket/a/b.zip",
        ],
    );
    check(
        Operation::PublishLayerVersion,
        "POST /2018-10-31/layers/l/versions",
        r#"{"Content":{"S3Bucket":"bucket","S3Key":"k","S3ObjectVersion":"v"}}"#,
        &[
            &format!("lambda:PublishLayerVersion {arn}:layer:l"),
            "s3:GetObjectVersion arn:aws:s3:::bucket/k s3:VersionId=v",
        ],
    );
    let object = get_object(
        &ObjectAddress {
            bucket: "b".to_owned(),
            key: "a/:s3:::b.zip".to_owned(),
            version: None,
        },
        &scope(),
    );
    assert_eq!(
        object.denied("USER", "because").to_string(),
        "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for b/a/:s3:::b.zip. S3 Error Code: AccessDenied. S3 Error Message: User: USER is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/a/:s3:::b.zip because"
    );
}

#[test]
fn a_layer_of_another_account_is_for_its_policy_to_open() {
    let layer = "arn:aws:lambda:us-east-1:210987654321:layer:l:3";
    let body = format!(r#"{{"Layers":["{layer}"]}}"#);
    let request = parse(&format!("PUT {F}/configuration"), &body).unwrap();
    let demands = request.demands(Operation::UpdateFunctionConfiguration, &scope());
    let used = demands.last().unwrap();
    assert_eq!(used.account, "210987654321".parse().unwrap());
    let version = layer.parse().unwrap();
    assert_eq!(used.holder, Some(Holder::LayerVersion(version)));
}
