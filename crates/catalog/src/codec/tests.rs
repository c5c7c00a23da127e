use std::{collections::BTreeMap, sync::Arc};

use model::{
    Alias, DataKey, Digest, FunctionId, Generation, RevisionId, Sealed, Version, VersionId,
    WrappedKey,
    alias::{Canary, Weight},
    function::{
        Code, Config, Environment, FunctionVersion, LastUpdate, LogFormat, Logging, Publication,
        Reason, State, StoredEnvironment, TracingMode,
    },
    mutation::{Changed, Rejection},
};

use super::*;

pub(super) mod iam;
pub(super) mod layers;
pub(super) mod mapping;
pub(super) mod optional;
mod resources;
pub(super) mod settings;

pub(super) fn function() -> FunctionId {
    FunctionId {
        account: "123456789012".parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
        name: "f".parse().unwrap(),
    }
}

pub(crate) fn version(state: State, last_update: Option<LastUpdate>) -> FunctionVersion {
    FunctionVersion {
        id: VersionId {
            function: function(),
            version: Version::number(7).unwrap(),
        },
        config: Config {
            runtime: "provided.al2023".parse().unwrap(),
            handler: None,
            role: "arn:aws:iam::123456789012:role/r".to_owned(),
            description: "ä".to_owned(),
            timeout: model::TimeoutSeconds::new(900).unwrap(),
            memory: model::MemoryMib::new(1769).unwrap(),
            ephemeral: model::EphemeralMib::new(600).unwrap(),
            architecture: model::Architecture::Arm64,
            environment: Some(Environment([("K".to_owned(), "v".to_owned())].into()).into()),
            tracing: TracingMode::Active,
            logging: Logging {
                format: LogFormat::Json,
                application_level: Some("WARN".to_owned()),
                system_level: None,
                group: Some("g".to_owned()),
            },
            optional: None,
        },
        code: Code {
            digest: Digest::of(b"zip"),
            size: 3,
            unzipped: 0,
        },
        state,
        last_update,
        last_modified: Timestamp(1_767_323_045_123),
        revision_id: RevisionId::from_random(99),
        touched: None,
    }
}

pub(super) fn sealed() -> StoredEnvironment {
    StoredEnvironment::Sealed(Sealed::from_bytes(vec![1, 0, 0xff]))
}

pub(super) fn wrapped(byte: u8) -> WrappedKey {
    WrappedKey {
        master: "2026-01".parse().unwrap(),
        bytes: vec![byte, 0xff],
    }
}

pub(super) fn data_key() -> DataKey {
    DataKey {
        account: function().account,
        generation: Generation::new(7).unwrap(),
        wrapped: wrapped(1),
        created: Timestamp(1_767_323_045_123),
    }
}

pub(super) fn alias(canary: Option<Canary>) -> Alias {
    Alias {
        function: function(),
        name: "live".parse().unwrap(),
        version: Version::Latest,
        canary,
        description: String::new(),
        revision_id: RevisionId::from_random(5),
    }
}

pub(super) fn canary() -> Canary {
    Canary {
        version: 2.try_into().unwrap(),
        weight: Weight::from_millionths(123_456),
    }
}

pub(super) fn reason() -> Reason {
    Reason {
        code: "C".to_owned(),
        text: "t".to_owned(),
    }
}

pub(super) fn answer(result: Result<Changed, Rejection>) -> Record {
    Record::Answer(Box::new(Answer {
        key: IdempotencyKey(3),
        at: Timestamp(4),
        revision: Revision(5),
        result,
    }))
}

