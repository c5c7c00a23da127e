use model::{
    Setting, SettingChange, SettingKind,
    setting::{
        ConcurrencyBounds, Cors, Destinations, EventInvoke, EventInvokePatch, FunctionUrl,
        InvokeMode, LanguageVersion, PolicyStatement, Provisioned, RecursiveLoop, ResourcePolicy,
        RuntimeManagement, Scaling, UrlAuth, UrlId, UrlPatch,
    },
};

use super::*;

fn policy() -> ResourcePolicy {
    let statement = |sid: Option<&str>| PolicyStatement {
        sid: sid.map(str::to_owned),
        text: "{}".to_owned(),
    };
    ResourcePolicy {
        version: LanguageVersion::V2008,
        id: Some("default".to_owned()),
        statements: vec![statement(Some("a")), statement(None)],
    }
}

fn cors() -> Cors {
    Cors {
        allow_credentials: Some(false),
        allow_headers: Some(Vec::new()),
        allow_methods: Some(vec!["GET".to_owned()]),
        allow_origins: None,
        expose_headers: Some(vec!["x".to_owned(), "y".to_owned()]),
        max_age_s: Some(0),
    }
}

fn destinations() -> Destinations {
    Destinations {
        on_success: Some(
            "arn:aws:lambda:eu-west-1:123456789012:function:g"
                .parse()
                .unwrap(),
        ),
        on_failure: Some("arn:aws:s3:::bucket".parse().unwrap()),
    }
}

pub(in crate::codec) fn settings() -> Vec<(Option<&'static str>, Setting)> {
    let scaling = Scaling {
        environments_min: Some(0),
        environments_max: None,
    };
    vec![
        (Some("live"), Setting::Policy(policy())),
        (None, Setting::Reserved(0)),
        (
            Some("7"),
            Setting::Provisioned(Provisioned {
                executions: 3,
                last_modified: Timestamp(5),
            }),
        ),
        (
            None,
            Setting::EventInvoke(EventInvoke {
                retries_max: Some(0),
                age_max_s: Some(60),
                destinations: destinations(),
                last_modified: Timestamp(6),
            }),
        ),
        (
            Some("7"),
            Setting::EventInvoke(EventInvoke {
                retries_max: None,
                age_max_s: None,
                destinations: Destinations::default(),
                last_modified: Timestamp(6),
            }),
        ),
        (
            Some("-"),
            Setting::Url(FunctionUrl {
                id: UrlId::from_random([1, 2]),
                auth: UrlAuth::AwsIam,
                cors: Some(cors()),
                invoke_mode: InvokeMode::ResponseStream,
                created: Timestamp(7),
                last_modified: Timestamp(8),
            }),
        ),
        (
            None,
            Setting::RuntimeManagement(RuntimeManagement::Manual("arn".to_owned())),
        ),
        (
            Some("1"),
            Setting::RuntimeManagement(RuntimeManagement::FunctionUpdate),
        ),
        (None, Setting::Recursion(RecursiveLoop::Allow)),
        (Some("1"), Setting::Scaling(scaling)),
    ]
}

#[test]
fn every_setting_reads_as_it_was_written() {
    for (place, setting) in settings() {
        let record = Record::Setting {
            function: function(),
            place: place.map(|p| p.parse().unwrap()),
            setting: Arc::new(setting.clone()),
        };
        let gone = Change::Gone(record.key());
        let put = Change::Put(record);
        assert_eq!(decode_row(&encode_change(&put)).unwrap(), put);
        assert_eq!(decode_row(&encode_change(&gone)).unwrap(), gone);
        let answered = Change::Put(answer(Ok(Changed::Setting(Arc::new(setting)))));
        assert_eq!(decode_row(&encode_change(&answered)).unwrap(), answered);
    }
    let mut touched = version(State::Active, None);
    touched.touched = Some(RevisionId::from_random(100));
    let touched = Change::Put(Record::Version(Arc::new(touched)));
    assert_eq!(decode_row(&encode_change(&touched)).unwrap(), touched);
}

#[test]
fn every_answer_about_settings_reads_as_it_was_written() {
    let resource = function().arn(Some("live".parse().unwrap()));
    let kind = SettingKind::EventInvoke;
    let results = [
        Ok(Changed::Lock(RevisionId::from_random(3))),
        Err(Rejection::PolicyRevisionMismatch),
        Err(Rejection::StatementExists("s".to_owned())),
        Err(Rejection::StatementNotFound("s".to_owned())),
        Err(Rejection::PolicyTooLarge { size: 2, limit: 1 }),
        Err(Rejection::SettingNotFound {
            kind,
            resource: resource.clone(),
        }),
        Err(Rejection::SettingExists {
            kind,
            resource: resource.clone(),
        }),
        Err(Rejection::Misplaced { kind, resource }),
        Err(Rejection::ConcurrencyExceeded {
            kind,
            unreserved: 3,
        }),
        Err(Rejection::UnreservedTooSmall { kind, min: 100 }),
        Err(Rejection::ReservedBelowProvisioned {
            reserved: 1,
            provisioned: 2,
        }),
        Err(Rejection::ProvisionedAboveReserved(4)),
        Err(Rejection::VersionProvisioned),
        Err(Rejection::AliasProvisioned),
        Err(Rejection::TooManyTags { limit: 50 }),
        Err(Rejection::TagsTooLarge { limit: 1 }),
    ];
    for result in results {
        let change = Change::Put(answer(result));
        assert_eq!(decode_row(&encode_change(&change)).unwrap(), change);
    }
}

