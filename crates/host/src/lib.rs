//! What a node gets from outside itself: time, randomness, the network, disks, the other members, and tasks to run on.
//!
//! Each module is a *port*: a small object-safe trait written as a contract, its real adapters beside it, and a `contract`
//! module that any adapter must pass. Role code sees the traits only; one composition root holds the whole [`Host`]; a
//! simulator passes other adapters and runs the same roles.
//!
//! | port | real adapter | promise |
//! |---|---|---|
//! | [`Clock`] | [`SystemClock`] | wall time; timers stay `tokio::time` |
//! | [`Entropy`] | [`SystemEntropy`] | fit for keys; [`SeededEntropy`] repeats itself |
//! | [`Network`] | [`TlsNetwork`] | both ends of a connection between nodes are proven; certificates may change under way |
//! | [`LogEngine`] | [`RedbLog`] | on disk when the call returns, one barrier for all groups; the first error is the last |
//! | [`Store`] | [`SledStore`] | batches whole and in order; on disk after a flush |
//! | [`Blobs`] | [`DirectoryBlobs`] | what is read has the digest that it was asked by |
//! | [`Segments`] | [`DirectorySegments`] | what was appended is on disk, and nobody changed what was there |
//! | [`Membership`] | [`ChitchatMembership`] | a hint of who is there, a death included, within seconds |
//! | [`Tasks`] | – | nothing runs unnamed or past the end of its node |
//!
//! What this crate is not: it decides nothing. It does not retry on behalf of its callers, knows no role's rules, and the
//! only formats it owns are those of its own disks and datagrams. [`certificate`] makes what [`TlsNetwork`] proves.

pub mod blobs;
pub mod certificate;
pub mod clock;
mod disk;
pub mod entropy;
pub mod log;
pub mod membership;
pub mod net;
pub mod segments;
pub mod store;
pub mod task;

use std::sync::Arc;

pub use blobs::{Blobs, DirectoryBlobs};
pub use clock::{Clock, SystemClock};
pub use entropy::{Entropy, SeededEntropy, SystemEntropy};
pub use log::{LogEngine, RedbLog};
pub use membership::{ChitchatMembership, Membership};
pub use net::{Network, PlainNetwork, TlsNetwork};
pub use segments::{DirectorySegments, Segments};
pub use store::{SledStore, Store};
pub use task::Tasks;

/// Everything a node gets from outside. Only the composition root holds it; it hands single ports to constructors.
#[derive(Clone)]
pub struct Host {
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Listeners and connections.
    pub network: Arc<dyn Network>,
    /// Small records: materialised state machines and local copies.
    pub store: Arc<dyn Store>,
    /// The Raft log and vote.
    pub log: Arc<dyn LogEngine>,
    /// Code packages by digest.
    pub blobs: Arc<dyn Blobs>,
    /// The audit log of a frontend.
    pub segments: Arc<dyn Segments>,
    /// The other nodes.
    pub membership: Arc<dyn Membership>,
    /// Where background work runs.
    pub tasks: Tasks,
}
