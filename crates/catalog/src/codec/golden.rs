//! The bytes of every format, as they are on disks and in logs.
//!
//! A file of `golden/` is never changed and never taken away: whatever a build once wrote, every later build reads. A test
//! without its file fails; `UPDATE_EXPECT=1` writes one for a kind that is new.

mod format_2;

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

use expect_test::expect_file;
use model::{
    Architecture, Digest, RevisionId, Version, VersionId,
    function::{
        Code, ConfigPatch, Environment, LastUpdate, LogFormat, Logging, Publication, State,
    },
    mutation::{Changed, Rejection},
};

use super::{
    tests::{alias, answer, canary, function, reason, version},
    *,
};

fn directory(format: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("golden/format-{format}"))
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let lines: Vec<String> = digits.chunks(40).map(<[String]>::concat).collect();
    lines.join("\n") + "\n"
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.as_chunks::<2>().0.iter();
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.map(|pair| byte(pair.as_slice())).collect()
}

/// A command as a file: its bytes.
fn command_text(format: u32, mutation: Mutation) -> String {
    assert_eq!(mutation.format(), format, "{mutation:?}");
    hex(&encode_command(&Command {
        stamp: Stamp {
            at: Timestamp(1_767_323_045_123),
            seed: 2,
        },
        key: IdempotencyKey(3),
        mutation,
    }))
}

/// A record as a file: its key in a line, then its bytes.
fn record_text(format: u32, record: Record) -> String {
    assert_eq!(record.format(), format, "{record:?}");
    let row = encode_change(&Change::Put(record));
    let key = String::from_utf8(row.key).unwrap();
    format!("{key}\n{}", hex(&row.value.unwrap()))
}

/// Compares what this build writes with the files of a format, and the names of the files with the list.
fn check<N: std::fmt::Display>(
    format: u32,
    commands: Vec<(N, Mutation)>,
    records: Vec<(N, Record)>,
) {
    let mut names = Vec::new();
    let commands = commands
        .into_iter()
        .map(|(name, m)| (format!("command-{name}.hex"), command_text(format, m)));
    let records = records
        .into_iter()
        .map(|(name, r)| (format!("record-{name}.hex"), record_text(format, r)));
    for (name, text) in commands.chain(records) {
        expect_file![directory(format).join(&name)].assert_eq(&text);
        names.push(name);
    }
    names.sort();
    let mut files: Vec<String> = fs::read_dir(directory(format))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(
        names, files,
        "every golden file of format {format} has its case"
    );
}

#[test]
fn format_1_is_written_as_ever() {
    check(1, commands_1(), records_1());
}

#[test]
fn format_2_is_written_as_ever() {
    check(2, format_2::commands(), format_2::records());
}

#[test]
fn every_golden_file_is_read() {
    let mut read = 0;
    for format in FORMATS.oldest..=FORMATS.newest {
        for entry in fs::read_dir(directory(format)).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with("command-") {
                let bytes = unhex(&text);
                let command = decode_command(&bytes).unwrap_or_else(|e| panic!("{name}: {e:?}"));
                assert_eq!(encode_command(&command), bytes, "{name}");
            } else {
                let (key, value) = text.split_once('\n').unwrap();
                let row = Row {
                    key: key.as_bytes().to_vec(),
                    value: Some(unhex(value)),
                };
                let change = decode_row(&row).unwrap_or_else(|e| panic!("{name}: {e:?}"));
                assert_eq!(encode_change(&change), row, "{name}");
            }
            read += 1;
        }
    }
    assert!(read > 30, "{read} files");
}

fn code() -> Code {
    Code {
        digest: Digest::of(b"zip"),
        size: 3,
        unzipped: 0,
    }
}

fn patch() -> ConfigPatch {
    ConfigPatch {
        runtime: Some("python3.13".parse().unwrap()),
        handler: Some("app.handler".to_owned()),
        role: Some("arn:aws:iam::123456789012:role/other".to_owned()),
        description: Some("new".to_owned()),
        timeout: Some(model::TimeoutSeconds::new(3).unwrap()),
        memory: Some(model::MemoryMib::new(128).unwrap()),
        ephemeral: Some(model::EphemeralMib::new(512).unwrap()),
        environment: Some(Environment([("K".to_owned(), "w".to_owned())].into()).into()),
        tracing: Some(model::function::TracingMode::Active),
        logging: Some(Logging {
            format: LogFormat::Json,
            application_level: Some("WARN".to_owned()),
            system_level: Some("INFO".to_owned()),
            group: Some("/g".to_owned()),
        }),
        optional: None,
    }
}

