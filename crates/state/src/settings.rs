//! Code-signing configurations and capacity providers: how they are read, and what uses them.

use std::{ops::Bound, sync::Arc};

use model::{
    AccountId, CapacityProvider, CapacityProviderId, CapacityProviderName, CodeSigningConfig,
    CodeSigningId, CodeSigningName, FunctionId, Region, function::FunctionVersion,
};

use crate::Catalog;

impl Catalog {
    /// One code-signing configuration.
    #[must_use]
    pub fn code_signing(&self, id: &CodeSigningId) -> Option<&Arc<CodeSigningConfig>> {
        self.code_signing.get(id)
    }

    /// The code-signing configuration that holds for a function.
    #[must_use]
    pub fn code_signing_of(&self, function: &FunctionId) -> Option<&Arc<CodeSigningConfig>> {
        let name = self.function(function)?.code_signing?;
        self.code_signing.get(&CodeSigningId {
            account: function.account,
            region: function.region.clone(),
            name,
        })
    }

    /// The code-signing configurations of an account in a region with names after `after`, in the order of their names.
    pub fn code_signing_configs(
        &self,
        account: AccountId,
        region: &Region,
        after: Option<CodeSigningName>,
    ) -> impl Iterator<Item = &Arc<CodeSigningConfig>> {
        let scope = region.clone();
        let id = |name| CodeSigningId {
            account,
            region: region.clone(),
            name,
        };
        let lower = match after {
            Some(name) => Bound::Excluded(id(name)),
            None => Bound::Included(id(CodeSigningName::from_random(0))),
        };
        self.code_signing
            .range((lower, Bound::Unbounded))
            .map(|(_, config)| config)
            .take_while(move |c| c.id.account == account && c.id.region == scope)
    }

    /// The functions that a code-signing configuration holds for, by name.
    pub fn functions_of_code_signing(
        &self,
        id: &CodeSigningId,
    ) -> impl Iterator<Item = &FunctionId> {
        let name = id.name;
        self.functions(id.account, &id.region, None)
            .filter(move |(_, f)| f.code_signing == Some(name))
            .map(|(function, _)| function)
    }

    /// One capacity provider.
    #[must_use]
    pub fn capacity_provider(&self, id: &CapacityProviderId) -> Option<&Arc<CapacityProvider>> {
        self.capacity.get(id)
    }

    /// The capacity providers of an account in a region with names after `after`, in the order of their names.
    pub fn capacity_providers(
        &self,
        account: AccountId,
        region: &Region,
        after: Option<&CapacityProviderName>,
    ) -> impl Iterator<Item = &Arc<CapacityProvider>> {
        let scope = region.clone();
        let id = |name| CapacityProviderId {
            account,
            region: region.clone(),
            name,
        };
        // Without a marker the range starts at the first name that can exist in this scope.
        let lower = match (after, "-".parse::<CapacityProviderName>()) {
            (Some(name), _) => Bound::Excluded(id(name.clone())),
            (None, Ok(first)) => Bound::Included(id(first)),
            (None, Err(_)) => Bound::Unbounded,
        };
        self.capacity
            .range((lower, Bound::Unbounded))
            .map(|(_, provider)| provider)
            .take_while(move |p| p.id.account == account && p.id.region == scope)
    }

    /// The versions that would run on a capacity provider, by function and version.
    pub fn versions_of_capacity_provider<'c>(
        &'c self,
        id: &'c CapacityProviderId,
    ) -> impl Iterator<Item = &'c Arc<FunctionVersion>> {
        let functions = self.functions(id.account, &id.region, None);
        functions
            .flat_map(|(_, f)| f.versions.values())
            .filter(|v| {
                let capacity = v.config.optional.as_ref().and_then(|o| o.capacity.as_ref());
                capacity.is_some_and(|c| c.provider == *id)
            })
    }
}
