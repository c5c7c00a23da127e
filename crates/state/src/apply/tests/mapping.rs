use model::{
    EventSourceMapping, FunctionArn,
    mapping::{
        Access, AccessKind, ConsumptionMode, Kafka, MappingChange, MappingId, MappingState, Member,
        Refusal, Setting, Source, Start,
    },
};

use super::{followers::any_mutation, *};

fn queue(name: &str) -> Source {
    Source::Sqs {
        arn: format!("arn:aws:sqs:us-east-1:000000000000:{name}"),
    }
}

fn create_mapping(function: FunctionArn, source: Source, settings: Vec<Setting>) -> Mutation {
    Mutation::CreateEventSourceMapping {
        function,
        source: Box::new(source),
        settings,
        enabled: true,
        tags: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
    }
}

fn configure(mapping: &MappingId, enabled: Option<bool>, settings: Vec<Setting>) -> Mutation {
    change(
        mapping,
        MappingChange::Configure {
            function: None,
            enabled,
            settings,
            consumer_group: None,
        },
    )
}

fn change(mapping: &MappingId, change: MappingChange) -> Mutation {
    Mutation::UpdateEventSourceMapping {
        mapping: mapping.clone(),
        change: Box::new(change),
    }
}

fn delete(mapping: &MappingId) -> Mutation {
    Mutation::DeleteEventSourceMapping {
        mapping: mapping.clone(),
    }
}

fn settle(mapping: &EventSourceMapping) -> Mutation {
    Mutation::SettleEventSourceMapping {
        mapping: mapping.id.clone(),
        revision: mapping.revision,
    }
}

impl Cluster {
    fn mapping(&mut self, mutation: Mutation) -> Arc<EventSourceMapping> {
        match self.run(mutation) {
            Ok(Changed::Mapping(mapping)) => mapping,
            other => panic!("expected a mapping, got {other:?}"),
        }
    }

    fn settle_mappings(&mut self) {
        let open: Vec<_> = self.catalog.moving_mappings().cloned().collect();
        for mapping in open {
            self.run(settle(&mapping)).unwrap();
        }
    }

    fn mapped(name: &str) -> (Self, MappingId) {
        let mut cluster = Self::created(name);
        let mapping = create_mapping(id(name).arn(None), queue("q"), Vec::new());
        let mapping = cluster.mapping(mapping).id.clone();
        cluster.settle_mappings();
        (cluster, mapping)
    }

    fn state(&self, mapping: &MappingId) -> Option<MappingState> {
        self.catalog.mapping(mapping).map(|m| m.state)
    }
}

#[test]
fn a_mapping_goes_through_its_states() {
    let mut cluster = Cluster::created("f");
    let made = cluster.mapping(create_mapping(
        id("f").arn(None),
        queue("q"),
        vec![Setting::BatchSize(3)],
    ));
    assert_eq!((made.state, made.enabled), (MappingState::Creating, true));
    assert_eq!((made.settings.batch_size, made.tags.len()), (3, 1));
    let mapping = made.id.clone();
    cluster.settle_mappings();
    assert_eq!(cluster.state(&mapping), Some(MappingState::Enabled));
    for (mutation, during, after) in [
        (
            configure(&mapping, Some(false), Vec::new()),
            MappingState::Disabling,
            Some(MappingState::Disabled),
        ),
        (
            configure(&mapping, None, vec![Setting::BatchSize(4)]),
            MappingState::Updating,
            Some(MappingState::Disabled),
        ),
        (
            configure(&mapping, Some(true), Vec::new()),
            MappingState::Enabling,
            Some(MappingState::Enabled),
        ),
        (
            configure(&mapping, Some(true), Vec::new()),
            MappingState::Updating,
            Some(MappingState::Enabled),
        ),
        (delete(&mapping), MappingState::Deleting, None),
    ] {
        let moving = cluster.mapping(mutation);
        assert_eq!(moving.state, during);
        for (again, deletion) in [
            (configure(&mapping, None, Vec::new()), false),
            (delete(&mapping), true),
        ] {
            assert_eq!(
                cluster.run(again),
                Err(Rejection::MappingInUse { deletion })
            );
        }
        cluster.settle_mappings();
        assert_eq!(cluster.state(&mapping), after);
    }
    let missing = Rejection::MappingNotFound(mapping.clone());
    assert_eq!(cluster.run(delete(&mapping)), Err(missing.clone()));
    assert_eq!(
        cluster.run(configure(&mapping, None, Vec::new())),
        Err(missing)
    );
}