fn commands_1() -> Vec<(&'static str, Mutation)> {
    let expected = Some(RevisionId::from_random(7));
    let numbered = Version::number(2).unwrap();
    vec![
        (
            "create-function",
            Mutation::CreateFunction {
                function: function(),
                config: Box::new(version(State::Active, None).config),
                code: code(),
                publish: Some(Publication::Number),
                tags: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
                code_signing: None,
            },
        ),
        (
            "update-function-code",
            Mutation::UpdateFunctionCode {
                function: function(),
                code: code(),
                image: None,
                origin: None,
                architecture: Some(Architecture::Arm64),
                publish: Some(Publication::Number),
                expected,
            },
        ),
        (
            "update-function-configuration",
            Mutation::UpdateFunctionConfiguration {
                function: function(),
                patch: Box::new(patch()),
                expected,
            },
        ),
        (
            "delete-function",
            Mutation::DeleteFunction {
                function: function(),
                version: None,
            },
        ),
        (
            "delete-version",
            Mutation::DeleteFunction {
                function: function(),
                version: Some(numbered),
            },
        ),
        (
            "publish-version",
            Mutation::PublishVersion {
                function: function(),
                to: Publication::Number,
                code_sha256: Some(Digest::of(b"zip")),
                description: Some("d".to_owned()),
                expected,
            },
        ),
        (
            "create-alias",
            Mutation::CreateAlias {
                function: function(),
                name: "live".parse().unwrap(),
                version: numbered,
                canary: Some(canary()),
                description: "d".to_owned(),
            },
        ),
        (
            "update-alias",
            Mutation::UpdateAlias {
                function: function(),
                name: "live".parse().unwrap(),
                version: Some(numbered),
                canary: Some(Some(canary())),
                description: Some("d".to_owned()),
                expected,
            },
        ),
        (
            "update-alias-without-canary",
            Mutation::UpdateAlias {
                function: function(),
                name: "live".parse().unwrap(),
                version: None,
                canary: Some(None),
                description: None,
                expected: None,
            },
        ),
        (
            "delete-alias",
            Mutation::DeleteAlias {
                function: function(),
                name: "live".parse().unwrap(),
            },
        ),
        (
            "settle",
            Mutation::Settle {
                version: VersionId {
                    function: function(),
                    version: Version::Latest,
                },
                revision: RevisionId::from_random(2),
                failure: None,
            },
        ),
        (
            "settle-as-failed",
            Mutation::Settle {
                version: VersionId {
                    function: function(),
                    version: numbered,
                },
                revision: RevisionId::from_random(2),
                failure: Some(reason()),
            },
        ),
    ]
}

fn records_1() -> Vec<(&'static str, Record)> {
    let arn = || function().arn(None);
    let put = |v| Record::Version(Arc::new(v));
    vec![
        (
            "function",
            Record::Function {
                id: function(),
                next_version: 4,
                tags: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
                published_description: "d".to_owned(),
                code_signing: None,
            },
        ),
        ("version-pending", put(version(State::Pending, None))),
        (
            "version-active",
            put(version(State::Active, Some(LastUpdate::Successful))),
        ),
        (
            "version-updating",
            put(version(State::Active, Some(LastUpdate::InProgress))),
        ),
        (
            "version-update-failed",
            put(version(State::Active, Some(LastUpdate::Failed(reason())))),
        ),
        (
            "version-failed",
            put(version(State::Failed(reason()), None)),
        ),
        ("alias", Record::Alias(Arc::new(alias(None)))),
        (
            "alias-with-canary",
            Record::Alias(Arc::new(alias(Some(canary())))),
        ),
        ("answer-nothing", answer(Ok(Changed::Nothing))),
        (
            "answer-version",
            answer(Ok(Changed::Version(Arc::new(version(State::Active, None))))),
        ),
        (
            "answer-alias",
            answer(Ok(Changed::Alias(Arc::new(alias(None))))),
        ),
        (
            "answer-function-exists",
            answer(Err(Rejection::FunctionExists("f".parse().unwrap()))),
        ),
        (
            "answer-function-not-found",
            answer(Err(Rejection::FunctionNotFound(arn()))),
        ),
        (
            "answer-alias-not-found",
            answer(Err(Rejection::AliasNotFound(arn()))),
        ),
        (
            "answer-alias-exists",
            answer(Err(Rejection::AliasExists(arn()))),
        ),
        (
            "answer-revision-mismatch",
            answer(Err(Rejection::RevisionMismatch { alias: false })),
        ),
        (
            "answer-alias-revision-mismatch",
            answer(Err(Rejection::RevisionMismatch { alias: true })),
        ),
        (
            "answer-update-in-progress",
            answer(Err(Rejection::UpdateInProgress(arn()))),
        ),
        ("answer-pending", answer(Err(Rejection::Pending(arn())))),
        (
            "answer-code-mismatch",
            answer(Err(Rejection::CodeMismatch {
                expected: Digest::of(b"1"),
                actual: Digest::of(b"2"),
            })),
        ),
        (
            "answer-latest-not-deletable",
            answer(Err(Rejection::LatestNotDeletable)),
        ),
        (
            "answer-version-in-use",
            answer(Err(Rejection::VersionInUse {
                version: arn(),
                aliases: vec!["live".to_owned(), "next".to_owned()],
            })),
        ),
        (
            "answer-canary-is-primary",
            answer(Err(Rejection::CanaryIsPrimary(Version::Latest))),
        ),
        (
            "answer-latest-with-canary",
            answer(Err(Rejection::LatestWithCanary)),
        ),
        (
            "answer-unknown-command",
            answer(Err(Rejection::UnknownCommand)),
        ),
    ]
}
