//! A whole zone loses its power.

use super::{Fault, FaultEntry, Reach};
use crate::{disk::Loss, hands::Hands};

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "zone-loss",
    weight: 2,
    changes_leader: false,
    reach: Reach::Zone,
    make: || Box::new(ZoneLoss::default()),
};

#[derive(Default)]
struct ZoneLoss {
    victims: Vec<usize>,
}

impl Fault for ZoneLoss {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let zone = on.a_zone();
        if !on.majority_without(&zone) {
            return None;
        }
        let up = on.up();
        self.victims = zone.into_iter().filter(|n| up.contains(n)).collect();
        for victim in &self.victims {
            on.kill(*victim, Loss::Power);
        }
        Some(on.names(&self.victims))
    }

    fn lost(&self) -> &[usize] {
        &self.victims
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        for victim in std::mem::take(&mut self.victims) {
            on.start(victim);
        }
    }
}