#[test]
fn a_mapping_that_is_made_disabled_never_reads() {
    let mut cluster = Cluster::created("f");
    let mut disabled = create_mapping(id("f").arn(None), queue("q"), Vec::new());
    if let Mutation::CreateEventSourceMapping { enabled, .. } = &mut disabled {
        *enabled = false;
    }
    let made = cluster.mapping(disabled);
    assert_eq!(made.state, MappingState::Creating);
    cluster.settle_mappings();
    assert_eq!(cluster.state(&made.id), Some(MappingState::Disabled));
}

#[test]
fn a_late_end_of_an_earlier_change_ends_nothing() {
    let (mut cluster, mapping) = Cluster::mapped("f");
    let first = cluster.mapping(configure(&mapping, None, Vec::new()));
    cluster.settle_mappings();
    cluster.mapping(configure(&mapping, Some(false), Vec::new()));
    assert_eq!(cluster.run(settle(&first)), Ok(Changed::Nothing));
    assert_eq!(cluster.state(&mapping), Some(MappingState::Disabling));
    cluster.settle_mappings();
    let settled = cluster.catalog.mapping(&mapping).unwrap().clone();
    let applied = cluster.step(0, settle(&settled));
    assert_eq!(
        (applied.result, applied.changes),
        (Ok(Changed::Nothing), vec![])
    );
}

#[test]
fn a_mapping_invokes_what_exists() {
    let mut cluster = Cluster::created("f");
    cluster.run(publish("f")).unwrap();
    cluster
        .run(create_alias("f", "live", number(1), None))
        .unwrap();
    let version = |n| Some(Qualifier::Version(number(n)));
    let alias = |name| Some(Qualifier::Alias(alias_name(name)));
    for missing in [
        id("g").arn(None),
        id("f").arn(version(2)),
        id("f").arn(alias("next")),
    ] {
        assert_eq!(
            cluster.run(create_mapping(missing.clone(), queue("q"), Vec::new())),
            Err(Rejection::MappingWithoutFunction(missing))
        );
    }
    // Each of these is another function to a mapping.
    for there in [
        id("f").arn(None),
        id("f").arn(Some(Qualifier::Version(Version::Latest))),
        id("f").arn(version(1)),
        id("f").arn(alias("live")),
    ] {
        let made = cluster.mapping(create_mapping(there.clone(), queue("q"), Vec::new()));
        assert_eq!(made.function, there);
    }
}

#[test]
fn one_source_feeds_a_function_once() {
    let (mut cluster, first) = Cluster::mapped("f");
    let again = create_mapping(id("f").arn(None), queue("q"), Vec::new());
    let Err(Rejection::MappingExists(duplicate)) = cluster.run(again) else {
        panic!("a second mapping was made")
    };
    assert_eq!(duplicate.uuid, first.uuid);
    assert_eq!(duplicate.source, "arn:aws:sqs:us-east-1:000000000000:q");
    // Nor does an update lead there.
    cluster.run(create("g", false)).unwrap();
    let other = cluster.mapping(create_mapping(id("g").arn(None), queue("q"), Vec::new()));
    cluster.settle_mappings();
    let retarget = |mapping: &MappingId, name: &str| {
        change(
            mapping,
            MappingChange::Configure {
                function: Some(id(name).arn(None)),
                enabled: None,
                settings: Vec::new(),
                consumer_group: None,
            },
        )
    };
    assert!(matches!(
        cluster.run(retarget(&other.id, "f")),
        Err(Rejection::MappingExists(_))
    ));
    assert!(matches!(
        cluster.run(retarget(&other.id, "h")),
        Err(Rejection::MappingWithoutFunction(_))
    ));
    assert!(cluster.run(retarget(&other.id, "g")).is_ok());
}

#[test]
fn an_update_is_held_against_what_is_there() {
    let (mut cluster, mapping) = Cluster::mapped("f");
    let refused = |cluster: &mut Cluster, setting: Setting| {
        cluster.run(configure(&mapping, None, vec![setting]))
    };
    assert_eq!(
        refused(&mut cluster, Setting::BatchSize(11)),
        Err(Rejection::MappingRefused(Refusal::WindowNeeded))
    );
    assert_eq!(
        refused(&mut cluster, Setting::Parallelization(2)),
        Err(Rejection::MappingRefused(Refusal::NotSupported(
            Member::Parallelization
        )))
    );
    cluster.mapping(configure(
        &mapping,
        None,
        vec![Setting::BatchingWindow(1), Setting::BatchSize(11)],
    ));
    cluster.settle_mappings();
    assert_eq!(
        refused(&mut cluster, Setting::BatchingWindow(0)),
        Err(Rejection::MappingRefused(Refusal::WindowNeeded))
    );
    let large = Setting::Filters(vec!["x".repeat(4096); 7]);
    assert_eq!(
        refused(&mut cluster, large),
        Err(Rejection::MappingRefused(Refusal::TooLarge))
    );
}

