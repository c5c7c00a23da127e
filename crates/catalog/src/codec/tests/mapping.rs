use model::{
    EventSourceMapping,
    mapping::{
        Access, AccessKind, ConsumptionMode, DocumentDb, Duplicate, FullDocument, Kafka, LogLevel,
        MappingChange, MappingId, MappingState, MappingUuid, Member, Metric, Pollers, RecordFormat,
        Refusal, SchemaRegistry, Setting, Settings, Source, SourceKind, Start, Until,
    },
};

use super::*;

pub(in crate::codec) fn id() -> MappingId {
    MappingId {
        account: "123456789012".parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
        uuid: MappingUuid::from_random(7),
    }
}

pub(in crate::codec) fn sources() -> Vec<Source> {
    let arn = || "arn:aws:x:eu-west-1:123456789012:y".to_owned();
    let kafka = |start, consumer_group: Option<&str>| Kafka {
        topic: "t".to_owned(),
        start,
        consumer_group: consumer_group.map(str::to_owned),
    };
    vec![
        Source::Sqs { arn: arn() },
        Source::Kinesis {
            arn: arn(),
            start: Start::At(Timestamp(1_767_323_045_123)),
        },
        Source::DynamoDb {
            arn: arn(),
            start: Start::TrimHorizon,
        },
        Source::Msk {
            arn: arn(),
            kafka: kafka(Start::Latest, Some("g")),
        },
        Source::SelfManagedKafka {
            bootstrap_servers: vec!["a:1".to_owned(), "b:2".to_owned()],
            kafka: kafka(Start::TrimHorizon, None),
        },
        Source::Mq {
            arn: arn(),
            queue: "q".to_owned(),
        },
        Source::DocumentDb {
            arn: arn(),
            start: Start::Latest,
        },
    ]
}

/// Every setting, with every form of what can be absent.
pub(in crate::codec) fn settings() -> Vec<Setting> {
    let own = str::to_owned;
    let access = |kind| Access {
        kind,
        uri: own("u"),
    };
    let registry = |format, key| SchemaRegistry {
        uri: own("https://r"),
        format,
        access: vec![access(AccessKind::BasicAuth)],
        validates_key: key,
        validates_value: !key,
    };
    vec![
        Setting::BatchSize(3),
        Setting::BatchingWindow(0),
        Setting::Filters(vec![own("{}"), own("x")]),
        Setting::Filters(Vec::new()),
        Setting::KmsKey(Some(own("k"))),
        Setting::KmsKey(None),
        Setting::Metrics(vec![Metric::EventCount, Metric::KafkaMetrics]),
        Setting::LogLevel(Some(LogLevel::Warn)),
        Setting::LogLevel(None),
        Setting::MaximumConcurrency(Some(2)),
        Setting::MaximumConcurrency(None),
        Setting::Pollers(Some(Pollers {
            minimum: Some(1),
            maximum: None,
            group: Some(own("g")),
        })),
        Setting::Pollers(Some(Pollers::default())),
        Setting::Pollers(None),
        Setting::Parallelization(4),
        Setting::Bisect(false),
        Setting::TumblingWindow(900),
        Setting::RecordAge(Until::Forever),
        Setting::RecordAge(Until::AtMost(60)),
        Setting::Retries(Until::AtMost(0)),
        Setting::OnFailure(Some(own("arn:aws:sqs:::q"))),
        Setting::OnFailure(None),
        Setting::ReportBatchItemFailures(true),
        Setting::Access(vec![
            access(AccessKind::VirtualHost),
            access(AccessKind::IamAuth),
        ]),
        Setting::SchemaRegistry(Some(registry(Some(RecordFormat::Json), true))),
        Setting::SchemaRegistry(Some(registry(None, false))),
        Setting::SchemaRegistry(None),
        Setting::ConsumptionMode(ConsumptionMode::Queue),
        Setting::DocumentDb(DocumentDb {
            database: own("d"),
            collection: Some(own("c")),
            full_document: FullDocument::UpdateLookup,
        }),
    ]
}

pub(in crate::codec) fn mapping(source: Source, state: MappingState) -> EventSourceMapping {
    let mut all = Settings::default();
    for setting in settings() {
        all.set(setting);
    }
    EventSourceMapping {
        id: id(),
        function: function().arn(Some(model::Qualifier::Alias("live".parse().unwrap()))),
        source,
        settings: all,
        enabled: state == MappingState::Enabling,
        state,
        last_modified: Timestamp(1_767_323_045_123),
        tags: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        revision: RevisionId::from_random(9),
    }
}

#[test]
fn every_mapping_reads_as_it_was_written() {
    for (source, state) in sources().into_iter().zip([
        MappingState::Creating,
        MappingState::Enabling,
        MappingState::Enabled,
        MappingState::Disabling,
        MappingState::Disabled,
        MappingState::Updating,
        MappingState::Deleting,
    ]) {
        let record = Arc::new(mapping(source, state));
        for record in [
            Record::Mapping(record.clone()),
            answer(Ok(Changed::Mapping(record))),
        ] {
            let change = Change::Put(record);
            assert_eq!(decode_row(&encode_change(&change)).unwrap(), change);
        }
    }
    let gone = Change::Gone(Key::Mapping(id()));
    assert_eq!(decode_row(&encode_change(&gone)).unwrap(), gone);
}

