//! What few functions have, and functions of images.

use model::{
    Runtime, SettingChange,
    function::{
        Image, ImageOverrides, Incompatible, OptionalConfig, OptionalMember, OptionalPatch, Origin,
    },
    setting::{ConcurrencyBounds, InvokeMode, UrlAuth},
};

use super::*;

fn patch(member: OptionalMember, values: OptionalConfig) -> ConfigPatch {
    ConfigPatch {
        optional: Some(Box::new(OptionalPatch {
            members: [member].into(),
            values,
        })),
        ..ConfigPatch::default()
    }
}

fn update(patch: ConfigPatch) -> Mutation {
    Mutation::UpdateFunctionConfiguration {
        function: id("f"),
        patch: Box::new(patch),
        expected: None,
    }
}

fn image(uri: &str) -> OptionalConfig {
    OptionalConfig {
        image: Some(Image {
            uri: uri.to_owned(),
            overrides: ImageOverrides::default(),
        }),
        ..OptionalConfig::default()
    }
}

fn create_image(uri: &str) -> Mutation {
    Mutation::CreateFunction {
        function: id("f"),
        config: Box::new(Config {
            runtime: Runtime::IMAGE,
            handler: None,
            optional: image(uri).boxed(),
            ..config()
        }),
        code: Code::of_image(uri),
        publish: None,
        tags: BTreeMap::new(),
        code_signing: None,
    }
}

fn update_image(uri: &str) -> Mutation {
    Mutation::UpdateFunctionCode {
        function: id("f"),
        code: Code::of_image(uri),
        image: Some(uri.to_owned()),
        origin: None,
        architecture: None,
        publish: None,
        expected: None,
    }
}

#[test]
fn an_optional_member_makes_another_version_and_can_go_again() {
    let mut cluster = Cluster::created("f");
    assert_eq!(cluster.version(publish("f")).id.version, number(1));
    let queue = OptionalConfig {
        dead_letter: Some("arn:aws:sqs:us-east-1:123456789012:q".to_owned()),
        ..OptionalConfig::default()
    };
    let with = cluster.version(update(patch(OptionalMember::DeadLetter, queue.clone())));
    assert_eq!(with.config.optional, queue.boxed());
    cluster.settle("f");
    assert_eq!(cluster.version(publish("f")).id.version, number(2));
    let none = OptionalConfig::default();
    let without = cluster.version(update(patch(OptionalMember::DeadLetter, none)));
    assert_eq!(without.config.optional, None);
}

#[test]
fn what_is_said_of_a_package_goes_with_it() {
    let mut cluster = Cluster::created("f");
    let package = |key: Option<&str>| Mutation::UpdateFunctionCode {
        function: id("f"),
        code: code(1),
        image: None,
        origin: Origin {
            kms_key: key.map(str::to_owned),
            object: None,
        }
        .boxed(),
        architecture: None,
        publish: None,
        expected: None,
    };
    let key = |version: &FunctionVersion| version.config.origin()?.kms_key.clone();
    let keyed = cluster.version(package(Some("k")));
    assert_eq!(key(&keyed).as_deref(), Some("k"));
    cluster.settle("f");
    let queue = OptionalConfig {
        dead_letter: Some("arn:aws:sqs:us-east-1:123456789012:q".to_owned()),
        ..OptionalConfig::default()
    };
    let configured = cluster.version(update(patch(OptionalMember::DeadLetter, queue)));
    assert_eq!(key(&configured).as_deref(), Some("k"));
    cluster.settle("f");
    assert_eq!(key(&cluster.version(publish("f"))).as_deref(), Some("k"));
    assert_eq!(key(&cluster.version(package(None))), None);
}

