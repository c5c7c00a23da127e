//! A mounted disk for a test, where the machine lets us have one.

use std::time::Duration;

use faultfs::{Mount, Options};
use tempfile::TempDir;

/// How long a closed adapter may take to close its files.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A disk and the directory it is mounted at. The mount goes first.
pub(crate) struct Disk {
    pub(crate) mount: Mount,
    pub(crate) directory: TempDir,
}

/// Mounts a disk. Where that cannot be done, says so and gives nothing; with `DUNLIN_REQUIRE_FUSE` set, fails.
pub(crate) fn disk_or_skip(options: Options) -> Option<Disk> {
    let directory = tempfile::tempdir().unwrap();
    match Mount::new(directory.path(), options) {
        Ok(mount) => Some(Disk { mount, directory }),
        Err(error) if std::env::var_os("DUNLIN_REQUIRE_FUSE").is_none() => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            eprintln!("SKIPPED, nothing was tested: {error}: {source:?}");
            None
        }
        Err(error) => panic!("DUNLIN_REQUIRE_FUSE is set, but: {error:?}"),
    }
}
