use expect_test::{Expect, expect};
use model::{
    EphemeralMib, MemoryMib, TimeoutSeconds,
    function::{LogFormat, Publication, TracingMode},
};
use serde_json::{Value, json};

use super::*;
use crate::request::{
    Request,
    testing::{parse, refused},
};

const CREATE: &str = "POST /2015-03-31/functions";

fn minimal() -> Value {
    json!({
        "FunctionName": "f",
        "Runtime": "python3.13",
        "Role": "arn:aws:iam::123456789012:role/r",
        "Handler": "h.handler",
        "Code": {"ZipFile": "UEsDBA=="},
    })
}

fn with(members: &Value) -> String {
    let mut body = minimal();
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

fn created(members: &Value) -> CreateFunction {
    match parse(CREATE, &with(members)).unwrap() {
        Request::CreateFunction(create) => *create,
        other => panic!("{other:?}"),
    }
}

fn zip(bytes: &[u8]) -> Source {
    Source::Archive(code::Archive::Zip(bytes.to_vec()))
}

#[track_caller]
fn check_refused(members: &Value, expected: &Expect) {
    expected.assert_eq(&refused(CREATE, &with(members)));
}

#[test]
fn what_is_not_said_has_its_default() {
    let create = created(&json!({}));
    assert_eq!(
        create.function.arn(None).to_string(),
        "arn:aws:lambda:us-east-1:123456789012:function:f"
    );
    assert_eq!(create.source, zip(b"PK\x03\x04"));
    assert_eq!(create.layers, []);
    assert_eq!(create.publish, None);
    assert_eq!(create.tags, BTreeMap::new());
    expect![[r#"
        Config {
            runtime: python3.13,
            handler: Some(
                "h.handler",
            ),
            role: "arn:aws:iam::123456789012:role/r",
            description: "",
            timeout: TimeoutSeconds(
                3,
            ),
            memory: MemoryMib(
                128,
            ),
            ephemeral: EphemeralMib(
                512,
            ),
            architecture: X86_64,
            environment: None,
            tracing: PassThrough,
            logging: Logging {
                format: Text,
                application_level: None,
                system_level: None,
                group: None,
            },
            optional: None,
        }
    "#]]
    .assert_debug_eq(&create.config);
}

#[test]
fn everything_that_can_be_said() {
    let create = created(&json!({
        "FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:g",
        "Description": "d", "Timeout": 900, "MemorySize": 10240, "Publish": true, "PackageType": "Zip",
        "Environment": {"Variables": {"KEY": "v=1", "AWS_LAMBDA_EXEC_WRAPPER": "/opt/w"}},
        "TracingConfig": {"Mode": "Active"}, "Tags": {"team": "x"}, "Architectures": ["arm64"],
        "EphemeralStorage": {"Size": 1024}, "SnapStart": {"ApplyOn": "None"},
        "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "LogGroup": "/g"},
        "VpcConfig": {}, "DeadLetterConfig": {"TargetArn": ""}, "KMSKeyArn": "", "Layers": [], "FileSystemConfigs": [],
        "FutureMember": {"a": 1},
    }));
    assert_eq!(create.function.name.as_str(), "g");
    assert_eq!(create.publish, Some(Publication::Number));
    assert_eq!(create.tags["team"], "x");
    let config = create.config;
    assert_eq!(config.timeout, TimeoutSeconds::new(900).unwrap());
    assert_eq!(config.memory, MemoryMib::MAX);
    assert_eq!(config.ephemeral, EphemeralMib::new(1024).unwrap());
    assert_eq!(config.architecture, Architecture::Arm64);
    let Some(StoredEnvironment::Clear(environment)) = config.environment else {
        panic!("expected the variables as they came");
    };
    assert_eq!(environment.0["KEY"], "v=1");
    assert_eq!(config.tracing, TracingMode::Active);
    assert_eq!(config.logging.format, LogFormat::Json);
    assert_eq!(config.logging.application_level.as_deref(), Some("DEBUG"));
    assert_eq!(config.logging.system_level.as_deref(), Some("INFO"));
    assert_eq!(config.logging.group.as_deref(), Some("/g"));
}

#[test]
fn every_violation_is_told_at_once() {
    let body = json!({
        "FunctionName": "a b", "Handler": "a b", "Description": "d".repeat(257), "Timeout": 0, "MemorySize": 127,
        "Architectures": ["mips"], "PackageType": "Tar", "EphemeralStorage": {}, "TracingConfig": {"Mode": "On"},
        "Environment": {"Variables": {"_HANDLER": "x"}}, "Tags": {"": "v"}, "SnapStart": {"ApplyOn": "x"},
        "LoggingConfig": {"LogFormat": "XML", "ApplicationLogLevel": "LOUD", "SystemLogLevel": "LOUD", "LogGroup": ""},
    });
    let error = refused(CREATE, &body.to_string());
    assert!(
        error.starts_with(
            "ValidationException: 19 validation errors detected: Value 'a b' at 'functionName'"
        ),
        "{error}"
    );
    let paths: Vec<_> = error
        .split(" at '")
        .skip(1)
        .map(|rest| rest.split('\'').next().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "functionName",
            "role",
            "handler",
            "code",
            "description",
            "timeout",
            "memorySize",
            "packageType",
            "environment.variables",
            "tracingConfig.mode",
            "tags",
            "architectures",
            "ephemeralStorage.size",
            "snapStart.applyOn",
            "loggingConfig.logFormat",
            "loggingConfig.applicationLogLevel",
            "loggingConfig.systemLogLevel",
            "loggingConfig.logGroup",
            "loggingConfig.logGroup",
        ]
    );
}

#[test]
fn a_body_that_is_not_the_json_it_should_be() {
    let refused = |body| refused(CREATE, body);
    expect!["InvalidRequestContentException: Could not parse request body into json: EOF while parsing an object at line 1 column 1"].assert_eq(&refused("{"));
    expect!["InvalidRequestContentException: Could not parse request body into json: expected an integer at 'timeout', got a string"].assert_eq(&refused(r#"{"Timeout":"x"}"#));
    expect!["ValidationException: 3 validation errors detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null; Value null at 'role' failed to satisfy constraint: Member must not be null; Value null at 'code' failed to satisfy constraint: Member must not be null"].assert_eq(&refused(""));
}

#[test]
fn names_and_roles() {
    check_refused(
        &json!({"Role": "r"}),
        &expect![[
            r"ValidationException: 1 validation error detected: Value 'r' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
        ]],
    );
    check_refused(
        &json!({"FunctionName": "f:live"}),
        &expect![
            "InvalidParameterValueException: This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN."
        ],
    );
    check_refused(
        &json!({"FunctionName": "arn:aws:lambda:eu-west-1:123456789012:function:f"}),
        &expect![
            "ResourceNotFoundException: Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
        ],
    );
}

#[test]
fn runtimes_and_handlers() {
    let required = "InvalidParameterValueException: Runtime and Handler are mandatory parameters for functions created with deployment packages.";
    assert_eq!(refused(CREATE, &with(&json!({"Runtime": null}))), required);
    assert_eq!(refused(CREATE, &with(&json!({"Handler": null}))), required);
    check_refused(
        &json!({"Runtime": "python2.7"}),
        &expect![
            "InvalidParameterValueException: The runtime parameter of python2.7 is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions."
        ],
    );
    let unknown = refused(CREATE, &with(&json!({"Runtime": "cobol"})));
    assert!(
        unknown.starts_with("InvalidParameterValueException: Value cobol at 'runtime' failed"),
        "{unknown}"
    );
}

#[test]
fn what_the_model_allows_and_a_quota_does_not() {
    check_refused(
        &json!({"Timeout": 901}),
        &expect![
            "InvalidParameterValueException: 'Timeout' value failed to satisfy constraint: Member must have value less than or equal to 900"
        ],
    );
    check_refused(
        &json!({"MemorySize": 10241}),
        &expect![
            "InvalidParameterValueException: 'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 10240"
        ],
    );
    check_refused(
        &json!({"EphemeralStorage": {"Size": 20_000}}),
        &expect![
            "InvalidParameterValueException: 'EphemeralStorage' value failed to satisfy constraint: Member must have value less than or equal to 10240"
        ],
    );
    let tags = |n: usize| -> Value {
        (0..n)
            .map(|i| (format!("k{i}"), json!("v")))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    assert_eq!(created(&json!({"Tags": tags(50)})).tags.len(), 50);
    check_refused(
        &json!({"Tags": tags(51)}),
        &expect!["InvalidParameterValueException: Number of tags exceeds resource tag limit."],
    );
    let longest: serde_json::Map<_, _> = (0..50)
        .map(|i| (format!("k{i}"), json!("\u{4e00}".repeat(256))))
        .collect();
    check_refused(
        &json!({"Tags": longest}),
        &expect![
            "InvalidParameterValueException: The tags of a resource must have at most 24576 bytes together."
        ],
    );
}

#[test]
fn environments() {
    let environment = |variables: Value| json!({"Environment": {"Variables": variables}});
    check_refused(
        &environment(json!({"AWS_REGION": "x", "LAMBDA_TASK_ROOT": "y", "OK": "z"})),
        &expect![
            "InvalidParameterValueException: Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_REGION, LAMBDA_TASK_ROOT"
        ],
    );
    // {"AB":"…"} is 9 bytes longer than its value.
    assert!(
        created(&environment(json!({"AB": "x".repeat(4096 - 9)})))
            .config
            .environment
            .is_some()
    );
    let error = refused(
        CREATE,
        &with(&environment(json!({"AB": "x".repeat(4097 - 9)}))),
    );
    let expected = format!(
        "InvalidParameterValueException: Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {{\"AB\":\"{}\"}}",
        "x".repeat(4097 - 9)
    );
    assert_eq!(error, expected);
    check_refused(
        &environment(json!({"AB": "a\u{0}b"})),
        &expect![
            "InvalidParameterValueException: The value of the environment variable AB contains a NUL character."
        ],
    );
    assert_eq!(
        created(&json!({"Environment": {}})).config.environment,
        None
    );
    check_refused(
        &json!({"LoggingConfig": {"LogFormat": "Text", "SystemLogLevel": "WARN"}}),
        &expect![
            "InvalidParameterValueException: ApplicationLogLevel and SystemLogLevel can only be set when LogFormat is JSON."
        ],
    );
}

#[test]
fn sources_of_code() {
    check_refused(
        &json!({"Code": {}}),
        &expect!["InvalidParameterValueException: Please provide a source for function code."],
    );
    check_refused(
        &json!({"Code": {"ZipFile": "UEsDBA==", "S3Bucket": "bucket"}}),
        &expect![
            "InvalidParameterValueException: Please do not provide other FunctionCode parameters when providing a ZipFile."
        ],
    );
    check_refused(
        &json!({"Code": {"ZipFile": "!"}}),
        &expect![
            "InvalidRequestContentException: Could not parse request body into json: ZipFile is not base64: Invalid symbol 33, offset 0."
        ],
    );
    // Some clients write the slashes of base64 as escapes.
    let body = minimal().to_string().replace("UEsDBA==", r"\/\/\/\/");
    let Request::CreateFunction(create) = parse(CREATE, &body).unwrap() else {
        panic!()
    };
    assert_eq!(create.source, zip(&[0xff, 0xff, 0xff]));
}

#[test]
fn where_it_is_published_says_not_that_it_is() {
    let to = json!({"PublishTo": "LATEST_PUBLISHED"});
    assert_eq!(created(&to).publish, None);
    let both = json!({"PublishTo": "LATEST_PUBLISHED", "Publish": true});
    assert_eq!(created(&both).publish, Some(Publication::Latest));
}

#[test]
fn the_key_of_a_package_is_part_of_the_configuration() {
    let key = "arn:aws:kms:us-east-1:123456789012:key/k";
    let create = created(&json!({"Code": {"ZipFile": "UEsDBA==", "SourceKMSKeyArn": key}}));
    let origin = create.config.origin().unwrap();
    assert_eq!(origin.kms_key.as_deref(), Some(key));
}

#[test]
fn what_few_functions_have() {
    assert_eq!(
        created(&json!({"VpcConfig": {}, "DeadLetterConfig": {"TargetArn": ""}, "Layers": [], "ImageConfig": {}}))
            .config
            .optional,
        None
    );
    let layer = "arn:aws:lambda:us-east-1:123456789012:layer:l:1";
    let create = created(&json!({
        "TenancyConfig": {"TenantIsolationMode": "PER_TENANT"},
        "DurableConfig": {"ExecutionTimeout": 1},
        "Layers": [layer],
    }));
    let optional = create.config.optional.as_deref().unwrap();
    assert!(optional.tenant_isolation && optional.durable.is_some());
    assert_eq!(optional.layers, []);
    let used = UsedLayer {
        version: create.layers[0].clone(),
        content: Code::of_image("x"),
    };
    let mutation = create.into_mutation(Code::of_image("y"), None, vec![used.clone()]);
    let Mutation::CreateFunction { config, .. } = mutation else {
        panic!()
    };
    assert_eq!(config.layers(), [used]);
    check_refused(
        &json!({"SnapStart": {"ApplyOn": "PublishedVersions"}, "Runtime": "python3.11"}),
        &expect![
            "InvalidParameterValueException: python3.11 is not supported for SnapStart enabled functions."
        ],
    );
    check_refused(
        &json!({"Runtime": "custom"}),
        &expect![
            "InvalidParameterValueException: RuntimeConfig is required for functions with the runtime custom."
        ],
    );
}

#[test]
fn functions_of_an_image() {
    let image = json!({"PackageType": "Image", "Code": {"ImageUri": "r/i:1"}, "Runtime": null, "Handler": null,
        "ImageConfig": {"Command": ["c"]}});
    let create = created(&image);
    assert_eq!(create.source, Source::Image("r/i:1".to_owned()));
    assert_eq!(create.config.runtime, Runtime::IMAGE);
    let named = create.config.image().unwrap();
    assert_eq!(
        (named.uri.as_str(), named.overrides.command.as_slice()),
        ("r/i:1", ["c".to_owned()].as_slice())
    );
    let but = |member: &str, value: Value| {
        let mut body = image.clone();
        body[member] = value;
        body
    };
    let not_with_image = "InvalidParameterValueException: Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.";
    for (member, value) in [
        ("Runtime", json!("python3.13")),
        ("Handler", json!("h")),
        (
            "Layers",
            json!(["arn:aws:lambda:us-east-1:123456789012:layer:l:1"]),
        ),
    ] {
        assert_eq!(refused(CREATE, &with(&but(member, value))), not_with_image);
    }
    check_refused(
        &but("Code", json!({"ZipFile": ""})),
        &expect![
            "InvalidParameterValueException: Please provide ImageUri when creating a function with packageType Image."
        ],
    );
    check_refused(
        &but("PackageType", json!("Zip")),
        &expect![
            "InvalidParameterValueException: Please don't provide ImageUri when creating a function with packageType Zip."
        ],
    );
    check_refused(
        &json!({"ImageConfig": {"Command": ["c"]}}),
        &expect![
            "InvalidParameterValueException: ImageConfig can only be provided for functions with packageType Image."
        ],
    );
    check_refused(
        &but("SnapStart", json!({"ApplyOn": "PublishedVersions"})),
        &expect![
            "InvalidParameterValueException: ContainerImage is not supported for SnapStart enabled functions."
        ],
    );
}

#[test]
fn a_package_and_an_environment_do_not_reach_a_log() {
    let create = created(&json!({"Environment": {"Variables": {"KEY": "hidden"}}}));
    let shown = format!("{create:?}");
    assert!(
        shown.contains("bytes: 4") && shown.contains("KEY") && !shown.contains("hidden"),
        "{shown}"
    );
}
