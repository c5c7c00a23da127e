use proptest::prelude::*;

use super::*;

#[test]
fn a_source_is_known_by_its_arn() {
    let arn = |rest: &str| format!("arn:aws:{rest}");
    for (rest, kind) in [
        ("sqs:us-east-1:123456789012:q", Some(SourceKind::Sqs)),
        (
            "sqs:us-east-1:123456789012:q.fifo",
            Some(SourceKind::SqsFifo),
        ),
        (
            "kinesis:us-east-1:123456789012:stream/s",
            Some(SourceKind::Kinesis),
        ),
        (
            "kinesis:us-east-1:123456789012:stream/s/consumer/c:1",
            Some(SourceKind::Kinesis),
        ),
        (
            "dynamodb:us-east-1:123456789012:table/t/stream/2025-02-17T16:33:01.784",
            Some(SourceKind::DynamoDb),
        ),
        ("dynamodb:us-east-1:123456789012:table/t", None),
        (
            "kafka:us-east-1:123456789012:cluster/c/u",
            Some(SourceKind::Msk),
        ),
        (
            "mq:us-east-1:123456789012:broker:b:b-1",
            Some(SourceKind::Mq),
        ),
        (
            "rds:us-east-1:123456789012:cluster:d",
            Some(SourceKind::DocumentDb),
        ),
        ("s3:::bucket", None),
        ("sqs:us-east-1:123456789012:", None),
        ("kinesis:us-east-1:123456789012:stream/", None),
        ("sqs", None),
    ] {
        assert_eq!(SourceKind::of_arn(&arn(rest)), kind, "{rest}");
    }
    assert_eq!(SourceKind::of_arn("sqs:x"), None);
}

