//! Layers: records and commands of format 2.

use model::{
    LayerId, LayerVersion, LayerVersionId, ObjectAddress,
    layer::{LayerDraft, LayerGrant, LayerPolicy, LayerPolicyChange, LayerPrincipal},
};

use super::*;

fn id() -> LayerVersionId {
    LayerVersionId {
        layer: LayerId {
            account: "123456789012".parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
            name: "tools".parse().unwrap(),
        },
        version: 3.try_into().unwrap(),
    }
}

fn draft() -> LayerDraft {
    LayerDraft {
        description: "d".to_owned(),
        runtimes: vec!["python3.12".parse().unwrap(), "custom".parse().unwrap()],
        architectures: vec![model::Architecture::Arm64],
        license: Some("MIT".to_owned()),
        object: Some(object()),
    }
}

pub(in super::super) fn object() -> ObjectAddress {
    ObjectAddress {
        bucket: "b".to_owned(),
        key: "ä/x.zip".to_owned(),
        version: Some("v".to_owned()),
    }
}

fn content() -> Code {
    Code {
        digest: Digest::of(b"zip"),
        size: 3,
        unzipped: 9,
    }
}

fn grants() -> [LayerGrant; 2] {
    [
        LayerGrant {
            principal: LayerPrincipal::Everybody,
            organization: Some("o-0123456789".to_owned()),
        },
        LayerGrant {
            principal: LayerPrincipal::Account("210987654321".parse().unwrap()),
            organization: None,
        },
    ]
}

fn layer_version(policy: Option<LayerPolicy>) -> Arc<LayerVersion> {
    Arc::new(LayerVersion {
        id: id(),
        content: content(),
        draft: draft(),
        created: Timestamp(1_767_323_045_123),
        policy,
    })
}

#[test]
fn every_record_reads_as_it_was_written() {
    let statements = ["a", "b"].map(str::to_owned).into_iter().zip(grants());
    let policy = LayerPolicy {
        revision_id: RevisionId::from_random(4),
        statements: statements.collect(),
    };
    for record in [
        Record::Layer {
            id: id().layer,
            next_version: 4,
        },
        Record::LayerVersion(layer_version(None)),
        Record::LayerVersion(layer_version(Some(policy))),
        answer(Ok(Changed::LayerVersion(layer_version(None)))),
        answer(Err(Rejection::LayerVersionNotFound(id()))),
        answer(Err(Rejection::LayerRevisionMismatch)),
        answer(Err(Rejection::StatementExists("s".to_owned()))),
        answer(Err(Rejection::StatementNotFound("s".to_owned()))),
    ] {
        let change = Change::Put(record);
        assert_eq!(decode_row(&encode_change(&change)).unwrap(), change);
    }
    let gone = Change::Gone(Key::LayerVersion(id()));
    assert_eq!(decode_row(&encode_change(&gone)).unwrap(), gone);
}

#[test]
fn commands_read_as_they_were_written() {
    let [everybody, account] = grants();
    let change = |change, expected| Mutation::ChangeLayerPolicy {
        version: id(),
        change,
        expected,
    };
    let add = |grant| LayerPolicyChange::Add {
        statement: "s".to_owned(),
        grant,
    };
    let remove = LayerPolicyChange::Remove {
        statement: "s".to_owned(),
    };
    for mutation in [
        Mutation::PublishLayerVersion {
            layer: id().layer,
            content: content(),
            draft: Box::new(draft()),
        },
        Mutation::DeleteLayerVersion { version: id() },
        change(add(everybody), None),
        change(add(account), Some(RevisionId::from_random(1))),
        change(remove, None),
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

/// These bytes are on disks.
#[test]
fn the_records_of_a_layer_are_frozen() {
    let hex = |record| -> String {
        let row = encode_change(&Change::Put(record));
        let value = row.value.unwrap();
        value.iter().map(|b| format!("{b:02x}")).collect()
    };
    let head = hex(Record::Layer {
        id: id().layer,
        next_version: 4,
    });
    expect_test::expect![
        "08024a240a200a0c313233343536373839303132120965752d776573742d311a05746f6f6c731004"
    ]
    .assert_eq(&head);
    let version = hex(Record::LayerVersion(layer_version(None)));
    expect_test::expect!["0802528a010a200a0c313233343536373839303132120965752d776573742d311a05746f6f6c7310031a260a204a70fe9aa6436e02c2dea340fbd1e352e4ef2d8ce6ca52ad25d4b95471fc8bf21003180922350a0164120a707974686f6e332e31321206637573746f6d1a0561726d363422034d49542a100a01621208c3a42f782e7a69701a017628839aa6e5b733"].assert_eq(&version);
}
