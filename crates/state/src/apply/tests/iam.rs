//! Accounts, users, roles, policies and access keys.

use model::{
    AccountId, Sealed,
    iam::{
        AccessKeyId, Change, Entity, EntityId, EntityName, EntityPath, Grants, Identity, Quota,
        Refusal,
    },
};

use super::*;

const OWN: AccountId = AccountId::DEFAULT;

fn other() -> AccountId {
    "210987654321".parse().unwrap()
}

fn name(text: &str) -> EntityName {
    text.parse().unwrap()
}

fn iam(change: Change) -> Mutation {
    Mutation::Iam(Box::new(change))
}

fn user(n: &str) -> EntityId {
    EntityId::User(OWN, name(n))
}

fn role(n: &str) -> EntityId {
    EntityId::Role(OWN, name(n))
}

fn policy(n: &str) -> EntityId {
    EntityId::Policy(OWN, name(n))
}

fn key_id(n: u128) -> AccessKeyId {
    AccessKeyId::from_random(n)
}

fn create_user(n: &str) -> Mutation {
    iam(Change::CreateUser {
        account: OWN,
        name: name(n),
        path: EntityPath::default(),
    })
}

fn create_role(n: &str, trust: &str) -> Mutation {
    iam(Change::CreateRole {
        account: OWN,
        name: name(n),
        path: "/service-role/".parse().unwrap(),
        trust: trust.to_owned(),
        session_max_s: 3600,
    })
}

fn put_policy(n: &str, document: &str) -> Mutation {
    iam(Change::PutPolicy {
        account: OWN,
        name: name(n),
        path: EntityPath::default(),
        document: document.to_owned(),
    })
}

fn grant(to: &EntityId, change: Grants) -> Mutation {
    iam(Change::Grant {
        to: to.clone(),
        change,
    })
}

fn inline(to: &EntityId, n: &str, document: &str) -> Mutation {
    grant(to, Grants::PutInline(name(n), document.to_owned()))
}

fn attach(to: &EntityId, n: &str) -> Mutation {
    grant(to, Grants::Attach(name(n)))
}

fn create_key(number: u128, of: Option<&str>) -> Mutation {
    iam(Change::CreateAccessKey {
        id: key_id(number),
        account: OWN,
        user: of.map(name),
        secret: Sealed::from_bytes(vec![1, 2, 3]),
    })
}

fn set_key(number: u128, account: AccountId, active: bool) -> Mutation {
    iam(Change::SetAccessKey {
        id: key_id(number),
        account,
        active,
    })
}

fn delete(id: EntityId, account: AccountId) -> Mutation {
    iam(Change::Delete { id, account })
}

fn refused(refusal: Refusal) -> Result<Changed, Rejection> {
    Err(Rejection::Iam(refusal))
}

fn too_many(quota: Quota) -> Result<Changed, Rejection> {
    refused(Refusal::TooMany(quota))
}

/// Commands about identities, for the property of followers.
pub(super) fn any_mutation() -> impl Strategy<Value = Mutation> {
    let n = prop::sample::select(vec!["x", "y"]);
    let to =
        (n.clone(), any::<bool>()).prop_map(|(n, is_role)| if is_role { role(n) } else { user(n) });
    let id = prop_oneof![
        to.clone(),
        n.clone().prop_map(policy),
        (0u128..3).prop_map(|number| EntityId::AccessKey(key_id(number))),
    ];
    prop_oneof![
        n.clone().prop_map(create_user),
        n.clone().prop_map(|n| create_role(n, "{}")),
        n.clone().prop_map(|n| put_policy(n, "{}")),
        (0u128..3, prop::option::of(n.clone())).prop_map(|(number, of)| create_key(number, of)),
        (0u128..3, any::<bool>()).prop_map(|(number, active)| set_key(number, OWN, active)),
        (to.clone(), n.clone()).prop_map(|(to, n)| attach(&to, n)),
        (to.clone(), n.clone()).prop_map(|(to, n)| grant(&to, Grants::Detach(name(n)))),
        (to, prop::option::of(n)).prop_map(|(to, n)| grant(&to, Grants::Bound(n.map(name)))),
        id.prop_map(|id| delete(id, OWN)),
    ]
}

impl Cluster {
    fn entity(&mut self, mutation: Mutation) -> Entity {
        match self.run(mutation) {
            Ok(Changed::Iam(entity)) => (*entity).clone(),
            other => panic!("expected an entity, got {other:?}"),
        }
    }

