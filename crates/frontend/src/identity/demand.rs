//! What must be allowed before something is done.

use model::{
    AccountId,
    iam::{AccessKeyId, Change, EntityId, EntityName, EntityPath, Grants},
};

/// Actions, and what they are on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    /// Each of them must be allowed. AWS's own names; those of accounts are ours.
    pub(crate) actions: Vec<&'static str>,
    /// On what.
    pub(crate) subject: Subject,
}

/// What something is done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// What the cluster knows of accounts. No policy opens that.
    Account,
    /// What the cluster knows of the caller's own account.
    OwnAccount,
    /// A user or role that will be there at this path.
    New(EntityId, EntityPath),
    /// A user, role or policy: at its own path if it is there, else at this one.
    Named(EntityId, EntityPath),
    /// All of a kind.
    All(&'static str),
    /// The access keys of the account's root.
    RootKeys,
    /// An access key: what is done to it is done to whose it is.
    Key(AccessKeyId),
}

impl Demand {
    /// Something that is done to one user, role or policy.
    pub(crate) fn on(action: &'static str, id: EntityId) -> Self {
        Self {
            actions: vec![action],
            subject: Subject::Named(id, EntityPath::default()),
        }
    }

    /// A look at all of a kind.
    pub(crate) fn all(action: &'static str, kind: &'static str) -> Self {
        Self {
            actions: vec![action],
            subject: Subject::All(kind),
        }
    }

    /// Something that is done to the access keys of a user or of the root.
    pub(crate) fn on_keys(
        action: &'static str,
        account: AccountId,
        user: Option<&EntityName>,
    ) -> Self {
        match user {
            Some(user) => Self::on(action, EntityId::User(account, user.clone())),
            None => Self {
                actions: vec![action],
                subject: Subject::RootKeys,
            },
        }
    }

    /// What a change demands.
    pub(crate) fn of(change: &Change) -> Self {
        let one = |action, subject| Self {
            actions: vec![action],
            subject,
        };
        match change {
            Change::PutAccount { .. } => one("iam:PutAccount", Subject::Account),
            Change::CreateUser {
                account,
                name,
                path,
            } => one(
                "iam:CreateUser",
                Subject::New(EntityId::User(*account, name.clone()), path.clone()),
            ),
            Change::CreateRole {
                account,
                name,
                path,
                ..
            } => one(
                "iam:CreateRole",
                Subject::New(EntityId::Role(*account, name.clone()), path.clone()),
            ),
            Change::UpdateRole {
                account,
                name,
                trust,
                session_max_s,
            } => Self {
                actions: of_update(trust.is_some(), session_max_s.is_some()),
                subject: Subject::Named(
                    EntityId::Role(*account, name.clone()),
                    EntityPath::default(),
                ),
            },
            // Which of the two it is, only the catalog can tell, and only when it is done.
            Change::PutPolicy {
                account,
                name,
                path,
                ..
            } => Self {
                actions: vec!["iam:CreatePolicy", "iam:CreatePolicyVersion"],
                subject: Subject::Named(EntityId::Policy(*account, name.clone()), path.clone()),
            },
            Change::Grant { to, change } => Self::on(of_grant(to, change), to.clone()),
            Change::CreateAccessKey { account, user, .. } => {
                Self::on_keys("iam:CreateAccessKey", *account, user.as_ref())
            }
            Change::SetAccessKey { id, .. } => one("iam:UpdateAccessKey", Subject::Key(id.clone())),
            Change::Delete { id, .. } => match id {
                EntityId::Account(_) => one("iam:DeleteAccount", Subject::Account),
                EntityId::User(..) => Self::on("iam:DeleteUser", id.clone()),
                EntityId::Role(..) => Self::on("iam:DeleteRole", id.clone()),
                EntityId::Policy(..) => Self::on("iam:DeletePolicy", id.clone()),
                EntityId::AccessKey(key) => one("iam:DeleteAccessKey", Subject::Key(key.clone())),
            },
        }
    }
}

fn of_update(trust: bool, rest: bool) -> Vec<&'static str> {
    match (trust, rest) {
        (true, true) => vec!["iam:UpdateAssumeRolePolicy", "iam:UpdateRole"],
        (true, false) => vec!["iam:UpdateAssumeRolePolicy"],
        (false, _) => vec!["iam:UpdateRole"],
    }
}

fn of_grant(to: &EntityId, change: &Grants) -> &'static str {
    let is_role = matches!(to, EntityId::Role(..));
    match (change, is_role) {
        (Grants::PutInline(..), false) => "iam:PutUserPolicy",
        (Grants::PutInline(..), true) => "iam:PutRolePolicy",
        (Grants::DropInline(_), false) => "iam:DeleteUserPolicy",
        (Grants::DropInline(_), true) => "iam:DeleteRolePolicy",
        (Grants::Attach(_), false) => "iam:AttachUserPolicy",
        (Grants::Attach(_), true) => "iam:AttachRolePolicy",
        (Grants::Detach(_), false) => "iam:DetachUserPolicy",
        (Grants::Detach(_), true) => "iam:DetachRolePolicy",
        (Grants::Bound(Some(_)), false) => "iam:PutUserPermissionsBoundary",
        (Grants::Bound(Some(_)), true) => "iam:PutRolePermissionsBoundary",
        (Grants::Bound(None), false) => "iam:DeleteUserPermissionsBoundary",
        (Grants::Bound(None), true) => "iam:DeleteRolePermissionsBoundary",
    }
}

