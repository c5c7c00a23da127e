//! An operator takes a controller out of the group while clients work, stops it, empties its disk and starts it again: it comes
//! back as a new member. The controller is stopped before it is taken out, or after. Now and then the leader dies in the middle.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use host::net::{PeerIdentity, channel::Channels};
use model::{NodeName, Role, Roles};
use proto::internal::{
    LeaveRequest, catalog_client::CatalogClient, leave_response::Result as Answer,
};
use tonic::Code;

use super::{Fault, FaultEntry, Reach};
use crate::{
    hands::Hands,
    net::SimNetwork,
    world::{World, known},
};

/// Between two questions of the operator.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How long one of them may take: a change of the members takes two entries of the log.
const ASK_MAX: Duration = Duration::from_secs(2);

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "membership",
    weight: 2,
    changes_leader: false,
    // One of three is missing, and the leader may die: what is known goes on being served.
    reach: Reach::Controllers,
    make: || Box::new(Membership::default()),
};

#[derive(Default)]
struct Membership {
    victim: Option<usize>,
    /// Whether the leader dies in the middle, if it has not yet.
    kills_leader: bool,
    /// Set by the operator once the group does not know the victim any more.
    is_out: Arc<AtomicBool>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// The operator asks.
    #[default]
    Leaving,
    /// It is down, and its disk is empty.
    Out,
    /// It was started again.
    Back,
}

impl Fault for Membership {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        // Of controllers one at most may lose what it had, or a majority could forget.
        let unharmed = on.damage.wiped.is_empty() && on.damage.rotten.is_empty();
        let all = on.world.with_role(Role::Controller);
        let victim = on.pick(&all)?;
        if !unharmed || on.up_with(Role::Controller) != all {
            return None;
        }
        let name = on.world.nodes.get(victim)?.name.clone();
        let now = on.now();
        on.damage.wiped.insert(victim, now);
        self.victim = Some(victim);
        self.kills_leader = on.entropy.below(3) == 0;
        let stopped = on.entropy.below(2) == 0;
        if stopped {
            let loss = on.a_loss();
            on.kill(victim, loss);
        }
        let (world, is_out) = (on.world.clone(), self.is_out.clone());
        on.sim.client("mover", async move {
            take_out(&world, &name).await;
            is_out.store(true, Ordering::Relaxed);
            Ok(())
        });
        let how = if stopped { ", stopped" } else { "" };
        Some(format!("{}{how}", on.names(&[victim])))
    }

    fn go_on(&mut self, on: &mut Hands<'_>) {
        let Some(victim) = self.victim else { return };
        if self.kills_leader
            && on.entropy.below(6) == 0
            && let Some(leader) = on.leader()
        {
            self.kills_leader = false;
            let loss = on.a_loss();
            on.bounce(leader, loss);
        }
        match self.stage {
            Stage::Leaving if self.is_out.load(Ordering::Relaxed) => {
                if on.up().contains(&victim) {
                    let loss = on.a_loss();
                    on.kill(victim, loss);
                }
                on.hold(victim);
                on.wipe(victim);
                self.stage = Stage::Out;
            }
            Stage::Out if on.entropy.below(6) == 0 => {
                on.start(victim);
                self.stage = Stage::Back;
            }
            Stage::Leaving | Stage::Out | Stage::Back => {}
        }
    }

    fn is_felt(&self, _on: &Hands<'_>) -> bool {
        self.stage == Stage::Back
    }

    fn is_finished(&self) -> bool {
        self.victim.is_none() || self.stage == Stage::Back
    }
}

/// Asks the controllers until one says that a name is none of theirs any more.
async fn take_out(world: &Arc<World>, name: &NodeName) {
    let identity = PeerIdentity {
        node: known("mover"),
        roles: Roles::ALL,
    };
    let channels = Channels::new(Arc::new(SimNetwork::new(identity)));
    loop {
        for controller in world.with_role(Role::Controller) {
            let Some(node) = world.nodes.get(controller) else {
                continue;
            };
            let address = format!("{}:7000", node.name);
            let mut client = CatalogClient::new(channels.get_to(&address, Role::Controller));
            let asked = client.leave(LeaveRequest {
                name: name.to_string(),
            });
            match tokio::time::timeout(ASK_MAX, asked).await {
                Ok(Ok(answer)) => match answer.into_inner().result {
                    Some(Answer::Done(true)) => return,
                    Some(Answer::Done(false) | Answer::NotLeader(_)) | None => {}
                },
                // An attempt whose answer was lost has done it.
                Ok(Err(status)) if status.code() == Code::NotFound => return,
                Ok(Err(_)) | Err(_) => {}
            }
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
