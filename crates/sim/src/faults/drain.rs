//! Nodes are told to end, one after the other, and started again: a rolling restart.

use std::time::Duration;

use super::{Fault, FaultEntry};
use crate::hands::Hands;

/// Between two nodes.
const PAUSE: Duration = Duration::from_millis(1200);

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "drain",
    weight: 2,
    changes_leader: false,
    controllers_only: false,
    make: || Box::new(Drain::default()),
};

#[derive(Default)]
struct Drain {
    left: Vec<usize>,
    last: Duration,
}

impl Drain {
    fn next(&mut self, on: &mut Hands<'_>) -> Option<usize> {
        let next = self.left.pop()?;
        self.last = on.now();
        on.terminate(next);
        Some(next)
    }
}

impl Fault for Drain {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        self.left = on.up();
        // Beginning anywhere, so that a leader is sometimes the first.
        let by = usize::try_from(on.entropy.below(self.left.len() as u64)).unwrap_or(0);
        self.left.rotate_left(by);
        let first = self.next(on)?;
        Some(format!("{} first", on.names(&[first])))
    }

    fn go_on(&mut self, on: &mut Hands<'_>) {
        if on.now() >= self.last + PAUSE {
            self.next(on);
        }
    }
}
