use std::collections::BTreeMap;

use super::{AccessKeyId, EntityId, EntityName, EntityPath};
use crate::{AccountId, ErrorKind, Failure, Sealed};

/// A change to who there is, or to what they are allowed. Policies were read and found good where the change was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// What the cluster knows of an account, as it is from now on.
    PutAccount {
        /// Which one.
        account: AccountId,
        /// Its name.
        name: String,
        /// See [`super::Account::limits`].
        limits: BTreeMap<String, u64>,
    },
    /// A new user.
    CreateUser {
        /// The account.
        account: AccountId,
        /// Its name.
        name: EntityName,
        /// Its path.
        path: EntityPath,
    },
    /// A new role.
    CreateRole {
        /// The account.
        account: AccountId,
        /// Its name.
        name: EntityName,
        /// Its path.
        path: EntityPath,
        /// Its trust policy.
        trust: String,
        /// See [`super::Role::session_max_s`].
        session_max_s: u32,
    },
    /// Other settings of a role; `None` leaves one as it is.
    UpdateRole {
        /// The account.
        account: AccountId,
        /// Its name.
        name: EntityName,
        /// Its trust policy.
        trust: Option<String>,
        /// See [`super::Role::session_max_s`].
        session_max_s: Option<u32>,
    },
    /// A policy with a name of its own, or another text for it.
    PutPolicy {
        /// The account.
        account: AccountId,
        /// Its name.
        name: EntityName,
        /// Its path; one that is there keeps its own.
        path: EntityPath,
        /// What it says.
        document: String,
    },
    /// Another grant to a user or a role, or one less.
    Grant {
        /// Which user or role.
        to: EntityId,
        /// What changes.
        change: Grants,
    },
    /// A new access key.
    CreateAccessKey {
        /// Its public half.
        id: AccessKeyId,
        /// The account.
        account: AccountId,
        /// The user; `None` is the account's root.
        user: Option<EntityName>,
        /// Its secret half, sealed.
        secret: Sealed,
    },
    /// Whether an access key may be used.
    SetAccessKey {
        /// Which one.
        id: AccessKeyId,
        /// The account that it must be of.
        account: AccountId,
        /// Whether it may.
        active: bool,
    },
    /// It goes. A user goes with its access keys; a policy that is attached stays.
    Delete {
        /// What.
        id: EntityId,
        /// The account that it must be of.
        account: AccountId,
    },
}

/// A change to what a user or a role is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grants {
    /// A policy of its own, or another text for it.
    PutInline(EntityName, String),
    /// Takes a policy of its own away. What is not there is away.
    DropInline(EntityName),
    /// Attaches a policy of its account.
    Attach(EntityName),
    /// Detaches one. What is not attached is detached.
    Detach(EntityName),
    /// A boundary, or none.
    Bound(Option<EntityName>),
}

/// Why a change to identities was refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It exists already.
    #[error("{0} exists already")]
    Exists(EntityId),
    /// It does not exist.
    #[error("{0} does not exist")]
    NotFound(EntityId),
    /// It is attached, or it is somebody's boundary.
    #[error("{0} is attached to somebody")]
    InUse(EntityId),
    /// There would be more than AWS allows.
    #[error("expected at most {} {}, got more", .0.limit(), .0.what())]
    TooMany(Quota),
}

/// What is counted, and how much of it there may be: the values of AWS's default quotas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// Access keys of a user, and of the root of an account.
    AccessKeys,
    /// Policies that are attached to a user or a role.
    Attached,
    /// Characters of all inline policies of a user.
    UserInline,
    /// Characters of all inline policies of a role.
    RoleInline,
    /// Characters of a policy with a name of its own.
    Policy,
    /// Characters of a trust policy.
    Trust,
    /// Limits of its own that an account has.
    AccountLimits,
    /// Users of an account.
    Users,
    /// Roles of an account.
    Roles,
    /// Policies of an account that have a name of their own.
    Policies,
}

impl Quota {
    /// All of them. Frozen, but may grow: their places are written down.
    pub const ALL: [Self; 10] = [
        Self::AccessKeys,
        Self::Attached,
        Self::UserInline,
        Self::RoleInline,
        Self::Policy,
        Self::Trust,
        Self::AccountLimits,
        Self::Users,
        Self::Roles,
        Self::Policies,
    ];

    /// How much there may be.
    #[must_use]
    pub const fn limit(self) -> usize {
        match self {
            Self::AccessKeys => 2,
            Self::Attached => 10,
            Self::UserInline => 2048,
            Self::RoleInline => 10_240,
            Self::Policy => 6144,
            Self::Trust => 4096,
            Self::AccountLimits => 64,
            Self::Users => 5000,
            Self::Roles => 1000,
            Self::Policies => 1500,
        }
    }

    /// Of what.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::AccessKeys => "access keys",
            Self::Attached => "attached policies",
            Self::UserInline => "characters in a user's inline policies",
            Self::RoleInline => "characters in a role's inline policies",
            Self::Policy => "characters in a policy",
            Self::Trust => "characters in a trust policy",
            Self::AccountLimits => "limits of an account",
            Self::Users => "users in an account",
            Self::Roles => "roles in an account",
            Self::Policies => "policies in an account",
        }
    }

    /// Refuses more than that.
    ///
    /// # Errors
    /// [`Refusal::TooMany`].
    pub const fn admit(self, count: usize) -> Result<(), Refusal> {
        if count <= self.limit() {
            Ok(())
        } else {
            Err(Refusal::TooMany(self))
        }
    }
}

impl Failure for Refusal {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists(_) | Self::InUse(_) => ErrorKind::Conflict,
            Self::NotFound(_) => ErrorKind::NotFound,
            Self::TooMany(_) => ErrorKind::Invalid,
        }
    }
}

impl Change {
    /// What it is about.
    #[must_use]
    pub fn about(&self) -> EntityId {
        match self {
            Self::PutAccount { account, .. } => EntityId::Account(*account),
            Self::CreateUser { account, name, .. } => EntityId::User(*account, name.clone()),
            Self::CreateRole { account, name, .. } | Self::UpdateRole { account, name, .. } => {
                EntityId::Role(*account, name.clone())
            }
            Self::PutPolicy { account, name, .. } => EntityId::Policy(*account, name.clone()),
            Self::Grant { to, .. } => to.clone(),
            Self::CreateAccessKey { id, .. } | Self::SetAccessKey { id, .. } => {
                EntityId::AccessKey(id.clone())
            }
            Self::Delete { id, .. } => id.clone(),
        }
    }

    /// The account that it is about.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        match self {
            Self::PutAccount { account, .. }
            | Self::CreateUser { account, .. }
            | Self::CreateRole { account, .. }
            | Self::UpdateRole { account, .. }
            | Self::PutPolicy { account, .. }
            | Self::CreateAccessKey { account, .. }
            | Self::SetAccessKey { account, .. }
            | Self::Delete { account, .. } => Some(*account),
            Self::Grant { to, .. } => to.account(),
        }
    }
}
