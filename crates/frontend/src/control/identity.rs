//! Changes to identities, and new access keys: their secret halves leave this node sealed.

use model::{
    AccountId, Mutation, Sealed,
    iam::{AccessKeyId, Change},
    mutation::Changed,
};
use seal::Place;

use super::Control;
use crate::{
    error::OperationError,
    identity::{NewSecret, Permit},
};

impl Control {
    /// Makes a change to identities for a caller who may.
    pub(crate) async fn change_identity(
        &self,
        permit: &Permit<'_>,
        change: Change,
    ) -> Result<Changed, OperationError> {
        let mutation = Mutation::Iam(Box::new(change));
        self.propose_for(permit.caller(), &mutation).await
    }

    /// Draws both halves of an access key, and seals the secret one for the catalog.
    pub(crate) async fn new_access_key(
        &self,
        account: AccountId,
    ) -> Result<(AccessKeyId, NewSecret, Sealed), OperationError> {
        let id = AccessKeyId::from_random(self.entropy.next_u128());
        let secret = NewSecret::draw(&*self.entropy);
        let place = Place::AccessKey { account, id: &id };
        let key = self.key_to_seal_with(account).await?;
        let sealed = key.seal(place, secret.expose().as_bytes());
        let sealed = sealed.map_err(catalog::SecretError::from)?;
        Ok((id, secret, sealed))
    }
}
