//! Code-signing configurations and capacity providers.

use model::{
    CapacityProviderId, CodeSigningConfig, CodeSigningId,
    capacity_provider::{CapacityChange, CapacityScaling, CapacitySettings, InstanceShape},
    code_signing::{CodeSigningChange, CodeSigningSettings, UntrustedArtifact},
    function::{CapacityUse, Incompatible, OptionalConfig},
};

use super::*;

fn signing(change: CodeSigningChange) -> Mutation {
    Mutation::CodeSigning(Box::new(change))
}

fn create_signing(untrusted: UntrustedArtifact) -> Mutation {
    signing(CodeSigningChange::Create {
        account: model::AccountId::DEFAULT,
        region: model::Region::default(),
        settings: CodeSigningSettings {
            description: String::new(),
            publishers: vec!["p".to_owned()],
            untrusted,
        },
        tags: BTreeMap::new(),
    })
}

fn update_signing(id: &CodeSigningId, untrusted: UntrustedArtifact) -> Mutation {
    signing(CodeSigningChange::Update {
        id: id.clone(),
        description: Some("changed".to_owned()),
        publishers: None,
        untrusted: Some(untrusted),
    })
}

fn link(name: &str, config: Option<&CodeSigningId>) -> Mutation {
    signing(CodeSigningChange::Link {
        function: id(name),
        config: config.cloned(),
    })
}

fn create_with(name: &str, code_signing: &CodeSigningId) -> Mutation {
    Mutation::CreateFunction {
        function: id(name),
        config: Box::new(config()),
        code: code(1),
        publish: None,
        tags: BTreeMap::new(),
        code_signing: Some(code_signing.clone()),
    }
}

fn provider(name: &str) -> CapacityProviderId {
    CapacityProviderId {
        account: model::AccountId::DEFAULT,
        region: model::Region::default(),
        name: name.parse().unwrap(),
    }
}

fn capacity(change: CapacityChange) -> Mutation {
    Mutation::Capacity(Box::new(change))
}

fn create_capacity(name: &str) -> Mutation {
    capacity(CapacityChange::Create {
        id: provider(name),
        shape: InstanceShape::default(),
        settings: CapacitySettings::default(),
        tags: BTreeMap::new(),
    })
}

/// A function on a capacity provider.
pub(super) fn create_on(name: &str, on: &str, publish: Option<Publication>) -> Mutation {
    let optional = OptionalConfig {
        capacity: Some(CapacityUse {
            provider: provider(on),
            max_concurrency: None,
            memory_per_vcpu_milligib: None,
        }),
        ..OptionalConfig::default()
    };
    Mutation::CreateFunction {
        function: id(name),
        config: Box::new(Config {
            optional: optional.boxed(),
            ..config()
        }),
        code: code(1),
        publish,
        tags: BTreeMap::new(),
        code_signing: None,
    }
}

pub(super) fn publish_latest(name: &str) -> Mutation {
    Mutation::PublishVersion {
        function: id(name),
        to: Publication::Latest,
        code_sha256: None,
        description: None,
        expected: None,
    }
}

fn delete_capacity(name: &str) -> Mutation {
    capacity(CapacityChange::Delete { id: provider(name) })
}

