//! Access keys: what the cluster knows about one.

use lambda_api::sigv4::{Credential, Secret};
use model::iam::{AccessKey, AccessKeyId, Entity, EntityId};
use policy::Principal;
use seal::Place;

use super::Who;
use crate::{control::Control, error::OperationError, options::KeyRing};

/// A key, and whose it is.
pub(super) struct Known {
    pub(super) credential: Credential,
    pub(super) principal: Principal,
    pub(super) who: Who,
}

/// Whether there is such a key, without opening its secret.
pub(super) fn is_known(ring: &KeyRing, control: &Control, id: &str) -> bool {
    ring.get(id).is_some() || in_catalog(control, id).is_some()
}

/// What is known about a key; nothing about one that may not be used.
///
/// # Errors
/// [`OperationError::Secret`] if its secret half does not open on this node.
pub(super) fn find(
    ring: &KeyRing,
    control: &Control,
    id: &str,
) -> Result<Option<Known>, OperationError> {
    if let Some(credential) = ring.get(id) {
        return Ok(Some(Known {
            principal: Principal::root(credential.account),
            credential: credential.clone(),
            who: Who::Operator,
        }));
    }
    let Some((key, principal, who)) = in_catalog(control, id) else {
        return Ok(None);
    };
    let place = Place::AccessKey {
        account: key.account,
        id: &key.id,
    };
    let secret = control.open(place, &key.secret)?;
    let credential = Credential {
        secret: Secret::new(&String::from_utf8_lossy(&secret)),
        account: key.account,
        session: None,
    };
    Ok(Some(Known {
        credential,
        principal,
        who,
    }))
}

/// An active key of the root or of a user that is there.
fn in_catalog(control: &Control, id: &str) -> Option<(AccessKey, Principal, Who)> {
    let id: AccessKeyId = id.parse().ok()?;
    control.glance(|catalog| {
        let key = catalog.access_key(&id).filter(|key| key.active)?;
        let (principal, who) = match &key.user {
            None => (Principal::root(key.account), Who::Root),
            Some(name) => {
                let entity = catalog.entity(&EntityId::User(key.account, name.clone()))?;
                let Entity::User(user) = &**entity else {
                    return None;
                };
                let who = Who::User {
                    name: name.clone(),
                    unique_id: user.identity.unique_id.clone(),
                };
                (Principal::from_arn(&entity.arn()?).ok()?, who)
            }
        };
        Some((key.clone(), principal, who))
    })
}
