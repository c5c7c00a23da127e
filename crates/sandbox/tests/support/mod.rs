//! What the tests of this crate share.
#![allow(dead_code, reason = "not every test uses everything")]
#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(unreachable_pub, reason = "included as a module")]

pub mod delegation;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use sandbox::{
    Piece,
    linux::{Options, SpawnerCommand},
};
use tempfile::TempDir;

/// A directory outside `/tmp`, which belongs to the sandbox, that everyone may enter.
pub fn directory() -> TempDir {
    let base = std::env::var_os("SANDBOX_TEST_DIR")
        .map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
    let mode: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    tempfile::Builder::new()
        .prefix("sandbox-test-")
        .permissions(mode)
        .tempdir_in(base)
        .unwrap()
}

/// The spawner program of this build.
pub fn spawner() -> SpawnerCommand {
    let program = std::env::var_os("SANDBOX_TEST_SPAWNER")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_dunlin-spawner").into());
    SpawnerCommand {
        program: program.into(),
        args: Vec::new(),
    }
}

/// A spawner command that does something to the host's view first: `prelude` is shell, in a mount namespace of its own,
/// and the spawner takes the shell's place. Needs root.
pub fn spawner_after(dir: &Path, prelude: &str) -> SpawnerCommand {
    let (outer, inner) = (dir.join("spawner-after"), dir.join("spawner-after-inner"));
    let script = format!(
        "#!/bin/sh -e\n{prelude}\nexec '{}'\n",
        spawner().program.display()
    );
    std::fs::write(&inner, script).unwrap();
    std::fs::write(
        &outer,
        format!(
            "#!/bin/sh\nexec /usr/bin/unshare -m '{}'\n",
            inner.display()
        ),
    )
    .unwrap();
    for path in [&outer, &inner] {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
    }
    SpawnerCommand {
        program: outer,
        args: Vec::new(),
    }
}

/// Shell that hides version 2 of cgroups, so that version 1 serves everything it can.
pub const ONLY_VERSION_1: &str = "umount $(awk '/ - cgroup2 /{print $5}' /proc/self/mountinfo)";

/// Whether this host has both versions of cgroups, so that hiding one leaves the other.
pub fn has_both_versions() -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    mounts.contains(" - cgroup2 ") && mounts.contains(" - cgroup cgroup rw,freezer")
}

/// The pieces that only root can have everywhere.
pub fn waived() -> BTreeSet<Piece> {
    let cgroups = [
        Piece::CgroupMemory,
        Piece::CgroupCpu,
        Piece::CgroupPids,
        Piece::CgroupFreezer,
    ];
    let has_them = is_root() || std::env::var_os("SANDBOX_TEST_CGROUP").is_some();
    let cgroups = cgroups.into_iter().filter(|_| !has_them);
    cgroups.collect()
}

/// Options for a driver with a node name that no other test of any process uses.
pub fn options(state: &Path) -> Options {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let name = format!(
        "test-{}-{}",
        std::process::id(),
        MADE.fetch_add(1, Ordering::Relaxed)
    );
    let mut options = Options::new(state, name.parse().unwrap());
    options.spawner = spawner();
    options.pool = 1;
    options.allow_missing = waived();
    if let Ok(cgroup) = std::env::var("SANDBOX_TEST_CGROUP") {
        options.allotment.cgroup_parent = cgroup;
    }
    options
}

/// Whether this process is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
