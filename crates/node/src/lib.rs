//! The product's binary: configuration, composition of roles, start and drain, command line.
//!
//! - [`config`]: one TOML file and its variables become a [`config::NodeConfig`]; [`material`] reads what it names.
//! - [`compose::start`]: puts the roles of one node together on the ports of a [`host::Host`]; [`real`] makes the real one.
//! - [`admin`]: health, metrics, status. [`telemetry`]: log and spans. [`cli`]: the commands.
//!
//! Nothing is decided here about functions or invocations; every role is a crate of its own and knows nothing of this one.
//! Two nodes fit into one process: there is no global state but the subscriber of the log.

pub mod admin;
pub mod cli;
pub mod compose;
pub mod config;
mod machine;
pub mod material;
pub mod real;
pub mod telemetry;
