use model::{
    Sealed, Timestamp,
    iam::{
        AccessKey, Account, Change, Entity, Grants, Identity, ManagedPolicy, Quota, Refusal, Role,
        User,
    },
};

use super::{InvalidMessage, present, text};
use crate::internal::{
    self as pb,
    iam_entity::Entity as WireEntity,
    mutation as wire,
    mutation::change_iam::{self as change, Change as WireChange, grant::Change as WireGrants},
    rejection::Kind,
};

impl From<&Entity> for pb::IamEntity {
    fn from(entity: &Entity) -> Self {
        let entity = match entity {
            Entity::Account(a) => WireEntity::Account(a.into()),
            Entity::User(u) => WireEntity::User(pb::IamUser {
                identity: Some((&u.identity).into()),
            }),
            Entity::Role(r) => WireEntity::Role(pb::IamRole {
                identity: Some((&r.identity).into()),
                trust: r.trust.clone(),
                session_max_s: r.session_max_s,
            }),
            Entity::Policy(p) => WireEntity::Policy(p.into()),
            Entity::AccessKey(k) => WireEntity::AccessKey(k.into()),
        };
        Self {
            entity: Some(entity),
        }
    }
}

impl TryFrom<pb::IamEntity> for Entity {
    type Error = InvalidMessage;

    fn try_from(m: pb::IamEntity) -> Result<Self, InvalidMessage> {
        Ok(match present("iam.entity", m.entity)? {
            WireEntity::Account(a) => Self::Account(a.try_into()?),
            WireEntity::User(u) => Self::User(User {
                identity: present("iam.identity", u.identity)?.try_into()?,
            }),
            WireEntity::Role(r) => Self::Role(Role {
                identity: present("iam.identity", r.identity)?.try_into()?,
                trust: r.trust,
                session_max_s: r.session_max_s,
            }),
            WireEntity::Policy(p) => Self::Policy(p.try_into()?),
            WireEntity::AccessKey(k) => Self::AccessKey(k.try_into()?),
        })
    }
}

impl From<&Account> for pb::IamAccount {
    fn from(a: &Account) -> Self {
        Self {
            id: a.id.to_string(),
            name: a.name.clone(),
            limits: a.limits.clone(),
        }
    }
}

impl TryFrom<pb::IamAccount> for Account {
    type Error = InvalidMessage;

    fn try_from(m: pb::IamAccount) -> Result<Self, InvalidMessage> {
        Ok(Self {
            id: text("iam.account", &m.id)?,
            name: m.name,
            limits: m.limits,
        })
    }
}

impl From<&Identity> for pb::IamIdentity {
    fn from(i: &Identity) -> Self {
        let inline = i.inline.iter();
        Self {
            account: i.account.to_string(),
            name: i.name.to_string(),
            path: i.path.to_string(),
            unique_id: i.unique_id.clone(),
            created_ms: i.created.as_millis(),
            inline: inline.map(|(n, d)| (n.to_string(), d.clone())).collect(),
            attached: i.attached.iter().map(ToString::to_string).collect(),
            boundary: i.boundary.as_ref().map(ToString::to_string),
        }
    }
}

impl TryFrom<pb::IamIdentity> for Identity {
    type Error = InvalidMessage;

    fn try_from(m: pb::IamIdentity) -> Result<Self, InvalidMessage> {
        let inline = m.inline.into_iter();
        let attached = m.attached.iter();
        Ok(Self {
            account: text("iam.account", &m.account)?,
            name: text("iam.name", &m.name)?,
            path: text("iam.path", &m.path)?,
            unique_id: m.unique_id,
            created: Timestamp(m.created_ms),
            inline: inline
                .map(|(name, document)| Ok((text("iam.inline", &name)?, document)))
                .collect::<Result<_, InvalidMessage>>()?,
            attached: attached
                .map(|name| text("iam.attached", name))
                .collect::<Result<_, _>>()?,
            boundary: optional("iam.boundary", m.boundary.as_deref())?,
        })
    }
}

impl From<&ManagedPolicy> for pb::IamPolicy {
    fn from(p: &ManagedPolicy) -> Self {
        Self {
            account: p.account.to_string(),
            name: p.name.to_string(),
            path: p.path.to_string(),
            unique_id: p.unique_id.clone(),
            created_ms: p.created.as_millis(),
            document: p.document.clone(),
        }
    }
}

