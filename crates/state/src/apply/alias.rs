use std::sync::Arc;

use model::{
    Alias, AliasName, FunctionId, Qualifier, RevisionId, SettingKind, Version,
    alias::Canary,
    mutation::{Changed, Rejection},
};

use super::Step;
use crate::{FunctionEntry, Key, Record};

/// What an update of an alias changes.
pub(super) struct AliasChange<'a> {
    pub(super) version: Option<Version>,
    pub(super) canary: Option<Option<Canary>>,
    pub(super) description: Option<&'a str>,
    pub(super) expected: Option<RevisionId>,
}

impl Step<'_> {
    pub(super) fn create_alias(
        &mut self,
        id: &FunctionId,
        name: &AliasName,
        version: Version,
        canary: Option<Canary>,
        description: &str,
    ) -> Result<Changed, Rejection> {
        let entry = self.entry(id)?;
        if entry.aliases.contains_key(name) {
            return Err(Rejection::AliasExists(
                id.arn(Some(Qualifier::Alias(name.clone()))),
            ));
        }
        check_target(id, entry, version, canary)?;
        let alias = Alias {
            function: id.clone(),
            name: name.clone(),
            version,
            canary,
            description: description.to_owned(),
            revision_id: self.new_revision_id(),
        };
        Ok(self.put_alias(alias))
    }

    pub(super) fn update_alias(
        &mut self,
        id: &FunctionId,
        name: &AliasName,
        change: &AliasChange<'_>,
    ) -> Result<Changed, Rejection> {
        let entry = self.entry(id)?;
        let old = entry.aliases.get(name).ok_or_else(|| {
            Rejection::AliasNotFound(id.arn(Some(Qualifier::Alias(name.clone()))))
        })?;
        if change.expected.is_some_and(|e| e != old.revision_id) {
            return Err(Rejection::RevisionMismatch { alias: true });
        }
        let mut alias = (**old).clone();
        alias.version = change.version.unwrap_or(alias.version);
        alias.canary = change.canary.unwrap_or(alias.canary);
        if let Some(description) = change.description {
            description.clone_into(&mut alias.description);
        }
        check_target(id, entry, alias.version, alias.canary)?;
        check_provisioned(entry, &alias)?;
        alias.revision_id = self.new_revision_id();
        Ok(self.put_alias(alias))
    }

    pub(super) fn delete_alias(
        &mut self,
        id: &FunctionId,
        name: &AliasName,
    ) -> Result<Changed, Rejection> {
        let entry = self.entry(id)?;
        if !entry.aliases.contains_key(name) {
            return Ok(Changed::Nothing);
        }
        let place = Some(Qualifier::Alias(name.clone()));
        // Its URL stays, as on AWS: it leads nowhere until there is an alias of this name again.
        let settings: Vec<SettingKind> = entry
            .settings_at(&place)
            .filter(|kind| *kind != SettingKind::Url)
            .collect();
        self.remove(Key::Alias(id.clone(), name.clone()));
        for kind in settings {
            self.remove(Key::Setting(id.clone(), kind, place.clone()));
        }
        Ok(Changed::Nothing)
    }

    fn put_alias(&mut self, alias: Alias) -> Changed {
        let alias = Arc::new(alias);
        self.put(Record::Alias(alias.clone()));
        Changed::Alias(alias)
    }
}

/// Environments are kept ready for a version by itself or through aliases, not both.
fn check_provisioned(entry: &FunctionEntry, alias: &Alias) -> Result<(), Rejection> {
    let keeps = |place| entry.setting(SettingKind::Provisioned, place).is_some();
    let (own, of_version) = (
        Qualifier::Alias(alias.name.clone()),
        Qualifier::Version(alias.version),
    );
    if keeps(Some(&own)) && keeps(Some(&of_version)) {
        return Err(Rejection::VersionProvisioned);
    }
    Ok(())
}

fn check_target(
    id: &FunctionId,
    entry: &FunctionEntry,
    version: Version,
    canary: Option<Canary>,
) -> Result<(), Rejection> {
    let missing = |v: Version| Rejection::FunctionNotFound(id.arn(Some(Qualifier::Version(v))));
    if !entry.versions.contains_key(&version) {
        return Err(missing(version));
    }
    let Some(canary) = canary else { return Ok(()) };
    let second = Version::Number(canary.version);
    if version == Version::Latest {
        return Err(Rejection::LatestWithCanary);
    }
    if second == version {
        return Err(Rejection::CanaryIsPrimary(second));
    }
    if entry.versions.contains_key(&second) {
        Ok(())
    } else {
        Err(missing(second))
    }
}
