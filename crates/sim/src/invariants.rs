//! What must hold. Every file of this folder is one invariant: it exports `ENTRY`.

use crate::world::World;

include!(concat!(env!("OUT_DIR"), "/invariants.rs"));

/// An invariant as a run knows it.
pub(crate) struct InvariantEntry {
    /// Its name, for reports.
    pub(crate) name: &'static str,
    /// A fresh one for a run.
    pub(crate) make: fn() -> Box<dyn Invariant>,
}

/// A check. It tells what it finds to [`World::violated`].
pub(crate) trait Invariant {
    /// Looks at the running cluster, every 50 ms. Cheap.
    fn watch(&mut self, _world: &World) {}

    /// Looks at everything, after the cluster has healed and the last client has gone.
    fn conclude(&mut self, _world: &World) {}
}