    /// Does something of which there is too much for every step to be looked at.
    fn quietly(&mut self, mutation: Mutation) {
        self.index += 1;
        let stamp = Stamp {
            at: Timestamp(self.index),
            seed: u128::from(self.index) << 7,
        };
        let command = Command {
            stamp,
            key: IdempotencyKey(0),
            mutation,
        };
        let applied = self.catalog.apply(Revision(self.index), &command);
        assert!(applied.result.is_ok(), "{:?}", applied.result);
    }

    fn identity(&mut self, mutation: Mutation) -> Identity {
        self.entity(mutation).identity().unwrap().clone()
    }
}

#[test]
fn a_user_and_a_role_may_share_a_name_and_no_two_users_do() {
    let mut cluster = Cluster::default();
    let alice = cluster.identity(create_user("alice"));
    let role_alice = cluster.identity(create_role("alice", "{}"));
    assert!(alice.unique_id.starts_with("AIDA"), "{}", alice.unique_id);
    assert!(role_alice.unique_id.starts_with("AROA"));
    assert_eq!(
        cluster.run(create_user("alice")),
        refused(Refusal::Exists(user("alice")))
    );
    assert_eq!(
        cluster.run(create_role("alice", "{}")),
        refused(Refusal::Exists(role("alice")))
    );
    // Names are told apart by their exact letters.
    cluster.entity(create_user("Alice"));
    let theirs = iam(Change::CreateUser {
        account: other(),
        name: name("alice"),
        path: EntityPath::default(),
    });
    assert_eq!(cluster.identity(theirs).account, other());
    let arns: Vec<_> = cluster
        .catalog
        .entities(OWN)
        .filter_map(|entity| entity.arn())
        .collect();
    assert_eq!(
        arns,
        [
            "arn:aws:iam::000000000000:user/Alice",
            "arn:aws:iam::000000000000:user/alice",
            "arn:aws:iam::000000000000:role/service-role/alice",
        ]
    );
}

#[test]
fn a_name_that_comes_again_is_somebody_else() {
    let mut cluster = Cluster::default();
    let first = cluster.identity(create_user("alice"));
    cluster.run(delete(user("alice"), OWN)).unwrap();
    let second = cluster.identity(create_user("alice"));
    assert_ne!(first.unique_id, second.unique_id);
    assert!(second.created > first.created);
}

#[test]
fn what_is_not_there_is_not_changed() {
    let mut cluster = Cluster::default();
    let key = || EntityId::AccessKey(key_id(1));
    let update = iam(Change::UpdateRole {
        account: OWN,
        name: name("r"),
        trust: None,
        session_max_s: Some(7200),
    });
    for (mutation, missing) in [
        (update, role("r")),
        (attach(&user("u"), "p"), user("u")),
        (inline(&role("r"), "p", "{}"), role("r")),
        (create_key(1, Some("u")), user("u")),
        (set_key(1, OWN, false), key()),
        (delete(user("u"), OWN), user("u")),
        (delete(role("r"), OWN), role("r")),
        (delete(policy("p"), OWN), policy("p")),
        (delete(key(), OWN), key()),
        (delete(EntityId::Account(OWN), OWN), EntityId::Account(OWN)),
    ] {
        assert_eq!(cluster.run(mutation), refused(Refusal::NotFound(missing)));
    }
    cluster.entity(create_user("u"));
    for change in [Grants::Attach(name("p")), Grants::Bound(Some(name("p")))] {
        assert_eq!(
            cluster.run(grant(&user("u"), change)),
            refused(Refusal::NotFound(policy("p")))
        );
    }
    // A grant goes to a user or a role and to nothing else.
    cluster.entity(put_policy("p", "{}"));
    assert_eq!(
        cluster.run(attach(&policy("p"), "p")),
        refused(Refusal::NotFound(policy("p")))
    );
}

#[test]
fn a_role_changes_only_what_is_named() {
    let mut cluster = Cluster::default();
    cluster.entity(create_role("r", "old"));
    let update = |trust: Option<&str>, session_max_s| {
        iam(Change::UpdateRole {
            account: OWN,
            name: name("r"),
            trust: trust.map(str::to_owned),
            session_max_s,
        })
    };
    for (mutation, trust, session_max_s) in [
        (update(Some("new"), None), "new", 3600),
        (update(None, Some(7200)), "new", 7200),
        (update(None, None), "new", 7200),
    ] {
        let Entity::Role(role) = cluster.entity(mutation) else {
            panic!("no role");
        };
        assert_eq!(
            (role.trust.as_str(), role.session_max_s),
            (trust, session_max_s)
        );
    }
}

