//! Who else is there: gossip.
//!
//! [`ChitchatMembership`] is the real one: chitchat's protocol over UDP datagrams of our own, sealed with a key of the
//! cluster and small enough never to be split by a network.

mod chitchat_membership;
pub mod contract;
mod encoding;
mod fragment;
mod seal;
mod transport;

pub use chitchat_membership::{ChitchatMembership, MembershipError, MembershipOptions};
pub use transport::GossipCounts;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use model::{NodeName, capacity::Member};
use tokio::sync::watch;

/// The live members by name, this node included, each at its newest generation.
pub type Members = Arc<BTreeMap<NodeName, Arc<Member>>>;

/// A view of the live members that converges within seconds. It is a hint: it never decides safety.
#[async_trait]
pub trait Membership: Send + Sync + 'static {
    /// The members now, and a wake-up at every change. "Look again", not "here is what changed".
    fn watch(&self) -> watch::Receiver<Members>;

    /// Publishes what this node says of itself. Cheap: only the last one within a gossip interval goes out. The adapter
    /// cuts what does not fit its size limit (warmth first) and never fails for size.
    fn publish(&self, own: Member);

    /// Says goodbye, so that others need not wait to find out, and stops.
    async fn leave(&self);
}
