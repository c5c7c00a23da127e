//! Deterministic simulator: real nodes in one process, from a seed, with faults, workloads and checks.

pub mod disk;
pub mod guest;
pub mod history;
