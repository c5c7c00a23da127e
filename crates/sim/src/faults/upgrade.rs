//! Every node begins with an older build and is upgraded, one after the other, while an operator asks too early and too often
//! to finish the upgrade. A run has it only if it is asked for: it changes what the whole run begins with.

use std::{sync::Arc, time::Duration};

use host::net::{PeerIdentity, channel::Channels};
use model::{Role, Roles};
use proto::{
    FORMATS,
    internal::{
        FinalizeRequest, catalog_client::CatalogClient, finalize_response::Result as Answer,
    },
};

use super::{Fault, FaultEntry, Reach};
use crate::{
    hands::Hands,
    net::SimNetwork,
    world::{World, known},
};

/// From the start of a node to the end of the next one.
const PAUSE: Duration = Duration::from_millis(300);
/// Between two questions of the operator.
const ASK_EVERY: Duration = Duration::from_millis(200);
const ASK_MAX: Duration = Duration::from_secs(1);

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "upgrade",
    weight: 0,
    changes_leader: true,
    reach: Reach::All,
    make: || Box::new(Upgrade::default()),
};

#[derive(Default)]
struct Upgrade {
    left: Vec<usize>,
    /// The node that was upgraded last, and the process that it then was.
    last: Option<(usize, u64)>,
    /// When it was seen to be back.
    back: Option<Duration>,
    /// Whether one was.
    felt: bool,
}

impl Upgrade {
    fn next(&mut self, on: &mut Hands<'_>) -> Option<usize> {
        let next = self.left.pop()?;
        let starts = on.starts(next);
        on.upgrade(next);
        self.last = Some((next, starts));
        self.back = None;
        Some(next)
    }
}

impl Fault for Upgrade {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        self.left = on.held_back();
        if self.left.is_empty() {
            return None;
        }
        // Beginning anywhere, so that a leader is sometimes the first.
        let by = usize::try_from(on.entropy.below(self.left.len() as u64)).unwrap_or(0);
        self.left.rotate_left(by);
        let first = self.next(on)?;
        let world = on.world.clone();
        on.sim.client("operator", async move {
            operate(&world).await;
            Ok(())
        });
        Some(format!("{} first", on.names(&[first])))
    }

    fn is_felt(&self, _on: &Hands<'_>) -> bool {
        self.felt
    }

    fn go_on(&mut self, on: &mut Hands<'_>) {
        let now = on.now();
        match (self.back, self.last) {
            (Some(back), _) if now >= back + PAUSE => {
                self.next(on);
            }
            (None, Some((node, starts))) if on.starts(node) > starts => {
                self.back = Some(now);
                self.felt = true;
            }
            (_, _) => {}
        }
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        while self.next(on).is_some() {}
    }
}

/// Asks every controller until one says that it is done, or until clients end.
async fn operate(world: &Arc<World>) {
    let identity = PeerIdentity {
        node: known("operator"),
        roles: Roles::ALL,
    };
    let channels = Channels::new(Arc::new(SimNetwork::new(identity)));
    while !world.quiet.is_cancelled() {
        for controller in world.with_role(Role::Controller) {
            let Some(node) = world.nodes.get(controller) else {
                continue;
            };
            let address = format!("{}:7000", node.name);
            let mut client = CatalogClient::new(channels.get_to(&address, Role::Controller));
            let format = FORMATS.newest;
            let asked = client.finalize(FinalizeRequest { format });
            let Ok(Ok(answer)) = tokio::time::timeout(ASK_MAX, asked).await else {
                continue;
            };
            if let Some(Answer::Format(format)) = answer.into_inner().result {
                tracing::info!(format, "the upgrade is finished");
                return;
            }
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
