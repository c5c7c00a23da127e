//! Accounts, users, roles, policies and access keys: who there is, and what they are allowed.
//!
//! What stands here is what the catalog keeps. Policies are texts: `policy` reads and evaluates them, and nothing of it
//! is known here. Names, paths, ids and ARNs follow the IAM API Reference; names are unique by their exact letters.

mod change;
mod name;
mod session;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::Arc,
};

use crate::{AccountId, Sealed, Timestamp, arn::is_partition};

pub use change::{Change, Grants, Quota, Refusal};
pub use name::{AccessKeyId, EntityName, EntityPath, InvalidIam, SessionName, unique_id};
pub use session::{Hour, InvalidSession, RoleArn, Session};

/// One thing of identity and access management, by what it is and what it is called.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntityId {
    /// What the cluster knows of an account, beside what the account has.
    Account(AccountId),
    /// A user of an account.
    User(AccountId, EntityName),
    /// A role of an account.
    Role(AccountId, EntityName),
    /// A policy that users and roles can have attached.
    Policy(AccountId, EntityName),
    /// An access key. Its id is unique over all accounts.
    AccessKey(AccessKeyId),
}

/// The thing itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entity {
    /// See [`EntityId::Account`].
    Account(Account),
    /// See [`EntityId::User`].
    User(User),
    /// See [`EntityId::Role`].
    Role(Role),
    /// See [`EntityId::Policy`].
    Policy(ManagedPolicy),
    /// See [`EntityId::AccessKey`].
    AccessKey(AccessKey),
}

/// An account. One without a record has the limits of its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// What people call it; may be empty.
    pub name: String,
    /// Limits of its own, by the key of the configuration that sets the cluster's, such as `concurrency`.
    pub limits: BTreeMap<String, u64>,
}

/// What users and roles have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account it belongs to.
    pub account: AccountId,
    /// Its name.
    pub name: EntityName,
    /// Where its ARN puts it.
    pub path: EntityPath,
    /// An id that no other identity ever has, one of the same name that comes later included.
    pub unique_id: String,
    /// When it was made.
    pub created: Timestamp,
    /// Its own policies, as JSON, by their names.
    pub inline: BTreeMap<EntityName, String>,
    /// The policies of its account that are attached to it.
    pub attached: BTreeSet<EntityName>,
    /// The policy of its account that bounds what the others allow.
    pub boundary: Option<EntityName>,
}

/// Somebody with access keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Who.
    pub identity: Identity,
}

/// Somebody to be for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Who.
    pub identity: Identity,
    /// Who may be it, as a trust policy in JSON.
    pub trust: String,
    /// The longest session, in seconds: 3600 to 43 200.
    pub session_max_s: u32,
}

/// A policy with a name of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// The account it belongs to.
    pub account: AccountId,
    /// Its name.
    pub name: EntityName,
    /// Where its ARN puts it.
    pub path: EntityPath,
    /// See [`Identity::unique_id`].
    pub unique_id: String,
    /// When it was made.
    pub created: Timestamp,
    /// What it says, as JSON.
    pub document: String,
}

/// An access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// Its public half.
    pub id: AccessKeyId,
    /// The account it acts for.
    pub account: AccountId,
    /// The user it acts for; `None` is the root of the account.
    pub user: Option<EntityName>,
    /// Its secret half, sealed under a data key of the account.
    pub secret: Sealed,
    /// Whether it may be used.
    pub active: bool,
    /// When it was made.
    pub created: Timestamp,
}

impl EntityId {
    /// The account it belongs to, as far as its id says.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        match self {
            Self::Account(account)
            | Self::User(account, _)
            | Self::Role(account, _)
            | Self::Policy(account, _) => Some(*account),
            Self::AccessKey(_) => None,
        }
    }

    /// What it is, in a word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Account(_) => "account",
            Self::User(..) => "user",
            Self::Role(..) => "role",
            Self::Policy(..) => "policy",
            Self::AccessKey(_) => "key",
        }
    }
}

/// `ACCOUNT/KIND/NAME`; of an access key `-/key/ID`. Frozen: keys of records are made of it.
impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::Account(account) => write!(f, "{account}/{kind}/-"),
            Self::User(account, name) | Self::Role(account, name) | Self::Policy(account, name) => {
                write!(f, "{account}/{kind}/{name}")
            }
            Self::AccessKey(id) => write!(f, "-/{kind}/{id}"),
        }
    }
}

