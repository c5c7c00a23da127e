//! Changes to what is set for a function beside its configuration.

mod concurrency;
mod policy;
pub(super) mod tags;

use std::sync::Arc;

use model::{
    FunctionArn, FunctionId, Qualifier, RevisionId, Setting, SettingChange, SettingKind, VersionId,
    function::Incompatible,
    mutation::{Changed, Rejection},
    setting::{
        EventInvoke, EventInvokePatch, FunctionUrl, Provisioned, RecursiveLoop, RuntimeManagement,
        UrlId, UrlPatch, place,
    },
};

use super::{Step, function::refuse_tenants};
use crate::{Key, Record};

/// Where a setting stands: at a function itself, or at a version or alias that is there.
struct Site<'a> {
    function: &'a FunctionId,
    place: Option<Qualifier>,
}

impl Site<'_> {
    fn arn(&self) -> FunctionArn {
        self.function.arn(self.place.clone())
    }

    fn key(&self, kind: SettingKind) -> Key {
        Key::Setting(self.function.clone(), kind, self.place.clone())
    }

    fn missing(&self, kind: SettingKind) -> Rejection {
        Rejection::SettingNotFound {
            kind,
            resource: self.arn(),
        }
    }
}

impl Step<'_> {
    pub(super) fn configure(
        &mut self,
        function: &FunctionId,
        qualifier: Option<&Qualifier>,
        change: &SettingChange,
        expected: Option<RevisionId>,
    ) -> Result<Changed, Rejection> {
        let site = Site {
            function,
            place: place(qualifier.cloned()),
        };
        self.check(&site, change)?;
        match change {
            SettingChange::AddStatement {
                statement,
                size_max,
            } => self.add_statement(&site, statement, *size_max, expected),
            SettingChange::RemoveStatement { sid } => self.remove_statement(&site, sid, expected),
            SettingChange::PutPolicy(policy) => self.put_policy(&site, policy, expected),
            SettingChange::DeletePolicy => self.delete_policy(&site, expected),
            SettingChange::Reserve { executions, bounds } => {
                self.reserve(&site, *executions, *bounds)
            }
            SettingChange::Unreserve => Ok(self.unset(&site, SettingKind::Reserved)),
            SettingChange::Provision { executions, bounds } => {
                self.provision(&site, *executions, *bounds)
            }
            SettingChange::Unprovision => Ok(self.unset(&site, SettingKind::Provisioned)),
            SettingChange::PutEventInvoke(values) => {
                let made = EventInvoke::new(values, self.stamp.at);
                Ok(self.set(&site, Setting::EventInvoke(made)))
            }
            SettingChange::PatchEventInvoke(patch) => self.patch_event_invoke(&site, patch),
            SettingChange::DeleteEventInvoke => self.delete(&site, SettingKind::EventInvoke),
            SettingChange::CreateUrl {
                auth,
                cors,
                invoke_mode,
            } => {
                let at = self.stamp.at;
                let url = FunctionUrl {
                    id: UrlId::from_random([self.new_bits(), self.new_bits()]),
                    auth: *auth,
                    cors: cors.clone(),
                    invoke_mode: *invoke_mode,
                    created: at,
                    last_modified: at,
                };
                self.create_url(&site, url)
            }
            SettingChange::UpdateUrl(patch) => self.update_url(&site, patch),
            SettingChange::DeleteUrl => self.delete(&site, SettingKind::Url),
            SettingChange::ManageRuntime(RuntimeManagement::Auto) => {
                Ok(self.unset(&site, SettingKind::RuntimeManagement))
            }
            SettingChange::ManageRuntime(management) => {
                Ok(self.set(&site, Setting::RuntimeManagement(management.clone())))
            }
            SettingChange::Recurse(RecursiveLoop::Terminate) => {
                Ok(self.unset(&site, SettingKind::Recursion))
            }
            SettingChange::Recurse(recursion @ RecursiveLoop::Allow) => {
                Ok(self.set(&site, Setting::Recursion(*recursion)))
            }
            SettingChange::Scale(scaling) if scaling.is_empty() => {
                Ok(self.unset(&site, SettingKind::Scaling))
            }
            SettingChange::Scale(scaling) => Ok(self.set(&site, Setting::Scaling(*scaling))),
            SettingChange::Tag { tags, tags_max } => self.tag(&site, tags, *tags_max),
            SettingChange::Untag { keys } => self.untag(&site, keys),
        }
    }

    /// Whether the change has a place.
    fn check(&self, site: &Site<'_>, change: &SettingChange) -> Result<(), Rejection> {
        let entry = self.entry(site.function)?;
        // What calls a function by itself knows no tenant.
        let of_tenants = match change {
            SettingChange::Provision { .. } => Some(Incompatible::TenancyProvisioned),
            SettingChange::CreateUrl { .. } => Some(Incompatible::TenancyUrl),
            _ => None,
        };
        if let (Some(what), Some(latest)) = (of_tenants, entry.latest()) {
            refuse_tenants(latest, what)?;
        }
        // The URL of an alias outlives it, and can still be deleted.
        let may_be_gone = matches!(change, SettingChange::DeleteUrl);
        match &site.place {
            Some(Qualifier::Version(version)) if !entry.versions.contains_key(version) => {
                return Err(Rejection::FunctionNotFound(site.arn()));
            }
            Some(Qualifier::Alias(name)) if !may_be_gone && !entry.aliases.contains_key(name) => {
                return Err(Rejection::AliasNotFound(site.arn()));
            }
            None | Some(_) => {}
        }
        match change.kind() {
            Some(kind) if !kind.may_stand_at(site.place.as_ref()) => Err(Rejection::Misplaced {
                kind,
                resource: site.arn(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn setting(&self, site: &Site<'_>, kind: SettingKind) -> Option<Arc<Setting>> {
        let entry = self.catalog.function(site.function)?;
        entry.setting(kind, site.place.as_ref()).cloned()
    }

    fn set(&mut self, site: &Site<'_>, setting: Setting) -> Changed {
        let setting = Arc::new(setting);
        self.put(Record::Setting {
            function: site.function.clone(),
            place: site.place.clone(),
            setting: setting.clone(),
        });
        Changed::Setting(setting)
    }

    fn unset(&mut self, site: &Site<'_>, kind: SettingKind) -> Changed {
        if self.setting(site, kind).is_some() {
            self.remove(site.key(kind));
        }
        Changed::Nothing
    }

    /// Takes away what must be there.
    fn delete(&mut self, site: &Site<'_>, kind: SettingKind) -> Result<Changed, Rejection> {
        if self.setting(site, kind).is_none() {
            return Err(site.missing(kind));
        }
        Ok(self.unset(site, kind))
    }

    fn patch_event_invoke(
        &mut self,
        site: &Site<'_>,
        patch: &EventInvokePatch,
    ) -> Result<Changed, Rejection> {
        match self.setting(site, SettingKind::EventInvoke).as_deref() {
            Some(Setting::EventInvoke(old)) => {
                let patched = old.patched(patch, self.stamp.at);
                Ok(self.set(site, Setting::EventInvoke(patched)))
            }
            _ => Err(site.missing(SettingKind::EventInvoke)),
        }
    }

    fn create_url(&mut self, site: &Site<'_>, url: FunctionUrl) -> Result<Changed, Rejection> {
        if self.setting(site, SettingKind::Url).is_some() {
            return Err(Rejection::SettingExists {
                kind: SettingKind::Url,
                resource: site.arn(),
            });
        }
        Ok(self.set(site, Setting::Url(url)))
    }

    fn update_url(&mut self, site: &Site<'_>, patch: &UrlPatch) -> Result<Changed, Rejection> {
        match self.setting(site, SettingKind::Url).as_deref() {
            Some(Setting::Url(old)) => {
                let patched = old.patched(patch, self.stamp.at);
                Ok(self.set(site, Setting::Url(patched)))
            }
            _ => Err(site.missing(SettingKind::Url)),
        }
    }

    /// The lock of what stands at a site.
    fn lock(&self, site: &Site<'_>) -> Option<RevisionId> {
        let entry = self.catalog.function(site.function)?;
        match &site.place {
            None => entry.latest().map(|v| v.lock()),
            Some(Qualifier::Version(version)) => entry.versions.get(version).map(|v| v.lock()),
            Some(Qualifier::Alias(name)) => entry.aliases.get(name).map(|a| a.revision_id),
        }
    }

    /// Gives what stands at a site another lock.
    fn touch(&mut self, site: &Site<'_>) -> RevisionId {
        let lock = self.new_revision_id();
        let Some(entry) = self.catalog.function(site.function) else {
            return lock;
        };
        let version = match &site.place {
            Some(Qualifier::Alias(name)) => {
                if let Some(alias) = entry.aliases.get(name) {
                    let mut alias = (**alias).clone();
                    alias.revision_id = lock;
                    self.put(Record::Alias(Arc::new(alias)));
                }
                return lock;
            }
            Some(Qualifier::Version(version)) => *version,
            None => model::Version::Latest,
        };
        let id = VersionId {
            function: site.function.clone(),
            version,
        };
        if let Some(version) = self.catalog.version(&id) {
            let mut version = (**version).clone();
            version.touched = Some(lock);
            self.put_version(version);
        }
        lock
    }

    fn provisioned(&self, executions: u32) -> Setting {
        Setting::Provisioned(Provisioned {
            executions,
            last_modified: self.stamp.at,
        })
    }
}
