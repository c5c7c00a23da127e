//! An adapter under a script.

use std::path::Path;

use crate::model::{Ledger, Progress};

/// What an adapter makes of what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It opens, everything acknowledged is there, and it works.
    Whole,
    /// It could not make sense of what is left, set that aside, and works with nothing. Only for copies.
    Anew,
}

pub(crate) trait Subject {
    /// Its name in a point.
    fn name(&self) -> &'static str;

    /// Whether errors are injected, too. An engine that waits for ever after one has nothing to check.
    fn meets_errors(&self) -> bool {
        true
    }

    /// Runs the script below a directory and closes. Ends at the first error that it cannot go on from, with its text.
    async fn work(&self, directory: &Path, ledger: &Ledger) -> Result<(), String>;

    /// Opens what is there and checks it against what the script was told; then does something with it.
    async fn verify(&self, directory: &Path, progress: Progress) -> Result<Found, String>;

    /// Opens it as a restarted process does and gets something acknowledged.
    async fn go_on(&self, directory: &Path) -> Result<(), String>;

    /// Checks that this is there.
    async fn went_on(&self, directory: &Path) -> Result<(), String>;
}
