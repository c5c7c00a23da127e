use model::{
    Qualifier, Setting, SettingKind,
    mutation::{Changed, Rejection},
    setting::ConcurrencyBounds,
};

use super::{Site, Step};
use crate::FunctionEntry;

impl Step<'_> {
    pub(super) fn reserve(
        &mut self,
        site: &Site<'_>,
        executions: u32,
        bounds: ConcurrencyBounds,
    ) -> Result<Changed, Rejection> {
        let unreserved = self.unreserved(site, bounds);
        // Whoever reserves nothing takes nothing from anybody.
        if executions > 0 {
            check_room(SettingKind::Reserved, executions, unreserved, bounds)?;
        }
        let provisioned = self.entry(site.function)?.provisioned(None);
        if provisioned > executions {
            return Err(Rejection::ReservedBelowProvisioned {
                reserved: executions,
                provisioned,
            });
        }
        Ok(self.set(site, Setting::Reserved(executions)))
    }

    pub(super) fn provision(
        &mut self,
        site: &Site<'_>,
        executions: u32,
        bounds: ConcurrencyBounds,
    ) -> Result<Changed, Rejection> {
        let entry = self.entry(site.function)?;
        let others = entry.provisioned(site.place.as_ref());
        match entry.reserved() {
            Some(reserved) if others.saturating_add(executions) > reserved => {
                return Err(Rejection::ProvisionedAboveReserved(reserved));
            }
            Some(_) => {}
            None => {
                let unreserved = self.unreserved(site, bounds).saturating_sub(others);
                check_room(SettingKind::Provisioned, executions, unreserved, bounds)?;
            }
        }
        check_neighbours(entry, site.place.as_ref())?;
        let setting = self.provisioned(executions);
        Ok(self.set(site, setting))
    }

    /// What the other functions of the account leave.
    fn unreserved(&self, site: &Site<'_>, bounds: ConcurrencyBounds) -> u32 {
        let id = site.function;
        let kept = self.catalog.kept(id.account, &id.region, id);
        let left = u64::from(bounds.account).saturating_sub(kept);
        u32::try_from(left).unwrap_or(u32::MAX)
    }
}

fn check_room(
    kind: SettingKind,
    executions: u32,
    unreserved: u32,
    bounds: ConcurrencyBounds,
) -> Result<(), Rejection> {
    let min = bounds.unreserved_min;
    match unreserved.checked_sub(executions) {
        None => Err(Rejection::ConcurrencyExceeded { kind, unreserved }),
        Some(left) if left < min => Err(Rejection::UnreservedTooSmall { kind, min }),
        Some(_) => Ok(()),
    }
}

/// Environments are kept ready for a version by itself or through aliases, not both.
fn check_neighbours(entry: &FunctionEntry, place: Option<&Qualifier>) -> Result<(), Rejection> {
    let keeps = |place: &Qualifier| {
        entry
            .setting(SettingKind::Provisioned, Some(place))
            .is_some()
    };
    match place {
        Some(Qualifier::Alias(name)) => match entry.aliases.get(name) {
            Some(alias) if keeps(&Qualifier::Version(alias.version)) => {
                Err(Rejection::VersionProvisioned)
            }
            Some(_) | None => Ok(()),
        },
        Some(Qualifier::Version(version)) => {
            let mut pointing = entry.aliases.values().filter(|a| a.version == *version);
            if pointing.any(|alias| keeps(&Qualifier::Alias(alias.name.clone()))) {
                return Err(Rejection::AliasProvisioned);
            }
            Ok(())
        }
        None => Ok(()),
    }
}
