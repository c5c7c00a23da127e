//! Event source mappings in the catalog.

use std::{ops::Bound, sync::Arc};

use model::{
    AccountId, EventSourceMapping, Region,
    mapping::{MappingId, MappingUuid},
};

use super::Catalog;

impl Catalog {
    /// One event source mapping.
    #[must_use]
    pub fn mapping(&self, id: &MappingId) -> Option<&Arc<EventSourceMapping>> {
        self.mappings.get(id)
    }

    /// The event source mappings of an account in a region after `after`, in the order of their ids.
    pub fn mappings(
        &self,
        account: AccountId,
        region: &Region,
        after: Option<MappingUuid>,
    ) -> impl Iterator<Item = &Arc<EventSourceMapping>> {
        let scope = region.clone();
        let id = |uuid| MappingId {
            account,
            region: region.clone(),
            uuid,
        };
        let lower = match after {
            Some(after) => Bound::Excluded(id(after)),
            None => Bound::Included(id(MappingUuid::MIN)),
        };
        self.mappings
            .range((lower, Bound::Unbounded))
            .map(|(_, mapping)| mapping)
            .take_while(move |m| m.id.account == account && m.id.region == scope)
    }

    /// Event source mappings that are in transition.
    pub fn moving_mappings(&self) -> impl Iterator<Item = &Arc<EventSourceMapping>> {
        self.moving.iter().filter_map(|id| self.mappings.get(id))
    }

    pub(super) fn put_mapping(&mut self, mapping: Arc<EventSourceMapping>) {
        if mapping.state.is_settled() {
            self.moving.remove(&mapping.id);
        } else {
            self.moving.insert(mapping.id.clone());
        }
        self.mappings.insert(mapping.id.clone(), mapping);
    }

    pub(super) fn forget_mapping(&mut self, id: &MappingId) {
        self.moving.remove(id);
        self.mappings.remove(id);
    }
}