#[test]
fn every_word_is_read_as_it_is_written() {
    fn check<T: Copy + PartialEq + std::fmt::Debug + std::str::FromStr + std::fmt::Display>(
        names: &[(T, &'static str)],
    ) where
        T::Err: std::fmt::Debug,
    {
        for (value, name) in names {
            assert_eq!(value.to_string(), *name);
            assert_eq!(name.parse::<T>().unwrap(), *value);
        }
        assert!("".parse::<T>().is_err());
    }
    check(&MappingState::NAMES);
    check(&SourceKind::NAMES);
    check(&Member::NAMES);
    check(&AccessKind::NAMES);
    check(&Metric::NAMES);
    check(&LogLevel::NAMES);
    check(&ConsumptionMode::NAMES);
    check(&RecordFormat::NAMES);
    check(&FullDocument::NAMES);
}

fn secret(kind: AccessKind) -> Setting {
    Setting::Access(vec![Access {
        kind,
        uri: "arn:aws:secretsmanager:us-east-1:123456789012:secret:s".to_owned(),
    }])
}

fn collection() -> Setting {
    Setting::DocumentDb(DocumentDb {
        database: "d".to_owned(),
        collection: None,
        full_document: FullDocument::Default,
    })
}

fn pollers(minimum: Option<u32>, maximum: Option<u32>) -> Setting {
    Setting::Pollers(Some(Pollers {
        minimum,
        maximum,
        group: None,
    }))
}

/// What sources of a kind cannot do without.
fn least(kind: SourceKind) -> Vec<Setting> {
    match kind {
        SourceKind::SelfManagedKafka | SourceKind::Mq => vec![secret(AccessKind::BasicAuth)],
        SourceKind::DocumentDb => vec![secret(AccessKind::BasicAuth), collection()],
        _ => Vec::new(),
    }
}

fn changed(kind: SourceKind, settings: &[Setting]) -> Result<Settings, Refusal> {
    let all = [least(kind), settings.to_vec()].concat();
    Settings::of(kind).changed(kind, &all)
}

#[test]
fn defaults_by_kind() {
    for (kind, _) in SourceKind::NAMES {
        let settings = changed(kind, &[]).unwrap();
        let expected = if kind.is_queue() { 10 } else { 100 };
        assert_eq!(settings.batch_size, expected, "{kind}");
        assert_eq!(
            settings.batching_window.is_some(),
            kind.is_queue() || kind.is_stream(),
            "{kind}"
        );
        assert_eq!(settings.retries.is_some(), kind.is_stream(), "{kind}");
    }
}

/// Which kinds take which setting: a row for each, in the order of the kinds.
#[test]
fn what_each_kind_takes() {
    use Setting as S;
    let (yes, no) = (true, false);
    let rows = [
        // sqs, fifo, kinesis, dynamodb, msk, kafka, mq, documentdb
        (S::BatchSize(5), [yes; 8]),
        (S::Filters(vec!["{}".to_owned()]), [yes; 8]),
        (S::KmsKey(Some("k".to_owned())), [yes; 8]),
        (
            S::BatchingWindow(1),
            [yes, no, yes, yes, yes, yes, yes, yes],
        ),
        (S::Metrics(vec![Metric::EventCount]), [yes; 8]),
        (
            S::Metrics(vec![Metric::KafkaMetrics]),
            [no, no, no, no, yes, yes, no, no],
        ),
        (
            S::MaximumConcurrency(Some(2)),
            [yes, yes, no, no, no, no, no, no],
        ),
        (pollers(None, None), [yes, yes, no, no, yes, yes, no, no]),
        (S::Parallelization(2), [no, no, yes, yes, no, no, no, no]),
        (S::TumblingWindow(1), [no, no, yes, yes, no, no, no, no]),
        // Kafka has these with provisioned pollers only.
        (S::Bisect(true), [no, no, yes, yes, no, no, no, no]),
        (
            S::Retries(Until::AtMost(3)),
            [no, no, yes, yes, no, no, no, no],
        ),
        (
            S::RecordAge(Until::AtMost(60)),
            [no, no, yes, yes, no, no, no, no],
        ),
        (
            S::ReportBatchItemFailures(true),
            [yes, yes, yes, yes, no, no, no, no],
        ),
        (S::LogLevel(Some(LogLevel::Info)), [no; 8]),
        (
            S::OnFailure(Some("arn:aws:sqs:us-east-1:1:q".to_owned())),
            [no, no, yes, yes, yes, yes, no, no],
        ),
        (
            S::ConsumptionMode(ConsumptionMode::Queue),
            [no, no, no, no, no, yes, no, no],
        ),
        (collection(), [no, no, no, no, no, no, no, yes]),
        (
            secret(AccessKind::BasicAuth),
            [no, no, no, no, no, yes, yes, yes],
        ),
        (
            secret(AccessKind::SaslScram512Auth),
            [no, no, no, no, yes, yes, no, no],
        ),
        (
            secret(AccessKind::VpcSubnet),
            [no, no, no, no, no, yes, no, no],
        ),
    ];
    for (setting, expected) in rows {
        let taken = SourceKind::NAMES
            .map(|(kind, _)| changed(kind, std::slice::from_ref(&setting)).is_ok());
        assert_eq!(taken, expected, "{setting:?}");
    }
    let provisioned = [
        pollers(None, None),
        S::Bisect(true),
        S::Retries(Until::AtMost(3)),
        S::RecordAge(Until::AtMost(60)),
        S::ReportBatchItemFailures(true),
        S::LogLevel(Some(LogLevel::Info)),
    ];
    assert!(changed(SourceKind::Msk, &provisioned).is_ok());
}

#[test]
fn what_does_not_go_together() {
    use Setting as S;
    let group = S::Pollers(Some(Pollers {
        group: Some("g".to_owned()),
        ..Pollers::default()
    }));
    let (sqs, kafka) = (SourceKind::Sqs, SourceKind::SelfManagedKafka);
    for (kind, settings, refusal) in [
        (sqs, vec![S::BatchSize(11)], Refusal::WindowNeeded),
        (
            sqs,
            vec![S::BatchSize(11), S::BatchingWindow(0)],
            Refusal::WindowNeeded,
        ),
        (
            SourceKind::SqsFifo,
            vec![S::BatchSize(11)],
            Refusal::BatchTooLarge(10),
        ),
        (
            SourceKind::SqsFifo,
            vec![S::BatchingWindow(1)],
            Refusal::FifoWindow,
        ),
        (
            SourceKind::Kinesis,
            vec![S::BatchSize(10_001)],
            Refusal::BatchTooLarge(10_000),
        ),
        (
            sqs,
            vec![S::MaximumConcurrency(Some(2)), pollers(None, None)],
            Refusal::ConcurrencyWithPollers,
        ),
        (sqs, vec![pollers(Some(1), None)], Refusal::TooFewPollers(2)),
        (sqs, vec![pollers(None, Some(1))], Refusal::TooFewPollers(2)),
        (
            sqs,
            vec![pollers(Some(9), Some(8))],
            Refusal::PollersReversed,
        ),
        (
            kafka,
            vec![pollers(None, Some(2001))],
            Refusal::TooManyPollers(2000),
        ),
        (
            sqs,
            vec![group.clone()],
            Refusal::NotSupported(Member::PollerGroup),
        ),
        (
            kafka,
            vec![S::Retries(Until::AtMost(0))],
            Refusal::ProvisionedOnly(Member::Retries),
        ),
        (
            kafka,
            vec![S::Access(Vec::new())],
            Refusal::Required(Member::Access),
        ),
        (
            SourceKind::Mq,
            vec![secret(AccessKind::VirtualHost)],
            Refusal::Required(Member::Access),
        ),
        (
            SourceKind::Mq,
            vec![secret(AccessKind::IamAuth)],
            Refusal::AccessNotSupported(AccessKind::IamAuth),
        ),
        (
            sqs,
            vec![S::Metrics(vec![Metric::EventCount, Metric::ErrorCount])],
            Refusal::MetricNotSupported(Metric::ErrorCount),
        ),
        (
            SourceKind::Mq,
            vec![S::Parallelization(1)],
            Refusal::NotSupported(Member::Parallelization),
        ),
        (
            kafka,
            vec![
                S::ConsumptionMode(ConsumptionMode::Queue),
                S::BatchingWindow(1),
            ],
            Refusal::NotSupported(Member::BatchingWindow),
        ),
    ] {
        assert_eq!(
            changed(kind, &settings),
            Err(refusal),
            "{kind} {settings:?}"
        );
    }
    assert!(changed(kafka, &[group]).is_ok());
    assert!(changed(sqs, &[S::BatchSize(10_000), S::BatchingWindow(1)]).is_ok());
    assert_eq!(
        Settings::of(SourceKind::DocumentDb)
            .changed(SourceKind::DocumentDb, &[secret(AccessKind::BasicAuth)]),
        Err(Refusal::Required(Member::DocumentDb))
    );
}

#[test]
fn a_setting_that_asks_for_nothing_is_no_mistake() {
    for nothing in [
        Setting::Bisect(false),
        Setting::ReportBatchItemFailures(false),
        Setting::OnFailure(None),
        Setting::Access(Vec::new()),
        Setting::Pollers(None),
        Setting::MaximumConcurrency(None),
    ] {
        let settings = Settings::of(SourceKind::DocumentDb).changed(
            SourceKind::DocumentDb,
            &[least(SourceKind::DocumentDb), vec![nothing.clone()]].concat(),
        );
        // An empty list of accesses takes away what a DocumentDB source needs.
        let expected = !matches!(nothing, Setting::Access(_));
        assert_eq!(settings.is_ok(), expected, "{nothing:?}");
    }
    assert_eq!(
        changed(SourceKind::Sqs, &[Setting::Bisect(false)]).unwrap(),
        Settings::of(SourceKind::Sqs)
    );
}

#[test]
fn half_of_the_pollers_leaves_the_other_half() {
    let kind = SourceKind::Sqs;
    let settings = changed(kind, &[pollers(Some(5), Some(50))]).unwrap();
    let settings = settings.changed(kind, &[pollers(None, Some(70))]).unwrap();
    let both = settings.pollers.as_ref().unwrap();
    assert_eq!((both.minimum(kind), both.maximum()), (5, 70));
    let none = settings.changed(kind, &[Setting::Pollers(None)]).unwrap();
    assert_eq!(none, Settings::of(kind));
}

#[test]
fn sources_overlap_where_a_record_could_come_from_both() {
    let kafka = |hosts: &[&str], topic: &str| Source::SelfManagedKafka {
        bootstrap_servers: hosts.iter().map(|h| (*h).to_owned()).collect(),
        kafka: Kafka {
            topic: topic.to_owned(),
            start: Start::Latest,
            consumer_group: None,
        },
    };
    let queue = |arn: &str| Source::Sqs {
        arn: arn.to_owned(),
    };
    let mq = |queue: &str| Source::Mq {
        arn: "b".to_owned(),
        queue: queue.to_owned(),
    };
    assert!(queue("a").overlaps(&queue("a")));
    assert!(!queue("a").overlaps(&queue("b")));
    assert!(kafka(&["a:1", "b:1"], "t").overlaps(&kafka(&["b:1", "c:1"], "t")));
    assert!(!kafka(&["a:1"], "t").overlaps(&kafka(&["b:1"], "t")));
    assert!(!kafka(&["a:1"], "t").overlaps(&kafka(&["a:1"], "u")));
    assert!(!kafka(&[], "t").overlaps(&kafka(&[], "t")));
    assert!(mq("q").overlaps(&mq("q")) && !mq("q").overlaps(&mq("r")));
}

fn any_setting() -> impl Strategy<Value = Setting> {
    let text = "[a-z]{1,5}";
    let until = (-1_i64..100).prop_map(Until::from_wire);
    prop_oneof![
        (1_u32..20).prop_map(Setting::BatchSize),
        (0_u32..3).prop_map(Setting::BatchingWindow),
        prop::collection::vec(text, 0..3).prop_map(Setting::Filters),
        prop::option::of(text).prop_map(Setting::KmsKey),
        prop::option::of(2_u32..5).prop_map(Setting::MaximumConcurrency),
        prop::option::of((
            prop::option::of(1_u32..5),
            prop::option::of(1_u32..5),
            prop::option::of(text)
        ))
        .prop_map(
            |p| Setting::Pollers(p.map(|(minimum, maximum, group)| Pollers {
                minimum,
                maximum,
                group
            }))
        ),
        (1_u32..3).prop_map(Setting::Parallelization),
        any::<bool>().prop_map(Setting::Bisect),
        until.clone().prop_map(Setting::RecordAge),
        until.prop_map(Setting::Retries),
        any::<bool>().prop_map(Setting::ReportBatchItemFailures),
        prop::option::of(text).prop_map(Setting::OnFailure),
        Just(secret(AccessKind::BasicAuth)),
        Just(collection()),
    ]
}

proptest! {
    /// What a record of settings holds makes the same settings again.
    #[test]
    fn a_list_of_settings_is_the_settings(list in prop::collection::vec(any_setting(), 0..12)) {
        let mut settings = Settings::default();
        for setting in list {
            settings.set(setting);
        }
        let mut again = Settings::default();
        for setting in settings.list() {
            again.set(setting);
        }
        prop_assert_eq!(again, settings);
    }

    /// Whatever is asked for, what comes of it is good, and changing nothing keeps it so.
    #[test]
    fn settings_that_were_accepted_stay_acceptable(
        kind in prop::sample::select(SourceKind::NAMES.map(|(kind, _)| kind).to_vec()),
        list in prop::collection::vec(any_setting(), 0..5),
    ) {
        if let Ok(settings) = changed(kind, &list) {
            prop_assert_eq!(settings.check(kind), Ok(()));
            prop_assert_eq!(settings.clone().changed(kind, &[]), Ok(settings));
        }
    }
}
