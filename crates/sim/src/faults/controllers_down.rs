//! Every controller is down at once: what is known must go on being served.

use model::Role;

use super::{Fault, FaultEntry, Reach};
use crate::hands::Hands;

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "controllers-down",
    weight: 1,
    changes_leader: false,
    reach: Reach::Controllers,
    make: || Box::new(ControllersDown::default()),
};

#[derive(Default)]
struct ControllersDown {
    victims: Vec<usize>,
}

impl Fault for ControllersDown {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        self.victims = on.up_with(Role::Controller);
        for victim in &self.victims {
            let loss = on.a_loss();
            on.kill(*victim, loss);
        }
        (!self.victims.is_empty()).then(|| on.names(&self.victims))
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        for victim in std::mem::take(&mut self.victims) {
            on.start(victim);
        }
    }
}
