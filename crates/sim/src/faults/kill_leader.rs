//! The leading controller loses its process or its power, and is started again a while later.

use super::{Fault, FaultEntry, Reach};
use crate::hands::Hands;

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "kill-leader",
    weight: 3,
    changes_leader: true,
    reach: Reach::Controllers,
    make: || Box::new(KillLeader::default()),
};

#[derive(Default)]
struct KillLeader {
    victim: Option<usize>,
}

impl Fault for KillLeader {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let leader = on.leader()?;
        if !on.majority_without(&[leader]) {
            return None;
        }
        let loss = on.a_loss();
        on.kill(leader, loss);
        self.victim = Some(leader);
        Some(format!("{}, {loss:?}", on.names(&[leader])))
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        if let Some(victim) = self.victim {
            on.start(victim);
        }
    }
}