#[test]
fn every_command_on_a_mapping_reads_as_it_was_written() {
    let create = |source| Mutation::CreateEventSourceMapping {
        function: function().arn(None),
        source: Box::new(source),
        settings: settings(),
        enabled: true,
        tags: BTreeMap::from([("a".to_owned(), String::new())]),
    };
    let update = |change| Mutation::UpdateEventSourceMapping {
        mapping: id(),
        change: Box::new(change),
    };
    let others = [
        update(MappingChange::Configure {
            function: None,
            enabled: None,
            settings: Vec::new(),
            consumer_group: None,
        }),
        update(MappingChange::Configure {
            function: Some(function().arn(Some(model::Qualifier::Version(Version::Latest)))),
            enabled: Some(false),
            settings: settings(),
            consumer_group: Some("g".to_owned()),
        }),
        update(MappingChange::Tag {
            set: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            unset: vec!["c".to_owned()],
            at_most: 50,
        }),
        Mutation::DeleteEventSourceMapping { mapping: id() },
        Mutation::SettleEventSourceMapping {
            mapping: id(),
            revision: RevisionId::from_random(2),
        },
    ];
    for mutation in sources().into_iter().map(create).chain(others) {
        let command = Command {
            stamp: Stamp {
                at: Timestamp(9),
                seed: 1 << 100,
            },
            key: IdempotencyKey(8),
            mutation,
        };
        assert_eq!(decode_command(&encode_command(&command)).unwrap(), command);
    }
}

#[test]
fn every_reason_to_refuse_a_mapping_comes_back() {
    let duplicate = Duplicate {
        uuid: id().uuid,
        kind: SourceKind::SelfManagedKafka,
        source: "a:1,b:2".to_owned(),
        topic: "t".to_owned(),
        function: function().arn(None),
    };
    let refusals = [
        Refusal::NotSupported(Member::Parallelization),
        Refusal::Required(Member::Access),
        Refusal::ProvisionedOnly(Member::Retries),
        Refusal::BatchTooLarge(10),
        Refusal::WindowNeeded,
        Refusal::FifoWindow,
        Refusal::TooFewPollers(2),
        Refusal::TooManyPollers(2000),
        Refusal::PollersReversed,
        Refusal::ConcurrencyWithPollers,
        Refusal::AccessNotSupported(AccessKind::VpcSubnet),
        Refusal::MetricNotSupported(Metric::ErrorCount),
        Refusal::ConsumerGroupFixed,
        Refusal::ConsumptionModeFixed,
        Refusal::StartInFuture,
        Refusal::TooManyTags,
        Refusal::TooLarge,
    ];
    let rejections = [
        Rejection::MappingNotFound(id()),
        Rejection::MappingInUse { deletion: true },
        Rejection::MappingInUse { deletion: false },
        Rejection::MappingExists(Box::new(duplicate)),
        Rejection::MappingWithoutFunction(function().arn(None)),
    ];
    let refusals = refusals.into_iter().map(Rejection::MappingRefused);
    for rejection in rejections.into_iter().chain(refusals) {
        let change = Change::Put(answer(Err(rejection)));
        assert_eq!(decode_row(&encode_change(&change)).unwrap(), change);
    }
}

/// The bytes of a mapping are on disks since format 2: a change here is a change of format.
#[test]
fn the_bytes_of_a_mapping_are_frozen() {
    let hex = |bytes: Vec<u8>| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let mut small = mapping(
        Source::Sqs {
            arn: "arn:aws:sqs:eu-west-1:123456789012:q".to_owned(),
        },
        MappingState::Enabled,
    );
    small.settings = Settings::of(SourceKind::Sqs);
    small.enabled = true;
    expect_test::expect!["08026aea010a3f0a0c313233343536373839303132120965752d776573742d311a2430303030303030302d303030302d343030302d383030302d303030303030303030303037123561726e3a6177733a6c616d6264613a65752d776573742d313a3132333435363738393031323a66756e6374696f6e3a663a6c6976651a280a260a2461726e3a6177733a7371733a65752d776573742d313a3132333435363738393031323a712202080a2202100028013207456e61626c656438839aa6e5b73342060a01611201624a2430303030303030302d303030302d343030302d383030302d303030303030303030303039"].assert_eq(&hex(encode_record(&Record::Mapping(Arc::new(small)))));
    let delete = Command {
        stamp: Stamp {
            at: Timestamp(1),
            seed: 2,
        },
        key: IdempotencyKey(3),
        mutation: Mutation::DeleteEventSourceMapping { mapping: id() },
    };
    expect_test::expect!["080210011a10000000000000000000000000000000022210000000000000000000000000000000032a44aa01410a3f0a0c313233343536373839303132120965752d776573742d311a2430303030303030302d303030302d343030302d383030302d303030303030303030303037"].assert_eq(&hex(encode_command(&delete)));
}
