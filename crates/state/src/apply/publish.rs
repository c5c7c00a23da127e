use std::sync::Arc;

use model::{
    Digest, FunctionId, RevisionId, Version, VersionId,
    function::{Config, FunctionVersion, Publication},
    mutation::{Changed, Rejection},
};

use super::{Step, function::check_publication};
use crate::Record;

/// A copy of `$LATEST` that a caller wants.
pub(super) struct Wanted<'a> {
    pub(super) to: Publication,
    pub(super) code_sha256: Option<Digest>,
    pub(super) description: Option<&'a str>,
}

impl Step<'_> {
    pub(super) fn publish_version(
        &mut self,
        id: &FunctionId,
        wanted: &Wanted<'_>,
        expected: Option<RevisionId>,
    ) -> Result<Changed, Rejection> {
        let latest = self.updatable(id, expected)?;
        check_publication(Some(wanted.to), &latest.config)?;
        if let Some(named) = wanted.code_sha256.filter(|d| *d != latest.code.digest) {
            return Err(Rejection::CodeMismatch {
                expected: named,
                actual: latest.code.digest,
            });
        }
        let copy = self.publish_copy(&latest, wanted.to, wanted.description);
        Ok(Changed::Version(copy))
    }

    /// A copy of `$LATEST`; the one that is there if nothing changed since it was published.
    pub(super) fn publish_copy(
        &mut self,
        latest: &FunctionVersion,
        to: Publication,
        description: Option<&str>,
    ) -> Arc<FunctionVersion> {
        match to {
            Publication::Number => self.publish_numbered(latest, description),
            Publication::Latest => self.publish_latest(latest, description),
        }
    }

    /// The copy that has no number, in the place of the one before.
    fn publish_latest(
        &mut self,
        latest: &FunctionVersion,
        description: Option<&str>,
    ) -> Arc<FunctionVersion> {
        let id = VersionId {
            function: latest.id.function.clone(),
            version: Version::LatestPublished,
        };
        let old = self.catalog.version(&id).cloned();
        let mut copy = FunctionVersion {
            id,
            ..latest.clone()
        };
        if let Some(description) = description {
            description.clone_into(&mut copy.config.description);
        }
        if let Some(same) = old.filter(|o| o.code == copy.code && o.config == copy.config) {
            return same;
        }
        copy.revision_id = self.new_revision_id();
        copy.touched = None;
        self.put_version(copy)
    }

    /// A numbered copy of `$LATEST`; the newest version itself if nothing changed since it was published. Once that version
    /// is deleted, an older one does not stand for it: `$LATEST` may have changed in between.
    fn publish_numbered(
        &mut self,
        latest: &FunctionVersion,
        description: Option<&str>,
    ) -> Arc<FunctionVersion> {
        let id = latest.id.function.clone();
        let Some(entry) = self.catalog.function(&id) else {
            return Arc::new(latest.clone());
        };
        let unchanged = entry
            .published()
            .last()
            .filter(|newest| is_last_published(newest, entry.next_version))
            .filter(|newest| is_same(newest, latest, &entry.published_description));
        if let Some(newest) = unchanged {
            return newest.clone();
        }
        let (number, tags) = (entry.next_version, entry.tags.clone());
        let code_signing = entry.code_signing;
        let Some(version) = Version::number(number) else {
            return Arc::new(latest.clone());
        };
        self.put(Record::Function {
            id: id.clone(),
            next_version: number + 1,
            tags,
            published_description: latest.config.description.clone(),
            code_signing,
        });
        let mut copy = latest.clone();
        copy.id = VersionId {
            function: id,
            version,
        };
        copy.revision_id = self.new_revision_id();
        copy.touched = None;
        if let Some(description) = description {
            description.clone_into(&mut copy.config.description);
        }
        self.put_version(copy)
    }
}

fn is_last_published(version: &FunctionVersion, next_version: u64) -> bool {
    let next = version.id.version.as_number().map(|number| number + 1);
    next == Some(next_version)
}

/// Whether `$LATEST` is as it was when the newest version was published, with the description it had then.
fn is_same(newest: &FunctionVersion, latest: &FunctionVersion, description: &str) -> bool {
    let as_published = Config {
        description: newest.config.description.clone(),
        ..latest.config.clone()
    };
    newest.code.digest == latest.code.digest
        && newest.config == as_published
        && latest.config.description == description
}
