//! The sandbox driver port and the Linux driver.
//!
//! A worker runs user code only through [`Driver`] and [`Sandbox`]: a private view of files, processes and network
//! with limits on memory, CPU and process count, which can be frozen, reset and killed. [`Report`] says, piece by
//! piece, what this host enforces.
//!
//! This crate is *not* the runtime API (it only hands out the listener), nor the pool of environments, nor the cache
//! of code. It is the only crate of the workspace that may contain `unsafe`.

#![allow(
    unsafe_code,
    reason = "clone3, setns, mount_setattr and friends have no safe wrapper"
)]
#![deny(
    clippy::undocumented_unsafe_blocks,
    reason = "every unsafe block argues for itself"
)]

pub mod contract;
pub mod driver;
pub mod ends;
pub mod linux;
pub mod network;
pub mod report;
pub mod spawner;
mod wire;

pub use driver::{
    Command, ControlError, CreateError, Driver, Exit, GATEWAY_ADDRESS, InitCpu, LISTENER_ADDRESS,
    NetworkPolicy, RESOLVER_ADDRESS, Root, Sandbox, Spec, StartError, Stats, Zygote,
};
pub use ends::{Accept, Connection, Output};
pub use linux::LinuxDriver;
pub use network::{Networks, Resolver};
pub use report::{Finding, Piece, Report};
