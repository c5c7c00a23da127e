use std::{ops::Bound, sync::Arc};

use model::{
    AccountId, FunctionId, Qualifier, Region, Setting, SettingKind, setting::ResourcePolicy,
};

use super::{Catalog, FunctionEntry};

impl FunctionEntry {
    /// What is set of a kind at a place.
    #[must_use]
    pub fn setting(&self, kind: SettingKind, place: Option<&Qualifier>) -> Option<&Arc<Setting>> {
        // Most functions have none: nothing is cloned for those.
        if self.settings.is_empty() {
            return None;
        }
        self.settings.get(&(kind, place.cloned()))
    }

    /// What is set of a kind, by place: the function itself first, then versions by number, then aliases by name.
    pub fn settings_of(
        &self,
        kind: SettingKind,
    ) -> impl Iterator<Item = (Option<&Qualifier>, &Arc<Setting>)> {
        self.settings
            .range((Bound::Included((kind, None)), Bound::Unbounded))
            .take_while(move |((k, _), _)| *k == kind)
            .map(|((_, place), setting)| (place.as_ref(), setting))
    }

    /// The kinds of what is set at a place.
    pub fn settings_at(&self, place: &Option<Qualifier>) -> impl Iterator<Item = SettingKind> {
        self.settings
            .keys()
            .filter(move |(_, at)| at == place)
            .map(|(kind, _)| *kind)
    }

    /// The policy at a place.
    #[must_use]
    pub fn policy(&self, place: Option<&Qualifier>) -> Option<&ResourcePolicy> {
        match &**self.setting(SettingKind::Policy, place)? {
            Setting::Policy(policy) => Some(policy),
            _ => None,
        }
    }

    /// The concurrent executions that are reserved for it, if any are.
    #[must_use]
    pub fn reserved(&self) -> Option<u32> {
        match **self.setting(SettingKind::Reserved, None)? {
            Setting::Reserved(executions) => Some(executions),
            _ => None,
        }
    }

    /// The environments that are to be kept ready, over all places but one.
    #[must_use]
    pub fn provisioned(&self, except: Option<&Qualifier>) -> u32 {
        self.settings_of(SettingKind::Provisioned)
            .filter(|(place, _)| except.is_none() || *place != except)
            .fold(0, |sum, (_, setting)| match &**setting {
                Setting::Provisioned(p) => sum.saturating_add(p.executions),
                _ => sum,
            })
    }

    /// The concurrency that nobody else can have: what is reserved includes what is provisioned.
    #[must_use]
    pub fn kept(&self) -> u32 {
        self.reserved().unwrap_or_else(|| self.provisioned(None))
    }

    pub(super) fn keeps_concurrency(&self) -> bool {
        self.reserved().is_some() || self.settings_of(SettingKind::Provisioned).next().is_some()
    }
}

impl Catalog {
    /// The concurrency that the functions of an account keep for themselves in a region, all but one together.
    #[must_use]
    pub fn kept(&self, account: AccountId, region: &Region, except: &FunctionId) -> u64 {
        let here = |id: &&FunctionId| id.account == account && id.region == *region;
        self.keeping
            .iter()
            .filter(here)
            .filter(|id| *id != except)
            .filter_map(|id| self.functions.get(id))
            .map(|entry| u64::from(entry.kept()))
            .sum()
    }

    pub(super) fn put_setting(
        &mut self,
        function: FunctionId,
        place: Option<Qualifier>,
        setting: Arc<Setting>,
    ) {
        let kind = setting.kind();
        let keeps = matches!(kind, SettingKind::Reserved | SettingKind::Provisioned);
        if keeps && !self.keeping.contains(&function) {
            self.keeping.insert(function.clone());
        }
        let entry = self.functions.entry(function).or_default();
        entry.settings.insert((kind, place), setting);
    }
}
