//! What must hold in every catalog, checked by tests and by a simulator after every command.

mod iam;

use std::collections::BTreeMap;

use model::{FunctionId, Qualifier, Setting, SettingKind, Version, mapping::MappingState};

use crate::{Catalog, FunctionEntry};

/// A broken invariant, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

/// Looks for a broken invariant.
///
/// # Errors
/// The first [`Violation`] found.
pub fn check(catalog: &Catalog) -> Result<(), Violation> {
    for ((account, generation), key) in &catalog.data_keys {
        if key.account != *account || key.generation != *generation {
            let what = format!("data key {generation} of {account} stands under another's key");
            return Err(Violation(what));
        }
    }
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
        check_settings(id, entry)?;
        if entry.settings.keys().any(|(kind, _)| keeps(*kind)) != catalog.keeping.contains(id) {
            return fail("what it keeps is not what the index of those that keep says");
        }
    }
    if let Some(id) = (catalog.keeping.iter()).find(|id| !catalog.functions.contains_key(id)) {
        let arn = id.arn(None);
        return Err(Violation(format!("{arn}: is gone and keeps concurrency")));
    }
    code(catalog)?;
    mappings(catalog)?;
    iam::check(catalog)
}

/// What is counted is what is there.
fn code(catalog: &Catalog) -> Result<(), Violation> {
    let mut there = BTreeMap::new();
    let functions = catalog.functions.iter().flat_map(|(id, entry)| {
        let sizes = entry.versions.values().map(|v| v.code.size);
        sizes.map(|size| (id.account, &id.region, size))
    });
    let layers = catalog.layers.iter().flat_map(|(id, entry)| {
        let sizes = entry.versions.values().map(|v| v.content.size);
        sizes.map(|size| (id.account, &id.region, size))
    });
    for (account, region, size) in functions.chain(layers).filter(|(.., size)| *size > 0) {
        *there.entry((account, region.clone())).or_default() += size;
    }
    if there != catalog.code {
        let counted = &catalog.code;
        return Err(Violation(format!(
            "code is {there:?}, and counted as {counted:?}"
        )));
    }
    Ok(())
}

const fn keeps(kind: SettingKind) -> bool {
    matches!(kind, SettingKind::Reserved | SettingKind::Provisioned)
}

fn check_settings(id: &FunctionId, entry: &FunctionEntry) -> Result<(), Violation> {
    for ((kind, place), setting) in &entry.settings {
        let fail = |what: &str| {
            let arn = id.arn(place.clone());
            Err(Violation(format!("{arn}: {kind}: {what}")))
        };
        if setting.kind() != *kind {
            return fail("a setting stands under another's key");
        }
        if !kind.may_stand_at(place.as_ref()) {
            return fail("a setting where it may not stand");
        }
        let is_there = match place {
            None => true,
            Some(Qualifier::Version(version)) => entry.versions.contains_key(version),
            // A URL outlives its alias.
            Some(Qualifier::Alias(name)) => {
                *kind == SettingKind::Url || entry.aliases.contains_key(name)
            }
        };
        if !is_there {
            return fail("a setting of a version or alias that does not exist");
        }
        if let Setting::Policy(policy) = &**setting
            && policy.statements.is_empty()
        {
            return fail("a policy without statements");
        }
    }
    let arn = id.arn(None);
    if (entry.reserved()).is_some_and(|reserved| entry.provisioned(None) > reserved) {
        let what = "more provisioned than reserved";
        return Err(Violation(format!("{arn}: {what}")));
    }
    for alias in entry.aliases.values() {
        let provisioned = |q| entry.setting(SettingKind::Provisioned, Some(&q)).is_some();
        if provisioned(Qualifier::Alias(alias.name.clone()))
            && provisioned(Qualifier::Version(alias.version))
        {
            let what = "provisioned for a version and through an alias";
            return Err(Violation(format!("{arn}: {what}")));
        }
    }
    Ok(())
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
