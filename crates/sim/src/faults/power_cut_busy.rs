//! The power of all nodes goes while the disks of the controllers are busy: whatever was said to be durable and was only on
//! its way is lost.

use std::time::Duration;

use model::Role;

use super::{Fault, FaultEntry, Reach};
use crate::{
    disk::{DiskFault, Loss},
    hands::Hands,
};

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "power-cut-busy",
    weight: 1,
    changes_leader: false,
    reach: Reach::All,
    make: || Box::new(PowerCutBusy::default()),
};

#[derive(Default)]
struct PowerCutBusy {
    busy: Vec<usize>,
    cut_at: Duration,
    victims: Vec<usize>,
    was_cut: bool,
}

impl PowerCutBusy {
    fn cut(&mut self, on: &mut Hands<'_>) {
        self.was_cut = true;
        self.victims = on.up();
        for victim in &self.victims {
            on.kill(*victim, Loss::Power);
        }
        self.calm(on);
    }

    /// Lets the disks be as quick as usual.
    fn calm(&mut self, on: &Hands<'_>) {
        for node in std::mem::take(&mut self.busy) {
            if let Some(node) = on.world.nodes.get(node) {
                node.disk.heal();
            }
        }
    }
}

impl Fault for PowerCutBusy {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        self.busy = on.up_with(Role::Controller);
        let slow = DiskFault::Slow(Duration::from_millis(60 + on.entropy.below(200)));
        for node in &self.busy {
            on.world.nodes.get(*node)?.disk.inject(slow);
        }
        self.cut_at = on.now() + Duration::from_millis(250 + on.entropy.below(200));
        (!self.busy.is_empty()).then(|| format!("{}, {slow:?}", on.names(&self.busy)))
    }

    fn go_on(&mut self, on: &mut Hands<'_>) {
        if !self.busy.is_empty() && on.now() >= self.cut_at {
            self.cut(on);
        } else if on.entropy.below(6) == 0
            && let Some(first) = on.pick(&self.victims)
        {
            self.victims.retain(|n| *n != first);
            on.start(first);
        }
    }

    fn is_felt(&self, _on: &Hands<'_>) -> bool {
        self.was_cut
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        self.calm(on);
        for victim in std::mem::take(&mut self.victims) {
            on.start(victim);
        }
    }
}
