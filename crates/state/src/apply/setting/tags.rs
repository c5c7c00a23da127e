use std::collections::{BTreeMap, BTreeSet};

use model::{
    function::LastUpdate,
    mutation::{Changed, Rejection},
    setting::{TAGS_SIZE_MAX, tags_size},
};

use super::{Site, Step};
use crate::Record;

/// Tags with others that come to them, if they are not too many then.
pub(in crate::apply) fn merged(
    old: &BTreeMap<String, String>,
    more: &BTreeMap<String, String>,
    tags_max: u32,
) -> Result<BTreeMap<String, String>, Rejection> {
    let mut merged = old.clone();
    merged.extend(more.clone());
    if u32::try_from(merged.len()).unwrap_or(u32::MAX) > tags_max {
        return Err(Rejection::TooManyTags { limit: tags_max });
    }
    if tags_size(&merged) > TAGS_SIZE_MAX {
        return Err(Rejection::TagsTooLarge {
            limit: TAGS_SIZE_MAX,
        });
    }
    Ok(merged)
}

impl Step<'_> {
    pub(super) fn tag(
        &mut self,
        site: &Site<'_>,
        tags: &BTreeMap<String, String>,
        tags_max: u32,
    ) -> Result<Changed, Rejection> {
        let entry = self.entry(site.function)?;
        if entry
            .latest()
            .is_some_and(|v| v.last_update == Some(LastUpdate::InProgress))
        {
            return Err(Rejection::UpdateInProgress(site.function.arn(None)));
        }
        let merged = merged(&entry.tags, tags, tags_max)?;
        self.put_tags(site, merged)
    }

    pub(super) fn untag(
        &mut self,
        site: &Site<'_>,
        keys: &BTreeSet<String>,
    ) -> Result<Changed, Rejection> {
        let mut left = self.entry(site.function)?.tags.clone();
        left.retain(|key, _| !keys.contains(key));
        self.put_tags(site, left)
    }

    fn put_tags(
        &mut self,
        site: &Site<'_>,
        tags: BTreeMap<String, String>,
    ) -> Result<Changed, Rejection> {
        let entry = self.entry(site.function)?;
        if entry.tags == tags {
            return Ok(Changed::Nothing);
        }
        let head = Record::Function {
            id: site.function.clone(),
            next_version: entry.next_version,
            tags,
            published_description: entry.published_description.clone(),
            code_signing: entry.code_signing,
        };
        self.put(head);
        let function = Site {
            function: site.function,
            place: None,
        };
        self.touch(&function);
        Ok(Changed::Nothing)
    }
}
