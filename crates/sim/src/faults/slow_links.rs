//! Messages to and from a node take long: it is gray, not dead.

use std::time::Duration;

use super::{Fault, FaultEntry, Reach};
use crate::hands::{Hands, pairs};

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "slow-links",
    weight: 3,
    changes_leader: false,
    reach: Reach::All,
    make: || Box::new(SlowLinks::default()),
};

#[derive(Default)]
struct SlowLinks {
    slow: Vec<(usize, usize)>,
    /// What the victim had said before.
    before: u64,
}

impl Fault for SlowLinks {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let victim = on.pick(&on.up())?;
        let most = Duration::from_millis(50 + on.entropy.below(600));
        self.slow = pairs(&[victim], &on.others(&[victim]));
        self.before = on.told(&self.slow);
        for (a, b) in &self.slow {
            on.delay(*a, *b, most);
        }
        Some(format!("{} up to {most:?}", on.names(&[victim])))
    }

    fn is_felt(&self, on: &Hands<'_>) -> bool {
        on.told(&self.slow) > self.before
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        for (a, b) in std::mem::take(&mut self.slow) {
            on.hasten(a, b);
        }
    }
}