#[cfg(test)]
mod tests {
    use model::Sealed;

    use super::*;

    const OWN: AccountId = AccountId::DEFAULT;

    fn name(text: &str) -> EntityName {
        text.parse().unwrap()
    }

    fn check(change: &Change, actions: &[&str], subject: &Subject) {
        let demand = Demand::of(change);
        assert_eq!(demand.actions, actions, "{change:?}");
        assert_eq!(demand.subject, *subject, "{change:?}");
    }

    fn named(id: &EntityId) -> Subject {
        Subject::Named(id.clone(), EntityPath::default())
    }

    #[test]
    fn every_grant_has_an_action_by_whom_it_is_for() {
        let user = EntityId::User(OWN, name("n"));
        let role = EntityId::Role(OWN, name("n"));
        for (change, [for_user, for_role]) in [
            (
                Grants::PutInline(name("p"), String::new()),
                ["iam:PutUserPolicy", "iam:PutRolePolicy"],
            ),
            (
                Grants::DropInline(name("p")),
                ["iam:DeleteUserPolicy", "iam:DeleteRolePolicy"],
            ),
            (
                Grants::Attach(name("p")),
                ["iam:AttachUserPolicy", "iam:AttachRolePolicy"],
            ),
            (
                Grants::Detach(name("p")),
                ["iam:DetachUserPolicy", "iam:DetachRolePolicy"],
            ),
            (
                Grants::Bound(Some(name("p"))),
                [
                    "iam:PutUserPermissionsBoundary",
                    "iam:PutRolePermissionsBoundary",
                ],
            ),
            (
                Grants::Bound(None),
                [
                    "iam:DeleteUserPermissionsBoundary",
                    "iam:DeleteRolePermissionsBoundary",
                ],
            ),
        ] {
            for (to, action) in [(&user, for_user), (&role, for_role)] {
                let (to, change) = (to.clone(), change.clone());
                let subject = named(&to);
                check(&Change::Grant { to, change }, &[action], &subject);
            }
        }
    }

    #[test]
    fn an_update_demands_what_it_changes() {
        let role = EntityId::Role(OWN, name("r"));
        for (trust, session_max_s, actions) in [
            (None, None, &["iam:UpdateRole"][..]),
            (None, Some(3600), &["iam:UpdateRole"]),
            (Some(""), None, &["iam:UpdateAssumeRolePolicy"]),
            (
                Some(""),
                Some(3600),
                &["iam:UpdateAssumeRolePolicy", "iam:UpdateRole"],
            ),
        ] {
            let update = Change::UpdateRole {
                account: OWN,
                name: name("r"),
                trust: trust.map(str::to_owned),
                session_max_s,
            };
            check(&update, actions, &named(&role));
        }
    }

    #[test]
    fn keys_are_their_users_and_those_of_the_root_are_apart() {
        let id = AccessKeyId::from_random(1);
        let create = |user: Option<&str>| Change::CreateAccessKey {
            id: id.clone(),
            account: OWN,
            user: user.map(name),
            secret: Sealed::from_bytes(Vec::new()),
        };
        let user = EntityId::User(OWN, name("u"));
        let action = &["iam:CreateAccessKey"];
        check(&create(Some("u")), action, &named(&user));
        check(&create(None), action, &Subject::RootKeys);
        let set = Change::SetAccessKey {
            id: id.clone(),
            account: OWN,
            active: true,
        };
        check(&set, &["iam:UpdateAccessKey"], &Subject::Key(id.clone()));
        let delete = Change::Delete {
            id: EntityId::AccessKey(id.clone()),
            account: OWN,
        };
        check(&delete, &["iam:DeleteAccessKey"], &Subject::Key(id));
    }

    #[test]
    fn what_is_new_stands_at_its_path_and_accounts_are_no_bodys() {
        let path: EntityPath = "/a/".parse().unwrap();
        let role = EntityId::Role(OWN, name("r"));
        let create = Change::CreateRole {
            account: OWN,
            name: name("r"),
            path: path.clone(),
            trust: String::new(),
            session_max_s: 3600,
        };
        let new = Subject::New(role, path.clone());
        check(&create, &["iam:CreateRole"], &new);
        let put = Change::PutPolicy {
            account: OWN,
            name: name("p"),
            path: path.clone(),
            document: String::new(),
        };
        let policy = Subject::Named(EntityId::Policy(OWN, name("p")), path);
        let actions = ["iam:CreatePolicy", "iam:CreatePolicyVersion"];
        check(&put, &actions, &policy);
        let account = Subject::Account;
        let put = Change::PutAccount {
            account: OWN,
            name: String::new(),
            limits: [].into(),
        };
        check(&put, &["iam:PutAccount"], &account);
        let delete = Change::Delete {
            id: EntityId::Account(OWN),
            account: OWN,
        };
        check(&delete, &["iam:DeleteAccount"], &account);
    }
}
