use std::collections::BTreeMap;

use model::{
    Alias, AliasName, Digest, FunctionId, Generation, Mutation, Qualifier, Revision, Timestamp,
    Version, VersionId, WrappedKey,
    alias::{Canary, Weight},
    function::{
        Code, Config, ConfigPatch, Environment, LastUpdate, Logging, Publication, Reason, State,
        TracingMode,
    },
    mutation::{Changed, Rejection},
};
use proptest::prelude::*;

use super::*;
use crate::invariants;

mod followers;
mod iam;
mod layers;
mod mapping;
mod optional;
mod records;
mod resources;
mod settings;

fn id(name: &str) -> FunctionId {
    FunctionId {
        account: model::AccountId::DEFAULT,
        region: model::Region::default(),
        name: name.parse().unwrap(),
    }
}

fn config() -> Config {
    Config {
        runtime: "python3.11".parse().unwrap(),
        handler: Some("app.handler".to_owned()),
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        description: String::new(),
        timeout: model::TimeoutSeconds::default(),
        memory: model::MemoryMib::default(),
        ephemeral: model::EphemeralMib::default(),
        architecture: model::Architecture::X86_64,
        environment: None,
        tracing: TracingMode::PassThrough,
        logging: Logging::default(),
        optional: None,
    }
}

fn code(n: u8) -> Code {
    Code {
        digest: Digest::of(&[n]),
        size: u64::from(n),
        unzipped: 2 * u64::from(n),
    }
}

pub(super) fn wrapped(byte: u8) -> WrappedKey {
    WrappedKey {
        master: "m".parse().unwrap(),
        bytes: vec![byte],
    }
}

fn alias_name(s: &str) -> AliasName {
    s.parse().unwrap()
}

/// A catalog with a log position of its own.
#[derive(Default)]
pub(super) struct Cluster {
    pub(super) catalog: Catalog,
    index: u64,
}

impl Cluster {
    fn step(&mut self, key: u128, mutation: Mutation) -> Applied {
        self.index += 1;
        let stamp = Stamp {
            at: Timestamp(self.index * 1000),
            seed: u128::from(self.index) << 7,
        };
        let applied = self.catalog.apply(
            Revision(self.index),
            &Command {
                stamp,
                key: IdempotencyKey(key),
                mutation,
            },
        );
        invariants::check(&self.catalog).unwrap();
        applied
    }

    pub(super) fn run(&mut self, mutation: Mutation) -> Result<Changed, Rejection> {
        self.step(0, mutation).result
    }

    fn version(&mut self, mutation: Mutation) -> Arc<FunctionVersion> {
        match self.run(mutation) {
            Ok(Changed::Version(v)) => v,
            other => panic!("expected a version, got {other:?}"),
        }
    }

    fn settle(&mut self, name: &str) {
        let open: Vec<_> = self
            .catalog
            .unsettled()
            .filter(|v| v.id.function == id(name))
            .cloned()
            .collect();
        for v in open {
            self.run(Mutation::Settle {
                version: v.id.clone(),
                revision: v.revision_id,
                failure: None,
            })
            .unwrap();
        }
    }

    fn created(name: &str) -> Self {
        let mut cluster = Self::default();
        cluster.run(create(name, false)).unwrap();
        cluster.settle(name);
        cluster
    }
}

fn create(name: &str, publish: bool) -> Mutation {
    Mutation::CreateFunction {
        function: id(name),
        config: Box::new(config()),
        code: code(1),
        publish: publish.then_some(Publication::Number),
        tags: BTreeMap::new(),
        code_signing: None,
    }
}

fn publish(name: &str) -> Mutation {
    Mutation::PublishVersion {
        function: id(name),
        to: Publication::Number,
        code_sha256: None,
        description: None,
        expected: None,
    }
}

fn update_code(name: &str, n: u8) -> Mutation {
    Mutation::UpdateFunctionCode {
        function: id(name),
        code: code(n),
        image: None,
        origin: None,
        architecture: None,
        publish: None,
        expected: None,
    }
}

