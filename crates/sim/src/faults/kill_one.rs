//! Any node loses its process or its power, and is started again a while later.

use super::{Fault, FaultEntry, Reach};
use crate::hands::Hands;

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "kill-one",
    weight: 4,
    changes_leader: false,
    reach: Reach::All,
    make: || Box::new(KillOne::default()),
};

#[derive(Default)]
struct KillOne {
    victim: Option<usize>,
}

impl Fault for KillOne {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let victim = on.pick(&on.up())?;
        let loss = on.a_loss();
        on.kill(victim, loss);
        self.victim = Some(victim);
        Some(format!("{}, {loss:?}", on.names(&[victim])))
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        if let Some(victim) = self.victim {
            on.start(victim);
        }
    }
}
