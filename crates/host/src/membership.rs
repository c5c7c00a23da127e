//! Who else is there: gossip.

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
