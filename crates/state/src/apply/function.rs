use std::{collections::BTreeMap, sync::Arc};

use model::{
    Architecture, CodeSigningId, FunctionId, Qualifier, RevisionId, Version, VersionId,
    function::{
        Code, Config, ConfigPatch, FunctionVersion, ImageOverrides, Incompatible, LastUpdate,
        OptionalMember, Origin, Publication, State,
    },
    mutation::{Changed, Rejection},
};

use super::Step;
use crate::{Key, Record};

/// What a function is created with.
pub(super) struct NewFunction<'a> {
    pub(super) config: &'a Config,
    pub(super) code: Code,
    pub(super) tags: &'a BTreeMap<String, String>,
    pub(super) code_signing: Option<&'a CodeSigningId>,
}

/// What an update of the code changes.
pub(super) struct CodeChange<'a> {
    pub(super) code: Code,
    pub(super) image: Option<&'a str>,
    pub(super) origin: Option<&'a Origin>,
    pub(super) architecture: Option<Architecture>,
}

impl Step<'_> {
    pub(super) fn create_function(
        &mut self,
        id: &FunctionId,
        new: &NewFunction<'_>,
        publish: Option<Publication>,
    ) -> Result<Changed, Rejection> {
        if self.catalog.function(id).is_some() {
            return Err(Rejection::FunctionExists(id.name.clone()));
        }
        self.check_config(new.config)?;
        check_publication(publish, new.config)?;
        self.check_layers(new.config)?;
        self.check_capacity(id, new.config)?;
        if let Some(signing) = new.code_signing {
            self.check_signature(signing)?;
        }
        // A function that takes the name of a deleted one starts again at 1, as on AWS; its aliases and versions are gone.
        self.put(Record::Function {
            id: id.clone(),
            next_version: 1,
            tags: new.tags.clone(),
            published_description: String::new(),
            code_signing: new.code_signing.map(|c| c.name),
        });
        let latest = FunctionVersion {
            id: VersionId {
                function: id.clone(),
                version: Version::Latest,
            },
            config: new.config.clone(),
            code: new.code,
            state: State::Pending,
            last_update: None,
            last_modified: self.stamp.at,
            revision_id: self.new_revision_id(),
            touched: None,
        };
        let latest = self.put_version(latest);
        Ok(Changed::Version(self.published(latest, publish)))
    }

    /// The copy of it that is to be published; itself if none is.
    fn published(
        &mut self,
        latest: Arc<FunctionVersion>,
        publish: Option<Publication>,
    ) -> Arc<FunctionVersion> {
        match publish {
            None => latest,
            Some(to) => self.publish_copy(&latest, to, None),
        }
    }

    pub(super) fn update_code(
        &mut self,
        id: &FunctionId,
        change: &CodeChange<'_>,
        publish: Option<Publication>,
        expected: Option<RevisionId>,
    ) -> Result<Changed, Rejection> {
        let mut latest = (*self.updatable(id, expected)?).clone();
        let optional = latest.config.optional.as_deref_mut();
        match (optional.and_then(|o| o.image.as_mut()), change.image) {
            (None, None) => {}
            (Some(image), Some(uri)) => uri.clone_into(&mut image.uri),
            (Some(_), None) => return Err(Rejection::WrongPackage { image: true }),
            (None, Some(_)) => return Err(Rejection::WrongPackage { image: false }),
        }
        check_publication(publish, &latest.config)?;
        self.check_own_signature(id)?;
        latest.code = change.code;
        latest
            .config
            .set_origin(change.origin.cloned().unwrap_or_default());
        latest.config.architecture = change.architecture.unwrap_or(latest.config.architecture);
        self.begin_update(latest, publish)
    }

    pub(super) fn update_configuration(
        &mut self,
        id: &FunctionId,
        patch: &ConfigPatch,
        expected: Option<RevisionId>,
    ) -> Result<Changed, Rejection> {
        let mut latest = (*self.updatable(id, expected)?).clone();
        check_patch(patch, &latest.config)?;
        latest.config = patch.apply_to(&latest.config);
        self.check_config(&latest.config)?;
        if names(patch, OptionalMember::Layers) {
            self.check_layers(&latest.config)?;
            if !latest.config.layers().is_empty() {
                self.check_own_signature(id)?;
            }
        }
        if names(patch, OptionalMember::Capacity) {
            self.check_capacity(id, &latest.config)?;
        }
        self.begin_update(latest, None)
    }

    fn check_config(&self, config: &Config) -> Result<(), Rejection> {
        match config.incompatible() {
            Some(what) => Err(incompatible(what, config)),
            None => Ok(()),
        }
    }

    /// A layer version can be taken into use as long as it is there, and stays usable when it goes.
    fn check_layers(&self, config: &Config) -> Result<(), Rejection> {
        let gone = config.layers().iter().find(|layer| {
            let known = self.catalog.layer_version(&layer.version);
            known.is_none_or(|known| known.content != layer.content)
        });
        match gone {
            Some(layer) => Err(Rejection::LayerMissing(layer.version.clone())),
            None => Ok(()),
        }
    }

    fn begin_update(
        &mut self,
        mut latest: FunctionVersion,
        publish: Option<Publication>,
    ) -> Result<Changed, Rejection> {
        latest.last_modified = self.stamp.at;
        latest.revision_id = self.new_revision_id();
        latest.touched = None;
        latest.last_update = Some(LastUpdate::InProgress);
        let latest = self.put_version(latest);
        Ok(Changed::Version(self.published(latest, publish)))
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

/// What a configuration can never become.
fn check_patch(patch: &ConfigPatch, old: &Config) -> Result<(), Rejection> {
    let is_image = old.image().is_some();
    let of_package = patch.runtime.is_some() || patch.handler.is_some();
    if is_image && of_package {
        return Err(incompatible(Incompatible::ImagePackageMember, old));
    }
    let overrides = patch
        .optional
        .as_ref()
        .and_then(|o| o.values.image.as_ref());
    let asks = overrides.is_some_and(|i| i.overrides != ImageOverrides::default());
    if !is_image && asks {
        return Err(incompatible(Incompatible::ImageOverridesWithoutImage, old));
    }
    let is_durable = old.optional.as_ref().is_some_and(|o| o.durable.is_some());
    if !is_durable && names(patch, OptionalMember::Durable) {
        return Err(incompatible(Incompatible::DurableLate, old));
    }
    Ok(())
}

/// What a function with tenants cannot have. A function has tenants from its creation on or never.
pub(super) fn refuse_tenants(
    latest: &FunctionVersion,
    what: Incompatible,
) -> Result<(), Rejection> {
    if latest.config.has_tenants() {
        return Err(incompatible(what, &latest.config));
    }
    Ok(())
}

/// Only a function on a capacity provider has a version without a number.
pub(super) fn check_publication(
    publish: Option<Publication>,
    config: &Config,
) -> Result<(), Rejection> {
    if publish == Some(Publication::Latest) && !config.is_managed() {
        return Err(incompatible(Incompatible::LatestPublished, config));
    }
    Ok(())
}

fn names(patch: &ConfigPatch, member: OptionalMember) -> bool {
    let optional = patch.optional.as_ref();
    optional.is_some_and(|o| o.members.contains(&member))
}

const fn incompatible(what: Incompatible, config: &Config) -> Rejection {
    Rejection::Incompatible {
        what,
        runtime: config.runtime,
    }
}
