use expect_test::{Expect, expect};
use model::mapping::{ConsumptionMode, Metric, Until};

use super::*;
use crate::request::{
    Request,
    testing::{parse, refused},
};

const CREATE: &str = "POST /2015-03-31/event-source-mappings/";
const UPDATE: &str = "PUT /2015-03-31/event-source-mappings/0f8fad5b-d9cb-469f-a165-70867728950e";
const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:q";
const STREAM: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/s";
const TABLE: &str =
    "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2025-02-17T16:33:01.784";
const CLUSTER: &str = "arn:aws:kafka:us-east-1:123456789012:cluster/c/u";
const BROKER: &str = "arn:aws:mq:us-east-1:123456789012:broker:b:b-1";
const OWN_KAFKA: &str = r#""SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["a:9092","b:9092"]}},"Topics":["orders"]"#;
const SECRET: &str = r#""SourceAccessConfigurations":[{"Type":"BASIC_AUTH","URI":"arn:aws:secretsmanager:us-east-1:123456789012:secret:s"}]"#;

/// A request to create a mapping from an ARN, with more members.
fn from(arn: &str, more: &str) -> String {
    format!(r#"{{"FunctionName":"f","EventSourceArn":"{arn}"{more}}}"#)
}

#[track_caller]
fn created(body: &str) -> CreateMapping {
    match parse(CREATE, body).unwrap() {
        Request::CreateEventSourceMapping(create) => *create,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn updated(body: &str) -> MappingChange {
    match parse(UPDATE, body).unwrap() {
        Request::UpdateEventSourceMapping(update) => update.change,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(body: &str, expected: &Expect) {
    expected.assert_eq(&refused(CREATE, body));
}

#[test]
fn each_kind_of_source() {
    let plain = created(&from(QUEUE, ""));
    assert_eq!(
        plain,
        CreateMapping {
            function: "arn:aws:lambda:us-east-1:123456789012:function:f"
                .parse()
                .unwrap(),
            source: Source::Sqs {
                arn: QUEUE.to_owned()
            },
            settings: Vec::new(),
            enabled: true,
            tags: BTreeMap::new(),
        }
    );
    let sources = [
        from(STREAM, r#","StartingPosition":"LATEST""#),
        from(
            STREAM,
            r#","StartingPosition":"AT_TIMESTAMP","StartingPositionTimestamp":1764000000.25"#,
        ),
        from(TABLE, r#","StartingPosition":"TRIM_HORIZON""#),
        from(
            CLUSTER,
            r#","Topics":["t1"],"AmazonManagedKafkaEventSourceConfig":{"ConsumerGroupId":"g"}"#,
        ),
        format!(
            r#"{{"FunctionName":"f",{OWN_KAFKA},"StartingPosition":"LATEST",{SECRET},"SelfManagedKafkaEventSourceConfig":{{"ConsumptionMode":"Stream"}}}}"#
        ),
        from(BROKER, &format!(r#","Queues":["q"],{SECRET}"#)),
        from(
            "arn:aws:rds:us-east-1:123456789012:cluster:c",
            &format!(r#","DocumentDBEventSourceConfig":{{"DatabaseName":"d"}},{SECRET}"#),
        ),
    ]
    .map(|body| created(&body).source);
    expect![[r#"
        Kinesis { arn: "arn:aws:kinesis:us-east-1:123456789012:stream/s", start: Latest }
        Kinesis { arn: "arn:aws:kinesis:us-east-1:123456789012:stream/s", start: At(Timestamp(1764000000250)) }
        DynamoDb { arn: "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2025-02-17T16:33:01.784", start: TrimHorizon }
        Msk { arn: "arn:aws:kafka:us-east-1:123456789012:cluster/c/u", kafka: Kafka { topic: "t1", start: TrimHorizon, consumer_group: Some("g") } }
        SelfManagedKafka { bootstrap_servers: ["a:9092", "b:9092"], kafka: Kafka { topic: "orders", start: Latest, consumer_group: None } }
        Mq { arn: "arn:aws:mq:us-east-1:123456789012:broker:b:b-1", queue: "q" }
        DocumentDb { arn: "arn:aws:rds:us-east-1:123456789012:cluster:c", start: TrimHorizon }
    "#]]
    .assert_eq(&sources.map(|source| format!("{source:?}\n")).concat());
}

#[test]
fn a_mapping_keeps_the_qualifier_and_the_tags() {
    let made = created(&format!(
        r#"{{"FunctionName":"f:live","EventSourceArn":"{QUEUE}","Enabled":false,"Tags":{{"a":"b"}}}}"#
    ));
    assert!(made.function.to_string().ends_with(":function:f:live"));
    assert!(!made.enabled);
    assert_eq!(made.tags.len(), 1);
}

#[test]
fn settings_are_what_was_given() {
    let made = created(&from(
        STREAM,
        r#","StartingPosition":"LATEST","BatchSize":7,"MaximumBatchingWindowInSeconds":3,"ParallelizationFactor":2,"BisectBatchOnFunctionError":true,"TumblingWindowInSeconds":30,"MaximumRecordAgeInSeconds":60,"MaximumRetryAttempts":-1,"FunctionResponseTypes":["ReportBatchItemFailures"],"DestinationConfig":{"OnFailure":{"Destination":"arn:aws:sqs:us-east-1:123456789012:dead"}},"FilterCriteria":{"Filters":[{"Pattern":"{\"data\":{\"a\":[1]}}"}]},"KMSKeyArn":"arn:aws:kms:us-east-1:123456789012:key/k","MetricsConfig":{"Metrics":["EventCount"]}"#,
    ));
    assert_eq!(
        made.settings,
        [
            Setting::Filters(vec!["{\"data\":{\"a\":[1]}}".to_owned()]),
            Setting::OnFailure(Some("arn:aws:sqs:us-east-1:123456789012:dead".to_owned())),
            Setting::RecordAge(Until::AtMost(60)),
            Setting::BatchSize(7),
            Setting::BatchingWindow(3),
            Setting::KmsKey(Some("arn:aws:kms:us-east-1:123456789012:key/k".to_owned())),
            Setting::Metrics(vec![Metric::EventCount]),
            Setting::Parallelization(2),
            Setting::Bisect(true),
            Setting::TumblingWindow(30),
            Setting::Retries(Until::Forever),
            Setting::ReportBatchItemFailures(true),
        ]
    );
}

#[test]
fn an_update_takes_away_what_it_names_without_a_value() {
    let change = updated(
        r#"{"Enabled":false,"FilterCriteria":{"Filters":[]},"KMSKeyArn":"","ScalingConfig":{},"ProvisionedPollerConfig":{},"DestinationConfig":{"OnFailure":{}},"FunctionResponseTypes":[],"LoggingConfig":{},"MetricsConfig":{},"SourceAccessConfigurations":[],"SelfManagedKafkaEventSourceConfig":{"SchemaRegistryConfig":{},"ConsumptionMode":"Stream"}}"#,
    );
    let MappingChange::Configure {
        function,
        enabled,
        settings,
        consumer_group,
    } = change
    else {
        panic!("{change:?}")
    };
    assert_eq!(
        (function, enabled, consumer_group),
        (None, Some(false), None)
    );
    assert_eq!(
        settings,
        [
            Setting::Filters(Vec::new()),
            Setting::OnFailure(None),
            Setting::Access(Vec::new()),
            Setting::SchemaRegistry(None),
            Setting::ConsumptionMode(ConsumptionMode::Stream),
            Setting::KmsKey(None),
            Setting::Metrics(Vec::new()),
            Setting::LogLevel(None),
            Setting::MaximumConcurrency(None),
            Setting::Pollers(None),
            Setting::ReportBatchItemFailures(false),
        ]
    );
}

/// The model of an update has no members for a source: they are ignored as any unknown member is.
#[test]
fn an_update_changes_no_source() {
    let empty = MappingChange::Configure {
        function: None,
        enabled: None,
        settings: Vec::new(),
        consumer_group: None,
    };
    assert_eq!(updated("{}"), empty);
    assert_eq!(
        updated(&format!(
            r#"{{"EventSourceArn":"{STREAM}","StartingPosition":"LATEST","Topics":["t"],"Queues":["q"],"Tags":{{"a":"b"}}}}"#
        )),
        empty
    );
}

#[test]
fn sources_that_are_none() {
    check(
        r#"{"FunctionName":"f"}"#,
        &expect!["InvalidParameterValueException: Unrecognized event source."],
    );
    check(
        &from("arn:aws:s3:::bucket", ""),
        &expect!["InvalidParameterValueException: Unrecognized event source."],
    );
    check(
        &from("nothing", ""),
        &expect![[
            r#"ValidationException: 1 validation error detected: Value 'nothing' at 'eventSourceArn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)"#
        ]],
    );
    check(
        &from(CLUSTER, &format!(",{OWN_KAFKA}")),
        &expect![
            "InvalidParameterValueException: Only one of EventSourceArn and SelfManagedEventSource can be specified."
        ],
    );
    check(
        &format!(r#"{{"FunctionName":"f",{OWN_KAFKA}}}"#),
        &expect![
            "InvalidParameterValueException: Required 'sourceAccessConfigurations' parameter is missing."
        ],
    );
    check(
        &from(CLUSTER, ""),
        &expect!["InvalidParameterValueException: Required 'topics' parameter is missing."],
    );
    check(
        &from(BROKER, &format!(",{SECRET}")),
        &expect!["InvalidParameterValueException: Required 'queues' parameter is missing."],
    );
    check(
        &from(QUEUE, r#","Topics":["t1"]"#),
        &expect![
            "InvalidParameterValueException: Unsupported 'topics' parameter for given event source mapping type."
        ],
    );
    check(
        &from(
            QUEUE,
            r#","SelfManagedKafkaEventSourceConfig":{"ConsumerGroupId":"g"}"#,
        ),
        &expect![
            "InvalidParameterValueException: Unsupported 'selfManagedKafkaEventSourceConfig' parameter for given event source mapping type."
        ],
    );
}

#[test]
fn where_reading_begins() {
    check(
        &from(QUEUE, r#","StartingPosition":"LATEST""#),
        &expect![
            "InvalidParameterValueException: StartingPosition is not valid for SQS event sources."
        ],
    );
    check(
        &from(STREAM, ""),
        &expect![
            "InvalidParameterValueException: 1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null."
        ],
    );
    check(
        &from(STREAM, r#","StartingPosition":"0""#),
        &expect![
            "ValidationException: 1 validation error detected: Value '0' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [TRIM_HORIZON, LATEST, AT_TIMESTAMP]"
        ],
    );
    check(
        &from(
            STREAM,
            r#","StartingPosition":"LATEST","StartingPositionTimestamp":1"#,
        ),
        &expect![
            "InvalidParameterValueException: Timestamp only valid with StartingPosition AT_TIMESTAMP"
        ],
    );
    check(
        &from(STREAM, r#","StartingPosition":"AT_TIMESTAMP""#),
        &expect!["InvalidParameterValueException: Need to specify a timestamp"],
    );
    check(
        &from(
            STREAM,
            r#","StartingPosition":"AT_TIMESTAMP","StartingPositionTimestamp":-1"#,
        ),
        &expect![
            "InvalidParameterValueException: StartingPositionTimestamp must be a time between 1970 and 9999."
        ],
    );
    check(
        &from(
            TABLE,
            r#","StartingPosition":"AT_TIMESTAMP","StartingPositionTimestamp":1"#,
        ),
        &expect![
            "InvalidParameterValueException: Unsupported starting position for arn type: arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2025-02-17T16:33:01.784"
        ],
    );
    check(
        &from(
            BROKER,
            &format!(r#","Queues":["q"],"StartingPosition":"LATEST",{SECRET}"#),
        ),
        &expect![
            "InvalidParameterValueException: Unsupported 'startingPosition' parameter for given event source mapping type."
        ],
    );
    // Records that are read each for itself have no order in which reading could begin.
    let queue = |more: &str| {
        let mode = r#""SelfManagedKafkaEventSourceConfig":{"ConsumptionMode":"Queue"}"#;
        format!(r#"{{"FunctionName":"f",{OWN_KAFKA},{SECRET},{mode}{more}}}"#)
    };
    check(
        &queue(r#","StartingPosition":"LATEST""#),
        &expect![
            "InvalidParameterValueException: Unsupported 'startingPosition' parameter for given event source mapping type."
        ],
    );
    assert!(parse(CREATE, &queue("")).is_ok());
}

#[test]
fn settings_that_no_source_or_not_this_one_takes() {
    check(
        &from(QUEUE, r#","BatchSize":11"#),
        &expect![
            "InvalidParameterValueException: Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
        ],
    );
    check(
        &from(
            &format!("{QUEUE}.fifo"),
            r#","MaximumBatchingWindowInSeconds":1"#,
        ),
        &expect![
            "InvalidParameterValueException: Batching window is not supported for FIFO queues"
        ],
    );
    check(
        &from(&format!("{QUEUE}.fifo"), r#","BatchSize":11"#),
        &expect![
            "InvalidParameterValueException: BatchSize must be less than or equal to 10 for given event source mapping type."
        ],
    );
    check(
        &from(QUEUE, r#","ParallelizationFactor":2"#),
        &expect![
            "InvalidParameterValueException: Unsupported 'parallelizationFactor' parameter for given event source mapping type."
        ],
    );
    check(
        &from(
            STREAM,
            r#","StartingPosition":"LATEST","MaximumRecordAgeInSeconds":59"#,
        ),
        &expect![
            "InvalidParameterValueException: MaximumRecordAgeInSeconds must be -1, or a value from 60 to 604800."
        ],
    );
    check(
        &from(
            QUEUE,
            r#","DestinationConfig":{"OnSuccess":{"Destination":"arn:aws:sqs:us-east-1:123456789012:q"}}"#,
        ),
        &expect![
            "InvalidParameterValueException: Unsupported DestinationConfig parameter for given event source mapping type."
        ],
    );
    check(
        &from(
            STREAM,
            r#","StartingPosition":"LATEST","DestinationConfig":{"OnFailure":{"Destination":"arn:aws:lambda:us-east-1:123456789012:function:g"}}"#,
        ),
        &expect![
            "InvalidParameterValueException: The destination ARN arn:aws:lambda:us-east-1:123456789012:function:g is invalid."
        ],
    );
    check(
        &from(
            QUEUE,
            r#","ScalingConfig":{"MaximumConcurrency":2},"ProvisionedPollerConfig":{"MinimumPollers":2}"#,
        ),
        &expect![
            "InvalidParameterValueException: ScalingConfig and ProvisionedPollerConfig cannot be used together: set MaximumPollers instead of MaximumConcurrency."
        ],
    );
    check(
        &from(QUEUE, r#","ScalingConfig":{"MaximumConcurrency":1}"#),
        &expect![
            "ValidationException: 1 validation error detected: Value '1' at 'scalingConfig.maximumConcurrency' failed to satisfy constraint: Member must have value greater than or equal to 2"
        ],
    );
    check(
        &from(
            CLUSTER,
            r#","Topics":["t1"],"FunctionResponseTypes":["ReportBatchItemFailures"]"#,
        ),
        &expect![
            "InvalidParameterValueException: The 'functionResponseTypes' parameter needs a ProvisionedPollerConfig for given event source mapping type."
        ],
    );
    check(
        &from(CLUSTER, &format!(r#","Topics":["t1"],{SECRET}"#)),
        &expect![
            "InvalidParameterValueException: Unsupported source access configuration type BASIC_AUTH for given event source mapping type."
        ],
    );
    check(
        &from(
            QUEUE,
            r#","SourceAccessConfigurations":[{"Type":"BASIC_AUTH"}]"#,
        ),
        &expect![
            "InvalidParameterValueException: A source access configuration must have a Type and a URI."
        ],
    );
}

#[test]
fn filters_are_patterns_and_not_many() {
    let filters = |patterns: &[&str]| {
        let list: Vec<_> = patterns
            .iter()
            .map(|pattern| serde_json::json!({ "Pattern": pattern }))
            .collect();
        let criteria = serde_json::json!({ "Filters": list });
        from(QUEUE, &format!(r#","FilterCriteria":{criteria}"#))
    };
    let good = r#"{"body":{"a":[{"numeric":[">",1]}],"$or":[{"b":[null]},{"c":[""]}]}}"#;
    assert_eq!(created(&filters(&[good; 5])).settings.len(), 1);
    let invalid = "InvalidParameterValueException: Invalid filter pattern definition.";
    for bad in ["", "simple string", "{}", "[]", r#"{"body":"x"}"#] {
        assert_eq!(refused(CREATE, &filters(&[good, bad])), invalid, "{bad}");
    }
    assert_eq!(
        refused(
            CREATE,
            &from(QUEUE, r#","FilterCriteria":{"Filters":[{}]}"#)
        ),
        invalid
    );
    check(
        &filters(&[good; 6]),
        &expect!["InvalidParameterValueException: FilterCriteria can have at most 5 filters."],
    );
}

#[test]
fn mappings_are_named_by_their_ids() {
    let path = "/2015-03-31/event-source-mappings";
    for given in [
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "0F8FAD5B-D9CB-469F-A165-70867728950E",
    ] {
        let Ok(Request::GetEventSourceMapping(id)) = parse(&format!("GET {path}/{given}"), "")
        else {
            panic!("{given}")
        };
        assert_eq!(
            id.arn(),
            "arn:aws:lambda:us-east-1:123456789012:event-source-mapping:0f8fad5b-d9cb-469f-a165-70867728950e"
        );
    }
    assert_eq!(
        refused(
            &format!("DELETE {path}/zf8fad5b-d9cb-469f-a165-70867728950e"),
            ""
        ),
        "ResourceNotFoundException: The resource you requested does not exist."
    );
    assert_eq!(
        refused(&format!("GET {path}/short"), ""),
        "ValidationException: 1 validation error detected: Value 'short' at 'uuid' failed to satisfy constraint: Member must have length greater than or equal to 36"
    );
}

#[test]
fn lists_have_filters_and_pages() {
    let Ok(Request::ListEventSourceMappings(list)) =
        parse("GET /2015-03-31/event-source-mappings/?MaxItems=10000", "")
    else {
        panic!()
    };
    assert_eq!((list.source_arn, list.function), (None, None));
    assert_eq!(list.page.limit, 100);
    let uuid: MappingUuid = "0f8fad5b-d9cb-469f-a165-70867728950e".parse().unwrap();
    let request = format!(
        "GET /2015-03-31/event-source-mappings?FunctionName=f:live&EventSourceArn={QUEUE}&Marker={}&MaxItems=2",
        page::marker(&uuid)
    );
    let Ok(Request::ListEventSourceMappings(list)) = parse(&request, "") else {
        panic!()
    };
    assert_eq!(list.source_arn.as_deref(), Some(QUEUE));
    assert!(list.function.unwrap().to_string().ends_with(":f:live"));
    assert_eq!((list.page.after, list.page.limit), (Some(uuid), 2));
    assert!(
        refused("GET /2015-03-31/event-source-mappings?Marker=x", "")
            .starts_with("InvalidParameterValueException: The provided Marker")
    );
}