#[test]
fn a_consumer_group_never_changes_and_no_reading_begins_in_the_future() {
    let mut cluster = Cluster::created("f");
    let topic = |start| Source::SelfManagedKafka {
        bootstrap_servers: vec!["a:1".to_owned()],
        kafka: Kafka {
            topic: "t".to_owned(),
            start,
            consumer_group: None,
        },
    };
    let secret = || {
        vec![Setting::Access(vec![Access {
            kind: AccessKind::BasicAuth,
            uri: "s".to_owned(),
        }])]
    };
    let future = Start::At(Timestamp(1 << 40));
    assert_eq!(
        cluster.run(create_mapping(id("f").arn(None), topic(future), secret())),
        Err(Rejection::MappingRefused(Refusal::StartInFuture))
    );
    let past = topic(Start::At(Timestamp(1)));
    let made = cluster.mapping(create_mapping(id("f").arn(None), past, secret()));
    assert_eq!(made.consumer_group(), Some(made.id.uuid.to_string()));
    cluster.settle_mappings();
    let group = |group: &str| {
        change(
            &made.id,
            MappingChange::Configure {
                function: None,
                enabled: None,
                settings: Vec::new(),
                consumer_group: Some(group.to_owned()),
            },
        )
    };
    assert_eq!(
        cluster.run(group("other")),
        Err(Rejection::MappingRefused(Refusal::ConsumerGroupFixed))
    );
    assert!(cluster.run(group(&made.id.uuid.to_string())).is_ok());
}

#[test]
fn how_a_topic_is_read_never_changes() {
    let (mut cluster, _) = Cluster::mapped("f");
    let source = Source::SelfManagedKafka {
        bootstrap_servers: vec!["a:1".to_owned()],
        kafka: Kafka {
            topic: "t".to_owned(),
            start: Start::Latest,
            consumer_group: None,
        },
    };
    let secret = Setting::Access(vec![Access {
        kind: AccessKind::BasicAuth,
        uri: "s".to_owned(),
    }]);
    let made = cluster.mapping(create_mapping(id("f").arn(None), source, vec![secret]));
    cluster.settle_mappings();
    let mode = |mode| configure(&made.id, None, vec![Setting::ConsumptionMode(mode)]);
    assert_eq!(
        cluster.run(mode(ConsumptionMode::Queue)),
        Err(Rejection::MappingRefused(Refusal::ConsumptionModeFixed))
    );
    assert!(cluster.run(mode(ConsumptionMode::Stream)).is_ok());
}