#[test]
fn another_text_for_a_policy_leaves_the_rest_of_it() {
    let mut cluster = Cluster::default();
    let Entity::Policy(first) = cluster.entity(put_policy("p", "one")) else {
        panic!("no policy");
    };
    let again = iam(Change::PutPolicy {
        account: OWN,
        name: name("p"),
        path: "/elsewhere/".parse().unwrap(),
        document: "two".to_owned(),
    });
    let Entity::Policy(second) = cluster.entity(again) else {
        panic!("no policy");
    };
    assert_eq!(second.document, "two");
    assert_eq!(
        (&second.unique_id, &second.path, second.created),
        (&first.unique_id, &first.path, first.created)
    );
}

#[test]
fn policies_of_an_identity_are_its_own_and_then_what_is_attached() {
    let mut cluster = Cluster::default();
    cluster.entity(create_user("u"));
    for n in ["b", "a"] {
        cluster.entity(put_policy(n, &format!("attached {n}")));
        cluster.entity(attach(&user("u"), n));
    }
    cluster.entity(inline(&user("u"), "z", "own z"));
    cluster.entity(inline(&user("u"), "y", "own y"));
    let held = cluster.entity(attach(&user("u"), "a"));
    let said: Vec<_> = cluster
        .catalog
        .policies_of(held.identity().unwrap())
        .collect();
    assert_eq!(said, ["own y", "own z", "attached a", "attached b"]);
    // What is not there is away already.
    for change in [
        Grants::DropInline(name("y")),
        Grants::DropInline(name("y")),
        Grants::Detach(name("a")),
        Grants::Detach(name("a")),
        Grants::Bound(Some(name("b"))),
    ] {
        cluster.entity(grant(&user("u"), change));
    }
    let left = cluster.identity(grant(&user("u"), Grants::Bound(None)));
    assert_eq!(left.boundary, None);
    assert_eq!(left.inline.keys().collect::<Vec<_>>(), [&name("z")]);
    assert_eq!(left.attached.iter().collect::<Vec<_>>(), [&name("b")]);
}

#[test]
fn a_policy_that_somebody_has_stays() {
    let mut cluster = Cluster::default();
    cluster.entity(create_role("r", "{}"));
    cluster.entity(put_policy("p", "{}"));
    let in_use = || refused(Refusal::InUse(policy("p")));
    for (bind, free) in [
        (Grants::Attach(name("p")), Grants::Detach(name("p"))),
        (Grants::Bound(Some(name("p"))), Grants::Bound(None)),
    ] {
        cluster.entity(grant(&role("r"), bind));
        assert_eq!(cluster.run(delete(policy("p"), OWN)), in_use());
        cluster.entity(grant(&role("r"), free));
    }
    cluster.entity(attach(&role("r"), "p"));
    cluster.run(delete(role("r"), OWN)).unwrap();
    cluster.run(delete(policy("p"), OWN)).unwrap();
}

#[test]
fn a_user_goes_with_its_keys_and_with_no_others() {
    let mut cluster = Cluster::default();
    cluster.entity(create_user("alice"));
    cluster.entity(create_user("bob"));
    for (number, of) in [
        (1, Some("alice")),
        (2, Some("alice")),
        (3, Some("bob")),
        (4, None),
    ] {
        cluster.entity(create_key(number, of));
    }
    cluster.run(delete(user("alice"), OWN)).unwrap();
    let there = |cluster: &Cluster, n| cluster.catalog.access_key(&key_id(n)).is_some();
    let left: Vec<u128> = (1..5).filter(|n| there(&cluster, *n)).collect();
    assert_eq!(left, [3, 4]);
    // Who comes later under the name has none of them.
    cluster.entity(create_user("alice"));
    assert_eq!(
        cluster
            .catalog
            .access_keys(OWN, Some(&name("alice")))
            .count(),
        0
    );
}

#[test]
fn a_key_is_its_accounts_and_no_others() {
    let mut cluster = Cluster::default();
    cluster.entity(create_user("u"));
    let Entity::AccessKey(made) = cluster.entity(create_key(1, Some("u"))) else {
        panic!("no key");
    };
    assert!(made.active);
    let id = || EntityId::AccessKey(key_id(1));
    assert_eq!(
        cluster.run(create_key(1, None)),
        refused(Refusal::Exists(id()))
    );
    assert_eq!(
        cluster.run(set_key(1, other(), false)),
        refused(Refusal::NotFound(id()))
    );
    assert_eq!(
        cluster.run(delete(id(), other())),
        refused(Refusal::NotFound(id()))
    );
    assert_eq!(
        cluster.run(delete(user("u"), other())),
        refused(Refusal::NotFound(user("u")))
    );
    let Entity::AccessKey(off) = cluster.entity(set_key(1, OWN, false)) else {
        panic!("no key");
    };
    assert!(!off.active);
    assert_eq!((off.secret, off.created), (made.secret, made.created));
    cluster.run(delete(id(), OWN)).unwrap();
    assert_eq!(cluster.catalog.access_key(&key_id(1)), None);
}

