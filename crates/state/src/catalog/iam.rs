//! Accounts, users, roles, policies and access keys.

use std::ops::Bound;

use model::{
    AccountId,
    iam::{
        AccessKey, AccessKeyId, Account, Entity, EntityId, EntityName, Identity, Role, RoleArn,
        Shared,
    },
};

use super::Catalog;

impl Catalog {
    /// One account, user, role, policy or access key.
    #[must_use]
    pub fn entity(&self, id: &EntityId) -> Option<&Shared> {
        self.iam.get(id)
    }

    /// What is known of an account, if anything is.
    #[must_use]
    pub fn account(&self, account: AccountId) -> Option<&Account> {
        match &**self.entity(&EntityId::Account(account))? {
            Entity::Account(account) => Some(account),
            _ => None,
        }
    }

    /// A role.
    #[must_use]
    pub fn role(&self, account: AccountId, name: &EntityName) -> Option<&Role> {
        match &**self.entity(&EntityId::Role(account, name.clone()))? {
            Entity::Role(role) => Some(role),
            _ => None,
        }
    }

    /// The role of exactly this ARN: one of its name that stands under another path is another role.
    #[must_use]
    pub fn role_of(&self, arn: &RoleArn) -> Option<&Role> {
        let entity = self.entity(&EntityId::Role(arn.account(), arn.name().clone()))?;
        match &**entity {
            Entity::Role(role) if entity.arn().as_deref() == Some(arn.as_str()) => Some(role),
            _ => None,
        }
    }

    /// An access key.
    #[must_use]
    pub fn access_key(&self, id: &AccessKeyId) -> Option<&AccessKey> {
        match &**self.entity(&EntityId::AccessKey(id.clone()))? {
            Entity::AccessKey(key) => Some(key),
            _ => None,
        }
    }

    /// The policies of an identity: its own first, then what is attached to it, each in the order of their names.
    pub fn policies_of<'a>(&'a self, identity: &'a Identity) -> impl Iterator<Item = &'a str> {
        let own = identity.inline.values().map(String::as_str);
        let attached = identity.attached.iter();
        own.chain(attached.filter_map(|name| self.policy(identity.account, name)))
    }

    /// The text of a policy.
    #[must_use]
    pub fn policy(&self, account: AccountId, name: &EntityName) -> Option<&str> {
        match &**self.entity(&EntityId::Policy(account, name.clone()))? {
            Entity::Policy(policy) => Some(&policy.document),
            _ => None,
        }
    }

    /// Everything of one account, in the order of their ids; access keys last.
    pub fn entities(&self, account: AccountId) -> impl Iterator<Item = &Shared> {
        let all = self
            .iam
            .range((Bound::Unbounded::<EntityId>, Bound::Unbounded));
        all.map(|(_, entity)| entity)
            .filter(move |entity| entity.account() == account)
    }

    /// The users of an account after one of this name, in the order of their names.
    pub fn users(
        &self,
        account: AccountId,
        after: Option<&EntityName>,
    ) -> impl Iterator<Item = &Shared> {
        self.named(account, after, EntityId::User)
    }

    /// The roles of an account after one of this name, in the order of their names.
    pub fn roles(
        &self,
        account: AccountId,
        after: Option<&EntityName>,
    ) -> impl Iterator<Item = &Shared> {
        self.named(account, after, EntityId::Role)
    }

    /// The policies of an account after one of this name, in the order of their names.
    pub fn policies(
        &self,
        account: AccountId,
        after: Option<&EntityName>,
    ) -> impl Iterator<Item = &Shared> {
        self.named(account, after, EntityId::Policy)
    }

    /// The accounts of which something is known, after this one.
    pub fn accounts(&self, after: Option<AccountId>) -> impl Iterator<Item = &Account> {
        let first = after.map_or(Bound::Unbounded, |a| Bound::Excluded(EntityId::Account(a)));
        let rest = self.iam.range((first, Bound::Unbounded));
        // Accounts come before everything else.
        rest.map_while(|(_, entity)| match &**entity {
            Entity::Account(account) => Some(account),
            _ => None,
        })
    }

    fn named(
        &self,
        account: AccountId,
        after: Option<&EntityName>,
        id: fn(AccountId, EntityName) -> EntityId,
    ) -> impl Iterator<Item = &Shared> {
        let first = id(account, EntityName::first());
        let kind = first.kind();
        let first = match after {
            Some(name) => Bound::Excluded(id(account, name.clone())),
            None => Bound::Included(first),
        };
        let rest = self.iam.range((first, Bound::Unbounded));
        rest.take_while(move |(id, _)| id.kind() == kind && id.account() == Some(account))
            .map(|(_, entity)| entity)
    }

    /// The access keys of a user, or of the root of an account.
    pub fn access_keys(
        &self,
        account: AccountId,
        user: Option<&EntityName>,
    ) -> impl Iterator<Item = &AccessKey> {
        let ids = self.keys_of.get(&(account, user.cloned()));
        ids.into_iter()
            .flatten()
            .filter_map(|id| self.access_key(id))
    }

    pub(super) fn put_entity(&mut self, entity: Shared) {
        self.remove_entity(&entity.id());
        if let Entity::AccessKey(key) = &*entity {
            let owner = (key.account, key.user.clone());
            self.keys_of
                .entry(owner)
                .or_default()
                .insert(key.id.clone());
        }
        self.iam.insert(entity.id(), entity);
    }

    pub(super) fn remove_entity(&mut self, id: &EntityId) {
        let gone = self.iam.remove(id);
        if let Some(Entity::AccessKey(key)) = gone.as_deref() {
            let owner = (key.account, key.user.clone());
            if let Some(keys) = self.keys_of.get_mut(&owner) {
                keys.remove(&key.id);
                if keys.is_empty() {
                    self.keys_of.remove(&owner);
                }
            }
        }
    }
}
