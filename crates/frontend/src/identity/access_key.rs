//! Access keys. The secret half of a new one is drawn here, leaves sealed for the catalog, and is told once.

use model::iam::{AccessKey, Change, Entity, EntityId, EntityName, Shared};

use super::{Demand, Desk, NewSecret};
use crate::error::OperationError;

/// A key that was just made, with its secret half. It has no `Debug`.
pub(crate) struct NewKey {
    /// What everybody may know of it.
    pub(crate) key: Shared,
    /// What only its owner may.
    pub(crate) secret: NewSecret,
}

impl Desk<'_> {
    /// Makes an access key for a user, or for the root of the account.
    ///
    /// A caller who does not get the answer finds the key in the list, and can only delete it: no attempt of theirs draws the
    /// same secret again.
    pub(crate) async fn create_key(
        &self,
        user: Option<EntityName>,
    ) -> Result<NewKey, OperationError> {
        self.trail.keys_of(self.account, user.as_ref());
        let demand = Demand::on_keys("iam:CreateAccessKey", self.account, user.as_ref());
        let permit = self.permit(&demand).await?;
        if let Some(user) = &user {
            self.found(EntityId::User(self.account, user.clone()))?;
        }
        let (id, secret, sealed) = self.control.new_access_key(self.account).await?;
        self.trail.new_key(&id);
        let change = Change::CreateAccessKey {
            id,
            account: self.account,
            user,
            secret: sealed,
        };
        let made = self.propose(&permit, change).await?;
        let key = made.ok_or(OperationError::WrongAnswer {
            operation: "CreateAccessKey",
        })?;
        Ok(NewKey { key, secret })
    }

    /// The access keys of a user, or of the root of the account.
    pub(crate) async fn keys(
        &self,
        user: Option<EntityName>,
    ) -> Result<Vec<AccessKey>, OperationError> {
        self.trail.keys_of(self.account, user.as_ref());
        let demand = Demand::on_keys("iam:ListAccessKeys", self.account, user.as_ref());
        self.permit(&demand).await?;
        if let Some(user) = &user {
            self.found(EntityId::User(self.account, user.clone()))?;
        }
        Ok(self.control.glance(|catalog| {
            let keys = catalog.access_keys(self.account, user.as_ref());
            keys.cloned().collect()
        }))
    }
}

/// The key in a record.
pub(crate) fn key_of(entity: &Entity) -> Option<&AccessKey> {
    match entity {
        Entity::AccessKey(key) => Some(key),
        Entity::Account(_) | Entity::User(_) | Entity::Role(_) | Entity::Policy(_) => None,
    }
}
