//! Ends creations and updates: the leader checks what a version needs and says whether it can be invoked.

use std::sync::Arc;

use futures::StreamExt;
use model::{
    Mutation,
    function::{FunctionVersion, Reason},
};
use state::IdempotencyKey;

use crate::{
    Shared,
    blobs::{self, Held},
    proposals::PROPOSE_MAX,
};

/// Versions that are settled at a time.
const TOGETHER: usize = 32;

/// Settles every version that is ready, if this controller leads. What is not ready stays for the next round.
pub(super) async fn run(shared: &Arc<Shared>) {
    if !shared.replica.status().is_leader {
        return;
    }
    let open: Vec<Arc<FunctionVersion>> = shared
        .replica
        .read(|machine, _| machine.catalog().unsettled().cloned().collect());
    // Many at a time, or whoever creates functions faster than one change after the other is made waits for ever.
    let mut settled = futures::stream::iter(open)
        .map(|version| async move { settle(shared, &version).await })
        .buffer_unordered(TOGETHER);
    while settled.next().await == Some(true) {}
}

/// Ends the creation or update of one version, if its code is there. `false` if changes cannot be made at present.
async fn settle(shared: &Arc<Shared>, version: &FunctionVersion) -> bool {
    if !is_held(shared, version).await {
        tracing::warn!(version = ?version.id, "its code is not on a quorum of controllers yet");
        return true;
    }
    let settle = Mutation::Settle {
        version: version.id.clone(),
        revision: version.revision_id,
        failure: hopeless(version),
    };
    // Without a key: settling twice is harmless, the second finds another revision.
    let settled = shared.mutate(IdempotencyKey(0), settle, PROPOSE_MAX).await;
    if let Err(error) = &settled {
        tracing::debug!(error = %error, "settling is put off");
    }
    settled.is_ok()
}

/// Whether everything that it runs is on a quorum of controllers.
async fn is_held(shared: &Arc<Shared>, version: &FunctionVersion) -> bool {
    for digest in version.blobs() {
        if blobs::held(shared, digest).await != Held::Quorum {
            return false;
        }
    }
    true
}

/// Why it can never be invoked, if it cannot. What only keeps a function from running for now is told when it is invoked.
fn hopeless(version: &FunctionVersion) -> Option<Reason> {
    version.config.image().map(|_| Reason {
        code: "InvalidConfiguration".to_owned(),
        text: "The workers of this cluster do not run container images: the function is recorded and cannot be invoked."
            .to_owned(),
    })
}
