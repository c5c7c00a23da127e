//! Code-signing configurations and capacity providers: format 2.

use model::{
    CapacityProvider, CapacityProviderId, CodeSigningConfig, CodeSigningId,
    capacity_provider::{
        CapacityChange, CapacityScaling, CapacitySettings, CapacityTelemetry, InstanceShape,
        PropagatedTags,
    },
    code_signing::{CodeSigningChange, CodeSigningSettings, UntrustedArtifact},
};

use super::*;

fn tags() -> BTreeMap<String, String> {
    [("k".to_owned(), "v".to_owned())].into()
}

fn signing_id() -> CodeSigningId {
    "arn:aws:lambda:eu-west-1:123456789012:code-signing-config:csc-0123456789abcdefg"
        .parse()
        .unwrap()
}

fn signing_settings() -> CodeSigningSettings {
    CodeSigningSettings {
        description: "d".to_owned(),
        publishers: vec!["p".to_owned()],
        untrusted: UntrustedArtifact::Enforce,
    }
}

fn signing() -> Arc<CodeSigningConfig> {
    Arc::new(CodeSigningConfig {
        id: signing_id(),
        settings: signing_settings(),
        tags: tags(),
        last_modified: Timestamp(7),
    })
}

fn capacity_id() -> CapacityProviderId {
    "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:p"
        .parse()
        .unwrap()
}

fn shape() -> InstanceShape {
    InstanceShape {
        subnets: vec!["subnet-1".to_owned()],
        security_groups: vec!["sg-1".to_owned()],
        operator_role: "r".to_owned(),
        architecture: Some(model::Architecture::Arm64),
        allowed_types: vec!["a".to_owned()],
        excluded_types: vec!["b".to_owned()],
        kms_key: Some("k".to_owned()),
    }
}

fn capacity_settings() -> CapacitySettings {
    CapacitySettings {
        scaling: Some(CapacityScaling {
            max_vcpus: Some(8),
            manual: Some(true),
            policies: vec![("m".to_owned(), 50_500_000)],
        }),
        propagated_tags: Some(PropagatedTags {
            explicit: Some(true),
            tags: tags(),
        }),
        telemetry: Some(CapacityTelemetry {
            system_level: Some("WARN".to_owned()),
            log_group: Some("g".to_owned()),
        }),
    }
}

fn capacity() -> Arc<CapacityProvider> {
    Arc::new(CapacityProvider {
        id: capacity_id(),
        shape: shape(),
        settings: capacity_settings(),
        tags: tags(),
        last_modified: Timestamp(7),
    })
}

#[test]
fn every_record_reads_as_it_was_written() {
    for record in [
        Record::CodeSigning(signing()),
        Record::Capacity(capacity()),
        Record::Function {
            id: function(),
            next_version: 4,
            tags: BTreeMap::new(),
            published_description: String::new(),
            code_signing: Some(signing_id().name),
        },
        answer(Ok(Changed::CodeSigning(signing()))),
        answer(Ok(Changed::Capacity(capacity()))),
        answer(Err(Rejection::CodeSigningNotFound(signing_id()))),
        answer(Err(Rejection::CodeSigningMissing(signing_id()))),
        answer(Err(Rejection::CodeSigningInUse(signing_id()))),
        answer(Err(Rejection::CodeNotSigned(signing_id()))),
        answer(Err(Rejection::CapacityNotFound(capacity_id()))),
        answer(Err(Rejection::CapacityExists(capacity_id()))),
        answer(Err(Rejection::CapacityInUse(capacity_id()))),
    ] {
        let change = Change::Put(record);
        assert_eq!(decode_row(&encode_change(&change)).unwrap(), change);
    }
}

#[test]
fn commands_read_as_they_were_written() {
    let signing = |change| Mutation::CodeSigning(Box::new(change));
    let capacity = |change| Mutation::Capacity(Box::new(change));
    let update = |description, publishers, untrusted| {
        signing(CodeSigningChange::Update {
            id: signing_id(),
            description,
            publishers,
            untrusted,
        })
    };
    let link = |config| {
        signing(CodeSigningChange::Link {
            function: function(),
            config,
        })
    };
    for mutation in [
        signing(CodeSigningChange::Create {
            account: signing_id().account,
            region: signing_id().region,
            settings: signing_settings(),
            tags: tags(),
        }),
        update(None, None, None),
        update(
            Some(String::new()),
            Some(vec!["p".to_owned()]),
            Some(UntrustedArtifact::Warn),
        ),
        signing(CodeSigningChange::Delete { id: signing_id() }),
        signing(CodeSigningChange::Tag {
            id: signing_id(),
            set: tags(),
            unset: vec!["x".to_owned()],
            at_most: 50,
        }),
        link(None),
        link(Some(signing_id())),
        capacity(CapacityChange::Create {
            id: capacity_id(),
            shape: shape(),
            settings: capacity_settings(),
            tags: tags(),
        }),
        capacity(CapacityChange::Update {
            id: capacity_id(),
            settings: CapacitySettings::default(),
        }),
        capacity(CapacityChange::Delete { id: capacity_id() }),
        capacity(CapacityChange::Tag {
            id: capacity_id(),
            set: tags(),
            unset: vec!["x".to_owned()],
            at_most: 50,
        }),
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
