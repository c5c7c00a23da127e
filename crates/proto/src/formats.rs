//! The formats of commands and records.
//!
//! A command or record carries the smallest format that can express it, so a cluster that was not finalised writes only
//! what the build before reads (ADR 8).

/// The formats that a build reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Formats {
    /// The oldest one.
    pub oldest: u32,
    /// The newest one; once the cluster writes it, this build writes it too.
    pub newest: u32,
}

/// The formats of this build. Format 1: functions, versions, aliases. Format 2: everything since.
pub const FORMATS: Formats = Formats {
    oldest: 1,
    newest: 2,
};

impl Formats {
    /// Whether a build with these formats reads `format`.
    #[must_use]
    pub const fn reads(&self, format: u32) -> bool {
        self.oldest <= format && format <= self.newest
    }
}

/// What a node announced. Builds that know of no formats say nothing: they read the first.
#[must_use]
pub const fn announced(newest: u32) -> u32 {
    if newest == 0 { 1 } else { newest }
}

/// A node cannot take part: its cluster was finalised beyond what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this node reads formats up to {newest}, but the upgrade of its cluster was finished and it writes format {cluster}: \
     run the newer build of Dunlin on this node"
)]
pub struct TooOld {
    /// The newest format that the node reads.
    pub newest: u32,
    /// The format that the cluster writes.
    pub cluster: u32,
}

impl TooOld {
    /// Looks whether a node that reads formats up to `newest` can follow a cluster that writes `cluster`.
    ///
    /// # Errors
    /// [`TooOld`] if it cannot.
    pub const fn check(newest: u32, cluster: u32) -> Result<(), Self> {
        if cluster <= newest {
            Ok(())
        } else {
            Err(Self { newest, cluster })
        }
    }
}
