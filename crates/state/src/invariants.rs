//! What must hold in every catalog, checked by tests and by a simulator after every command.

use model::{Version, mapping::MappingState};

use crate::Catalog;

/// A broken invariant, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

/// Looks for a broken invariant.
///
/// # Errors
/// The first [`Violation`] found.
pub fn check(catalog: &Catalog) -> Result<(), Violation> {
    for (id, entry) in &catalog.functions {
        let arn = id.arn(None);
        let fail = |what: &str| Err(Violation(format!("{arn}: {what}")));
        if entry.latest().is_none() || entry.next_version == 0 {
            return fail("a function without $LATEST or without its record");
        }
        for (version, record) in &entry.versions {
            if record.id.version != *version || record.id.function != *id {
                return fail("a version stands under another's key");
            }
            if version.as_number().is_some_and(|n| n >= entry.next_version) {
                return fail("a version number that would be used again");
            }
        }
        for alias in entry.aliases.values() {
            let canary = alias.canary.map(|c| Version::Number(c.version));
            if !entry.versions.contains_key(&alias.version)
                || canary.is_some_and(|c| !entry.versions.contains_key(&c))
            {
                return fail("an alias points to a version that does not exist");
            }
            if canary == Some(alias.version) {
                return fail("an alias splits between a version and itself");
            }
        }
    }
    mappings(catalog)
}

fn mappings(catalog: &Catalog) -> Result<(), Violation> {
    for (id, mapping) in &catalog.mappings {
        let fail = |what: &str| Err(Violation(format!("{}: {what}", id.arn())));
        if mapping.id != *id {
            return fail("a mapping stands under another's key");
        }
        if mapping.function.id.account != id.account || mapping.function.id.region != id.region {
            return fail("a mapping to a function of another account or region");
        }
        if mapping.settings.check(mapping.source.kind()).is_err() {
            return fail("a mapping with settings that its source does not take");
        }
        let state = mapping.state;
        if state.is_settled() && state != MappingState::settled(mapping.enabled) {
            return fail("a mapping that settled as its owner does not want it");
        }
        if state.is_settled() == catalog.moving.contains(id) {
            return fail(
                "a mapping is in transition and nobody looks at it, or is not and somebody does",
            );
        }
        let others = catalog.mappings.range(..id.clone());
        if others
            .into_iter()
            .any(|(_, other)| other.is_duplicate_of(mapping))
        {
            return fail("two mappings feed one function from one source");
        }
    }
    if let Some(id) = catalog
        .moving
        .iter()
        .find(|id| !catalog.mappings.contains_key(id))
    {
        return Err(Violation(format!(
            "{}: in transition, and not there",
            id.arn()
        )));
    }
    Ok(())
}
