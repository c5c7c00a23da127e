use super::*;

const LAYER: &str = "arn:aws:lambda:us-east-1:123456789012:layer:";

fn parse(json: &str) -> Result<Parsed, ApiError> {
    let scope = Scope {
        account: "123456789012".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    };
    serde_json::from_str::<Shape>(json).unwrap().parse(&scope)
}

#[track_caller]
fn refused(json: &str, expected: &str) {
    let error = parse(json).unwrap_err();
    assert_eq!(format!("{}: {error}", error.name()), expected);
}

#[test]
fn what_is_empty_clears_and_what_is_absent_says_nothing() {
    use OptionalMember as M;
    assert_eq!(parse("{}").unwrap(), Parsed::default());
    assert_eq!(parse(r#"{"SnapStart":{}}"#).unwrap(), Parsed::default());
    for (json, member) in [
        (r#"{"VpcConfig":{}}"#, M::Vpc),
        (
            r#"{"VpcConfig":{"SubnetIds":[],"SecurityGroupIds":[]}}"#,
            M::Vpc,
        ),
        (r#"{"DeadLetterConfig":{}}"#, M::DeadLetter),
        (r#"{"DeadLetterConfig":{"TargetArn":""}}"#, M::DeadLetter),
        (r#"{"KMSKeyArn":""}"#, M::KmsKey),
        (r#"{"FileSystemConfigs":[]}"#, M::FileSystems),
        (r#"{"SnapStart":{"ApplyOn":"None"}}"#, M::SnapStart),
    ] {
        let parsed = parse(json).unwrap();
        assert_eq!(
            parsed.patch,
            OptionalPatch {
                members: [member].into(),
                values: OptionalConfig::default()
            },
            "{json}"
        );
    }
    assert_eq!(parse(r#"{"Layers":[]}"#).unwrap().layers, Some(Vec::new()));
}

#[test]
fn every_member_is_read() {
    let parsed = parse(
        r#"{
        "VpcConfig":{"SubnetIds":["subnet-1"],"SecurityGroupIds":["sg-1"],"Ipv6AllowedForDualStack":true},
        "DeadLetterConfig":{"TargetArn":"arn:aws:sqs:us-east-1:123456789012:q"},
        "KMSKeyArn":"arn:aws:kms:us-east-1:123456789012:key/k",
        "FileSystemConfigs":[{"Arn":"a","LocalMountPath":"/mnt/x","S3FilesConfig":{"DirectS3Read":"AUTO"}}],
        "SnapStart":{"ApplyOn":"PublishedVersions"},
        "ImageConfig":{"EntryPoint":["e"],"Command":["c"],"WorkingDirectory":"/w"},
        "CapacityProviderConfig":{"LambdaManagedInstancesCapacityProviderConfig":{"CapacityProviderArn":"arn:aws:lambda:us-east-1:123456789012:capacity-provider:p",
            "PerExecutionEnvironmentMaxConcurrency":3,"ExecutionEnvironmentMemoryGiBPerVCpu":2.5}},
        "DurableConfig":{"KMSKeyArn":"k","RetentionPeriodInDays":1,"ExecutionTimeout":2},
        "RuntimeConfig":{"RuntimeArn":"r","RuntimeAlias":"a"},
        "AcceleratorConfig":{"AcceleratorMemorySize":16}}"#,
    )
    .unwrap();
    assert_eq!(parsed.patch.members.len(), 10);
    let values = parsed.into_new();
    assert!(values.vpc.unwrap().ipv6 && values.snap_start);
    assert!(values.dead_letter.is_some() && values.kms_key.is_some());
    assert_eq!(
        values.file_systems[0].direct_s3_read.as_deref(),
        Some("AUTO")
    );
    assert_eq!(values.image.unwrap().overrides.command, ["c"]);
    let capacity = values.capacity.unwrap();
    assert_eq!(capacity.provider.name.as_str(), "p");
    assert_eq!(capacity.memory_per_vcpu_milligib, Some(2500));
    assert_eq!(values.durable.unwrap().execution_timeout_s, Some(2));
    assert_eq!(values.custom_runtime.unwrap().alias, "a");
    assert_eq!(values.accelerator_gb, Some(16));
}

#[test]
fn layers_are_few_of_one_region_and_of_different_layers() {
    let parsed = parse(&format!(r#"{{"Layers":["{LAYER}a:1","{LAYER}b:2"]}}"#)).unwrap();
    let layers = parsed.layers.unwrap();
    assert_eq!(layers[1].to_string(), format!("{LAYER}b:2"));
    refused(
        &format!(r#"{{"Layers":["{LAYER}a:1","{LAYER}a:2"]}}"#),
        &format!(
            "InvalidParameterValueException: Two different versions of the same layer are not allowed to be referenced in the same function. {LAYER}a:1 and {LAYER}a:2 are versions of the same layer."
        ),
    );
    let six: Vec<_> = (0..6).map(|n| format!("\"{LAYER}l{n}:1\"")).collect();
    refused(
        &format!(r#"{{"Layers":[{}]}}"#, six.join(",")),
        "InvalidParameterValueException: Cannot reference more than 5 layers.",
    );
    refused(
        r#"{"Layers":["arn:aws:lambda:eu-west-1:123456789012:layer:a:1"]}"#,
        "InvalidParameterValueException: Layers are not in the same region as the function. Layers are expected to be in region us-east-1.",
    );
    refused(
        r#"{"Layers":["arn:aws:lambda:::awslayer:a"]}"#,
        "InvalidParameterValueException: Layer version arn:aws:lambda:::awslayer:a does not exist.",
    );
}

#[test]
fn what_contradicts_itself_is_refused() {
    refused(
        r#"{"VpcConfig":{"SubnetIds":["subnet-1"]}}"#,
        "InvalidParameterValueException: VpcConfig must name both SubnetIds and SecurityGroupIds, or neither of them.",
    );
    refused(
        r#"{"DeadLetterConfig":{"TargetArn":"arn:aws:s3:::b"}}"#,
        "InvalidParameterValueException: DeadLetterConfig.TargetArn must be the ARN of an SQS queue or of an SNS topic.",
    );
    refused(
        r#"{"AcceleratorConfig":{"AcceleratorMemorySize":0}}"#,
        "InvalidParameterValueException: AcceleratorConfig.AcceleratorMemorySize must be greater than 0.",
    );
}
