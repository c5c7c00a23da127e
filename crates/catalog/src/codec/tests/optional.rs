//! What few functions have: format 2.

use model::{
    Runtime,
    function::{
        CapacityUse, ConfigPatch, CustomRuntime, Durable, FileSystem, Image, ImageOverrides,
        Incompatible, OptionalConfig, OptionalMember, OptionalPatch, Origin, UsedLayer, Vpc,
    },
};

use super::*;

fn everything() -> OptionalConfig {
    let text = |s: &str| Some(s.to_owned());
    OptionalConfig {
        vpc: Some(Vpc {
            subnets: vec!["subnet-1".to_owned()],
            security_groups: vec!["sg-1".to_owned()],
            ipv6: true,
        }),
        dead_letter: text("arn:aws:sqs:us-east-1:123456789012:q"),
        kms_key: text("arn:aws:kms:us-east-1:123456789012:key/k"),
        layers: vec![UsedLayer {
            version: "arn:aws:lambda:us-east-1:123456789012:layer:l:7"
                .parse()
                .unwrap(),
            content: Code {
                digest: Digest::of(b"l"),
                size: 1,
                unzipped: 2,
            },
        }],
        file_systems: vec![FileSystem {
            arn: "arn".to_owned(),
            mount_path: "/mnt/x".to_owned(),
            direct_s3_read: text("AUTO"),
        }],
        snap_start: true,
        tenant_isolation: true,
        durable: Some(Durable {
            kms_key: text("k"),
            retention_days: Some(1),
            execution_timeout_s: Some(2),
        }),
        custom_runtime: Some(CustomRuntime {
            arn: "r".to_owned(),
            alias: "a".to_owned(),
        }),
        accelerator_gb: Some(16),
        capacity: Some(CapacityUse {
            provider: "arn:aws:lambda:us-east-1:123456789012:capacity-provider:p"
                .parse()
                .unwrap(),
            max_concurrency: Some(3),
            memory_per_vcpu_milligib: Some(2500),
        }),
        image: Some(Image {
            uri: "registry/i:1".to_owned(),
            overrides: ImageOverrides {
                entry_point: vec!["e".to_owned()],
                command: vec!["c".to_owned()],
                working_directory: text("/w"),
            },
        }),
        origin: origin(),
    }
}

pub(in super::super) fn origin() -> Origin {
    Origin {
        kms_key: Some("arn:aws:kms:us-east-1:123456789012:key/p".to_owned()),
        object: Some(super::layers::object()),
    }
}

#[test]
fn every_member_of_a_version_reads_as_it_was_written() {
    let mut with_all = version(State::Active, None);
    with_all.config.runtime = Runtime::IMAGE;
    with_all.config.optional = everything().boxed();
    let change = Change::Put(Record::Version(Arc::new(with_all)));
    assert_eq!(decode_row(&encode_change(&change)).unwrap(), change);
}

#[test]
fn every_change_reads_as_it_was_written() {
    use OptionalMember as M;
    let members = [
        M::Vpc,
        M::DeadLetter,
        M::KmsKey,
        M::Layers,
        M::FileSystems,
        M::SnapStart,
        M::Durable,
        M::CustomRuntime,
        M::Accelerator,
        M::Capacity,
        M::ImageOverrides,
    ];
    let patch = OptionalPatch {
        members: members.into(),
        values: everything(),
    };
    let update = |image: Option<&str>, origin: Origin| Mutation::UpdateFunctionCode {
        function: function(),
        code: Code::of_image("i"),
        image: image.map(str::to_owned),
        origin: origin.boxed(),
        architecture: None,
        publish: None,
        expected: None,
    };
    for mutation in [
        Mutation::UpdateFunctionConfiguration {
            function: function(),
            patch: Box::new(ConfigPatch {
                optional: Some(Box::new(patch)),
                ..ConfigPatch::default()
            }),
            expected: None,
        },
        update(Some("registry/i:2"), Origin::default()),
        update(None, Origin::default()),
        update(None, origin()),
    ] {
        let command = Command {
            stamp: Stamp {
                at: Timestamp(9),
                seed: 1,
            },
            key: IdempotencyKey(8),
            mutation,
        };
        assert_eq!(decode_command(&encode_command(&command)).unwrap(), command);
    }
}

#[test]
fn every_refusal_reads_as_it_was_written() {
    use Incompatible as I;
    let incompatible = [
        I::SnapStartRuntime,
        I::SnapStartStorage,
        I::SnapStartFileSystem,
        I::SnapStartTenancy,
        I::SnapStartCapacity,
        I::FileSystemVpc,
        I::CustomRuntimeMissing,
        I::CustomRuntimeIdentifier,
        I::ImagePackageMember,
        I::ImageOverridesWithoutImage,
        I::DurableLate,
        I::LatestPublished,
        I::TenancyProvisioned,
        I::TenancyUrl,
        I::TenancyMapping,
    ];
    let runtimes = ["python3.12".parse().unwrap(), Runtime::IMAGE];
    let pairs = incompatible
        .into_iter()
        .flat_map(|what| runtimes.map(|runtime| Rejection::Incompatible { what, runtime }));
    let missing = Rejection::LayerMissing(everything().layers.remove(0).version);
    let others = [true, false].map(|image| Rejection::WrongPackage { image });
    for rejection in pairs.chain(others).chain([missing]) {
        let change = Change::Put(answer(Err(rejection)));
        assert_eq!(decode_row(&encode_change(&change)).unwrap(), change);
    }
}
