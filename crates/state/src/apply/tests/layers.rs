//! Layers, their versions and their policies.

use model::{
    LayerId, LayerVersion, LayerVersionId,
    function::{OptionalConfig, OptionalMember, OptionalPatch, UsedLayer},
    layer::{LayerDraft, LayerGrant, LayerPolicyChange, LayerPrincipal},
};

use super::*;

fn layer(name: &str) -> LayerId {
    LayerId {
        account: model::AccountId::DEFAULT,
        region: model::Region::default(),
        name: name.parse().unwrap(),
    }
}

fn layer_version(name: &str, version: u64) -> LayerVersionId {
    LayerVersionId {
        layer: layer(name),
        version: version.try_into().unwrap(),
    }
}

fn publish_layer(name: &str, n: u8) -> Mutation {
    Mutation::PublishLayerVersion {
        layer: layer(name),
        content: code(n),
        draft: Box::new(LayerDraft {
            description: format!("number {n}"),
            runtimes: vec!["python3.12".parse().unwrap()],
            architectures: Vec::new(),
            license: None,
            object: None,
        }),
    }
}

fn delete_layer(name: &str, version: u64) -> Mutation {
    Mutation::DeleteLayerVersion {
        version: layer_version(name, version),
    }
}

fn grant() -> LayerGrant {
    LayerGrant {
        principal: LayerPrincipal::Everybody,
        organization: None,
    }
}

fn add(version: u64, statement: &str) -> Mutation {
    Mutation::ChangeLayerPolicy {
        version: layer_version("l", version),
        change: LayerPolicyChange::Add {
            statement: statement.to_owned(),
            grant: grant(),
        },
        expected: None,
    }
}

fn remove(version: u64, statement: &str) -> Mutation {
    Mutation::ChangeLayerPolicy {
        version: layer_version("l", version),
        change: LayerPolicyChange::Remove {
            statement: statement.to_owned(),
        },
        expected: None,
    }
}

/// Commands about layers, for the property of followers.
pub(super) fn any_mutation() -> impl Strategy<Value = Mutation> {
    let name = prop::sample::select(vec!["l", "m"]);
    let statement = prop::sample::select(vec!["s", "t"]);
    prop_oneof![
        (name.clone(), 1u8..4).prop_map(|(n, c)| publish_layer(n, c)),
        (name, 1u64..4).prop_map(|(n, v)| delete_layer(n, v)),
        (1u64..3, statement.clone()).prop_map(|(v, s)| add(v, s)),
        (1u64..3, statement).prop_map(|(v, s)| remove(v, s)),
    ]
}

impl Cluster {
    fn layer(&mut self, mutation: Mutation) -> Arc<LayerVersion> {
        match self.run(mutation) {
            Ok(Changed::LayerVersion(v)) => v,
            other => panic!("expected a layer version, got {other:?}"),
        }
    }
}

#[test]
fn numbers_of_a_layer_are_never_used_again() {
    let mut cluster = Cluster::default();
    for n in 1..=2 {
        let made = cluster.layer(publish_layer("l", u8::try_from(n).unwrap()));
        assert_eq!((made.id.version.get(), made.content.size), (n, n));
        assert_eq!(made.created, Timestamp(n * 1000));
    }
    for n in [2, 1, 1] {
        assert_eq!(cluster.run(delete_layer("l", n)), Ok(Changed::Nothing));
    }
    assert_eq!(cluster.layer(publish_layer("l", 1)).id.version.get(), 3);
    assert_eq!(cluster.layer(publish_layer("m", 1)).id.version.get(), 1);
    let usage = cluster
        .catalog
        .usage(model::AccountId::DEFAULT, &model::Region::default());
    assert_eq!((usage.functions, usage.code), (0, 2));
}

#[test]
fn the_archive_of_a_layer_is_kept_until_its_version_goes() {
    let mut cluster = Cluster::default();
    cluster.layer(publish_layer("l", 1));
    let kept = |cluster: &Cluster| cluster.catalog.blobs().any(|d| d == code(1).digest);
    assert!(kept(&cluster));
    cluster.run(delete_layer("l", 1)).unwrap();
    assert!(!kept(&cluster));
}

