use std::sync::Arc;

use model::{
    CapacityProvider, CapacityProviderId, FunctionId,
    capacity_provider::{CapacityChange, CapacitySettings},
    function::Config,
    mutation::{Changed, Rejection},
};

use super::{Step, setting::tags::merged};
use crate::{Key, Record};

impl Step<'_> {
    pub(super) fn change_capacity(
        &mut self,
        change: &CapacityChange,
    ) -> Result<Changed, Rejection> {
        match change {
            CapacityChange::Create {
                id,
                shape,
                settings,
                tags,
            } => {
                if self.catalog.capacity_provider(id).is_some() {
                    return Err(Rejection::CapacityExists(id.clone()));
                }
                Ok(self.put_capacity(CapacityProvider {
                    id: id.clone(),
                    shape: shape.clone(),
                    settings: settings.clone(),
                    tags: tags.clone(),
                    last_modified: self.stamp.at,
                }))
            }
            CapacityChange::Update { id, settings } => {
                let mut provider = (**self.capacity_provider(id)?).clone();
                let CapacitySettings {
                    scaling,
                    propagated_tags,
                    telemetry,
                } = settings.clone();
                let old = &mut provider.settings;
                old.scaling = scaling.or(old.scaling.take());
                old.propagated_tags = propagated_tags.or(old.propagated_tags.take());
                old.telemetry = telemetry.or(old.telemetry.take());
                provider.last_modified = self.stamp.at;
                Ok(self.put_capacity(provider))
            }
            CapacityChange::Tag {
                id,
                set,
                unset,
                at_most,
            } => {
                let mut provider = (**self.capacity_provider(id)?).clone();
                provider.tags.retain(|key, _| !unset.contains(key));
                provider.tags = merged(&provider.tags, set, *at_most)?;
                self.put_capacity(provider);
                Ok(Changed::Nothing)
            }
            CapacityChange::Delete { id } => {
                let provider = self.capacity_provider(id)?.clone();
                let mut users = self.catalog.versions_of_capacity_provider(id);
                if users.next().is_some() {
                    return Err(Rejection::CapacityInUse(id.clone()));
                }
                drop(users);
                self.remove(Key::Capacity(id.clone()));
                Ok(Changed::Capacity(provider))
            }
        }
    }

    /// The capacity provider that a configuration names must be there, in the function's own account and region.
    pub(super) fn check_capacity(
        &self,
        function: &FunctionId,
        config: &Config,
    ) -> Result<(), Rejection> {
        let optional = config.optional.as_ref();
        let Some(capacity) = optional.and_then(|o| o.capacity.as_ref()) else {
            return Ok(());
        };
        let named = &capacity.provider;
        let own = named.account == function.account && named.region == function.region;
        if own && self.catalog.capacity_provider(named).is_some() {
            Ok(())
        } else {
            Err(Rejection::CapacityNotFound(named.clone()))
        }
    }

    fn capacity_provider(
        &self,
        id: &CapacityProviderId,
    ) -> Result<&Arc<CapacityProvider>, Rejection> {
        self.catalog
            .capacity_provider(id)
            .ok_or_else(|| Rejection::CapacityNotFound(id.clone()))
    }

    fn put_capacity(&mut self, provider: CapacityProvider) -> Changed {
        let provider = Arc::new(provider);
        self.put(Record::Capacity(provider.clone()));
        Changed::Capacity(provider)
    }
}
