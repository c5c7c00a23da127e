//! Ends the transitions of event source mappings.
//!
//! Nothing reads sources yet, so that a mapping is ready as soon as it is known: what it should be, it is.

use std::sync::Arc;

use model::{EventSourceMapping, Mutation};
use state::IdempotencyKey;

use crate::{Shared, proposals::PROPOSE_MAX};

/// Settles every mapping that is in transition, if this controller leads.
pub(super) async fn run(shared: &Arc<Shared>) {
    if !shared.replica.status().is_leader {
        return;
    }
    let moving: Vec<Arc<EventSourceMapping>> = shared
        .replica
        .read(|machine, _| machine.catalog().moving_mappings().cloned().collect());
    for mapping in moving {
        let settle = Mutation::SettleEventSourceMapping {
            mapping: mapping.id.clone(),
            revision: mapping.revision,
        };
        // Without a key: settling twice is harmless, the second finds nothing to end.
        if let Err(error) = shared.mutate(IdempotencyKey(0), settle, PROPOSE_MAX).await {
            tracing::debug!(error = %error, "settling an event source mapping is put off");
            return;
        }
    }
}
