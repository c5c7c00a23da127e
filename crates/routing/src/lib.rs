//! The way of one invocation from a frontend to an environment.
//!
//! Four steps, each a module: [`resolve`] turns a function and a qualifier into one version, from the local copy of the
//! catalog; [`admission`] lets it in or refuses it at once; [`choose`] ranks the workers, a pure function of gossip, of
//! what this frontend has under way and of a draw; [`dispatch`] tries them in that order until one's runtime has taken
//! the invocation. [`Router`] holds what the steps share.
//!
//! This is not the authority on anything: a worker admits or refuses by itself, and what gossip says is a hint. No step
//! waits on Raft: with no controller alive, everything here goes on from the local copy.
//!
//! Invariants: an invocation that a runtime has taken is never sent to another worker; every wait has an end; a permit
//! and a place in a worker's count of calls are given back by `Drop`, whatever happens to the call.

pub mod admission;
pub mod aside;
pub mod choose;
pub mod dispatch;
pub mod outstanding;
pub mod resolve;
mod router;

pub use admission::{Permit, Throttled};
pub use dispatch::{Accepted, Call, DispatchError, Dispatched, Finished, ResponseEvent};
pub use resolve::{ResolveError, Resolved};
pub use router::{Router, RouterOptions, RouterPorts};
