//! All nodes lose their power at the same moment, and come back one after the other.

use super::{Fault, FaultEntry, Reach};
use crate::{disk::Loss, hands::Hands};

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "power-cut",
    weight: 1,
    changes_leader: false,
    reach: Reach::All,
    make: || Box::new(PowerCut::default()),
};

#[derive(Default)]
struct PowerCut {
    victims: Vec<usize>,
}

impl Fault for PowerCut {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        self.victims = on.up();
        for victim in &self.victims {
            on.kill(*victim, Loss::Power);
        }
        (!self.victims.is_empty()).then(|| on.names(&self.victims))
    }

    fn go_on(&mut self, on: &mut Hands<'_>) {
        if on.entropy.below(6) == 0
            && let Some(first) = on.pick(&self.victims)
        {
            self.victims.retain(|n| *n != first);
            on.start(first);
        }
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        for victim in std::mem::take(&mut self.victims) {
            on.start(victim);
        }
    }
}