fn create_alias(name: &str, alias: &str, version: Version, canary: Option<(u64, f64)>) -> Mutation {
    let canary = canary.map(|(v, w)| Canary {
        version: v.try_into().unwrap(),
        weight: Weight::from_fraction(w).unwrap(),
    });
    Mutation::CreateAlias {
        function: id(name),
        name: alias_name(alias),
        version,
        canary,
        description: String::new(),
    }
}

fn number(n: u64) -> Version {
    Version::number(n).unwrap()
}

#[test]
fn a_function_is_pending_until_it_is_settled_and_its_revision_moves() {
    let mut cluster = Cluster::default();
    let v = cluster.version(create("f", false));
    assert_eq!(
        (v.state.clone(), v.last_update.clone()),
        (State::Pending, None)
    );
    assert_eq!(
        cluster.run(publish("f")),
        Err(Rejection::Pending(id("f").arn(None)))
    );
    cluster.settle("f");
    let active = cluster
        .catalog
        .function(&id("f"))
        .unwrap()
        .latest()
        .unwrap()
        .clone();
    assert_eq!(
        (active.state.clone(), active.last_update.clone()),
        (State::Active, Some(LastUpdate::Successful))
    );
    assert_ne!(active.revision_id, v.revision_id);
    assert_eq!(cluster.catalog.unsettled().count(), 0);
}

#[test]
fn a_failed_creation_says_why() {
    let mut cluster = Cluster::default();
    let v = cluster.version(create("f", false));
    let reason = Reason {
        code: "InvalidRuntime".to_owned(),
        text: "no worker has it".to_owned(),
    };
    cluster
        .run(Mutation::Settle {
            version: v.id.clone(),
            revision: v.revision_id,
            failure: Some(reason.clone()),
        })
        .unwrap();
    assert_eq!(
        cluster.catalog.version(&v.id).unwrap().state,
        State::Failed(reason)
    );
}

#[test]
fn a_late_settlement_of_an_older_revision_changes_nothing() {
    let mut cluster = Cluster::created("f");
    let first = cluster.version(update_code("f", 2));
    cluster.settle("f");
    let second = cluster.version(update_code("f", 3));
    let late = Mutation::Settle {
        version: first.id.clone(),
        revision: first.revision_id,
        failure: None,
    };
    assert_eq!(cluster.run(late), Ok(Changed::Nothing));
    assert_eq!(
        cluster.catalog.version(&second.id).unwrap().last_update,
        Some(LastUpdate::InProgress)
    );
}

#[test]
fn a_second_create_is_a_conflict_and_a_repeated_request_is_not() {
    let mut cluster = Cluster::default();
    let first = cluster.step(7, create("f", false));
    let again = cluster.step(7, create("f", false));
    assert_eq!(
        (again.revision, again.result),
        (first.revision, first.result)
    );
    assert!(again.changes.is_empty());
    assert_eq!(
        cluster.step(8, create("f", false)).result,
        Err(Rejection::FunctionExists("f".parse().unwrap()))
    );
}

#[test]
fn updates_wait_for_each_other_and_for_the_revision_named() {
    let mut cluster = Cluster::created("f");
    let before = cluster
        .catalog
        .function(&id("f"))
        .unwrap()
        .latest()
        .unwrap()
        .revision_id;
    cluster.version(update_code("f", 2));
    assert_eq!(
        cluster.run(update_code("f", 3)),
        Err(Rejection::UpdateInProgress(id("f").arn(None)))
    );
    cluster.settle("f");
    let stale = Mutation::UpdateFunctionConfiguration {
        function: id("f"),
        patch: Box::new(ConfigPatch {
            description: Some("x".to_owned()),
            ..ConfigPatch::default()
        }),
        expected: Some(before),
    };
    assert_eq!(
        cluster.run(stale),
        Err(Rejection::RevisionMismatch { alias: false })
    );
}

#[test]
fn a_configuration_patch_changes_what_it_names() {
    let mut cluster = Cluster::created("f");
    let environment = Environment([("A".to_owned(), "b".to_owned())].into());
    let patch = ConfigPatch {
        environment: Some(environment.clone().into()),
        timeout: Some(model::TimeoutSeconds::new(9).unwrap()),
        ..ConfigPatch::default()
    };
    let v = cluster.version(Mutation::UpdateFunctionConfiguration {
        function: id("f"),
        patch: Box::new(patch),
        expected: None,
    });
    assert_eq!(
        v.config,
        Config {
            environment: Some(environment.into()),
            timeout: model::TimeoutSeconds::new(9).unwrap(),
            ..config()
        }
    );
}