#[test]
fn what_cannot_be_together_is_refused_at_creation_and_later() {
    let mut cluster = Cluster::created("f");
    let snap_start = OptionalConfig {
        snap_start: true,
        ..OptionalConfig::default()
    };
    let refused = |what| {
        Err(Rejection::Incompatible {
            what,
            runtime: config().runtime,
        })
    };
    assert_eq!(
        cluster.run(update(patch(OptionalMember::SnapStart, snap_start.clone()))),
        refused(Incompatible::SnapStartRuntime)
    );
    assert_eq!(
        cluster.run(update(patch(
            OptionalMember::Durable,
            OptionalConfig::default()
        ))),
        refused(Incompatible::DurableLate)
    );
    let mut overridden = image("");
    if let Some(image) = &mut overridden.image {
        image.overrides.command = vec!["c".to_owned()];
    }
    assert_eq!(
        cluster.run(update(patch(OptionalMember::ImageOverrides, overridden))),
        refused(Incompatible::ImageOverridesWithoutImage)
    );
    let create = Mutation::CreateFunction {
        function: id("g"),
        config: Box::new(Config {
            optional: snap_start.boxed(),
            ..config()
        }),
        code: code(1),
        publish: None,
        tags: BTreeMap::new(),
        code_signing: None,
    };
    assert_eq!(cluster.run(create), refused(Incompatible::SnapStartRuntime));
}

#[test]
fn a_function_stays_what_it_is_made_of() {
    let mut cluster = Cluster::created("f");
    assert_eq!(
        cluster.run(update_image("r/i:1")),
        Err(Rejection::WrongPackage { image: false })
    );
    let mut cluster = Cluster::default();
    let made = cluster.version(create_image("r/i:1"));
    assert_eq!((made.package(), made.blobs().count()), (None, 0));
    assert_eq!(cluster.catalog.blobs().count(), 0);
    cluster.settle("f");
    assert_eq!(
        cluster.run(update_code("f", 1)),
        Err(Rejection::WrongPackage { image: true })
    );
    let moved = cluster.version(update_image("r/i:2"));
    assert_eq!(moved.config.image().unwrap().uri, "r/i:2");
    cluster.settle("f");
    let runtime = ConfigPatch {
        runtime: Some(config().runtime),
        ..ConfigPatch::default()
    };
    assert_eq!(
        cluster.run(update(runtime)),
        Err(Rejection::Incompatible {
            what: Incompatible::ImagePackageMember,
            runtime: Runtime::IMAGE
        })
    );
}

#[test]
fn an_image_needs_no_blob_and_a_package_does() {
    assert_eq!(create_image("i").code(), None);
    assert_eq!(update_image("i").code(), None);
    assert_eq!(create("f", false).code(), Some(&code(1)));
    assert_eq!(update_code("f", 2).code(), Some(&code(2)));
}

#[test]
fn what_calls_a_function_by_itself_knows_no_tenant() {
    let mut cluster = Cluster::default();
    let optional = OptionalConfig {
        tenant_isolation: true,
        ..OptionalConfig::default()
    };
    cluster
        .run(Mutation::CreateFunction {
            function: id("f"),
            config: Box::new(Config {
                optional: optional.boxed(),
                ..config()
            }),
            code: code(1),
            publish: Some(Publication::Number),
            tags: BTreeMap::new(),
            code_signing: None,
        })
        .unwrap();
    cluster.settle("f");
    let refused = |what| {
        Err(Rejection::Incompatible {
            what,
            runtime: config().runtime,
        })
    };
    let configure = |qualifier: Option<&str>, change| Mutation::Configure {
        function: id("f"),
        qualifier: qualifier.map(|q| q.parse().unwrap()),
        change: Box::new(change),
        expected: None,
    };
    let provision = SettingChange::Provision {
        executions: 1,
        bounds: ConcurrencyBounds::from(&model::Limits::default()),
    };
    assert_eq!(
        cluster.run(configure(Some("1"), provision)),
        refused(Incompatible::TenancyProvisioned)
    );
    let url = SettingChange::CreateUrl {
        auth: UrlAuth::None,
        cors: None,
        invoke_mode: InvokeMode::Buffered,
    };
    assert_eq!(
        cluster.run(configure(None, url)),
        refused(Incompatible::TenancyUrl)
    );
    let mapping = Mutation::CreateEventSourceMapping {
        function: id("f").arn(None),
        source: Box::new(model::mapping::Source::Sqs {
            arn: "arn:aws:sqs:us-east-1:000000000000:q".to_owned(),
        }),
        settings: Vec::new(),
        enabled: true,
        tags: BTreeMap::new(),
    };
    assert_eq!(cluster.run(mapping), refused(Incompatible::TenancyMapping));
}
