use std::{collections::BTreeMap, sync::Arc};

use model::{
    EventSourceMapping, FunctionArn, Qualifier, RevisionId,
    function::Incompatible,
    mapping::{
        MappingChange, MappingId, MappingState, MappingUuid, Refusal, Setting, Settings, Source,
        Start,
    },
    mutation::{Changed, Rejection},
};

use super::{Step, function::refuse_tenants};
use crate::{Catalog, Key, Record};

impl Step<'_> {
    pub(super) fn create_mapping(
        &mut self,
        function: &FunctionArn,
        source: &Source,
        settings: &[Setting],
        enabled: bool,
        tags: &BTreeMap<String, String>,
    ) -> Result<Changed, Rejection> {
        let kind = source.kind();
        let settings = Settings::of(kind)
            .changed(kind, settings)
            .map_err(Rejection::MappingRefused)?;
        if matches!(source.start(), Some(Start::At(time)) if time > self.stamp.at) {
            return Err(Rejection::MappingRefused(Refusal::StartInFuture));
        }
        let mapping = EventSourceMapping {
            id: MappingId {
                account: function.id.account,
                region: function.id.region.clone(),
                uuid: MappingUuid::from_random(self.new_bits()),
            },
            function: function.clone(),
            source: source.clone(),
            settings,
            enabled,
            state: MappingState::Creating,
            last_modified: self.stamp.at,
            tags: tags.clone(),
            revision: self.new_revision_id(),
        };
        check(self.catalog, &mapping)?;
        Ok(self.put_mapping(mapping))
    }

    pub(super) fn update_mapping(
        &mut self,
        id: &MappingId,
        change: &MappingChange,
    ) -> Result<Changed, Rejection> {
        let old = find(self.catalog, id)?;
        let mut mapping = (**old).clone();
        match change {
            MappingChange::Tag {
                set,
                unset,
                at_most,
            } => {
                mapping.tags.retain(|name, _| !unset.contains(name));
                mapping.tags.extend(set.clone());
                if mapping.tags.len() > *at_most {
                    return Err(Rejection::MappingRefused(Refusal::TooManyTags));
                }
                mapping.check_size().map_err(Rejection::MappingRefused)?;
                // Not a change of the mapping itself: whoever ends one that is under way still finds it.
                let mapping = Arc::new(mapping);
                self.put(Record::Mapping(mapping.clone()));
                return Ok(Changed::Mapping(mapping));
            }
            MappingChange::Configure {
                function,
                enabled,
                settings,
                consumer_group,
            } => {
                if !old.state.is_settled() {
                    return Err(Rejection::MappingInUse { deletion: false });
                }
                if consumer_group.is_some() && *consumer_group != old.consumer_group() {
                    return Err(Rejection::MappingRefused(Refusal::ConsumerGroupFixed));
                }
                mapping.settings = mapping
                    .settings
                    .changed(mapping.source.kind(), settings)
                    .map_err(Rejection::MappingRefused)?;
                if mapping.settings.consumption_mode() != old.settings.consumption_mode() {
                    return Err(Rejection::MappingRefused(Refusal::ConsumptionModeFixed));
                }
                if let Some(function) = function {
                    mapping.function = function.clone();
                }
                mapping.enabled = enabled.unwrap_or(old.enabled);
                mapping.state = match (old.enabled, mapping.enabled) {
                    (false, true) => MappingState::Enabling,
                    (true, false) => MappingState::Disabling,
                    _ => MappingState::Updating,
                };
            }
        }
        if mapping.function == old.function {
            // The function of an old mapping may be gone: it can still be disabled or changed.
            check_alone(self.catalog, &mapping)?;
        } else {
            check(self.catalog, &mapping)?;
        }
        mapping.last_modified = self.stamp.at;
        mapping.revision = self.new_revision_id();
        Ok(self.put_mapping(mapping))
    }

    pub(super) fn delete_mapping(&mut self, id: &MappingId) -> Result<Changed, Rejection> {
        let old = find(self.catalog, id)?;
        if !old.state.is_settled() {
            return Err(Rejection::MappingInUse { deletion: true });
        }
        let mapping = EventSourceMapping {
            state: MappingState::Deleting,
            last_modified: self.stamp.at,
            ..(**old).clone()
        };
        let revision = self.new_revision_id();
        Ok(self.put_mapping(EventSourceMapping {
            revision,
            ..mapping
        }))
    }

    /// Ends a transition. A mapping that has moved on meanwhile is left alone: its own end will come.
    pub(super) fn settle_mapping(
        &mut self,
        id: &MappingId,
        revision: RevisionId,
    ) -> Result<Changed, Rejection> {
        let found = self.catalog.mapping(id);
        let Some(old) = found.filter(|m| m.revision == revision && !m.state.is_settled()) else {
            return Ok(Changed::Nothing);
        };
        if old.state == MappingState::Deleting {
            self.remove(Key::Mapping(id.clone()));
            return Ok(Changed::Nothing);
        }
        let mapping = EventSourceMapping {
            state: MappingState::settled(old.enabled),
            last_modified: self.stamp.at,
            ..(**old).clone()
        };
        Ok(self.put_mapping(mapping))
    }

    fn put_mapping(&mut self, mapping: EventSourceMapping) -> Changed {
        let mapping = Arc::new(mapping);
        self.put(Record::Mapping(mapping.clone()));
        Changed::Mapping(mapping)
    }
}

fn find<'c>(
    catalog: &'c Catalog,
    id: &MappingId,
) -> Result<&'c Arc<EventSourceMapping>, Rejection> {
    catalog
        .mapping(id)
        .ok_or_else(|| Rejection::MappingNotFound(id.clone()))
}

/// Whether a mapping may stand in the catalog beside the others.
fn check(catalog: &Catalog, mapping: &EventSourceMapping) -> Result<(), Rejection> {
    if !exists(catalog, &mapping.function) {
        return Err(Rejection::MappingWithoutFunction(mapping.function.clone()));
    }
    let entry = catalog.function(&mapping.function.id);
    if let Some(latest) = entry.and_then(|e| e.latest()) {
        refuse_tenants(latest, Incompatible::TenancyMapping)?;
    }
    check_alone(catalog, mapping)
}

/// The same, whether or not its function is there.
fn check_alone(catalog: &Catalog, mapping: &EventSourceMapping) -> Result<(), Rejection> {
    mapping.check_size().map_err(Rejection::MappingRefused)?;
    let id = &mapping.id;
    let duplicate = catalog
        .mappings(id.account, &id.region, None)
        .find(|other| other.id != *id && other.is_duplicate_of(mapping));
    match duplicate {
        Some(other) => Err(Rejection::MappingExists(Box::new(other.as_duplicate()))),
        None => Ok(()),
    }
}

fn exists(catalog: &Catalog, function: &FunctionArn) -> bool {
    let Some(entry) = catalog.function(&function.id) else {
        return false;
    };
    match &function.qualifier {
        None => true,
        Some(Qualifier::Version(version)) => entry.versions.contains_key(version),
        Some(Qualifier::Alias(alias)) => entry.aliases.contains_key(alias),
    }
}