#[test]
fn keys_are_counted_by_user_and_by_root() {
    let mut cluster = Cluster::default();
    cluster.entity(create_user("u"));
    cluster.entity(create_user("v"));
    for number in 0..2 {
        cluster.entity(create_key(number, Some("u")));
        cluster.entity(create_key(10 + number, None));
    }
    for of in [Some("u"), None] {
        assert_eq!(cluster.run(create_key(20, of)), too_many(Quota::AccessKeys));
    }
    cluster.entity(create_key(20, Some("v")));
    // One that does not work counts; one that is gone does not.
    cluster.entity(set_key(0, OWN, false));
    assert_eq!(
        cluster.run(create_key(21, Some("u"))),
        too_many(Quota::AccessKeys)
    );
    cluster
        .run(delete(EntityId::AccessKey(key_id(0)), OWN))
        .unwrap();
    cluster.entity(create_key(21, Some("u")));
}

#[test]
fn attached_policies_are_counted() {
    let mut cluster = Cluster::default();
    cluster.entity(create_user("u"));
    for number in 0..=Quota::Attached.limit() {
        cluster.entity(put_policy(&format!("p{number}"), "{}"));
    }
    for number in 0..Quota::Attached.limit() {
        cluster.entity(attach(&user("u"), &format!("p{number}")));
    }
    let last = format!("p{}", Quota::Attached.limit());
    assert_eq!(
        cluster.run(attach(&user("u"), &last)),
        too_many(Quota::Attached)
    );
    // Once more what is attached is no more than that, and a boundary is not attached.
    cluster.entity(attach(&user("u"), "p0"));
    cluster.entity(grant(&user("u"), Grants::Bound(Some(name(&last)))));
}

#[test]
fn texts_are_measured_in_characters() {
    // Two bytes each.
    let long = |quota: Quota| "ä".repeat(quota.limit());
    let longer = |quota: Quota| long(quota) + "a";
    let mut cluster = Cluster::default();
    cluster.entity(put_policy("p", &long(Quota::Policy)));
    assert_eq!(
        cluster.run(put_policy("p", &longer(Quota::Policy))),
        too_many(Quota::Policy)
    );
    cluster.entity(create_role("r", &long(Quota::Trust)));
    assert_eq!(
        cluster.run(create_role("s", &longer(Quota::Trust))),
        too_many(Quota::Trust)
    );
    let update = |trust: String| {
        iam(Change::UpdateRole {
            account: OWN,
            name: name("r"),
            trust: Some(trust),
            session_max_s: None,
        })
    };
    assert_eq!(
        cluster.run(update(longer(Quota::Trust))),
        too_many(Quota::Trust)
    );
    cluster.entity(create_user("u"));
    for (to, quota) in [
        (user("u"), Quota::UserInline),
        (role("r"), Quota::RoleInline),
    ] {
        // All of them together, and the one that is replaced not.
        cluster.entity(inline(&to, "a", "1"));
        let rest: String = long(quota).chars().skip(1).collect();
        cluster.entity(inline(&to, "b", &rest));
        cluster.entity(inline(&to, "b", &rest));
        assert_eq!(cluster.run(inline(&to, "a", "12")), too_many(quota));
        assert_eq!(cluster.run(inline(&to, "c", "1")), too_many(quota));
    }
    let text = |cluster: &Cluster| cluster.catalog.policy(OWN, &name("p")).unwrap().to_owned();
    assert_eq!(text(&cluster), long(Quota::Policy));
}