impl FromStr for EntityId {
    type Err = InvalidIam;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = s.split('/').collect();
        let bad = || InvalidIam::new("ACCOUNT/KIND/NAME of a user, role, policy or key", s);
        let account = |text: &str| text.parse::<AccountId>().map_err(|_| bad());
        match parts.as_slice() {
            [of, "account", "-"] => Ok(Self::Account(account(of)?)),
            [of, "user", name] => Ok(Self::User(account(of)?, name.parse()?)),
            [of, "role", name] => Ok(Self::Role(account(of)?, name.parse()?)),
            [of, "policy", name] => Ok(Self::Policy(account(of)?, name.parse()?)),
            ["-", "key", id] => Ok(Self::AccessKey(id.parse()?)),
            _ => Err(bad()),
        }
    }
}

impl Entity {
    /// What it is called.
    #[must_use]
    pub fn id(&self) -> EntityId {
        match self {
            Self::Account(a) => EntityId::Account(a.id),
            Self::User(u) => EntityId::User(u.identity.account, u.identity.name.clone()),
            Self::Role(r) => EntityId::Role(r.identity.account, r.identity.name.clone()),
            Self::Policy(p) => EntityId::Policy(p.account, p.name.clone()),
            Self::AccessKey(k) => EntityId::AccessKey(k.id.clone()),
        }
    }

    /// Whose it is.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Account(a) => a.id,
            Self::User(u) => u.identity.account,
            Self::Role(r) => r.identity.account,
            Self::Policy(p) => p.account,
            Self::AccessKey(k) => k.account,
        }
    }

    /// A user or a role.
    #[must_use]
    pub const fn identity(&self) -> Option<&Identity> {
        match self {
            Self::User(u) => Some(&u.identity),
            Self::Role(r) => Some(&r.identity),
            Self::Account(_) | Self::Policy(_) | Self::AccessKey(_) => None,
        }
    }

    /// The same, to be changed.
    #[must_use]
    pub const fn identity_mut(&mut self) -> Option<&mut Identity> {
        match self {
            Self::User(u) => Some(&mut u.identity),
            Self::Role(r) => Some(&mut r.identity),
            Self::Account(_) | Self::Policy(_) | Self::AccessKey(_) => None,
        }
    }

    /// Its ARN; accounts and keys have none.
    #[must_use]
    pub fn arn(&self) -> Option<String> {
        let (kind, account, path, name) = match self {
            Self::User(User { identity: i }) => ("user", i.account, &i.path, &i.name),
            Self::Role(Role { identity: i, .. }) => ("role", i.account, &i.path, &i.name),
            Self::Policy(p) => ("policy", p.account, &p.path, &p.name),
            Self::Account(_) | Self::AccessKey(_) => return None,
        };
        Some(format!("arn:aws:iam::{account}:{kind}{path}{name}"))
    }
}

/// Account and name of a role, by its ARN. Paths are not part of an identity: names are unique without them.
///
/// # Errors
/// [`InvalidIam`] if it is not the ARN of a role.
pub fn role_of(arn: &str) -> Result<(AccountId, EntityName), InvalidIam> {
    let bad = || InvalidIam::new("the ARN of a role", arn);
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, rest] = parts.as_slice() else {
        return Err(bad());
    };
    let name = rest.strip_prefix("role/").ok_or_else(bad)?;
    let name = name.rsplit('/').next().unwrap_or(name);
    if !is_partition(partition) {
        return Err(bad());
    }
    Ok((account.parse().map_err(|_| bad())?, name.parse()?))
}

/// A shared entity: what lists and maps hold.
pub type Shared = Arc<Entity>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_as_they_were() {
        for id in [
            "123456789012/account/-",
            "123456789012/user/alice",
            "123456789012/role/a+b=c,d.e@f-g_h",
            "123456789012/policy/p",
            "-/key/AKIAIOSFODNN7EXAMPLE",
        ] {
            assert_eq!(id.parse::<EntityId>().unwrap().to_string(), id);
        }
        for bad in [
            "",
            "1/user/a",
            "123456789012/user/",
            "123456789012/group/a",
            "123456789012/user/a/b",
            "-/key/short",
            "123456789012/key/AKIAIOSFODNN7EXAMPLE",
        ] {
            assert!(bad.parse::<EntityId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_role_is_found_by_its_arn_whatever_its_path() {
        let account: AccountId = "123456789012".parse().unwrap();
        for arn in [
            "arn:aws:iam::123456789012:role/worker",
            "arn:aws-cn:iam::123456789012:role/service-role/deep/worker",
        ] {
            let name: EntityName = "worker".parse().unwrap();
            assert_eq!(role_of(arn), Ok((account, name)));
        }
        for bad in [
            "arn:aws:iam::123456789012:user/worker",
            "arn:aws:iam::123456789012:role/",
            "arn:awsome:iam::123456789012:role/worker",
            "arn:aws:sts::123456789012:role/worker",
            "worker",
        ] {
            assert!(role_of(bad).is_err(), "{bad}");
        }
    }
}
