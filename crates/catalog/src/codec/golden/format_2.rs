//! What format 2 has and format 1 has not.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    Generation, Mutation, RevisionId, SettingChange, Version,
    function::{ConfigPatch, FunctionVersion, Publication, State},
    mapping::{MappingChange, MappingState},
    mutation::{Changed, Rejection},
};
use state::Record;

use super::super::tests::{
    answer, data_key, function, iam, mapping, optional, sealed, settings, version, wrapped,
};

pub(super) fn commands() -> Vec<(String, Mutation)> {
    let mut secret = version(State::Active, None).config;
    secret.environment = Some(sealed());
    let account = function().account;
    let first = mapping::sources().swap_remove(0);
    let named = [
        ("finalize", Mutation::Finalize { format: 2 }),
        (
            "create-function-sealed",
            Mutation::CreateFunction {
                function: function(),
                config: Box::new(secret),
                code: super::code(),
                publish: None,
                tags: BTreeMap::new(),
                code_signing: None,
            },
        ),
        (
            "update-function-configuration-sealed",
            Mutation::UpdateFunctionConfiguration {
                function: function(),
                patch: Box::new(ConfigPatch {
                    environment: Some(sealed()),
                    ..ConfigPatch::default()
                }),
                expected: None,
            },
        ),
        (
            "publish-version-latest",
            Mutation::PublishVersion {
                function: function(),
                to: Publication::Latest,
                code_sha256: None,
                description: None,
                expected: None,
            },
        ),
        (
            "delete-version-latest-published",
            Mutation::DeleteFunction {
                function: function(),
                version: Some(Version::LatestPublished),
            },
        ),
        (
            "update-function-code-with-origin",
            Mutation::UpdateFunctionCode {
                function: function(),
                code: super::code(),
                image: None,
                origin: optional::origin().boxed(),
                architecture: None,
                publish: None,
                expected: None,
            },
        ),
        (
            "configure",
            Mutation::Configure {
                function: function(),
                qualifier: Some("live".parse().unwrap()),
                change: Box::new(SettingChange::DeleteEventInvoke),
                expected: Some(RevisionId::from_random(4)),
            },
        ),
        (
            "put-data-key",
            Mutation::PutDataKey {
                account,
                generation: Generation::FIRST,
                wrapped: wrapped(1),
            },
        ),
        (
            "rewrap-data-key",
            Mutation::RewrapDataKey {
                account,
                generation: Generation::FIRST,
                old: wrapped(1),
                new: wrapped(2),
            },
        ),
        (
            "create-event-source-mapping",
            Mutation::CreateEventSourceMapping {
                function: function().arn(None),
                source: Box::new(first),
                settings: mapping::settings(),
                enabled: true,
                tags: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            },
        ),
        (
            "update-event-source-mapping",
            Mutation::UpdateEventSourceMapping {
                mapping: mapping::id(),
                change: Box::new(MappingChange::Configure {
                    function: Some(function().arn(None)),
                    enabled: Some(false),
                    settings: mapping::settings(),
                    consumer_group: Some("g".to_owned()),
                }),
            },
        ),
        (
            "tag-event-source-mapping",
            Mutation::UpdateEventSourceMapping {
                mapping: mapping::id(),
                change: Box::new(MappingChange::Tag {
                    set: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
                    unset: vec!["c".to_owned()],
                    at_most: 50,
                }),
            },
        ),
        (
            "delete-event-source-mapping",
            Mutation::DeleteEventSourceMapping {
                mapping: mapping::id(),
            },
        ),
        (
            "settle-event-source-mapping",
            Mutation::SettleEventSourceMapping {
                mapping: mapping::id(),
                revision: RevisionId::from_random(2),
            },
        ),
    ];
    let identities = iam::changes().into_iter();
    let identities = identities.map(|(name, change)| {
        let mutation = Mutation::Iam(Box::new(change));
        (format!("iam-{name}"), mutation)
    });
    let named = named.into_iter();
    named
        .map(|(name, mutation)| (name.to_owned(), mutation))
        .chain(identities)
        .collect()
}

pub(super) fn records() -> Vec<(String, Record)> {
    let put = |v: FunctionVersion| Record::Version(Arc::new(v));
    let mut touched = version(State::Active, None);
    touched.touched = Some(RevisionId::from_random(100));
    let mut secret = version(State::Active, None);
    secret.config.environment = Some(sealed());
    let mut all = vec![
        ("format".to_owned(), Record::Format(2)),
        ("version-touched".to_owned(), put(touched.clone())),
        ("version-sealed".to_owned(), put(secret)),
        ("data-key".to_owned(), Record::DataKey(Arc::new(data_key()))),
        (
            "answer-version-touched".to_owned(),
            answer(Ok(Changed::Version(Arc::new(touched)))),
        ),
        (
            "version-latest-published".to_owned(),
            Record::Version(Arc::new({
                let mut version = version(State::Active, None);
                version.id.version = Version::LatestPublished;
                version
            })),
        ),
        (
            "version-with-origin".to_owned(),
            Record::Version(Arc::new({
                let mut version = version(State::Active, None);
                version.config.set_origin(optional::origin());
                version
            })),
        ),
        (
            "answer-lock".to_owned(),
            answer(Ok(Changed::Lock(RevisionId::from_random(3)))),
        ),
    ];
    for (number, (place, setting)) in settings::settings().into_iter().enumerate() {
        let record = Record::Setting {
            function: function(),
            place: place.map(|p| p.parse().unwrap()),
            setting: Arc::new(setting),
        };
        all.push((format!("setting-{number:02}"), record));
    }
    for (number, source) in mapping::sources().into_iter().enumerate() {
        let record = Record::Mapping(Arc::new(mapping::mapping(source, MappingState::Enabled)));
        all.push((format!("mapping-{number:02}"), record));
    }
    for (name, entity) in iam::entities() {
        let entity = Arc::new(entity);
        all.push((
            format!("answer-iam-{name}"),
            answer(Ok(Changed::Iam(entity.clone()))),
        ));
        all.push((format!("iam-{name}"), Record::Iam(entity)));
    }
    for (name, refusal) in iam::refusals() {
        let refused = answer(Err(Rejection::Iam(refusal)));
        all.push((format!("answer-iam-{name}"), refused));
    }
    all
}