fn tags(names: &[&str]) -> BTreeMap<String, String> {
    names
        .iter()
        .map(|name| ((*name).to_owned(), String::new()))
        .collect()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn tag_capacity(name: &str, set: &[&str], unset: &[&str]) -> Mutation {
    capacity(CapacityChange::Tag {
        id: provider(name),
        set: tags(set),
        unset: names(unset),
        at_most: 2,
    })
}

fn tag_signing(id: &CodeSigningId, set: &[&str], unset: &[&str]) -> Mutation {
    signing(CodeSigningChange::Tag {
        id: id.clone(),
        set: tags(set),
        unset: names(unset),
        at_most: 2,
    })
}

/// Commands about settings, for the property of followers.
pub(super) fn any_mutation() -> impl Strategy<Value = Mutation> {
    let name = prop::sample::select(vec!["p", "q"]);
    let untrusted = prop::sample::select(vec![UntrustedArtifact::Warn, UntrustedArtifact::Enforce]);
    prop_oneof![
        untrusted.prop_map(create_signing),
        Just(link("f", None)),
        name.clone().prop_map(create_capacity),
        name.clone()
            .prop_map(|name| tag_capacity(name, &["a"], &[])),
        name.prop_map(delete_capacity),
    ]
}

impl Cluster {
    fn signing(&mut self, mutation: Mutation) -> Arc<CodeSigningConfig> {
        match self.run(mutation) {
            Ok(Changed::CodeSigning(c)) => c,
            other => panic!("expected a code-signing configuration, got {other:?}"),
        }
    }
}

#[test]
fn a_configuration_gets_a_name_and_is_changed() {
    let mut cluster = Cluster::default();
    let first = cluster.signing(create_signing(UntrustedArtifact::Warn));
    let second = cluster.signing(create_signing(UntrustedArtifact::Warn));
    assert_ne!(first.id.name, second.id.name);
    let changed = cluster.signing(update_signing(&first.id, UntrustedArtifact::Enforce));
    assert_eq!(changed.settings.description, "changed");
    assert_eq!(changed.settings.publishers, ["p"]);
    assert!(changed.last_modified > first.last_modified);
    let listed: Vec<_> = cluster
        .catalog
        .code_signing_configs(first.id.account, &first.id.region, None)
        .map(|c| c.id.name)
        .collect();
    let mut names = vec![first.id.name, second.id.name];
    names.sort();
    assert_eq!(listed, names);
    let after = Some(names[0]);
    let rest = cluster
        .catalog
        .code_signing_configs(first.id.account, &first.id.region, after);
    assert_eq!(rest.count(), 1);
}

#[test]
fn unsigned_code_is_refused_where_a_configuration_says_so() {
    let mut cluster = Cluster::default();
    let strict = cluster
        .signing(create_signing(UntrustedArtifact::Enforce))
        .id
        .clone();
    let mild = cluster
        .signing(create_signing(UntrustedArtifact::Warn))
        .id
        .clone();
    assert_eq!(
        cluster.run(create_with("f", &strict)),
        Err(Rejection::CodeNotSigned(strict.clone()))
    );
    cluster.version(create_with("f", &mild));
    cluster.settle("f");
    cluster.version(update_code("f", 2));
    cluster.settle("f");
    assert_eq!(cluster.run(link("f", Some(&strict))), Ok(Changed::Nothing));
    assert_eq!(
        cluster.run(update_code("f", 3)),
        Err(Rejection::CodeNotSigned(strict.clone()))
    );
    // Publishing brings no code, and keeps the configuration.
    cluster.version(publish("f"));
    let held = cluster.catalog.code_signing_of(&id("f")).unwrap();
    assert_eq!(held.id, strict);
    assert_eq!(
        cluster.catalog.functions_of_code_signing(&strict).count(),
        1
    );
    cluster.run(link("f", None)).unwrap();
    cluster.version(update_code("f", 3));
}

#[test]
fn a_configuration_that_is_used_stays() {
    let mut cluster = Cluster::default();
    let made = cluster
        .signing(create_signing(UntrustedArtifact::Warn))
        .id
        .clone();
    let delete = || signing(CodeSigningChange::Delete { id: made.clone() });
    cluster.version(create_with("f", &made));
    assert_eq!(
        cluster.run(delete()),
        Err(Rejection::CodeSigningInUse(made.clone()))
    );
    cluster
        .run(Mutation::DeleteFunction {
            function: id("f"),
            version: None,
        })
        .unwrap();
    cluster.run(delete()).unwrap();
    assert_eq!(
        cluster.run(delete()),
        Err(Rejection::CodeSigningNotFound(made.clone()))
    );
    assert_eq!(
        cluster.run(create_with("f", &made)),
        Err(Rejection::CodeSigningMissing(made.clone()))
    );
    cluster.version(create("f", false));
    assert_eq!(
        cluster.run(link("f", Some(&made))),
        Err(Rejection::CodeSigningMissing(made.clone()))
    );
}

#[test]
fn a_capacity_provider_is_recorded_and_stays_while_it_is_used() {
    let mut cluster = Cluster::default();
    cluster.run(create_capacity("p")).unwrap();
    assert_eq!(
        cluster.run(create_capacity("p")),
        Err(Rejection::CapacityExists(provider("p")))
    );
    let scaling = CapacityScaling {
        max_vcpus: Some(4),
        ..CapacityScaling::default()
    };
    let update = CapacityChange::Update {
        id: provider("p"),
        settings: CapacitySettings {
            scaling: Some(scaling.clone()),
            ..CapacitySettings::default()
        },
    };
    cluster.run(capacity(update)).unwrap();
    let held = cluster.catalog.capacity_provider(&provider("p")).unwrap();
    assert_eq!(held.settings.scaling, Some(scaling));
    let on = |name| create_on("f", name, Some(Publication::Number));
    assert_eq!(
        cluster.run(on("q")),
        Err(Rejection::CapacityNotFound(provider("q")))
    );
    cluster.version(on("p"));
    assert_eq!(
        cluster
            .catalog
            .versions_of_capacity_provider(&provider("p"))
            .count(),
        2
    );
    assert_eq!(
        cluster.run(delete_capacity("p")),
        Err(Rejection::CapacityInUse(provider("p")))
    );
    cluster
        .run(Mutation::DeleteFunction {
            function: id("f"),
            version: None,
        })
        .unwrap();
    assert!(matches!(
        cluster.run(delete_capacity("p")),
        Ok(Changed::Capacity(_))
    ));
    assert_eq!(
        cluster.run(delete_capacity("p")),
        Err(Rejection::CapacityNotFound(provider("p")))
    );
}

#[test]
fn tags_come_and_go_and_are_no_change_of_what_carries_them() {
    let mut cluster = Cluster::default();
    let config = cluster.signing(create_signing(UntrustedArtifact::Warn));
    cluster.run(create_capacity("p")).unwrap();
    let too_many = Err(Rejection::TooManyTags { limit: 2 });
    for (set, unset, left) in [
        (&["a", "b"][..], &[][..], Ok(&["a", "b"][..])),
        (&["c"], &[], Err(())),
        (&[], &["a", "x"], Ok(&["b"])),
    ] {
        let expected = match left {
            Ok(_) => Ok(Changed::Nothing),
            Err(()) => too_many.clone(),
        };
        assert_eq!(cluster.run(tag_signing(&config.id, set, unset)), expected);
        assert_eq!(cluster.run(tag_capacity("p", set, unset)), expected);
        if let Ok(left) = left {
            let held = cluster.catalog.code_signing(&config.id).unwrap();
            assert_eq!(held.tags, tags(left));
            assert_eq!(held.last_modified, config.last_modified);
            let held = cluster.catalog.capacity_provider(&provider("p")).unwrap();
            assert_eq!(held.tags, tags(left));
        }
    }
    assert_eq!(
        cluster.run(tag_capacity("absent", &["a"], &[])),
        Err(Rejection::CapacityNotFound(provider("absent")))
    );
}

#[test]
fn a_function_on_a_capacity_provider_has_a_version_without_a_number() {
    let latest_published = |cluster: &Cluster| {
        let entry = cluster.catalog.function(&id("f")).unwrap();
        entry.versions.get(&Version::LatestPublished).cloned()
    };
    let mut cluster = Cluster::default();
    cluster.run(create_capacity("p")).unwrap();
    let shown = cluster.version(create_on("f", "p", Some(Publication::Latest)));
    assert_eq!(shown.id.version, Version::LatestPublished);
    assert_eq!(shown.state, State::Pending);
    cluster.settle("f");
    let first = latest_published(&cluster).unwrap();
    assert_eq!(first.state, State::Active);
    assert_eq!(
        cluster.version(publish_latest("f")),
        first,
        "nothing changed"
    );
    // What nothing else is said of runs it, and its number is nobody's.
    let run = |cluster: &Cluster| cluster.catalog.resolve(&id("f"), None, 0).cloned().unwrap();
    assert_eq!(run(&cluster).id.version, Version::LatestPublished);
    assert_eq!(cluster.version(publish("f")).id.version, number(1));
    cluster.version(update_code("f", 2));
    cluster.settle("f");
    assert_eq!(latest_published(&cluster), Some(first.clone()));
    let second = cluster.version(publish_latest("f"));
    assert_eq!(
        (second.id.version, second.code),
        (Version::LatestPublished, code(2))
    );
    assert_ne!(second.revision_id, first.revision_id);
    assert_eq!(latest_published(&cluster), Some(second));
    // An alias may point to it, and keeps it.
    let alias = create_alias("f", "live", Version::LatestPublished, None);
    cluster.run(alias).unwrap();
    let delete = Mutation::DeleteFunction {
        function: id("f"),
        version: Some(Version::LatestPublished),
    };
    assert!(matches!(
        cluster.run(delete.clone()),
        Err(Rejection::VersionInUse { .. })
    ));
    cluster
        .run(Mutation::DeleteAlias {
            function: id("f"),
            name: alias_name("live"),
        })
        .unwrap();
    cluster.run(delete).unwrap();
    assert_eq!(latest_published(&cluster), None);
    assert_eq!(run(&cluster).id.version, Version::Latest);
}

#[test]
fn no_other_function_has_one() {
    let mut cluster = Cluster::created("f");
    let refused = Err(Rejection::Incompatible {
        what: Incompatible::LatestPublished,
        runtime: config().runtime,
    });
    assert_eq!(cluster.run(publish_latest("f")), refused);
    let Mutation::UpdateFunctionCode {
        function,
        code,
        image,
        origin,
        architecture,
        publish: None,
        expected,
    } = update_code("f", 2)
    else {
        panic!()
    };
    let update = Mutation::UpdateFunctionCode {
        function,
        code,
        image,
        origin,
        architecture,
        publish: Some(Publication::Latest),
        expected,
    };
    assert_eq!(cluster.run(update), refused);
}