#[test]
fn users_roles_and_policies_of_an_account_are_counted() {
    let mut catalog = Cluster::default();
    let user = |account, n: usize| {
        iam(Change::CreateUser {
            account,
            name: name(&n.to_string()),
            path: EntityPath::default(),
        })
    };
    // Not one after the other: every step is checked.
    for n in 0..Quota::Users.limit() {
        catalog.quietly(user(OWN, n));
    }
    for n in 0..Quota::Roles.limit() {
        catalog.quietly(create_role(&n.to_string(), "{}"));
    }
    for n in 0..Quota::Policies.limit() {
        catalog.quietly(put_policy(&n.to_string(), "{}"));
    }
    for (mutation, quota) in [
        (create_user("more"), Quota::Users),
        (create_role("more", "{}"), Quota::Roles),
        (put_policy("more", "{}"), Quota::Policies),
    ] {
        assert_eq!(catalog.run(mutation), too_many(quota));
    }
    // What is there may have another text, and another account has room.
    catalog.entity(put_policy("0", "{ }"));
    catalog.entity(user(other(), 0));
    catalog
        .run(delete(EntityId::User(OWN, name("0")), OWN))
        .unwrap();
    catalog.entity(create_user("more"));
}

#[test]
fn an_account_is_what_was_said_last() {
    let mut cluster = Cluster::default();
    let put = |name: &str, count: usize| {
        iam(Change::PutAccount {
            account: OWN,
            name: name.to_owned(),
            limits: (0..count).map(|n| (format!("l{n}"), 1)).collect(),
        })
    };
    let most = Quota::AccountLimits.limit();
    cluster.entity(put("first", most));
    assert_eq!(
        cluster.run(put("second", most + 1)),
        too_many(Quota::AccountLimits)
    );
    assert_eq!(cluster.catalog.account(OWN).unwrap().name, "first");
    cluster.entity(put("second", 0));
    let account = cluster.catalog.account(OWN).unwrap();
    assert_eq!((account.name.as_str(), account.limits.len()), ("second", 0));
    assert_eq!(cluster.catalog.account(other()), None);
    // Its record says nothing of what the account has.
    cluster.entity(create_user("u"));
    cluster.run(delete(EntityId::Account(OWN), OWN)).unwrap();
    assert_eq!(cluster.catalog.account(OWN), None);
    assert_eq!(cluster.catalog.entities(OWN).count(), 1);
}

#[test]
fn an_answer_that_was_lost_is_given_again() {
    let mut cluster = Cluster::default();
    let first = cluster.step(7, create_user("u"));
    let again = cluster.step(7, create_user("u"));
    assert!(matches!(first.result, Ok(Changed::Iam(_))));
    assert_eq!(first.result, again.result);
}

#[test]
fn lists_begin_after_a_name_and_hold_one_account_and_kind() {
    let mut cluster = Cluster::default();
    for n in ["+", "b", "a", "Z"] {
        cluster.entity(create_user(n));
        cluster.entity(create_role(n, "{}"));
        cluster.entity(put_policy(n, "{}"));
    }
    for account in ["000000000001", "210987654321"] {
        let account: AccountId = account.parse().unwrap();
        for n in ["a", "c"] {
            cluster.entity(iam(Change::CreateUser {
                account,
                name: name(n),
                path: EntityPath::default(),
            }));
        }
        cluster.entity(iam(Change::PutAccount {
            account,
            name: String::new(),
            limits: BTreeMap::new(),
        }));
    }
    cluster.entity(create_key(1, None));
    let names = |entities: &mut dyn Iterator<Item = &model::iam::Shared>| -> Vec<String> {
        entities.map(|e| e.id().to_string()).collect()
    };
    let catalog = &cluster.catalog;
    for (after, left) in [
        (None, &["+", "Z", "a", "b"][..]),
        (Some("+"), &["Z", "a", "b"]),
        (Some("aa"), &["b"]),
        (Some("b"), &[]),
    ] {
        let after = after.map(name);
        let after = after.as_ref();
        let expected = |kind: &str| -> Vec<String> {
            let ids = left.iter().map(|n| format!("{OWN}/{kind}/{n}"));
            ids.collect()
        };
        assert_eq!(names(&mut catalog.users(OWN, after)), expected("user"));
        assert_eq!(names(&mut catalog.roles(OWN, after)), expected("role"));
        assert_eq!(names(&mut catalog.policies(OWN, after)), expected("policy"));
    }
    assert_eq!(
        names(&mut catalog.users(other(), None)),
        ["210987654321/user/a", "210987654321/user/c"]
    );
    assert_eq!(catalog.roles(other(), None).count(), 0);
    let accounts = |after: Option<AccountId>| -> Vec<String> {
        catalog.accounts(after).map(|a| a.id.to_string()).collect()
    };
    assert_eq!(accounts(None), ["000000000001", "210987654321"]);
    assert_eq!(accounts(Some(OWN)), ["000000000001", "210987654321"]);
    assert_eq!(
        accounts(Some("000000000001".parse().unwrap())),
        ["210987654321"]
    );
}
