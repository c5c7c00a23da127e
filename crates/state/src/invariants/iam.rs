//! Accounts, users, roles, policies and access keys: what one names is there.

use std::collections::BTreeSet;

use model::{
    AccountId,
    iam::{AccessKey, Entity, EntityId, EntityName, Identity},
};

use super::Violation;
use crate::Catalog;

pub(super) fn check(catalog: &Catalog) -> Result<(), Violation> {
    for (id, entity) in &catalog.iam {
        let fail = |what: &str| Err(Violation(format!("{id}: {what}")));
        if entity.id() != *id {
            return fail("stands under another's key");
        }
        let missing = match &**entity {
            Entity::User(user) => missing_policy(catalog, &user.identity),
            Entity::Role(role) => missing_policy(catalog, &role.identity),
            Entity::AccessKey(key) => missing_user(catalog, key),
            Entity::Account(_) | Entity::Policy(_) => None,
        };
        if let Some(missing) = missing {
            return fail(&format!("names {missing}, which does not exist"));
        }
        if let Entity::AccessKey(key) = &**entity
            && !catalog
                .access_keys(key.account, key.user.as_ref())
                .any(|known| known.id == key.id)
        {
            return fail("is not among the keys of its owner");
        }
    }
    let keys = catalog.iam.values();
    let keys = keys.filter(|entity| matches!(&***entity, Entity::AccessKey(_)));
    let (keys, owned) = (
        keys.count(),
        catalog.keys_of.values().map(BTreeSet::len).sum(),
    );
    if keys != owned {
        return Err(Violation(format!("{keys} access keys, {owned} of owners")));
    }
    Ok(())
}

/// A policy that an identity has attached or is bounded by, and that is not there.
fn missing_policy(catalog: &Catalog, identity: &Identity) -> Option<EntityId> {
    let named = identity.attached.iter().chain(&identity.boundary);
    let policy = |account: AccountId, name: &EntityName| EntityId::Policy(account, name.clone());
    let mut ids = named.map(|name| policy(identity.account, name));
    ids.find(|id| catalog.entity(id).is_none())
}

/// The user of an access key, if the key outlived it.
fn missing_user(catalog: &Catalog, key: &AccessKey) -> Option<EntityId> {
    let user = EntityId::User(key.account, key.user.clone()?);
    catalog.entity(&user).is_none().then_some(user)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{
        Sealed, Timestamp,
        iam::{EntityPath, User},
    };

    use super::*;
    use crate::{Change, Record};

    fn name(text: &str) -> EntityName {
        text.parse().unwrap()
    }

    fn user(attached: &[&str], boundary: Option<&str>) -> Entity {
        Entity::User(User {
            identity: Identity {
                account: AccountId::DEFAULT,
                name: name("alice"),
                path: EntityPath::default(),
                unique_id: "AIDA".to_owned(),
                created: Timestamp(0),
                inline: [].into(),
                attached: attached.iter().map(|n| name(n)).collect(),
                boundary: boundary.map(name),
            },
        })
    }

    fn key(user: Option<&str>) -> Entity {
        Entity::AccessKey(AccessKey {
            id: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            account: AccountId::DEFAULT,
            user: user.map(name),
            secret: Sealed::from_bytes(vec![1]),
            active: true,
            created: Timestamp(0),
        })
    }

    fn said(entities: Vec<Entity>) -> Option<String> {
        let mut catalog = Catalog::default();
        for entity in entities {
            catalog.put(Change::Put(Record::Iam(Arc::new(entity))));
        }
        check(&catalog).err().map(|violation| violation.0)
    }

    #[test]
    fn what_is_named_must_be_there() {
        assert_eq!(
            said(vec![user(&[], None), key(Some("alice")), key(None)]),
            None
        );
        for (entities, part) in [
            (vec![user(&["p"], None)], "policy/p"),
            (vec![user(&[], Some("b"))], "policy/b"),
            (vec![key(Some("alice"))], "user/alice"),
            (vec![user(&[], None), key(Some("bob"))], "user/bob"),
        ] {
            let said = said(entities).unwrap();
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn a_key_is_among_those_of_its_owner() {
        let mut catalog = Catalog::default();
        let mut put = |entity| catalog.put(Change::Put(Record::Iam(Arc::new(entity))));
        put(user(&[], None));
        put(key(Some("alice")));
        put(key(None));
        let of = |catalog: &Catalog, user: Option<&EntityName>| {
            catalog.access_keys(AccountId::DEFAULT, user).count()
        };
        assert_eq!(
            (of(&catalog, Some(&name("alice"))), of(&catalog, None)),
            (0, 1)
        );
        catalog.keys_of.clear();
        assert!(check(&catalog).is_err());
        catalog.put(Change::Gone(crate::Key::Iam(key(None).id())));
        assert!(check(&catalog).is_ok());
    }

    #[test]
    fn a_record_stands_under_its_own_key() {
        let mut catalog = Catalog::default();
        let id = EntityId::User(AccountId::DEFAULT, name("bob"));
        catalog.iam.insert(id, Arc::new(user(&[], None)));
        assert!(check(&catalog).is_err());
    }
}
