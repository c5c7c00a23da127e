//! The layers of a catalog, and how they are read.

use std::{
    collections::{BTreeMap, btree_map},
    num::NonZeroU64,
    ops::Bound,
    sync::Arc,
};

use model::{AccountId, LayerId, LayerName, LayerVersion, LayerVersionId, Region};

use crate::{Catalog, Record};

/// Everything the cluster knows of one layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerEntry {
    /// The number that the next version gets; 0 while the record itself has not arrived.
    pub next_version: u64,
    /// Its versions, lowest first; none if all were deleted.
    pub versions: BTreeMap<NonZeroU64, Arc<LayerVersion>>,
}

impl Catalog {
    /// One layer, also if all its versions were deleted.
    #[must_use]
    pub fn layer(&self, id: &LayerId) -> Option<&LayerEntry> {
        self.layers.get(id)
    }

    /// One version of a layer.
    #[must_use]
    pub fn layer_version(&self, id: &LayerVersionId) -> Option<&Arc<LayerVersion>> {
        self.layers.get(&id.layer)?.versions.get(&id.version)
    }

    /// The layers of an account in a region with names after `after`, in the order of their names.
    pub fn layers(
        &self,
        account: AccountId,
        region: &Region,
        after: Option<&LayerName>,
    ) -> impl Iterator<Item = (&LayerId, &LayerEntry)> {
        let scope = region.clone();
        let id = |name: LayerName| LayerId {
            account,
            region: region.clone(),
            name,
        };
        // Without a marker the range starts at the first name that can exist in this scope.
        let lower = match (after, "-".parse::<LayerName>()) {
            (Some(name), _) => Bound::Excluded(id(name.clone())),
            (None, Ok(first)) => Bound::Included(id(first)),
            (None, Err(_)) => Bound::Unbounded,
        };
        self.layers
            .range((lower, Bound::Unbounded))
            .take_while(move |(id, _)| id.account == account && id.region == scope)
    }

    pub(crate) fn layer_records(&self) -> impl Iterator<Item = Record> {
        self.layers.iter().flat_map(|(id, entry)| {
            let head = (entry.next_version > 0).then(|| Record::Layer {
                id: id.clone(),
                next_version: entry.next_version,
            });
            let versions = entry.versions.values().cloned();
            head.into_iter().chain(versions.map(Record::LayerVersion))
        })
    }

    pub(crate) fn put_layer_version(&mut self, version: Arc<LayerVersion>) {
        let (id, size) = (version.id.layer.clone(), version.content.size);
        let entry = self.layers.entry(id.clone()).or_default();
        let old = entry.versions.insert(version.id.version, version);
        let old = old.map_or(0, |old| old.content.size);
        self.count_code(id.account, &id.region, old, size);
    }

    pub(crate) fn forget_layer(&mut self, id: &LayerId) {
        if let btree_map::Entry::Occupied(mut entry) = self.layers.entry(id.clone()) {
            entry.get_mut().next_version = 0;
            if entry.get().is_gone() {
                entry.remove();
            }
        }
    }

    pub(crate) fn forget_layer_version(&mut self, id: &LayerVersionId) {
        if let btree_map::Entry::Occupied(mut entry) = self.layers.entry(id.layer.clone()) {
            let gone = entry.get_mut().versions.remove(&id.version);
            if entry.get().is_gone() {
                entry.remove();
            }
            let freed = gone.map_or(0, |gone| gone.content.size);
            self.count_code(id.layer.account, &id.layer.region, freed, 0);
        }
    }
}

impl LayerEntry {
    fn is_gone(&self) -> bool {
        self.next_version == 0 && self.versions.is_empty()
    }
}
