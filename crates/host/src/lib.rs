//! What a node gets from outside itself: time, randomness, the network, disks, the other members, and tasks to run on.
//!
//! Each module is a *port*: a small object-safe trait written as a contract, its real adapters beside it, and a contract
//! suite that any adapter must pass. Role code sees the traits only; one composition root holds the whole [`Host`]; a
//! simulator passes other adapters and runs the same roles.

pub mod blobs;
pub mod certificate;
pub mod clock;
mod disk;
pub mod entropy;
pub mod log;
pub mod membership;
pub mod net;
pub mod store;
pub mod task;

use std::sync::Arc;

pub use blobs::{Blobs, DirectoryBlobs};
pub use clock::{Clock, SystemClock};
pub use entropy::{Entropy, SeededEntropy, SystemEntropy};
pub use log::{LogEngine, RedbLog};
pub use membership::{ChitchatMembership, Membership};
pub use net::{Network, PlainNetwork, TlsNetwork};
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
    /// The other nodes.
    pub membership: Arc<dyn Membership>,
    /// Where background work runs.
    pub tasks: Tasks,
}
