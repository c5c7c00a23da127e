//! Messages to and from a node take long: it is gray, not dead.

use std::time::Duration;

use super::{Fault, FaultEntry};
use crate::hands::{Hands, pairs};

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "slow-links",
    weight: 3,
    changes_leader: false,
    controllers_only: false,
    make: || Box::new(SlowLinks::default()),
};

#[derive(Default)]
struct SlowLinks {
    slow: Vec<(usize, usize)>,
}

impl Fault for SlowLinks {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let victim = on.pick(&on.up())?;
        let most = Duration::from_millis(50 + on.entropy.below(600));
        self.slow = pairs(&[victim], &on.others(&[victim]));
        for (a, b) in &self.slow {
            on.delay(*a, *b, most);
        }
        Some(format!("{} up to {most:?}", on.names(&[victim])))
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        for (a, b) in std::mem::take(&mut self.slow) {
            on.hasten(a, b);
        }
    }
}
