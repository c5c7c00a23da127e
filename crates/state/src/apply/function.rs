use std::collections::BTreeMap;

use model::{
    Architecture, FunctionId, Qualifier, RevisionId, Version, VersionId,
    function::{Code, Config, ConfigPatch, FunctionVersion, LastUpdate, State},
    mutation::{Changed, Rejection},
};

use super::Step;
use crate::{Key, Record};

impl Step<'_> {
    pub(super) fn create_function(
        &mut self,
        id: &FunctionId,
        config: &Config,
        code: Code,
        publish: bool,
        tags: &BTreeMap<String, String>,
    ) -> Result<Changed, Rejection> {
        if self.catalog.function(id).is_some() {
            return Err(Rejection::FunctionExists(id.name.clone()));
        }
        // A function that takes the name of a deleted one starts again at 1, as on AWS; its aliases and versions are gone.
        self.put(Record::Function {
            id: id.clone(),
            next_version: 1,
            tags: tags.clone(),
            published_description: String::new(),
        });
        let latest = FunctionVersion {
            id: VersionId {
                function: id.clone(),
                version: Version::Latest,
            },
            config: config.clone(),
            code,
            state: State::Pending,
            last_update: None,
            last_modified: self.stamp.at,
            revision_id: self.new_revision_id(),
            touched: None,
        };
        let latest = self.put_version(latest);
        let shown = if publish {
            self.publish_copy(&latest, None)
        } else {
            latest
        };
        Ok(Changed::Version(shown))
    }

    pub(super) fn update_code(
        &mut self,
        id: &FunctionId,
        code: Code,
        architecture: Option<Architecture>,
        publish: bool,
        expected: Option<RevisionId>,
    ) -> Result<Changed, Rejection> {
        let mut latest = (*self.updatable(id, expected)?).clone();
        latest.code = code;
        latest.config.architecture = architecture.unwrap_or(latest.config.architecture);
        self.begin_update(latest, publish)
    }

    pub(super) fn update_configuration(
        &mut self,
        id: &FunctionId,
        patch: &ConfigPatch,
        expected: Option<RevisionId>,
    ) -> Result<Changed, Rejection> {
        let mut latest = (*self.updatable(id, expected)?).clone();
        latest.config = patch.apply_to(&latest.config);
        self.begin_update(latest, false)
    }

    fn begin_update(
        &mut self,
        mut latest: FunctionVersion,
        publish: bool,
    ) -> Result<Changed, Rejection> {
        latest.last_modified = self.stamp.at;
        latest.revision_id = self.new_revision_id();
        latest.touched = None;
        latest.last_update = Some(LastUpdate::InProgress);
        let latest = self.put_version(latest);
        let shown = if publish {
            self.publish_copy(&latest, None)
        } else {
            latest
        };
        Ok(Changed::Version(shown))
    }

    pub(super) fn delete_function(
        &mut self,
        id: &FunctionId,
        version: Option<Version>,
    ) -> Result<Changed, Rejection> {
        let entry = self.entry(id)?;
        let gone: Vec<Key> = match version {
            Some(Version::Latest) => return Err(Rejection::LatestNotDeletable),
            Some(version) => {
                let version_id = VersionId {
                    function: id.clone(),
                    version,
                };
                let users: Vec<String> = entry
                    .aliases
                    .values()
                    .filter(|a| {
                        a.version == version
                            || a.canary
                                .is_some_and(|c| Version::Number(c.version) == version)
                    })
                    .map(|a| a.name.to_string())
                    .collect();
                if !users.is_empty() {
                    let version = id.arn(Some(Qualifier::Version(version)));
                    return Err(Rejection::VersionInUse {
                        version,
                        aliases: users,
                    });
                }
                // Deleting a version that is not there succeeds, as on AWS.
                let place = Some(Qualifier::Version(version));
                let settings = entry.settings_at(&place);
                let settings = settings.map(|kind| Key::Setting(id.clone(), kind, place.clone()));
                entry
                    .versions
                    .contains_key(&version)
                    .then_some(Key::Version(version_id))
                    .into_iter()
                    .chain(settings)
                    .collect()
            }
            None => {
                let aliases = entry
                    .aliases
                    .keys()
                    .map(|a| Key::Alias(id.clone(), a.clone()));
                let versions = entry.versions.keys().map(|v| {
                    Key::Version(VersionId {
                        function: id.clone(),
                        version: *v,
                    })
                });
                let settings = entry
                    .settings
                    .keys()
                    .map(|(kind, place)| Key::Setting(id.clone(), *kind, place.clone()));
                aliases
                    .chain(versions)
                    .chain(settings)
                    .chain([Key::Function(id.clone())])
                    .collect()
            }
        };
        for key in gone {
            self.remove(key);
        }
        Ok(Changed::Nothing)
    }
}
