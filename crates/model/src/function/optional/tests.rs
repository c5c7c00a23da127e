use super::*;

fn queue(name: &str) -> Option<String> {
    Some(format!("arn:aws:sqs:us-east-1:123456789012:{name}"))
}

#[test]
fn a_patch_changes_and_clears_only_what_it_names() {
    let old = OptionalConfig {
        dead_letter: queue("old"),
        snap_start: true,
        ..OptionalConfig::default()
    };
    let patch = OptionalPatch {
        members: [OptionalMember::DeadLetter, OptionalMember::KmsKey].into(),
        values: OptionalConfig {
            dead_letter: queue("new"),
            accelerator_gb: Some(16),
            ..OptionalConfig::default()
        },
    };
    let new = *patch.apply_to(Some(&old)).unwrap();
    assert_eq!(
        new,
        OptionalConfig {
            dead_letter: queue("new"),
            ..old.clone()
        }
    );
    let cleared = OptionalPatch {
        members: [OptionalMember::DeadLetter, OptionalMember::SnapStart].into(),
        values: OptionalConfig::default(),
    };
    // The last member gone, nothing is kept at all.
    assert_eq!(cleared.apply_to(Some(&old)), None);
    assert_eq!(OptionalPatch::default().apply_to(None), None);
}

#[test]
fn settings_of_an_image_need_an_image() {
    let image = |command: &str| Image {
        uri: "r/i:1".to_owned(),
        overrides: ImageOverrides {
            command: vec![command.to_owned()],
            ..ImageOverrides::default()
        },
    };
    let patch = OptionalPatch {
        members: [OptionalMember::ImageOverrides].into(),
        values: OptionalConfig {
            image: Some(Image {
                uri: String::new(),
                ..image("new")
            }),
            ..OptionalConfig::default()
        },
    };
    assert_eq!(patch.apply_to(None), None);
    let old = OptionalConfig {
        image: Some(image("old")),
        ..OptionalConfig::default()
    };
    assert_eq!(
        patch.apply_to(Some(&old)).unwrap().image,
        Some(image("new"))
    );
}

fn config(runtime: &str) -> Config {
    Config {
        runtime: runtime.parse().unwrap(),
        handler: None,
        role: String::new(),
        description: String::new(),
        timeout: crate::TimeoutSeconds::default(),
        memory: crate::MemoryMib::default(),
        ephemeral: EphemeralMib::default(),
        architecture: crate::Architecture::X86_64,
        environment: None,
        tracing: crate::function::TracingMode::default(),
        logging: crate::function::Logging::default(),
        optional: None,
    }
}

#[test]
fn snapshots_need_a_runtime_that_knows_them() {
    for (runtime, known) in [
        ("python3.11", false),
        ("python3.12", true),
        ("python3.9", false),
        ("java8.al2", false),
        ("java8.al2023", false),
        ("java11", true),
        ("java17.al2023", true),
        ("dotnet8", true),
        ("dotnet6", false),
        ("nodejs22.x", false),
        ("provided.al2023", false),
    ] {
        let mut config = config(runtime);
        let snap_start = OptionalConfig {
            snap_start: true,
            ..OptionalConfig::default()
        };
        config.optional = snap_start.boxed();
        let expected = (!known).then_some(Incompatible::SnapStartRuntime);
        assert_eq!(config.incompatible(), expected, "{runtime}");
    }
}

#[test]
fn what_cannot_be_together() {
    let efs = FileSystem {
        arn: "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-1".to_owned(),
        mount_path: "/mnt/x".to_owned(),
        direct_s3_read: None,
    };
    let vpc = Vpc {
        subnets: vec!["subnet-1".to_owned()],
        security_groups: vec!["sg-1".to_owned()],
        ipv6: false,
    };
    let custom = CustomRuntime {
        arn: "arn:aws:lambda:us-east-1:123456789012:runtime/r".to_owned(),
        alias: "a".to_owned(),
    };
    let none = OptionalConfig::default;
    let check = |runtime: &str, optional: OptionalConfig, expected: Option<Incompatible>| {
        let mut config = config(runtime);
        config.optional = optional.boxed();
        assert_eq!(config.incompatible(), expected, "{config:?}");
    };
    check("python3.12", none(), None);
    let mounted = OptionalConfig {
        file_systems: vec![efs],
        ..none()
    };
    check(
        "python3.12",
        mounted.clone(),
        Some(Incompatible::FileSystemVpc),
    );
    let reachable = OptionalConfig {
        vpc: Some(vpc),
        ..mounted
    };
    check("python3.12", reachable.clone(), None);
    let snapped = OptionalConfig {
        snap_start: true,
        ..reachable
    };
    check(
        "python3.12",
        snapped,
        Some(Incompatible::SnapStartFileSystem),
    );
    check("custom", none(), Some(Incompatible::CustomRuntimeMissing));
    let own = OptionalConfig {
        custom_runtime: Some(custom),
        ..none()
    };
    check("custom", own.clone(), None);
    check(
        "python3.12",
        own,
        Some(Incompatible::CustomRuntimeIdentifier),
    );
}

#[test]
fn what_cannot_be_honoured_is_named() {
    let check = |config: OptionalConfig, expected: Option<&str>| {
        assert_eq!(config.unmet(), expected, "{config:?}");
    };
    let none = OptionalConfig::default;
    check(
        OptionalConfig {
            dead_letter: queue("q"),
            snap_start: true,
            ..none()
        },
        None,
    );
    check(
        OptionalConfig {
            tenant_isolation: true,
            ..none()
        },
        None,
    );
    check(
        OptionalConfig {
            durable: Some(Durable::default()),
            ..none()
        },
        Some("DurableConfig"),
    );
    check(
        OptionalConfig {
            accelerator_gb: Some(1),
            ..none()
        },
        Some("AcceleratorConfig"),
    );
}
