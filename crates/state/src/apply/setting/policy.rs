use model::{
    RevisionId, Setting, SettingKind,
    mutation::{Changed, Rejection},
    setting::{PolicyStatement, ResourcePolicy},
};

use super::{Site, Step};

impl Step<'_> {
    pub(super) fn add_statement(
        &mut self,
        site: &Site<'_>,
        statement: &PolicyStatement,
        size_max: u32,
        expected: Option<RevisionId>,
    ) -> Result<Changed, Rejection> {
        self.check_lock(site, expected)?;
        let mut policy = self.policy(site).unwrap_or_else(ResourcePolicy::empty);
        if let Some(sid) = &statement.sid
            && policy.statement(sid).is_some()
        {
            return Err(Rejection::StatementExists(sid.clone()));
        }
        policy.statements.push(statement.clone());
        let (size, limit) = (policy.size(), u64::from(size_max));
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        if size > limit {
            return Err(Rejection::PolicyTooLarge { size, limit });
        }
        self.set(site, Setting::Policy(policy));
        Ok(Changed::Lock(self.touch(site)))
    }

    pub(super) fn remove_statement(
        &mut self,
        site: &Site<'_>,
        sid: &str,
        expected: Option<RevisionId>,
    ) -> Result<Changed, Rejection> {
        let missing = || site.missing(SettingKind::Policy);
        let mut policy = self.policy(site).ok_or_else(missing)?;
        if policy.statement(sid).is_none() {
            return Err(Rejection::StatementNotFound(sid.to_owned()));
        }
        self.check_lock(site, expected)?;
        policy.statements.retain(|s| s.sid.as_deref() != Some(sid));
        if policy.statements.is_empty() {
            self.unset(site, SettingKind::Policy);
        } else {
            self.set(site, Setting::Policy(policy));
        }
        Ok(Changed::Lock(self.touch(site)))
    }

    pub(super) fn put_policy(
        &mut self,
        site: &Site<'_>,
        policy: &ResourcePolicy,
        expected: Option<RevisionId>,
    ) -> Result<Changed, Rejection> {
        self.check_lock(site, expected)?;
        self.set(site, Setting::Policy(policy.clone()));
        Ok(Changed::Lock(self.touch(site)))
    }

    pub(super) fn delete_policy(
        &mut self,
        site: &Site<'_>,
        expected: Option<RevisionId>,
    ) -> Result<Changed, Rejection> {
        if self.setting(site, SettingKind::Policy).is_none() {
            return Err(site.missing(SettingKind::Policy));
        }
        self.check_lock(site, expected)?;
        self.unset(site, SettingKind::Policy);
        Ok(Changed::Lock(self.touch(site)))
    }

    fn policy(&self, site: &Site<'_>) -> Option<ResourcePolicy> {
        let entry = self.catalog.function(site.function)?;
        entry.policy(site.place.as_ref()).cloned()
    }

    fn check_lock(&self, site: &Site<'_>, expected: Option<RevisionId>) -> Result<(), Rejection> {
        if expected.is_some() && expected != self.lock(site) {
            return Err(Rejection::PolicyRevisionMismatch);
        }
        Ok(())
    }
}
