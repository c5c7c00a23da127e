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
        self.layers
            .entry(version.id.layer.clone())
            .or_default()
            .versions
            .insert(version.id.version, version);
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
            entry.get_mut().versions.remove(&id.version);
            if entry.get().is_gone() {
                entry.remove();
            }
        }
    }
}

impl LayerEntry {
    fn is_gone(&self) -> bool {
        self.next_version == 0 && self.versions.is_empty()
    }
}
