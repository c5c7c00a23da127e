//! The section `worker`.

use std::{path::PathBuf, time::Duration};

use model::ByteCount;

use super::{NodeConfig, scope::Scope};

/// How much a worker runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// The most environments at a time.
    pub slots: u32,
    /// Memory for environments; three quarters of the machine's if not given.
    pub memory: Option<ByteCount>,
    /// CPUs that environments share; all of the machine's if `None`.
    pub cpus: Option<u32>,
    /// How long an environment may be idle before it ends.
    pub idle_expiry: Duration,
    /// Unpacked code that is kept on disk.
    pub code_cache: ByteCount,
    /// Unpacked layers of container images that are kept on disk.
    pub image_store: ByteCount,
    /// Directories with interpreters beside those of `PATH`.
    pub interpreter_dirs: Vec<PathBuf>,
    /// Directory with packs; `packs` in the data directory if `None`.
    pub pack_dir: Option<PathBuf>,
    /// Whether the next version of a language may stand in for one that is not installed.
    pub nearest_runtime: bool,
    /// Whether a function's interpreter may be a fork of one that has started already.
    pub zygotes: bool,
}

impl NodeConfig {
    /// Where the packs of this node's worker are.
    #[must_use]
    pub fn pack_dir(&self) -> PathBuf {
        let chosen = self.worker.pack_dir.clone();
        chosen.unwrap_or_else(|| self.node.data_dir.join("packs"))
    }
}

pub(super) fn worker(scope: &Scope<'_>) -> Option<Worker> {
    let slots = scope.integer::<u32>("slots");
    let memory = scope.bytes("memory");
    let cpus = scope.integer::<u32>("cpus");
    let idle_expiry = scope.duration("idle_expiry");
    let code_cache = scope.bytes("code_cache");
    let image_store = scope.bytes("image_store");
    let interpreter_dirs = scope.paths("interpreter_dirs");
    let pack_dir = scope.path("pack_dir");
    let nearest_runtime = scope.boolean("nearest_runtime");
    let zygotes = scope.boolean("zygotes");
    if slots == Some(0) {
        scope.refuse("slots", "expected at least 1, got 0");
    }
    if cpus == Some(0) {
        scope.refuse("cpus", "expected at least 1, got 0");
    }
    Some(Worker {
        slots: slots?,
        memory,
        cpus,
        idle_expiry: idle_expiry?,
        code_cache: code_cache?,
        image_store: image_store?,
        interpreter_dirs: interpreter_dirs?,
        pack_dir,
        nearest_runtime: nearest_runtime?,
        zygotes: zygotes?,
    })
}
