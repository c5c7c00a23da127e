//! What must hold in every catalog, checked by tests and by a simulator after every command.

use model::Version;

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
        if let Some(name) = entry.code_signing
            && catalog.code_signing_of(id).is_none()
        {
            return fail(&format!(
                "its code-signing configuration {name} does not exist"
            ));
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
    for (id, entry) in &catalog.layers {
        let fail = |what: &str| Err(Violation(format!("{id}: {what}")));
        if entry.next_version == 0 {
            return fail("a layer without its record");
        }
        for (number, version) in &entry.versions {
            if version.id.version != *number || version.id.layer != *id {
                return fail("a layer version stands under another's key");
            }
            if number.get() >= entry.next_version {
                return fail("a layer version number that would be used again");
            }
            if version
                .policy
                .as_ref()
                .is_some_and(|p| p.statements.is_empty())
            {
                return fail("a policy without statements");
            }
        }
    }
    Ok(())
}