#[test]
fn tags_change_at_any_time_and_end_no_transition() {
    let (mut cluster, mapping) = Cluster::mapped("f");
    let moving = cluster.mapping(configure(&mapping, Some(false), Vec::new()));
    let tag = |set: &[&str], unset: &[&str], at_most| {
        change(
            &mapping,
            MappingChange::Tag {
                set: set
                    .iter()
                    .map(|name| ((*name).to_owned(), String::new()))
                    .collect(),
                unset: unset.iter().map(|name| (*name).to_owned()).collect(),
                at_most,
            },
        )
    };
    let tagged = cluster.mapping(tag(&["x", "y"], &["a"], 2));
    assert_eq!(tagged.tags.keys().collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(tagged.state, MappingState::Disabling);
    assert_eq!(
        cluster.run(tag(&["z"], &[], 2)),
        Err(Rejection::MappingRefused(Refusal::TooManyTags))
    );
    cluster.run(settle(&moving)).unwrap();
    assert_eq!(cluster.state(&mapping), Some(MappingState::Disabled));
}

#[test]
fn a_mapping_outlives_its_function() {
    let (mut cluster, mapping) = Cluster::mapped("f");
    cluster
        .run(Mutation::DeleteFunction {
            function: id("f"),
            version: None,
        })
        .unwrap();
    assert_eq!(cluster.state(&mapping), Some(MappingState::Enabled));
    cluster.mapping(configure(&mapping, Some(false), Vec::new()));
    cluster.settle_mappings();
    cluster.mapping(delete(&mapping));
    cluster.settle_mappings();
    assert_eq!(cluster.catalog.records().count(), 0);
}

#[test]
fn mappings_are_listed_by_id_within_their_scope() {
    let mut cluster = Cluster::created("f");
    for name in ["q", "r", "s"] {
        cluster.mapping(create_mapping(id("f").arn(None), queue(name), Vec::new()));
    }
    let other = FunctionId {
        account: "111111111111".parse().unwrap(),
        ..id("f")
    };
    cluster
        .run(Mutation::CreateFunction {
            function: other.clone(),
            config: Box::new(config()),
            code: code(1),
            publish: None,
            tags: BTreeMap::new(),
            code_signing: None,
        })
        .unwrap();
    cluster.mapping(create_mapping(other.arn(None), queue("q"), Vec::new()));
    let list = |after| -> Vec<_> {
        cluster
            .catalog
            .mappings(model::AccountId::DEFAULT, &model::Region::default(), after)
            .map(|m| m.id.uuid)
            .collect()
    };
    let all = list(None);
    assert_eq!(all.len(), 3);
    assert!(all.is_sorted());
    assert_eq!(list(Some(all[0])), all[1..]);
    assert_eq!(list(Some(all[2])), []);
}

/// A step on a mapping: which of those that are there is chosen when it is taken.
#[derive(Clone, Debug)]
enum Act {
    Function(Mutation),
    Create(&'static str, &'static str),
    Configure(usize, Option<bool>, Vec<Setting>, Option<&'static str>),
    Tag(usize, String),
    Delete(usize),
    Settle,
}

fn any_act() -> impl Strategy<Value = Act> {
    let name = prop::sample::select(vec!["f", "g"]);
    let source = prop::sample::select(vec!["q", "r", "q.fifo"]);
    let which = 0_usize..4;
    let setting = prop_oneof![
        (1_u32..20).prop_map(Setting::BatchSize),
        (0_u32..2).prop_map(Setting::BatchingWindow),
        any::<bool>().prop_map(Setting::ReportBatchItemFailures),
        (1_u32..3).prop_map(Setting::Parallelization),
    ];
    prop_oneof![
        any_mutation().prop_map(Act::Function),
        (name.clone(), source).prop_map(|(f, s)| Act::Create(f, s)),
        (
            which.clone(),
            prop::option::of(any::<bool>()),
            prop::collection::vec(setting, 0..3),
            prop::option::of(name)
        )
            .prop_map(|(i, enabled, settings, f)| Act::Configure(i, enabled, settings, f)),
        (which.clone(), "[a-c]").prop_map(|(i, tag)| Act::Tag(i, tag)),
        which.prop_map(Act::Delete),
        Just(Act::Settle),
        Just(Act::Settle),
    ]
}

impl Act {
    fn mutations(self, catalog: &Catalog) -> Vec<Mutation> {
        let nth = |i: usize| catalog.mappings.keys().nth(i).cloned();
        let one = |mutation| vec![mutation];
        match self {
            Self::Function(mutation) => one(mutation),
            Self::Create(name, source) => one(create_mapping(
                id(name).arn(None),
                queue(source),
                Vec::new(),
            )),
            Self::Configure(i, enabled, settings, function) => nth(i)
                .map(|mapping| {
                    let configure = MappingChange::Configure {
                        function: function.map(|name| id(name).arn(None)),
                        enabled,
                        settings,
                        consumer_group: None,
                    };
                    change(&mapping, configure)
                })
                .into_iter()
                .collect(),
            Self::Tag(i, tag) => nth(i)
                .map(|mapping| {
                    let tag = MappingChange::Tag {
                        set: BTreeMap::from([(tag, String::new())]),
                        unset: vec!["a".to_owned()],
                        at_most: 2,
                    };
                    change(&mapping, tag)
                })
                .into_iter()
                .collect(),
            Self::Delete(i) => nth(i).as_ref().map(delete).into_iter().collect(),
            Self::Settle => catalog.moving_mappings().map(|m| settle(m)).collect(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// As for functions: invariants hold after every step, and who is fed with changes or records sees the same.
    #[test]
    fn followers_see_mappings_as_the_author_does(acts in prop::collection::vec((any_act(), 0u128..6), 1..40)) {
        let mut cluster = Cluster::default();
        let mut follower = Catalog::default();
        for (act, key) in acts {
            for mutation in act.mutations(&cluster.catalog) {
                for change in cluster.step(key, mutation).changes {
                    follower.put(change);
                }
            }
        }
        let mut restored = Catalog::default();
        for record in cluster.catalog.records() {
            restored.put(Change::Put(record));
        }
        for copy in [&follower, &restored] {
            prop_assert_eq!(&copy.mappings, &cluster.catalog.mappings);
            prop_assert_eq!(&copy.moving, &cluster.catalog.moving);
            prop_assert_eq!(&copy.functions, &cluster.catalog.functions);
        }
    }
}