#[test]
fn an_unchanged_function_publishes_the_same_version_and_numbers_are_never_reused() {
    let mut cluster = Cluster::created("f");
    assert_eq!(cluster.version(publish("f")).id.version, number(1));
    assert_eq!(cluster.version(publish("f")).id.version, number(1));
    cluster.run(update_code("f", 2)).unwrap();
    cluster.settle("f");
    assert_eq!(cluster.version(publish("f")).id.version, number(2));
    cluster
        .run(Mutation::DeleteFunction {
            function: id("f"),
            version: Some(number(2)),
        })
        .unwrap();
    assert_eq!(cluster.version(publish("f")).id.version, number(3));
    assert_eq!(
        cluster
            .catalog
            .version(&VersionId {
                function: id("f"),
                version: number(1)
            })
            .unwrap()
            .code,
        code(1)
    );
}

#[test]
fn a_description_of_the_versions_own_does_not_make_another_version_but_a_changed_one_does() {
    let mut cluster = Cluster::created("f");
    let described = |d: &str| Mutation::PublishVersion {
        function: id("f"),
        to: Publication::Number,
        code_sha256: None,
        description: Some(d.to_owned()),
        expected: None,
    };
    assert_eq!(
        cluster.version(described("first")).config.description,
        "first"
    );
    assert_eq!(cluster.version(described("other")).id.version, number(1));
    let patch = ConfigPatch {
        description: Some("changed".to_owned()),
        ..ConfigPatch::default()
    };
    cluster
        .run(Mutation::UpdateFunctionConfiguration {
            function: id("f"),
            patch: Box::new(patch),
            expected: None,
        })
        .unwrap();
    cluster.settle("f");
    assert_eq!(cluster.version(publish("f")).id.version, number(2));
}

#[test]
fn an_older_version_does_not_stand_for_one_that_was_deleted() {
    let mut cluster = Cluster::created("f");
    let describe = |text: &str| Mutation::UpdateFunctionConfiguration {
        function: id("f"),
        patch: Box::new(ConfigPatch {
            description: Some(text.to_owned()),
            ..ConfigPatch::default()
        }),
        expected: None,
    };
    let mut published = Vec::new();
    for text in ["a", "b"] {
        cluster.run(describe(text)).unwrap();
        cluster.settle("f");
        published.push(cluster.version(publish("f")).id.version);
    }
    cluster
        .run(Mutation::DeleteFunction {
            function: id("f"),
            version: published.pop(),
        })
        .unwrap();
    let again = cluster.version(publish("f"));
    assert_eq!(again.id.version, number(3));
    assert_eq!(again.config.description, "b");
}

#[test]
fn create_with_publish_makes_version_1_and_settles_both() {
    let mut cluster = Cluster::default();
    assert_eq!(cluster.version(create("f", true)).id.version, number(1));
    assert_eq!(cluster.catalog.unsettled().count(), 2);
    cluster.settle("f");
    assert_eq!(
        cluster
            .catalog
            .version(&VersionId {
                function: id("f"),
                version: number(1)
            })
            .unwrap()
            .state,
        State::Active
    );
    assert_eq!(cluster.version(publish("f")).id.version, number(1));
}

#[test]
fn publishing_checks_the_code_that_was_named() {
    let mut cluster = Cluster::created("f");
    let named = Mutation::PublishVersion {
        function: id("f"),
        to: Publication::Number,
        code_sha256: Some(code(9).digest),
        description: None,
        expected: None,
    };
    assert_eq!(
        cluster.run(named),
        Err(Rejection::CodeMismatch {
            expected: code(9).digest,
            actual: code(1).digest
        })
    );
}

