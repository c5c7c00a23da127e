//! Accounts, users, roles, policies and access keys: format 2.

use model::{
    AccountId,
    iam::{
        AccessKey, AccessKeyId, Account, Change as IamChange, Entity, EntityId, EntityName,
        EntityPath, Grants, Identity, ManagedPolicy, Quota, Refusal, Role, User,
    },
};

use super::*;

fn account() -> AccountId {
    function().account
}

fn name(text: &str) -> EntityName {
    text.parse().unwrap()
}

fn path() -> EntityPath {
    "/a/team/".parse().unwrap()
}

fn key_id() -> AccessKeyId {
    "AKIAIOSFODNN7EXAMPLE".parse().unwrap()
}

fn secret() -> Sealed {
    Sealed::from_bytes(vec![1, 0, 0xff])
}

fn identity(boundary: Option<&str>) -> Identity {
    Identity {
        account: account(),
        name: name("a+b=c,d.e@f-g_h"),
        path: path(),
        unique_id: "AIDAAAAAAAAAAAAAAAAA".to_owned(),
        created: Timestamp(1_767_323_045_123),
        inline: [
            (name("z"), "{\"z\":1}".to_owned()),
            (name("y"), "{}".to_owned()),
        ]
        .into(),
        attached: [name("q"), name("p")].into(),
        boundary: boundary.map(name),
    }
}

fn limits() -> BTreeMap<String, u64> {
    [("concurrent_executions".to_owned(), 7)].into()
}

fn key(user: Option<&str>, active: bool) -> Entity {
    Entity::AccessKey(AccessKey {
        id: key_id(),
        account: account(),
        user: user.map(name),
        secret: secret(),
        active,
        created: Timestamp(1_767_323_045_123),
    })
}

/// One record of each kind, by its name.
pub(in crate::codec) fn entities() -> Vec<(&'static str, Entity)> {
    vec![
        (
            "account",
            Entity::Account(Account {
                id: account(),
                name: "ä".to_owned(),
                limits: limits(),
            }),
        ),
        (
            "user",
            Entity::User(User {
                identity: identity(None),
            }),
        ),
        (
            "role",
            Entity::Role(Role {
                identity: identity(Some("b")),
                trust: "{\"t\":1}".to_owned(),
                session_max_s: 43_200,
            }),
        ),
        (
            "policy",
            Entity::Policy(ManagedPolicy {
                account: account(),
                name: name("p"),
                path: path(),
                unique_id: "ANPAAAAAAAAAAAAAAAAA".to_owned(),
                created: Timestamp(1_767_323_045_123),
                document: "{\"p\":1}".to_owned(),
            }),
        ),
        ("access-key", key(Some("u"), true)),
        ("access-key-of-root", key(None, false)),
    ]
}

