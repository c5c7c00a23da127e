//! Access keys: what the cluster knows about one.
//!
//! Those of the configuration and of the catalog are looked up; that of a session is proven by the token that comes with it
//! (ADR 12).

use std::sync::Arc;

use catalog::{SecretError, TokenError};
use lambda_api::sigv4::{self, Credential, Secret, SigV4Error};
use model::{
    Timestamp,
    iam::{AccessKey, AccessKeyId, Entity, EntityId, InvalidSession},
};
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

/// What a request presents: the public half of a key, and a session token.
pub(super) struct Presented<'a> {
    pub(super) id: &'a str,
    pub(super) token: Option<&'a str>,
    /// When it came.
    pub(super) now: Timestamp,
}

/// Whether there is such a key, without opening its secret.
///
/// # Errors
/// As [`find`].
pub(super) fn is_known(
    ring: &KeyRing,
    control: &Control,
    presented: &Presented<'_>,
) -> Result<bool, OperationError> {
    let id = presented.id;
    if ring.get(id).is_some() || in_catalog(control, id).is_some() {
        return Ok(true);
    }
    Ok(session(control, presented)?.is_some())
}

/// What is known about a key; nothing about one that may not be used.
///
/// # Errors
/// [`OperationError::Secret`] if its secret half does not open on this node; [`OperationError::Signature`] for a session that
/// is over.
pub(super) fn find(
    ring: &KeyRing,
    control: &Control,
    presented: &Presented<'_>,
) -> Result<Option<Known>, OperationError> {
    let id = presented.id;
    if let Some(credential) = ring.get(id) {
        return Ok(Some(Known {
            principal: Principal::root(credential.account),
            credential: credential.clone(),
            who: Who::Operator,
        }));
    }
    if let Some(known) = session(control, presented)? {
        return Ok(Some(known));
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

/// What a session token proves. Whether the role is there still is asked with its policies.
fn session(control: &Control, presented: &Presented<'_>) -> Result<Option<Known>, OperationError> {
    let Some(token) = presented.token.filter(|_| presented.id.starts_with("ASIA")) else {
        return Ok(None);
    };
    let (session, credentials) = match control.prove(token) {
        Ok(proven) => proven,
        // A token can name any account and generation: that this copy has no such key is no defect, and to whoever made it
        // up it is what an unknown access key is. A genuine one counts a moment later.
        Err(TokenError::Invalid | TokenError::Key(SecretError::Missing { .. })) => return Ok(None),
        Err(TokenError::Key(error)) => return Err(error.into()),
    };
    match session.check(presented.id, presented.now) {
        Ok(()) => {}
        Err(InvalidSession::Over) => return Err(SigV4Error::ExpiredToken.into()),
        Err(_) => return Ok(None),
    }
    let Ok(principal) = Principal::session(session.role.as_str(), session.name.as_str()) else {
        return Ok(None);
    };
    let credential = Credential {
        secret: Secret::new(credentials.secret_access_key()),
        account: session.role.account(),
        session: Some(sigv4::Session {
            token: Secret::new(token),
            expires: session.expires,
        }),
    };
    Ok(Some(Known {
        credential,
        principal,
        who: Who::Session(Arc::new(session)),
    }))
}
