use std::sync::Arc;

use model::{AccountId, DataKey, Generation, WrappedKey, mutation::Changed};

use super::Step;
use crate::Record;

impl Step<'_> {
    /// The first key of a generation stays: whoever comes second takes it over, so that nothing is ever sealed with a key
    /// that the catalog does not hold.
    pub(super) fn put_data_key(
        &mut self,
        account: AccountId,
        generation: Generation,
        wrapped: &WrappedKey,
    ) -> Changed {
        if let Some(there) = self.catalog.data_key(account, generation) {
            return Changed::DataKey(there.clone());
        }
        self.put_wrapped(DataKey {
            account,
            generation,
            wrapped: wrapped.clone(),
            created: self.stamp.at,
        })
    }

    /// A key that was wrapped anew meanwhile is left as it is: the caller looks again.
    pub(super) fn rewrap_data_key(
        &mut self,
        account: AccountId,
        generation: Generation,
        old: &WrappedKey,
        new: &WrappedKey,
    ) -> Changed {
        let Some(there) = self.catalog.data_key(account, generation) else {
            return Changed::Nothing;
        };
        if there.wrapped != *old {
            return Changed::DataKey(there.clone());
        }
        let rewrapped = DataKey {
            wrapped: new.clone(),
            ..(**there).clone()
        };
        self.put_wrapped(rewrapped)
    }

    fn put_wrapped(&mut self, key: DataKey) -> Changed {
        let key = Arc::new(key);
        self.put(Record::DataKey(key.clone()));
        Changed::DataKey(key)
    }
}

#[cfg(test)]
mod tests {
    use model::Mutation;

    use super::*;
    use crate::apply::tests::{Cluster, wrapped};

    fn put(generation: Generation, byte: u8) -> Mutation {
        Mutation::PutDataKey {
            account: AccountId::DEFAULT,
            generation,
            wrapped: wrapped(byte),
        }
    }

    fn rewrap(old: u8, new: u8) -> Mutation {
        Mutation::RewrapDataKey {
            account: AccountId::DEFAULT,
            generation: Generation::FIRST,
            old: wrapped(old),
            new: wrapped(new),
        }
    }

    /// The first byte of the key that a change answers with.
    fn answered(cluster: &mut Cluster, mutation: Mutation) -> Option<u8> {
        match cluster.run(mutation).unwrap() {
            Changed::DataKey(key) => key.wrapped.bytes.first().copied(),
            Changed::Nothing => None,
            other => panic!("expected a data key, got {other:?}"),
        }
    }

    #[test]
    fn the_first_key_of_a_generation_stays() {
        let mut cluster = Cluster::default();
        assert!(
            cluster
                .catalog
                .newest_data_key(AccountId::DEFAULT)
                .is_none()
        );
        let second = Generation::FIRST.next();
        assert_eq!(answered(&mut cluster, put(Generation::FIRST, 1)), Some(1));
        assert_eq!(answered(&mut cluster, put(Generation::FIRST, 2)), Some(1));
        assert_eq!(answered(&mut cluster, put(second, 3)), Some(3));
        let newest = |account| {
            let key = cluster.catalog.newest_data_key(account);
            key.map(|k| k.generation)
        };
        assert_eq!(newest(AccountId::DEFAULT), Some(second));
        assert_eq!(newest("000000000001".parse().unwrap()), None);
    }

    #[test]
    fn a_key_is_wrapped_anew_only_as_the_caller_saw_it() {
        let mut cluster = Cluster::default();
        assert_eq!(answered(&mut cluster, rewrap(1, 2)), None);
        cluster.run(put(Generation::FIRST, 1)).unwrap();
        let key = |cluster: &Cluster| {
            let key = cluster.catalog.data_keys().next();
            key.map(|k| (k.created, k.wrapped.bytes.clone())).unwrap()
        };
        let (created, _) = key(&cluster);
        assert_eq!(answered(&mut cluster, rewrap(1, 2)), Some(2));
        assert_eq!(answered(&mut cluster, rewrap(1, 3)), Some(2));
        assert_eq!(key(&cluster), (created, vec![2]));
    }

    #[test]
    fn a_key_outlives_the_functions_of_its_account() {
        let mut cluster = Cluster::default();
        cluster.run(put(Generation::FIRST, 1)).unwrap();
        let mut follower = crate::Catalog::default();
        for record in cluster.catalog.records() {
            follower.put(crate::Change::Put(record));
        }
        assert_eq!(follower.data_keys().count(), 1);
        let key = crate::Key::DataKey(AccountId::DEFAULT, Generation::FIRST);
        follower.put(crate::Change::Gone(key));
        assert_eq!(follower.data_keys().count(), 0);
    }
}