impl TryFrom<pb::IamPolicy> for ManagedPolicy {
    type Error = InvalidMessage;

    fn try_from(m: pb::IamPolicy) -> Result<Self, InvalidMessage> {
        Ok(Self {
            account: text("iam.account", &m.account)?,
            name: text("iam.name", &m.name)?,
            path: text("iam.path", &m.path)?,
            unique_id: m.unique_id,
            created: Timestamp(m.created_ms),
            document: m.document,
        })
    }
}

impl From<&AccessKey> for pb::IamAccessKey {
    fn from(k: &AccessKey) -> Self {
        Self {
            id: k.id.to_string(),
            account: k.account.to_string(),
            user: k.user.as_ref().map(ToString::to_string),
            secret: bytes::Bytes::copy_from_slice(k.secret.as_bytes()),
            active: k.active,
            created_ms: k.created.as_millis(),
        }
    }
}

impl TryFrom<pb::IamAccessKey> for AccessKey {
    type Error = InvalidMessage;

    fn try_from(m: pb::IamAccessKey) -> Result<Self, InvalidMessage> {
        Ok(Self {
            id: text("iam.access_key", &m.id)?,
            account: text("iam.account", &m.account)?,
            user: optional("iam.user", m.user.as_deref())?,
            secret: Sealed::from_bytes(m.secret.into()),
            active: m.active,
            created: Timestamp(m.created_ms),
        })
    }
}

impl From<&Change> for wire::ChangeIam {
    fn from(c: &Change) -> Self {
        let change = match c {
            Change::PutAccount {
                account,
                name,
                limits,
            } => WireChange::PutAccount(pb::IamAccount {
                id: account.to_string(),
                name: name.clone(),
                limits: limits.clone(),
            }),
            Change::CreateUser {
                account,
                name,
                path,
            } => WireChange::CreateUser(change::CreateUser {
                account: account.to_string(),
                name: name.to_string(),
                path: path.to_string(),
            }),
            Change::CreateRole {
                account,
                name,
                path,
                trust,
                session_max_s,
            } => WireChange::CreateRole(change::CreateRole {
                account: account.to_string(),
                name: name.to_string(),
                path: path.to_string(),
                trust: trust.clone(),
                session_max_s: *session_max_s,
            }),
            Change::UpdateRole {
                account,
                name,
                trust,
                session_max_s,
            } => WireChange::UpdateRole(change::UpdateRole {
                account: account.to_string(),
                name: name.to_string(),
                trust: trust.clone(),
                session_max_s: *session_max_s,
            }),
            Change::PutPolicy {
                account,
                name,
                path,
                document,
            } => WireChange::PutPolicy(change::PutPolicy {
                account: account.to_string(),
                name: name.to_string(),
                path: path.to_string(),
                document: document.clone(),
            }),
            Change::Grant { to, change } => WireChange::Grant(change::Grant {
                to: to.to_string(),
                change: Some(grants_to_wire(change)),
            }),
            Change::CreateAccessKey {
                id,
                account,
                user,
                secret,
            } => WireChange::CreateAccessKey(change::CreateAccessKey {
                id: id.to_string(),
                account: account.to_string(),
                user: user.as_ref().map(ToString::to_string),
                secret: bytes::Bytes::copy_from_slice(secret.as_bytes()),
            }),
            Change::SetAccessKey {
                id,
                account,
                active,
            } => WireChange::SetAccessKey(change::SetAccessKey {
                id: id.to_string(),
                account: account.to_string(),
                active: *active,
            }),
            Change::Delete { id, account } => WireChange::Delete(change::Delete {
                id: id.to_string(),
                account: account.to_string(),
            }),
        };
        Self {
            change: Some(change),
        }
    }
}

fn grants_to_wire(change: &Grants) -> WireGrants {
    match change {
        Grants::PutInline(name, document) => WireGrants::PutInline(change::grant::Inline {
            name: name.to_string(),
            document: document.clone(),
        }),
        Grants::DropInline(name) => WireGrants::DropInline(name.to_string()),
        Grants::Attach(name) => WireGrants::Attach(name.to_string()),
        Grants::Detach(name) => WireGrants::Detach(name.to_string()),
        Grants::Bound(Some(name)) => WireGrants::Bound(name.to_string()),
        Grants::Bound(None) => WireGrants::Unbound(true),
    }
}

