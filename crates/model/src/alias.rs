//! Aliases: names that point at versions.

use std::num::NonZeroU64;

use crate::{AliasName, FunctionId, RevisionId, Version};

/// A share of traffic in millionths of the whole: 0–1 000 000. AWS speaks of a weight from 0.0 to 1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u32);

/// A weight outside 0.0–1.0.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("expected a weight from 0.0 to 1.0, got {0}")]
pub struct InvalidWeight(pub f64);

impl Weight {
    /// The whole.
    pub const ONE: u32 = 1_000_000;

    /// # Errors
    /// [`InvalidWeight`] outside 0.0–1.0.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be within 0..=1e6"
    )]
    pub fn from_fraction(fraction: f64) -> Result<Self, InvalidWeight> {
        if (0.0..=1.0).contains(&fraction) {
            Ok(Self((fraction * f64::from(Self::ONE)).round() as u32))
        } else {
            Err(InvalidWeight(fraction))
        }
    }

    /// From millionths; more than the whole is the whole.
    #[must_use]
    pub fn from_millionths(millionths: u32) -> Self {
        Self(millionths.min(Self::ONE))
    }

    /// In millionths.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// From 0.0 to 1.0.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(Self::ONE)
    }
}

/// A second version that gets a share of an alias's invocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canary {
    /// The other version: a published one.
    pub version: NonZeroU64,
    /// Its share.
    pub weight: Weight,
}

/// A named pointer to a version, with at most one canary beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The function.
    pub function: FunctionId,
    /// The alias.
    pub name: AliasName,
    /// The version that gets what the canary does not.
    pub version: Version,
    /// The canary.
    pub canary: Option<Canary>,
    /// Free text, at most 256 characters.
    pub description: String,
    /// The optimistic lock.
    pub revision_id: RevisionId,
}

impl Alias {
    /// The smallest format of the catalog that can express it.
    #[must_use]
    pub const fn format(&self) -> u32 {
        self.version.format()
    }

    /// The version for one invocation, given a number drawn evenly from `0..1_000_000`.
    #[must_use]
    pub fn pick(&self, drawn: u32) -> Version {
        match self.canary {
            Some(c) if drawn < c.weight.millionths() => Version::Number(c.version),
            _ => self.version,
        }
    }
}
