//! The ARNs that policies know things by.

use model::{
    AccountId,
    iam::{EntityId, EntityName, EntityPath},
};

/// A user, a role or a policy at a path. Accounts and access keys have no ARN of their own: what is done to them is done to
/// the account's root.
pub(super) fn of(id: &EntityId, path: &EntityPath) -> Option<String> {
    match id {
        EntityId::User(account, name)
        | EntityId::Role(account, name)
        | EntityId::Policy(account, name) => Some(named(id.kind(), *account, path, name)),
        EntityId::Account(_) | EntityId::AccessKey(_) => None,
    }
}

fn named(kind: &str, account: AccountId, path: &EntityPath, name: &EntityName) -> String {
    format!("arn:aws:iam::{account}:{kind}{path}{name}")
}

/// The root of an account.
pub(super) fn root(account: AccountId) -> String {
    format!("arn:aws:iam::{account}:root")
}

/// All of a kind, as lists demand them.
pub(super) fn all(account: AccountId, kind: &str) -> String {
    format!("arn:aws:iam::{account}:{kind}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_iam_writes_them() {
        let account = AccountId::DEFAULT;
        let (name, path): (EntityName, EntityPath) =
            ("alice".parse().unwrap(), "/a/b/".parse().unwrap());
        for (id, path, expected) in [
            (
                EntityId::User(account, name.clone()),
                EntityPath::default(),
                Some("arn:aws:iam::000000000000:user/alice"),
            ),
            (
                EntityId::Role(account, name.clone()),
                path.clone(),
                Some("arn:aws:iam::000000000000:role/a/b/alice"),
            ),
            (
                EntityId::Policy(account, name),
                path.clone(),
                Some("arn:aws:iam::000000000000:policy/a/b/alice"),
            ),
            (EntityId::Account(account), path, None),
        ] {
            assert_eq!(of(&id, &path).as_deref(), expected);
        }
        assert_eq!(root(account), "arn:aws:iam::000000000000:root");
        assert_eq!(all(account, "user"), "arn:aws:iam::000000000000:user/");
    }
}
