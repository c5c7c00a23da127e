//! Deterministic simulator: real nodes in one process, from a seed, with faults, workloads and checks.
//!
//! A run puts the real composition of every role on simulated ports: time, network, gossip and randomness come from a
//! seed, disks forget what was not synced, guests are scripts that speak the real Runtime API. Clients work while faults
//! happen (safety); then everything heals and the cluster must recover (liveness). What clients saw, what guests did and
//! what nodes hold is checked all along and at the end. Equal options give equal runs, to the byte.
//!
//! A workload, a fault and an invariant are a file each in their folders, found by the build script.

mod api;
mod caller;
mod calls;
mod clock;
mod digest;
pub mod disk;
mod faults;
mod gossip;
pub mod guest;
mod hands;
pub mod history;
mod invariants;
mod judge;
mod net;
mod options;
mod plan;
mod process;
mod records;
mod refusals;
mod reserved;
mod run;
mod seen;
mod trace;
mod troubles;
mod workloads;
mod world;

pub use clock::virtual_millis;
pub use options::Options;
pub use run::{Report, Verdict, run};
pub use trace::Trace;
pub use world::Violation;

/// The names of all faults, workloads and invariants, for whoever chooses among them.
#[must_use]
pub fn names() -> [(&'static str, Vec<&'static str>); 3] {
    [
        ("faults", faults::all().iter().map(|f| f.name).collect()),
        (
            "workloads",
            workloads::all().iter().map(|w| w.name).collect(),
        ),
        (
            "invariants",
            invariants::all().iter().map(|i| i.name).collect(),
        ),
    ]
}