#[test]
fn every_record_reads_as_it_was_written() {
    let (reason, canary) = (reason(), canary());
    let records = [
        Record::Function {
            id: function(),
            next_version: 4,
            tags: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            published_description: "d".to_owned(),
            code_signing: None,
        },
        Record::Version(Arc::new(version(State::Pending, None))),
        Record::Version(Arc::new(version(
            State::Active,
            Some(LastUpdate::InProgress),
        ))),
        Record::Version(Arc::new(version(
            State::Active,
            Some(LastUpdate::Failed(reason.clone())),
        ))),
        Record::Version(Arc::new(version(State::Failed(reason), None))),
        Record::Version(Arc::new({
            let mut version = version(State::Active, None);
            version.config.environment = Some(sealed());
            version
        })),
        Record::DataKey(Arc::new(data_key())),
        answer(Ok(Changed::DataKey(Arc::new(data_key())))),
        Record::Alias(Arc::new(alias(None))),
        Record::Alias(Arc::new(alias(Some(canary)))),
        answer(Ok(Changed::Nothing)),
        answer(Ok(Changed::Version(Arc::new(version(
            State::Active,
            Some(LastUpdate::Successful),
        ))))),
        answer(Err(Rejection::VersionInUse {
            version: function().arn(None),
            aliases: vec!["a".to_owned(), "b".to_owned()],
        })),
        answer(Err(Rejection::CodeMismatch {
            expected: Digest::of(b"1"),
            actual: Digest::of(b"2"),
        })),
        answer(Err(Rejection::RevisionMismatch { alias: true })),
        Record::Format(2),
    ];
    for record in records {
        let change = Change::Put(record);
        assert_eq!(decode_row(&encode_change(&change)).unwrap(), change);
    }
    let gone = Change::Gone(Key::Function(function()));
    assert_eq!(decode_row(&encode_change(&gone)).unwrap(), gone);
}

#[test]
fn a_record_under_anothers_key_is_refused() {
    let mut row = encode_change(&Change::Put(Record::Alias(Arc::new(alias(None)))));
    row.key = b"a/123456789012/eu-west-1/f/other".to_vec();
    assert!(matches!(
        decode_row(&row),
        Err(CodecError::Misplaced { .. })
    ));
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let newer = pb::Record {
        format: FORMATS.newest + 1,
        record: None,
    }
    .encode_to_vec();
    let row = Row {
        key: b"a/123456789012/eu-west-1/f/live".to_vec(),
        value: Some(newer),
    };
    assert!(
        matches!(decode_row(&row), Err(CodecError::Message(InvalidMessage::Format(f))) if f == FORMATS.newest + 1)
    );
}

#[test]
fn a_key_of_a_newer_format_is_told_by_its_format() {
    let newer = pb::Record {
        format: FORMATS.newest + 1,
        record: None,
    };
    let row = Row {
        key: b"zz/1".to_vec(),
        value: Some(newer.encode_to_vec()),
    };
    assert!(matches!(
        decode_row(&row),
        Err(CodecError::Message(InvalidMessage::Format(_)))
    ));
}

#[test]
fn what_an_upgrade_ends_in_is_written_for_builds_that_read_it() {
    let finalize = |format| Command {
        stamp: Stamp {
            at: Timestamp(1),
            seed: 2,
        },
        key: IdempotencyKey(0),
        mutation: Mutation::Finalize { format },
    };
    let newer = FORMATS.newest + 1;
    assert!(decode_command(&encode_command(&finalize(FORMATS.newest))).is_ok());
    assert!(matches!(
        decode_command(&encode_command(&finalize(newer))),
        Err(CodecError::Message(InvalidMessage::Format(f))) if f == newer
    ));
    let row = encode_change(&Change::Put(Record::Format(newer)));
    assert!(matches!(
        decode_row(&row),
        Err(CodecError::Message(InvalidMessage::Format(f))) if f == newer
    ));
}

#[test]
fn garbage_is_an_error_and_never_a_panic() {
    for bytes in [&b""[..], b"\xff", b"\x08\x01", &[0x12; 40]] {
        assert!(decode_command(bytes).is_err());
        assert!(
            decode_row(&Row {
                key: b"a/123456789012/eu-west-1/f/live".to_vec(),
                value: Some(bytes.to_vec())
            })
            .is_err()
        );
        assert!(
            decode_row(&Row {
                key: bytes.to_vec(),
                value: None
            })
            .is_err()
        );
    }
}

