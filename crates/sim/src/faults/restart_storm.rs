//! Nodes crash again and again, soon after they were started.

use super::{Fault, FaultEntry, Reach};
use crate::hands::Hands;

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "restart-storm",
    weight: 2,
    changes_leader: false,
    reach: Reach::All,
    make: || Box::new(RestartStorm),
};

struct RestartStorm;

impl RestartStorm {
    fn strike(on: &mut Hands<'_>) -> Option<String> {
        let victim = on.pick(&on.up())?;
        let loss = on.a_loss();
        on.bounce(victim, loss);
        Some(format!("{} first", on.names(&[victim])))
    }
}

impl Fault for RestartStorm {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        Self::strike(on)
    }

    fn go_on(&mut self, on: &mut Hands<'_>) {
        if on.entropy.below(8) == 0 {
            Self::strike(on);
        }
    }
}