/// One command of each kind, by its name.
pub(in crate::codec) fn changes() -> Vec<(&'static str, IamChange)> {
    let (account, name_of) = (account(), name);
    let grant = |change| IamChange::Grant {
        to: EntityId::Role(account, name_of("r")),
        change,
    };
    let create_key = |user: Option<&str>| IamChange::CreateAccessKey {
        id: key_id(),
        account,
        user: user.map(name_of),
        secret: secret(),
    };
    let update = |trust: Option<&str>, session_max_s| IamChange::UpdateRole {
        account,
        name: name_of("r"),
        trust: trust.map(str::to_owned),
        session_max_s,
    };
    vec![
        (
            "put-account",
            IamChange::PutAccount {
                account,
                name: "n".to_owned(),
                limits: limits(),
            },
        ),
        (
            "create-user",
            IamChange::CreateUser {
                account,
                name: name_of("u"),
                path: path(),
            },
        ),
        (
            "create-role",
            IamChange::CreateRole {
                account,
                name: name_of("r"),
                path: EntityPath::default(),
                trust: "{}".to_owned(),
                session_max_s: 3600,
            },
        ),
        ("update-role-not", update(None, None)),
        ("update-role", update(Some("{}"), Some(7200))),
        (
            "put-policy",
            IamChange::PutPolicy {
                account,
                name: name_of("p"),
                path: path(),
                document: "{}".to_owned(),
            },
        ),
        (
            "put-inline",
            grant(Grants::PutInline(name_of("i"), "{}".to_owned())),
        ),
        ("drop-inline", grant(Grants::DropInline(name_of("i")))),
        ("attach", grant(Grants::Attach(name_of("p")))),
        ("detach", grant(Grants::Detach(name_of("p")))),
        ("bound", grant(Grants::Bound(Some(name_of("p"))))),
        ("unbound", grant(Grants::Bound(None))),
        ("create-access-key", create_key(Some("u"))),
        ("create-access-key-of-root", create_key(None)),
        (
            "set-access-key",
            IamChange::SetAccessKey {
                id: key_id(),
                account,
                active: true,
            },
        ),
        (
            "delete-user",
            IamChange::Delete {
                id: EntityId::User(account, name_of("u")),
                account,
            },
        ),
        (
            "delete-access-key",
            IamChange::Delete {
                id: EntityId::AccessKey(key_id()),
                account,
            },
        ),
    ]
}

/// One refusal of each kind, by its name.
pub(in crate::codec) fn refusals() -> Vec<(&'static str, Refusal)> {
    let user = || EntityId::User(account(), name("u"));
    let mut all = vec![
        ("exists", Refusal::Exists(user())),
        (
            "not-found",
            Refusal::NotFound(EntityId::AccessKey(key_id())),
        ),
        (
            "in-use",
            Refusal::InUse(EntityId::Policy(account(), name("p"))),
        ),
    ];
    let names = [
        "too-many-access-keys",
        "too-many-attached",
        "too-long-user-inline",
        "too-long-role-inline",
        "too-long-policy",
        "too-long-trust",
        "too-many-account-limits",
        "too-many-users",
        "too-many-roles",
        "too-many-policies",
    ];
    let quotas = Quota::ALL.map(Refusal::TooMany);
    assert_eq!(names.len(), quotas.len(), "every quota has a name here");
    all.extend(names.into_iter().zip(quotas));
    all
}

#[test]
fn every_record_reads_as_it_was_written() {
    let shared = |(_, entity)| Arc::new(entity);
    let records = entities().into_iter().map(shared).map(Record::Iam);
    let answers = entities()
        .into_iter()
        .map(shared)
        .map(|entity| answer(Ok(Changed::Iam(entity))));
    let refused = refusals()
        .into_iter()
        .map(|(_, refusal)| answer(Err(Rejection::Iam(refusal))));
    for record in records.chain(answers).chain(refused) {
        let change = Change::Put(record);
        assert_eq!(decode_row(&encode_change(&change)).unwrap(), change);
    }
    for (_, entity) in entities() {
        let gone = Change::Gone(Key::Iam(entity.id()));
        assert_eq!(decode_row(&encode_change(&gone)).unwrap(), gone);
    }
}

#[test]
fn commands_read_as_they_were_written() {
    for (what, change) in changes() {
        let command = Command {
            stamp: Stamp {
                at: Timestamp(9),
                seed: 1,
            },
            key: IdempotencyKey(8),
            mutation: Mutation::Iam(Box::new(change)),
        };
        let read = decode_command(&encode_command(&command)).unwrap();
        assert_eq!(read, command, "{what}");
    }
}

#[test]
fn a_record_under_anothers_key_is_refused() {
    let (_, user) = entities().swap_remove(1);
    let mut row = encode_change(&Change::Put(Record::Iam(Arc::new(user))));
    row.key = b"u/123456789012/user/other".to_vec();
    assert!(matches!(
        decode_row(&row),
        Err(CodecError::Misplaced { .. })
    ));
}
