//! What a record says of a request about identities, in the names of the IAM API Reference where it has one.
//!
//! Policies are here in full: what somebody was allowed is what such a record is read for. Secret halves of access keys are
//! not, sealed or otherwise.

use lambda_api::{page::PageRequest, sts::AssumeRole};
use model::iam::{AccessKeyId, Change, EntityId, EntityName, Grants};
use serde_json::json;

use super::{List, Parameters};

/// What somebody says who wants to be a role. What they must know to be it is no secret in AWS's eyes, and is left out.
pub(in crate::trail) fn of_session(wanted: &AssumeRole) -> Parameters {
    let mut list = List::default();
    list.shown("RoleSessionName", Some(&wanted.session));
    list.put_some("DurationSeconds", wanted.duration.map(|d| d.as_secs()));
    list.document("Policy", wanted.policy.as_ref());
    list.0
}

/// What a change says.
pub(in crate::trail) fn of(change: &Change) -> Parameters {
    let mut list = List::default();
    match change {
        Change::PutAccount {
            account,
            name,
            limits,
        } => {
            list.shown("Account", Some(account));
            list.text("Name", Some(name));
            list.0.insert("Limits", json!(limits));
        }
        Change::CreateUser { name, path, .. } => {
            list.shown("UserName", Some(name));
            list.shown("Path", Some(path));
        }
        Change::CreateRole {
            name,
            path,
            trust,
            session_max_s,
            ..
        } => {
            list.shown("RoleName", Some(name));
            list.shown("Path", Some(path));
            list.document("AssumeRolePolicyDocument", Some(trust));
            list.put("MaxSessionDuration", *session_max_s);
        }
        Change::UpdateRole {
            name,
            trust,
            session_max_s,
            ..
        } => {
            list.shown("RoleName", Some(name));
            list.document("AssumeRolePolicyDocument", trust.as_ref());
            list.put_some("MaxSessionDuration", *session_max_s);
        }
        Change::PutPolicy {
            name,
            path,
            document,
            ..
        } => {
            list.shown("PolicyName", Some(name));
            list.shown("Path", Some(path));
            list.document("PolicyDocument", Some(document));
        }
        Change::Grant { to, change } => {
            named(&mut list, to);
            grant(&mut list, change);
        }
        Change::CreateAccessKey { id, user, .. } => {
            list.shown("AccessKeyId", Some(id));
            list.shown("UserName", user.as_ref());
        }
        Change::SetAccessKey { id, active, .. } => {
            list.shown("AccessKeyId", Some(id));
            let status = if *active { "Active" } else { "Inactive" };
            list.text("Status", Some(status));
        }
        Change::Delete { id, .. } => named(&mut list, id),
    }
    list.0
}

/// What a look at one thing says.
pub(in crate::trail) fn of_one(id: &EntityId) -> Parameters {
    let mut list = List::default();
    named(&mut list, id);
    list.0
}

/// What a look at a page says.
pub(in crate::trail) fn of_page<K: ToString>(page: &PageRequest<K>) -> Parameters {
    let mut list = List::default();
    list.page(page);
    list.0
}

/// Whose keys are asked for.
pub(in crate::trail) fn of_keys(user: Option<&EntityName>) -> Parameters {
    let mut list = List::default();
    list.shown("UserName", user);
    list.0
}

/// Which key was made.
pub(in crate::trail) fn of_key(id: &AccessKeyId) -> Parameters {
    let mut list = List::default();
    list.shown("AccessKeyId", Some(id));
    list.0
}

fn named(list: &mut List, id: &EntityId) {
    match id {
        EntityId::Account(account) => list.shown("Account", Some(account)),
        EntityId::User(_, name) => list.shown("UserName", Some(name)),
        EntityId::Role(_, name) => list.shown("RoleName", Some(name)),
        EntityId::Policy(_, name) => list.shown("PolicyName", Some(name)),
        EntityId::AccessKey(id) => list.shown("AccessKeyId", Some(id)),
    }
}

fn grant(list: &mut List, change: &Grants) {
    match change {
        Grants::PutInline(name, document) => {
            list.shown("PolicyName", Some(name));
            list.document("PolicyDocument", Some(document));
        }
        Grants::DropInline(name) | Grants::Attach(name) | Grants::Detach(name) => {
            list.shown("PolicyName", Some(name));
        }
        Grants::Bound(boundary) => list.shown("PermissionsBoundary", boundary.as_ref()),
    }
}

impl List {
    /// A policy, which is no longer than its quota when it comes here.
    fn document(&mut self, name: &'static str, document: Option<&String>) {
        self.put_some(name, document.map(String::as_str));
    }
}

#[cfg(test)]
mod tests {
    use model::{AccountId, Sealed};
    use serde_json::Value;

    use super::*;

    const OWN: AccountId = AccountId::DEFAULT;

    fn check(change: &Change, expected: &Value) {
        assert_eq!(json!(of(change)), *expected);
    }

    #[test]
    fn what_decides_is_kept() {
        let name = |text: &str| -> EntityName { text.parse().unwrap() };
        let user = EntityId::User(OWN, name("alice"));
        let document = "d".repeat(6000);
        let inline = Change::Grant {
            to: user.clone(),
            change: Grants::PutInline(name("p"), document.clone()),
        };
        check(
            &inline,
            &json!({ "UserName": "alice", "PolicyName": "p", "PolicyDocument": document }),
        );
        let bound = Change::Grant {
            to: EntityId::Role(OWN, name("r")),
            change: Grants::Bound(Some(name("b"))),
        };
        check(
            &bound,
            &json!({ "RoleName": "r", "PermissionsBoundary": "b" }),
        );
        let create = Change::CreateRole {
            account: OWN,
            name: name("r"),
            path: "/a/".parse().unwrap(),
            trust: "{}".to_owned(),
            session_max_s: 3600,
        };
        let expected = json!({
            "RoleName": "r", "Path": "/a/", "AssumeRolePolicyDocument": "{}", "MaxSessionDuration": 3600,
        });
        check(&create, &expected);
        let put = Change::PutAccount {
            account: OWN,
            name: "n".to_owned(),
            limits: [("code_storage".to_owned(), 1)].into(),
        };
        let expected =
            json!({ "Account": "000000000000", "Name": "n", "Limits": { "code_storage": 1 } });
        check(&put, &expected);
        let delete = Change::Delete {
            id: user.clone(),
            account: OWN,
        };
        check(&delete, &json!({ "UserName": "alice" }));
        assert_eq!(json!(of_one(&user)), json!({ "UserName": "alice" }));
    }

    #[test]
    fn the_secret_half_of_a_key_is_not() {
        let id = AccessKeyId::from_random(0);
        let create = Change::CreateAccessKey {
            id: id.clone(),
            account: OWN,
            user: None,
            secret: Sealed::from_bytes(b"canary".to_vec()),
        };
        check(&create, &json!({ "AccessKeyId": id.as_str() }));
    }
}