#[test]
fn commands_read_as_they_were_written() {
    let canary = Canary {
        version: 2.try_into().unwrap(),
        weight: Weight::from_millionths(1),
    };
    let mutations = [
        Mutation::CreateFunction {
            function: function(),
            config: Box::new(version(State::Active, None).config),
            code: Code {
                digest: Digest::of(b"zip"),
                size: 3,
                unzipped: 9,
            },
            publish: Some(Publication::Number),
            tags: BTreeMap::from([("a".to_owned(), String::new())]),
            code_signing: None,
        },
        Mutation::UpdateFunctionConfiguration {
            function: function(),
            patch: Box::new(model::function::ConfigPatch {
                environment: Some(Environment::default().into()),
                ..Default::default()
            }),
            expected: Some(RevisionId::from_random(1)),
        },
        Mutation::UpdateFunctionConfiguration {
            function: function(),
            patch: Box::new(model::function::ConfigPatch {
                environment: Some(sealed()),
                ..Default::default()
            }),
            expected: None,
        },
        Mutation::PutDataKey {
            account: function().account,
            generation: Generation::FIRST,
            wrapped: wrapped(1),
        },
        Mutation::RewrapDataKey {
            account: function().account,
            generation: Generation::FIRST,
            old: wrapped(1),
            new: wrapped(2),
        },
        Mutation::UpdateAlias {
            function: function(),
            name: "live".parse().unwrap(),
            version: None,
            canary: Some(None),
            description: Some(String::new()),
            expected: None,
        },
        Mutation::UpdateAlias {
            function: function(),
            name: "live".parse().unwrap(),
            version: Some(Version::Latest),
            canary: Some(Some(canary)),
            description: None,
            expected: None,
        },
        Mutation::PublishVersion {
            function: function(),
            to: Publication::Number,
            code_sha256: Some(Digest::of(b"1")),
            description: Some(String::new()),
            expected: None,
        },
        Mutation::PublishVersion {
            function: function(),
            to: Publication::Latest,
            code_sha256: None,
            description: None,
            expected: None,
        },
        Mutation::UpdateFunctionCode {
            function: function(),
            code: Code::of_image("any"),
            image: None,
            origin: None,
            architecture: None,
            publish: Some(Publication::Latest),
            expected: None,
        },
        Mutation::CreateFunction {
            function: function(),
            config: Box::new(version(State::Active, None).config),
            code: Code::of_image("any"),
            publish: Some(Publication::Latest),
            tags: BTreeMap::new(),
            code_signing: None,
        },
        Mutation::DeleteFunction {
            function: function(),
            version: Version::number(3),
        },
        Mutation::DeleteFunction {
            function: function(),
            version: Some(Version::LatestPublished),
        },
        Mutation::Settle {
            version: VersionId {
                function: function(),
                version: Version::Latest,
            },
            revision: RevisionId::from_random(2),
            failure: Some(Reason {
                code: "C".to_owned(),
                text: "t".to_owned(),
            }),
        },
        Mutation::Finalize { format: 2 },
    ];
    for mutation in mutations {
        let command = Command {
            stamp: Stamp {
                at: Timestamp(9),
                seed: 1 << 100,
            },
            key: IdempotencyKey(8),
            mutation,
        };
        assert_eq!(decode_command(&encode_command(&command)).unwrap(), command);
    }
}

/// Records from before there were master keys hold their environment in clear, and stay readable.
#[test]
fn an_environment_in_clear_and_a_data_key_are_where_they_were() {
    let config = pb::FunctionConfig::from(&version(State::Active, None).config);
    assert!(config.environment.is_some() && config.sealed_environment.is_none());
    let tag = |bytes: &[u8], tag: u8| bytes.first() == Some(&tag);
    let environment = config.environment.unwrap().encode_to_vec();
    assert!(tag(&environment, 0x0a));
    let record = encode_record(&Record::DataKey(Arc::new(data_key())));
    let golden =
        "08023a260a0c31323334353637383930313210071a0d0a07323032362d3031120201ff20839aa6e5b733";
    let hex: String = record.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, golden);
}

/// The bytes of format 1 are on disks: a change here is a change of format.
#[test]
fn format_1_is_frozen() {
    let command = Command {
        stamp: Stamp {
            at: Timestamp(1),
            seed: 2,
        },
        key: IdempotencyKey(3),
        mutation: Mutation::DeleteAlias {
            function: function(),
            name: "live".parse().unwrap(),
        },
    };
    let golden = "080110011a10000000000000000000000000000000022210000000000000000000000000000000032a2642240a1c\
                  0a0c313233343536373839303132120965752d776573742d311a016612046c697665";
    let hex: String = encode_command(&command)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(hex, golden);
}
