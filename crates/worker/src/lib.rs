//! A worker: runs functions in environments on this machine.
//!
//! An invocation comes in through the [`Service`], gets an environment from the pool or a place for a new one, and runs.
//! The worker's own admission is the authority on what it can take: [`Worker::load`] only tells the cluster where it is
//! worth asking. Whatever could not be run here is refused with a reason, cheaply and before anything could have had an
//! effect, so that another worker can be tried.
//!
//! It is *not* the sandbox (a [`sandbox::Driver`] is given to it), nor does it know where versions and code come from
//! ([`Versions`], [`CodeSource`]). What functions say to the cluster it carries to a frontend and does not read.
//!
//! Invariants: an environment serves one invocation at a time, of one revision of one version of one function; it is given
//! back before the caller hears the end; everything that waits has a deadline and everything that grows has a bound.

mod capacity;
mod code;
mod environment;
#[cfg(test)]
mod fixture;
mod gateway;
mod images;
mod logs;
mod meter;
mod network;
pub mod packs;
mod pool;
mod ports;
mod runtimes;
mod service;
mod telemetry;
mod worker;

pub use capacity::Load;
pub use logs::{files::Retention, service::LogService};
pub use meter::Figures;
pub use network::Choices;
pub use ports::{CodeSource, FetchError, Versions};
pub use service::Service;
pub use worker::{Options, Ports, StartError, Worker};
