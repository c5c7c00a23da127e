//! Identities as messages.

use std::collections::BTreeMap;

use lambda_api::page::Page;
use model::{
    Timestamp,
    iam::{AccessKey, Account, Entity, EntityId, EntityName, Identity, Shared},
};
use proto::v1;

use crate::{
    error::OperationError,
    identity::{NewKey, key_of},
};

pub(super) fn account(account: Account) -> v1::Account {
    v1::Account {
        account: account.id.to_string(),
        name: account.name,
        limits: account.limits,
    }
}

/// The account in a record.
pub(super) fn account_of(entity: &Entity) -> Option<v1::Account> {
    match entity {
        Entity::Account(found) => Some(account(found.clone())),
        _ => None,
    }
}

/// The user in a record.
pub(super) fn user(entity: &Entity) -> Option<v1::User> {
    let Entity::User(user) = entity else {
        return None;
    };
    let identity = &user.identity;
    Some(v1::User {
        user_name: identity.name.to_string(),
        user_id: identity.unique_id.clone(),
        arn: entity.arn().unwrap_or_default(),
        path: identity.path.to_string(),
        create_date: date(identity.created),
        inline_policies: inline(identity),
        attached_policies: names(identity.attached.iter()),
        permissions_boundary: boundary(identity),
    })
}

/// The role in a record.
pub(super) fn role(entity: &Entity) -> Option<v1::Role> {
    let Entity::Role(role) = entity else {
        return None;
    };
    let identity = &role.identity;
    Some(v1::Role {
        role_name: identity.name.to_string(),
        role_id: identity.unique_id.clone(),
        arn: entity.arn().unwrap_or_default(),
        path: identity.path.to_string(),
        create_date: date(identity.created),
        assume_role_policy_document: role.trust.clone(),
        max_session_duration: role.session_max_s,
        inline_policies: inline(identity),
        attached_policies: names(identity.attached.iter()),
        permissions_boundary: boundary(identity),
    })
}

/// The policy in a record.
pub(super) fn policy(entity: &Entity) -> Option<v1::Policy> {
    let Entity::Policy(policy) = entity else {
        return None;
    };
    Some(v1::Policy {
        policy_name: policy.name.to_string(),
        policy_id: policy.unique_id.clone(),
        arn: entity.arn().unwrap_or_default(),
        path: policy.path.to_string(),
        create_date: date(policy.created),
        policy_document: policy.document.clone(),
    })
}

/// The public half of the access key in a record.
pub(super) fn key(entity: &Entity) -> Option<v1::AccessKey> {
    key_of(entity).map(access_key)
}

pub(super) fn access_key(key: &AccessKey) -> v1::AccessKey {
    v1::AccessKey {
        access_key_id: key.id.to_string(),
        account: key.account.to_string(),
        user_name: key
            .user
            .as_ref()
            .map(EntityName::to_string)
            .unwrap_or_default(),
        status: if key.active { "Active" } else { "Inactive" }.to_owned(),
        create_date: date(key.created),
    }
}

/// A new key, for the one who asked for it.
pub(super) fn new_key(made: &NewKey) -> v1::NewAccessKey {
    v1::NewAccessKey {
        access_key: key(&made.key),
        secret_access_key: made.secret.expose().to_owned(),
    }
}

/// The items of a page and where the next one begins.
pub(super) fn page<T>(page: Page<Shared>, show: impl Fn(&Entity) -> Option<T>) -> (Vec<T>, String) {
    let shown = page.filter_map(|entity| show(&entity));
    (shown.items, shown.next_marker.unwrap_or_default())
}

/// What a change gave.
pub(super) fn changed<T>(
    id: &EntityId,
    entity: Option<Shared>,
    show: impl Fn(&Entity) -> Option<T>,
) -> Result<T, OperationError> {
    let shown = entity.and_then(|entity| show(&entity));
    shown.ok_or(OperationError::WrongAnswer {
        operation: id.kind(),
    })
}

fn date(at: Timestamp) -> String {
    at.to_rfc3339()
}

fn inline(identity: &Identity) -> BTreeMap<String, String> {
    let policies = identity.inline.iter();
    policies
        .map(|(name, document)| (name.to_string(), document.clone()))
        .collect()
}

fn names<'a>(names: impl Iterator<Item = &'a EntityName>) -> Vec<String> {
    names.map(EntityName::to_string).collect()
}

fn boundary(identity: &Identity) -> String {
    names(identity.boundary.iter()).concat()
}