#[test]
fn every_change_of_a_setting_reads_as_it_was_written() {
    let bounds = ConcurrencyBounds {
        account: 1000,
        unreserved_min: 100,
    };
    let patch = EventInvokePatch {
        retries_max: Some(2),
        age_max_s: Some(60),
        destinations: Some(destinations()),
    };
    let changes = [
        SettingChange::AddStatement {
            statement: PolicyStatement {
                sid: Some("a".to_owned()),
                text: "{}".to_owned(),
            },
            size_max: 20_480,
        },
        SettingChange::RemoveStatement {
            sid: "a".to_owned(),
        },
        SettingChange::PutPolicy(policy()),
        SettingChange::DeletePolicy,
        SettingChange::Reserve {
            executions: 0,
            bounds,
        },
        SettingChange::Unreserve,
        SettingChange::Provision {
            executions: 1,
            bounds,
        },
        SettingChange::Unprovision,
        SettingChange::PutEventInvoke(EventInvokePatch::default()),
        SettingChange::PatchEventInvoke(patch),
        SettingChange::DeleteEventInvoke,
        SettingChange::CreateUrl {
            auth: UrlAuth::None,
            cors: Some(cors()),
            invoke_mode: InvokeMode::Buffered,
        },
        SettingChange::UpdateUrl(UrlPatch::default()),
        SettingChange::UpdateUrl(UrlPatch {
            auth: Some(UrlAuth::AwsIam),
            cors: Some(Cors::default()),
            invoke_mode: Some(InvokeMode::ResponseStream),
        }),
        SettingChange::DeleteUrl,
        SettingChange::ManageRuntime(RuntimeManagement::Auto),
        SettingChange::ManageRuntime(RuntimeManagement::Manual("arn".to_owned())),
        SettingChange::Recurse(RecursiveLoop::Terminate),
        SettingChange::Scale(Scaling::default()),
        SettingChange::Tag {
            tags: [("a".to_owned(), "b".to_owned())].into(),
            tags_max: 50,
        },
        SettingChange::Untag {
            keys: ["a".to_owned()].into(),
        },
    ];
    for change in changes {
        for qualifier in [None, Some("$LATEST"), Some("7"), Some("live")] {
            let command = Command {
                stamp: Stamp {
                    at: Timestamp(9),
                    seed: 1,
                },
                key: IdempotencyKey(8),
                mutation: Mutation::Configure {
                    function: function(),
                    qualifier: qualifier.map(|q| q.parse().unwrap()),
                    change: Box::new(change.clone()),
                    expected: Some(RevisionId::from_random(4)),
                },
            };
            assert_eq!(decode_command(&encode_command(&command)).unwrap(), command);
        }
    }
}

/// What is written here stays on disks: a change of these bytes is a change of format.
#[test]
fn settings_are_frozen() {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let mut rows = Vec::new();
    for (place, setting) in settings() {
        let row = encode_change(&Change::Put(Record::Setting {
            function: function(),
            place: place.map(|p| p.parse().unwrap()),
            setting: Arc::new(setting),
        }));
        let key = String::from_utf8(row.key).unwrap();
        rows.push(format!("{key} {}", hex(&row.value.unwrap())));
    }
    expect_test::expect![[r#"
        s/123456789012/eu-west-1/f/policy/live 080242420a1c0a0c313233343536373839303132120965752d776573742d311a016612046c6976651a1c0a1a0801120764656661756c741a070a016112027b7d1a0412027b7d
        s/123456789012/eu-west-1/f/reserved/. 080242220a1c0a0c313233343536373839303132120965752d776573742d311a01661a021000
        s/123456789012/eu-west-1/f/provisioned/00000000000000000007 080242290a1c0a0c313233343536373839303132120965752d776573742d311a01661201371a061a0408031005
        s/123456789012/eu-west-1/f/event-invoke/. 080242710a1c0a0c313233343536373839303132120965752d776573742d311a01661a51224f0800103c1a470a3061726e3a6177733a6c616d6264613a65752d776573742d313a3132333435363738393031323a66756e6374696f6e3a67121361726e3a6177733a73333a3a3a6275636b65742006
        s/123456789012/eu-west-1/f/event-invoke/00000000000000000007 080242290a1c0a0c313233343536373839303132120965752d776573742d311a01661201371a0622041a002006
        s/123456789012/eu-west-1/f/url/- 080242660a1c0a0c313233343536373839303132120965752d776573742d311a016612012d1a432a410a20626161616161616161616161616161616361616161616161616161616161616110011a15080012001a050a034745542a060a01780a01793000200228073008
        s/123456789012/eu-west-1/f/runtime-management/. 080242270a1c0a0c313233343536373839303132120965752d776573742d311a01661a0732051a0361726e
        s/123456789012/eu-west-1/f/runtime-management/00000000000000000001 080242270a1c0a0c313233343536373839303132120965752d776573742d311a01661201311a0432021001
        s/123456789012/eu-west-1/f/recursion/. 080242220a1c0a0c313233343536373839303132120965752d776573742d311a01661a023801
        s/123456789012/eu-west-1/f/scaling/00000000000000000001 080242270a1c0a0c313233343536373839303132120965752d776573742d311a01661201311a0442020800"#]].assert_eq(&rows.join("\n"));
    let command = Command {
        stamp: Stamp {
            at: Timestamp(1),
            seed: 2,
        },
        key: IdempotencyKey(3),
        mutation: Mutation::Configure {
            function: function(),
            qualifier: Some("live".parse().unwrap()),
            change: Box::new(SettingChange::DeleteEventInvoke),
            expected: None,
        },
    };
    expect_test::expect!["080210011a10000000000000000000000000000000022210000000000000000000000000000000032a286a260a1c0a0c313233343536373839303132120965752d776573742d311a016612046c6976657001"].assert_eq(&hex(&encode_command(&command)));
}
