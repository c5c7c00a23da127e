//! Real clusters in network namespaces, broken on purpose under the load of a stock SDK, with a verdict per fault.
//!
//! A [`Scenario`] says what happens. [`run`] plays it against a [`LocalCluster`] that it makes, or against an operator's
//! own ([`staging`]), while a [`load`] of invocations and control writes goes on, and answers an [`Outcome`]: what the
//! [`verdict`] is, and why. [`fault`] is what can go wrong, [`fabric`] the network it goes wrong in.
//!
//! This crate knows nodes only from outside: their program, their API, their admin endpoint. It decides nothing that is
//! random but from its seed, and it changes nothing on a machine that it does not take back.

mod admin;
pub mod fabric;
pub mod fault;
pub mod load;
pub mod local;
mod moment;
pub mod outcome;
mod rehearsal;
pub mod report;
mod run;
mod scenario;
pub mod staging;
pub mod verdict;
mod watched;

pub use local::LocalCluster;
pub use moment::{Began, Moment};
pub use outcome::Outcome;
pub use rehearsal::plan;
pub use run::{Finished, Options, RunError, run};
pub use scenario::{Limits, LoadOptions, Scenario, ScenarioError, Shape, Step, Writes};
pub use watched::Watched;