#[test]
fn a_policy_has_statements_a_revision_and_an_end() {
    let mut cluster = Cluster::default();
    assert_eq!(
        cluster.run(add(1, "s")),
        Err(Rejection::LayerVersionNotFound(layer_version("l", 1)))
    );
    cluster.layer(publish_layer("l", 1));
    assert_eq!(
        cluster.run(remove(1, "s")),
        Err(Rejection::StatementNotFound("s".to_owned()))
    );
    let first = cluster.layer(add(1, "s")).policy.clone().unwrap();
    assert_eq!(
        cluster.run(add(1, "s")),
        Err(Rejection::StatementExists("s".to_owned()))
    );
    let second = cluster.layer(add(1, "t")).policy.clone().unwrap();
    assert_ne!(first.revision_id, second.revision_id);
    assert_eq!(second.statements.len(), 2);
    let Mutation::ChangeLayerPolicy {
        version, change, ..
    } = remove(1, "s")
    else {
        panic!()
    };
    let stale = Mutation::ChangeLayerPolicy {
        version,
        change,
        expected: Some(first.revision_id),
    };
    assert_eq!(cluster.run(stale), Err(Rejection::LayerRevisionMismatch));
    cluster.layer(remove(1, "s"));
    assert_eq!(cluster.layer(remove(1, "t")).policy, None);
}

#[test]
fn layers_are_listed_by_name_within_their_scope() {
    let mut cluster = Cluster::default();
    for name in ["b", "a"] {
        cluster.layer(publish_layer(name, 1));
    }
    let list = |account: &str, after: Option<&str>| -> Vec<String> {
        let after = after.map(|a| a.parse().unwrap());
        let region = model::Region::default();
        let listed = cluster
            .catalog
            .layers(account.parse().unwrap(), &region, after.as_ref());
        listed.map(|(id, _)| id.name.to_string()).collect()
    };
    assert_eq!(list("000000000000", None), ["a", "b"]);
    assert_eq!(list("000000000000", Some("a")), ["b"]);
    assert_eq!(list("111111111111", None), [""; 0]);
}

fn used(version: &LayerVersion) -> UsedLayer {
    UsedLayer {
        version: version.id.clone(),
        content: version.content,
    }
}

fn with_layers(layers: Vec<UsedLayer>) -> Option<Box<OptionalConfig>> {
    OptionalConfig {
        layers,
        ..OptionalConfig::default()
    }
    .boxed()
}

fn use_layers(layers: Vec<UsedLayer>) -> Mutation {
    Mutation::UpdateFunctionConfiguration {
        function: id("f"),
        patch: Box::new(ConfigPatch {
            optional: Some(Box::new(OptionalPatch {
                members: [OptionalMember::Layers].into(),
                values: OptionalConfig {
                    layers,
                    ..OptionalConfig::default()
                },
            })),
            ..ConfigPatch::default()
        }),
        expected: None,
    }
}

#[test]
fn a_function_uses_layers_that_are_there_and_keeps_them() {
    let mut cluster = Cluster::default();
    let layer = used(&cluster.layer(publish_layer("l", 9)));
    let missing = UsedLayer {
        version: layer_version("l", 2),
        content: layer.content,
    };
    let create = |layers| {
        let Mutation::CreateFunction {
            function,
            mut config,
            code,
            publish,
            tags,
            code_signing,
        } = create("f", false)
        else {
            panic!()
        };
        config.optional = with_layers(layers);
        Mutation::CreateFunction {
            function,
            config,
            code,
            publish,
            tags,
            code_signing,
        }
    };
    assert_eq!(
        cluster.run(create(vec![layer.clone(), missing.clone()])),
        Err(Rejection::LayerMissing(missing.version))
    );
    cluster.version(create(vec![layer.clone()]));
    cluster.settle("f");
    assert_eq!(cluster.version(publish("f")).id.version, number(1));
    cluster.run(delete_layer("l", 1)).unwrap();
    let kept = |cluster: &Cluster| cluster.catalog.blobs().any(|d| d == code(9).digest);
    assert!(kept(&cluster), "a function still uses the archive");
    // It cannot be taken into use once more, and nothing else is in its way.
    assert_eq!(
        cluster.run(use_layers(vec![layer.clone()])),
        Err(Rejection::LayerMissing(layer.version))
    );
    let without = cluster.version(use_layers(Vec::new()));
    assert_eq!(without.config.optional, None);
    cluster.settle("f");
    assert!(kept(&cluster), "version 1 still uses the archive");
    assert_eq!(cluster.version(publish("f")).id.version, number(2));
    cluster
        .run(Mutation::DeleteFunction {
            function: id("f"),
            version: Some(number(1)),
        })
        .unwrap();
    assert!(!kept(&cluster));
}
