//! Ends creations and updates: the leader checks what a version needs and says whether it can be invoked.

use std::sync::Arc;

use model::{Mutation, function::FunctionVersion};
use state::IdempotencyKey;

use crate::{
    Shared,
    blobs::{self, Held},
    proposals::PROPOSE_MAX,
};

/// Settles every version that is ready, if this controller leads. What is not ready stays for the next round.
pub(super) async fn run(shared: &Arc<Shared>) {
    if !shared.replica.status().is_leader {
        return;
    }
    let open: Vec<Arc<FunctionVersion>> = shared
        .replica
        .read(|machine, _| machine.catalog().unsettled().cloned().collect());
    for version in open {
        if blobs::held(shared, version.code.digest).await != Held::Quorum {
            tracing::warn!(version = ?version.id, "its code is not on a quorum of controllers yet");
            continue;
        }
        let settle = Mutation::Settle {
            version: version.id.clone(),
            revision: version.revision_id,
            failure: None,
        };
        // Without a key: settling twice is harmless, the second finds another revision.
        if let Err(error) = shared.mutate(IdempotencyKey(0), settle, PROPOSE_MAX).await {
            tracing::debug!(error = %error, "settling is put off");
            return;
        }
    }
}
