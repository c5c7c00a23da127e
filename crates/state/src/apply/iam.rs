//! Changes to accounts, users, roles, policies and access keys.
//!
//! Policies are texts here: whether they mean something is found out where they are written. Only their lengths are held
//! against the quotas, because two callers at once could each stay below one.

use std::sync::Arc;

use model::{
    AccountId,
    iam::{
        AccessKey, Account, Change, Entity, EntityId, EntityName, EntityPath, Grants, Identity,
        ManagedPolicy, Quota, Refusal, Role, User,
    },
    mutation::{Changed, Rejection},
};

use super::Step;
use crate::{Key, Record};

impl Step<'_> {
    pub(super) fn change_iam(&mut self, change: &Change) -> Result<Changed, Rejection> {
        match change {
            Change::PutAccount {
                account,
                name,
                limits,
            } => {
                Quota::AccountLimits.admit(limits.len())?;
                Ok(self.put_entity(Entity::Account(Account {
                    id: *account,
                    name: name.clone(),
                    limits: limits.clone(),
                })))
            }
            Change::CreateUser {
                account,
                name,
                path,
            } => {
                self.must_be_new(&EntityId::User(*account, name.clone()))?;
                Quota::Users.admit(self.catalog.users(*account, None).count() + 1)?;
                let identity = self.new_identity("AIDA", *account, name, path);
                Ok(self.put_entity(Entity::User(User { identity })))
            }
            Change::CreateRole {
                account,
                name,
                path,
                trust,
                session_max_s,
            } => {
                self.must_be_new(&EntityId::Role(*account, name.clone()))?;
                Quota::Roles.admit(self.catalog.roles(*account, None).count() + 1)?;
                Quota::Trust.admit(trust.chars().count())?;
                Ok(self.new_role(*account, name, path, trust, *session_max_s))
            }
            Change::UpdateRole {
                account,
                name,
                trust,
                session_max_s,
            } => {
                let id = EntityId::Role(*account, name.clone());
                let Entity::Role(mut role) = self.entity_to_change(&id)? else {
                    return Err(Refusal::NotFound(id).into());
                };
                if let Some(trust) = trust {
                    Quota::Trust.admit(trust.chars().count())?;
                    role.trust.clone_from(trust);
                }
                role.session_max_s = session_max_s.unwrap_or(role.session_max_s);
                Ok(self.put_entity(Entity::Role(role)))
            }
            Change::PutPolicy {
                account,
                name,
                path,
                document,
            } => {
                Quota::Policy.admit(document.chars().count())?;
                let id = EntityId::Policy(*account, name.clone());
                if self.catalog.entity(&id).is_none() {
                    Quota::Policies.admit(self.catalog.policies(*account, None).count() + 1)?;
                }
                Ok(self.put_policy_entity(*account, name, path, document))
            }
            Change::Grant { to, change } => self.grant(to, change),
            Change::CreateAccessKey {
                id,
                account,
                user,
                secret,
            } => {
                self.must_be_new(&EntityId::AccessKey(id.clone()))?;
                if let Some(user) = user {
                    self.must_be_there(&EntityId::User(*account, user.clone()))?;
                }
                let keys = self.catalog.access_keys(*account, user.as_ref()).count();
                Quota::AccessKeys.admit(keys + 1)?;
                Ok(self.put_entity(Entity::AccessKey(AccessKey {
                    id: id.clone(),
                    account: *account,
                    user: user.clone(),
                    secret: secret.clone(),
                    active: true,
                    created: self.stamp.at,
                })))
            }
            Change::SetAccessKey {
                id,
                account,
                active,
            } => {
                let id = EntityId::AccessKey(id.clone());
                match self.entity_to_change(&id)? {
                    Entity::AccessKey(mut key) if key.account == *account => {
                        key.active = *active;
                        Ok(self.put_entity(Entity::AccessKey(key)))
                    }
                    _ => Err(Refusal::NotFound(id).into()),
                }
            }
            Change::Delete { id, account } => self.delete_entity(id, *account),
        }
    }

    fn new_identity(
        &mut self,
        prefix: &str,
        account: AccountId,
        name: &EntityName,
        path: &EntityPath,
    ) -> Identity {
        Identity {
            account,
            name: name.clone(),
            path: path.clone(),
            unique_id: model::iam::unique_id(prefix, self.new_bits()),
            created: self.stamp.at,
            inline: [].into(),
            attached: [].into(),
            boundary: None,
        }
    }

    fn new_role(
        &mut self,
        account: AccountId,
        name: &EntityName,
        path: &EntityPath,
        trust: &str,
        session_max_s: u32,
    ) -> Changed {
        let identity = self.new_identity("AROA", account, name, path);
        self.put_entity(Entity::Role(Role {
            identity,
            trust: trust.to_owned(),
            session_max_s,
        }))
    }

    fn put_policy_entity(
        &mut self,
        account: AccountId,
        name: &EntityName,
        path: &EntityPath,
        document: &str,
    ) -> Changed {
        let id = EntityId::Policy(account, name.clone());
        let there = self.catalog.entity(&id).map(|entity| (**entity).clone());
        let policy = match there {
            Some(Entity::Policy(policy)) => ManagedPolicy {
                document: document.to_owned(),
                ..policy
            },
            _ => ManagedPolicy {
                account,
                name: name.clone(),
                path: path.clone(),
                unique_id: model::iam::unique_id("ANPA", self.new_bits()),
                created: self.stamp.at,
                document: document.to_owned(),
            },
        };
        self.put_entity(Entity::Policy(policy))
    }

    fn grant(&mut self, to: &EntityId, change: &Grants) -> Result<Changed, Rejection> {
        let mut entity = self.entity_to_change(to)?;
        let is_role = matches!(entity, Entity::Role(_));
        let Some(identity) = entity.identity_mut() else {
            return Err(Refusal::NotFound(to.clone()).into());
        };
        let account = identity.account;
        match change {
            Grants::PutInline(name, document) => {
                identity.inline.insert(name.clone(), document.clone());
                let length = identity.inline.values().map(|d| d.chars().count()).sum();
                if is_role {
                    Quota::RoleInline.admit(length)?;
                } else {
                    Quota::UserInline.admit(length)?;
                }
            }
            Grants::DropInline(name) => {
                identity.inline.remove(name);
            }
            Grants::Attach(name) => {
                self.must_be_there(&EntityId::Policy(account, name.clone()))?;
                identity.attached.insert(name.clone());
                Quota::Attached.admit(identity.attached.len())?;
            }
            Grants::Detach(name) => {
                identity.attached.remove(name);
            }
            Grants::Bound(boundary) => {
                if let Some(name) = boundary {
                    self.must_be_there(&EntityId::Policy(account, name.clone()))?;
                }
                identity.boundary.clone_from(boundary);
            }
        }
        Ok(self.put_entity(entity))
    }

    fn delete_entity(&mut self, id: &EntityId, account: AccountId) -> Result<Changed, Rejection> {
        let entity = self.entity_to_change(id)?;
        if entity.account() != account {
            return Err(Refusal::NotFound(id.clone()).into());
        }
        match &entity {
            Entity::Policy(policy) if self.is_attached(policy) => {
                return Err(Refusal::InUse(id.clone()).into());
            }
            Entity::User(user) => {
                let keys = self.catalog.access_keys(account, Some(&user.identity.name));
                let keys: Vec<_> = keys.map(|key| key.id.clone()).collect();
                for key in keys {
                    self.remove(Key::Iam(EntityId::AccessKey(key)));
                }
            }
            Entity::Policy(_) | Entity::Account(_) | Entity::Role(_) | Entity::AccessKey(_) => {}
        }
        self.remove(Key::Iam(id.clone()));
        Ok(Changed::Nothing)
    }

    fn is_attached(&self, policy: &ManagedPolicy) -> bool {
        let (users, roles) = (
            self.catalog.users(policy.account, None),
            self.catalog.roles(policy.account, None),
        );
        users.chain(roles).any(|entity| {
            entity.identity().is_some_and(|identity| {
                identity.attached.contains(&policy.name)
                    || identity.boundary.as_ref() == Some(&policy.name)
            })
        })
    }

    fn must_be_new(&self, id: &EntityId) -> Result<(), Refusal> {
        match self.catalog.entity(id) {
            Some(_) => Err(Refusal::Exists(id.clone())),
            None => Ok(()),
        }
    }

    fn must_be_there(&self, id: &EntityId) -> Result<(), Refusal> {
        match self.catalog.entity(id) {
            Some(_) => Ok(()),
            None => Err(Refusal::NotFound(id.clone())),
        }
    }

    fn entity_to_change(&self, id: &EntityId) -> Result<Entity, Refusal> {
        let found = self.catalog.entity(id).map(|entity| (**entity).clone());
        found.ok_or_else(|| Refusal::NotFound(id.clone()))
    }

    fn put_entity(&mut self, entity: Entity) -> Changed {
        let entity = Arc::new(entity);
        self.put(Record::Iam(entity.clone()));
        Changed::Iam(entity)
    }
}