fn grants_from_wire(change: WireGrants) -> Result<Grants, InvalidMessage> {
    Ok(match change {
        WireGrants::PutInline(m) => {
            Grants::PutInline(text("iam.grant.inline", &m.name)?, m.document)
        }
        WireGrants::DropInline(name) => Grants::DropInline(text("iam.grant.inline", &name)?),
        WireGrants::Attach(name) => Grants::Attach(text("iam.grant.attach", &name)?),
        WireGrants::Detach(name) => Grants::Detach(text("iam.grant.detach", &name)?),
        WireGrants::Bound(name) => Grants::Bound(Some(text("iam.grant.bound", &name)?)),
        WireGrants::Unbound(_) => Grants::Bound(None),
    })
}

impl TryFrom<wire::ChangeIam> for Change {
    type Error = InvalidMessage;

    fn try_from(m: wire::ChangeIam) -> Result<Self, InvalidMessage> {
        Ok(match present("iam.change", m.change)? {
            WireChange::PutAccount(m) => Self::PutAccount {
                account: text("iam.account", &m.id)?,
                name: m.name,
                limits: m.limits,
            },
            WireChange::CreateUser(m) => Self::CreateUser {
                account: text("iam.account", &m.account)?,
                name: text("iam.name", &m.name)?,
                path: text("iam.path", &m.path)?,
            },
            WireChange::CreateRole(m) => Self::CreateRole {
                account: text("iam.account", &m.account)?,
                name: text("iam.name", &m.name)?,
                path: text("iam.path", &m.path)?,
                trust: m.trust,
                session_max_s: m.session_max_s,
            },
            WireChange::UpdateRole(m) => Self::UpdateRole {
                account: text("iam.account", &m.account)?,
                name: text("iam.name", &m.name)?,
                trust: m.trust,
                session_max_s: m.session_max_s,
            },
            WireChange::PutPolicy(m) => Self::PutPolicy {
                account: text("iam.account", &m.account)?,
                name: text("iam.name", &m.name)?,
                path: text("iam.path", &m.path)?,
                document: m.document,
            },
            WireChange::Grant(m) => Self::Grant {
                to: text("iam.grant.to", &m.to)?,
                change: grants_from_wire(present("iam.grant.change", m.change)?)?,
            },
            WireChange::CreateAccessKey(m) => Self::CreateAccessKey {
                id: text("iam.access_key", &m.id)?,
                account: text("iam.account", &m.account)?,
                user: optional("iam.user", m.user.as_deref())?,
                secret: Sealed::from_bytes(m.secret.into()),
            },
            WireChange::SetAccessKey(m) => Self::SetAccessKey {
                id: text("iam.access_key", &m.id)?,
                account: text("iam.account", &m.account)?,
                active: m.active,
            },
            WireChange::Delete(m) => Self::Delete {
                id: text("iam.id", &m.id)?,
                account: text("iam.account", &m.account)?,
            },
        })
    }
}

/// A refusal as the rejection that carries it.
pub(super) fn refusal_to_wire(refusal: &Refusal) -> (Kind, Vec<String>) {
    match refusal {
        Refusal::Exists(id) => (Kind::IamExists, vec![id.to_string()]),
        Refusal::NotFound(id) => (Kind::IamNotFound, vec![id.to_string()]),
        Refusal::InUse(id) => (Kind::IamInUse, vec![id.to_string()]),
        Refusal::TooMany(quota) => {
            let place = Quota::ALL.iter().position(|q| q == quota);
            (
                Kind::IamTooMany,
                vec![place.unwrap_or_default().to_string()],
            )
        }
    }
}

/// The quota that [`refusal_to_wire`] wrote.
pub(super) fn quota(place: &str) -> Result<Quota, InvalidMessage> {
    let place: usize = text("rejection", place)?;
    let quota = Quota::ALL.get(place).copied();
    quota.ok_or_else(|| InvalidMessage::field("rejection")(&format!("no quota {place}")))
}

fn optional<T>(field: &'static str, value: Option<&str>) -> Result<Option<T>, InvalidMessage>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    value.map(|value| text(field, value)).transpose()
}