#[test]
fn an_alias_points_only_to_what_exists() {
    let mut cluster = Cluster::created("f");
    cluster.run(publish("f")).unwrap();
    let missing = Rejection::FunctionNotFound(id("f").arn(Some(Qualifier::Version(number(5)))));
    assert_eq!(
        cluster.run(create_alias("f", "live", number(5), None)),
        Err(missing.clone())
    );
    assert_eq!(
        cluster.run(create_alias("f", "live", number(1), Some((5, 0.5)))),
        Err(missing)
    );
    assert_eq!(
        cluster.run(create_alias("f", "live", number(1), Some((1, 0.5)))),
        Err(Rejection::CanaryIsPrimary(number(1)))
    );
    assert_eq!(
        cluster.run(create_alias("f", "live", Version::Latest, Some((1, 0.5)))),
        Err(Rejection::LatestWithCanary)
    );
    assert!(
        cluster
            .run(create_alias("f", "live", number(1), None))
            .is_ok()
    );
    let arn = id("f").arn(Some(Qualifier::Alias(alias_name("live"))));
    assert_eq!(
        cluster.run(create_alias("f", "live", number(1), None)),
        Err(Rejection::AliasExists(arn))
    );
}

#[test]
fn a_version_that_an_alias_uses_cannot_be_deleted() {
    let mut cluster = Cluster::created("f");
    cluster.run(publish("f")).unwrap();
    cluster
        .run(create_alias("f", "live", number(1), None))
        .unwrap();
    let delete = |v| Mutation::DeleteFunction {
        function: id("f"),
        version: v,
    };
    assert!(matches!(
        cluster.run(delete(Some(number(1)))),
        Err(Rejection::VersionInUse { .. })
    ));
    assert_eq!(
        cluster.run(delete(Some(Version::Latest))),
        Err(Rejection::LatestNotDeletable)
    );
    cluster.run(delete(None)).unwrap();
    assert!(cluster.catalog.function(&id("f")).is_none());
    assert_eq!(cluster.catalog.records().count(), 0);
    assert!(matches!(
        cluster.run(delete(None)),
        Err(Rejection::FunctionNotFound(_))
    ));
}

#[test]
fn an_alias_splits_by_weight() {
    let mut cluster = Cluster::created("f");
    cluster.run(publish("f")).unwrap();
    cluster.run(update_code("f", 2)).unwrap();
    cluster.settle("f");
    cluster.run(publish("f")).unwrap();
    cluster
        .run(create_alias("f", "live", number(1), Some((2, 0.25))))
        .unwrap();
    let live = Qualifier::Alias(alias_name("live"));
    let picked = |drawn| {
        cluster
            .catalog
            .resolve(&id("f"), Some(&live), drawn)
            .unwrap()
            .id
            .version
    };
    assert_eq!(
        (picked(0), picked(249_999), picked(250_000), picked(999_999)),
        (number(2), number(2), number(1), number(1))
    );
}

#[test]
fn functions_are_listed_by_name_within_their_scope() {
    let mut cluster = Cluster::default();
    for name in ["b", "a", "c"] {
        cluster.run(create(name, false)).unwrap();
    }
    let other = FunctionId {
        account: "111111111111".parse().unwrap(),
        ..id("a2")
    };
    cluster
        .run(Mutation::CreateFunction {
            function: other,
            config: Box::new(config()),
            code: code(1),
            publish: None,
            tags: BTreeMap::new(),
            code_signing: None,
        })
        .unwrap();
    let list = |after: Option<&str>| -> Vec<String> {
        let after = after.map(|a| a.parse().unwrap());
        cluster
            .catalog
            .functions(
                model::AccountId::DEFAULT,
                &model::Region::default(),
                after.as_ref(),
            )
            .map(|(id, _)| id.name.to_string())
            .collect()
    };
    assert_eq!(list(None), ["a", "b", "c"]);
    assert_eq!(list(Some("a")), ["b", "c"]);
    assert_eq!(list(Some("c")), [""; 0]);
}

#[test]
fn answers_are_forgotten_oldest_first() {
    let mut cluster = Cluster::default();
    let delete = Mutation::DeleteAlias {
        function: id("f"),
        name: alias_name("a"),
    };
    for key in 1..=u128::try_from(crate::ANSWERS_KEPT).unwrap() {
        cluster.step(key, delete.clone());
    }
    let applied = cluster.step(1 << 100, delete);
    assert!(
        applied
            .changes
            .contains(&Change::Gone(Key::Answer(IdempotencyKey(1)))),
        "{:?}",
        applied.changes
    );
}
