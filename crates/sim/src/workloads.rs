//! What clients do. Every file of this folder is one workload: it exports `ENTRY`.

use std::sync::Arc;

use futures::future::LocalBoxFuture;

use crate::caller::Caller;

include!(concat!(env!("OUT_DIR"), "/workloads.rs"));

/// A workload as a run knows it.
pub(crate) struct WorkloadEntry {
    /// Its name, for options and reports.
    pub(crate) name: &'static str,
    /// How many clients do it at once, each with its own number.
    pub(crate) clients: u32,
    /// Works until [`World::quiet`](crate::world::World::quiet).
    pub(crate) work: fn(Arc<Caller>, u32) -> LocalBoxFuture<'static, ()>,
    /// Looks at what is left of its work, once, when the cluster has healed.
    pub(crate) conclude: fn(Arc<Caller>) -> LocalBoxFuture<'static, ()>,
}
